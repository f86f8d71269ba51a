// The asynchronous driver on Bun: `Bun.listen` sockets.

import type { Socket, TCPSocketListener } from 'bun';
import { formatAddress } from '../../config/address.ts';
import type { Connection } from '../../core/session/connection.ts';
import type { Driver, Hallway, Link, Tell } from '../driver.ts';
import type { IoOptions } from '../options.ts';
import { Gate, type Guest } from './gate.ts';

import { tuneListener } from './tune.ts';
import { Turns } from './turns.ts';

class BunLink implements Link, Guest {
  readonly peer: string;
  connection: Connection | null = null;
  blocked = false;
  closing = false;
  /** The hallway knows it. */
  known = false;
  /** The socket took less than it was given. */
  short = false;
  /** We have said goodbye; what still comes is thrown away. */
  finished = false;
  private readonly socket: Socket<BunLink>;
  private readonly driver: BunDriver;
  private paused = false;

  constructor(socket: Socket<BunLink>, driver: BunDriver) {
    this.socket = socket;
    this.driver = driver;
    this.peer = formatAddress(socket.remoteAddress, socket.remotePort);
  }

  write(buffer: Uint8Array, start: number, end: number): number {
    if (this.finished) return 0;
    const written = this.socket.write(buffer as Uint8Array<ArrayBuffer>, start, end - start);
    this.short = written < end - start;
    return written > 0 ? written : 0; // -1: it is closing, which `closed` will tell
  }

  pause(paused: boolean): void {
    if (paused === this.paused) return;
    this.paused = paused;
    if (paused) this.socket.pause();
    else this.socket.resume();
  }

  close(): void {
    this.finished = true;
    this.pause(false); // the peer's end of stream must be seen
    this.socket.shutdown();
  }

  abort(): void {
    this.finished = true;
    this.socket.terminate();
  }

  /** The peer's side has ended, and its answers are written. */
  end(): void {
    this.finished = true;
    this.socket.end();
  }

  hold(): void {
    this.pause(true);
  }

  letIn(): void {
    this.pause(false);
    this.driver.letIn(this);
  }
}

export class BunDriver implements Driver {
  private readonly hallway: Hallway;
  private readonly options: IoOptions;
  private readonly tell: Tell;
  private readonly gate: Gate;
  private readonly turns = new Turns(() => this.turn());
  private readonly listeners: TCPSocketListener<BunLink>[] = [];
  private readonly links = new Set<BunLink>();
  /** Their peers have ended their sides; they end with the turn. */
  private readonly ended: BunLink[] = [];

  constructor(hallway: Hallway, options: IoOptions, tell: Tell) {
    this.hallway = hallway;
    this.options = options;
    this.tell = tell;
    this.gate = new Gate(options.acceptsPerSecond, tell);
  }

  async listen(host: string, port: number): Promise<{ host: string; port: number }> {
    try {
      const listener = Bun.listen<BunLink>({ ...this.listenOptions(), hostname: host, port });
      this.listeners.push(listener);
      await tuneListener((listener as unknown as { fd: number }).fd, this.options, this.tell);
      return { host, port: listener.port };
    } catch (error) {
      throw Object.assign(error as Error, { address: host, port });
    }
  }

  wake(): void {
    this.turns.plan();
  }

  stopListening(): void {
    for (const listener of this.listeners.splice(0)) listener.stop();
  }

  stop(): void {
    this.stopListening();
    for (const link of this.links) link.abort();
    this.turns.stop();
  }

  /** Called by a link whose time has come. */
  letIn(link: BunLink): void {
    link.known = true;
    if (!this.hallway.opened(link)) link.abort();
    this.turns.plan();
  }

  /** Bun's types lack `ipv6Only` and `reusePort`; it knows both. */
  private listenOptions() {
    const { reusePort } = this.options;
    return {
      exclusive: !reusePort,
      reusePort,
      ipv6Only: true,
      allowHalfOpen: true,
      socket: {
        open: (socket: Socket<BunLink>) => this.accepted(socket),
        data: ({ data: link }: Socket<BunLink>, chunk: Uint8Array) => {
          if (link.finished) return;
          this.hallway.bytes(link, chunk);
          this.turns.afterRead();
        },
        drain: ({ data: link }: Socket<BunLink>) => {
          if (!link.short || link.finished) return;
          link.short = false;
          this.hallway.drained(link);
          this.turns.plan();
        },
        end: ({ data: link }: Socket<BunLink>) => {
          this.ended.push(link);
          this.turns.plan();
        },
        close: (socket: Socket<BunLink>) => this.closed(socket.data),
        error: () => {}, // `close` follows and is enough
      },
    };
  }

  private accepted(socket: Socket<BunLink>): void {
    const { noDelay, keepAliveSeconds } = this.options;
    const link = new BunLink(socket, this);
    socket.data = link;
    socket.setNoDelay(noDelay);
    if (keepAliveSeconds > 0) socket.setKeepAlive(true, keepAliveSeconds * 1000);
    if (!this.gate.hasRoom()) {
      link.abort();
      return;
    }
    this.links.add(link);
    this.gate.arrived(link);
    this.turns.plan(); // also to let in who is held
  }

  private closed(link: BunLink): void {
    if (!this.links.delete(link)) return;
    link.finished = true;
    this.gate.left(link);
    if (!link.known) return;
    this.hallway.closed(link);
    this.turns.plan();
  }

  private turn(): number {
    const untilNext = this.gate.letIn();
    const delay = this.hallway.turn();
    for (const link of this.ended.splice(0)) if (this.links.has(link)) link.end();
    return Math.min(delay, untilNext);
  }
}
