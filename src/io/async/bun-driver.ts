// The asynchronous driver on Bun: `Bun.listen` sockets.

import type { Socket, TCPSocketListener } from 'bun';
import { formatAddress, type ListenerTerms } from '../../config/address.ts';
import { KB } from '../../limits.ts';
import type { Bound } from '../driver.ts';
import { type Entrance, openTerms } from '../entrance.ts';
import { release } from '../lent.ts';
import { EventDriver, EventLink } from './event-driver.ts';
import { tuneListener } from './tune.ts';

/** Whoever fills this much of the runtime's buffer (512 kB) in one read is read again at once, ten
 *  times over, before anybody else. */
const LOUD_BYTES = 256 * KB;

class BunLink extends EventLink {
  /** The socket took less than it was given. */
  short = false;
  private readonly socket: Socket<BunLink>;

  constructor(socket: Socket<BunLink>, driver: BunDriver, entrance: Entrance) {
    super(driver, entrance, formatAddress(socket.remoteAddress, socket.remotePort), false);
    this.socket = socket;
  }

  write(buffer: Uint8Array, start: number, end: number): number {
    if (this.finished) return 0;
    const written = this.socket.write(buffer as Uint8Array<ArrayBuffer>, start, end - start);
    this.short = written < end - start;
    return written > 0 ? written : 0; // -1: it is closing, which `closed` will tell
  }

  abort(): void {
    this.finished = true;
    this.socket.terminate();
  }

  end(): void {
    this.finished = true;
    this.socket.end();
  }

  protected sayGoodbye(): void {
    this.socket.shutdown();
  }

  protected stopReading(stopped: boolean): void {
    if (stopped) this.socket.pause();
    else this.socket.resume();
  }
}

export class BunDriver extends EventDriver {
  private readonly listeners: TCPSocketListener<BunLink>[] = [];

  async listen(host: string, port: number, terms: ListenerTerms = openTerms): Promise<Bound> {
    try {
      const reception = await this.receptionFor(terms);
      let entrance!: Entrance; // nobody is accepted before this turn is over
      const accepted = (socket: Socket<BunLink>) => this.accepted(socket, entrance);
      const options = this.listenOptions(accepted);
      const listener = Bun.listen<BunLink>({ ...options, hostname: host, port });
      const bound = { host, port: listener.port };
      entrance = this.entranceOf(bound, terms, reception);
      this.listeners.push(listener);
      await tuneListener((listener as unknown as { fd: number }).fd, this.options, this.tell);
      return bound;
    } catch (error) {
      throw Object.assign(error as Error, { address: host, port });
    }
  }

  stopListening(): void {
    for (const listener of this.listeners.splice(0)) listener.stop();
  }

  /** Bun's types lack `ipv6Only` and `reusePort`; it knows both. */
  private listenOptions(accepted: (socket: Socket<BunLink>) => void) {
    const { reusePort } = this.options;
    return {
      exclusive: !reusePort,
      reusePort,
      ipv6Only: true,
      allowHalfOpen: true,
      socket: {
        // Plain, as the core wants them: of each Buffer it would have to make one.
        binaryType: 'uint8array' as const,
        open: accepted,
        data: ({ data: link }: Socket<BunLink>, chunk: Uint8Array) => {
          if (chunk.length >= LOUD_BYTES) link.rest();
          this.received(link, chunk);
          release(chunk);
        },
        drain: ({ data: link }: Socket<BunLink>) => {
          if (!link.short || link.finished) return;
          link.short = false;
          this.drained(link);
        },
        end: ({ data: link }: Socket<BunLink>) => this.ended(link),
        close: ({ data: link }: Socket<BunLink | undefined>) => {
          if (link !== undefined) this.closed(link); // who had reset was never one
        },
        // No `error`: what is thrown in here would go there, and is a bug that ends the process.
      },
    };
  }

  private accepted(socket: Socket<BunLink>, entrance: Entrance): void {
    if (socket.remoteAddress === undefined) {
      socket.terminate(); // it has reset already
      return;
    }
    const { noDelay, keepAliveSeconds } = this.options;
    const link = new BunLink(socket, this, entrance);
    socket.data = link;
    socket.setNoDelay(noDelay);
    if (keepAliveSeconds > 0) socket.setKeepAlive(true, keepAliveSeconds * 1000);
    this.arrived(link);
  }
}
