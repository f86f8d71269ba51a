// The asynchronous driver on Node: `node:net` sockets.
// Node keeps what the kernel does not take, without copying it. So a write goes through a pooled
// buffer of the driver's own: one that has left at once is free again, one that has not belongs to
// its link until it has, and until then the link takes nothing more.
// Reading allocates: `onread` with a pooled buffer exists for outgoing connections only. Who counts
// microseconds on Node uses the synchronous driver.

import { createServer, type Server, type Socket } from 'node:net';
import { formatAddress, type ListenerTerms } from '../../config/address.ts';
import { KB } from '../../limits.ts';
import type { Bound } from '../driver.ts';
import { type Entrance, openTerms } from '../entrance.ts';
import { EventDriver, EventLink } from './event-driver.ts';
import { openSharedListener, tuneListener } from './tune.ts';

const STAGE_BYTES = 64 * KB;
/** Stages kept for the next write; more than one are needed only after a jam. */
const STAGES_KEPT = 4;

/** Buffers that bytes leave from. */
class Stages {
  private readonly free: Buffer[] = [];

  take(): Buffer {
    return this.free.pop() ?? Buffer.allocUnsafeSlow(STAGE_BYTES);
  }

  give(stage: Buffer): void {
    if (this.free.length < STAGES_KEPT) this.free.push(stage);
  }
}

/** One read. Whoever fills it is read again at once, many times over, before anybody else. */
const LOUD_BYTES = 64 * KB;

class NodeLink extends EventLink {
  private readonly socket: Socket;
  private readonly stages: Stages;
  private readonly onWritten = () => this.written();
  /** Holds bytes that the kernel has not taken yet. */
  private stage: Buffer | null = null;
  /** Bytes were refused for the sake of `stage`. */
  private short = false;

  constructor(socket: Socket, driver: NodeDriver, entrance: Entrance, stages: Stages) {
    super(driver, entrance, formatAddress(socket.remoteAddress!, socket.remotePort!), true);
    this.socket = socket;
    this.stages = stages;
    socket.on('data', (chunk: Buffer) => {
      if (chunk.length >= LOUD_BYTES) this.rest();
      driver.received(this, chunk);
    });
    socket.on('end', () => driver.ended(this));
    socket.on('error', () => {}); // `close` follows and is enough
    socket.on('close', () => driver.closed(this));
  }

  write(buffer: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && this.stage === null && !this.finished) {
      const stage = this.stages.take();
      const size = Math.min(end - at, STAGE_BYTES);
      stage.set(buffer.subarray(at, at + size));
      this.socket.write(stage.subarray(0, size), this.onWritten);
      at += size;
      if (this.socket.writableLength > 0) this.stage = stage;
      else this.stages.give(stage);
    }
    this.short = at < end;
    return at - start;
  }

  abort(): void {
    this.finished = true;
    this.socket.resetAndDestroy();
  }

  end(): void {
    this.finished = true;
    this.socket.destroy();
  }

  protected sayGoodbye(): void {
    this.socket.end();
  }

  protected stopReading(stopped: boolean): void {
    if (stopped) this.socket.pause();
    else this.socket.resume();
  }

  private written(): void {
    if (this.stage === null || this.socket.writableLength > 0) return;
    this.stages.give(this.stage);
    this.stage = null;
    if (!this.short || this.finished) return;
    this.short = false;
    this.driver.drained(this);
  }
}

export class NodeDriver extends EventDriver {
  private readonly stages = new Stages();
  private readonly servers: Server[] = [];

  async listen(host: string, port: number, terms: ListenerTerms = openTerms): Promise<Bound> {
    const reception = await this.receptionFor(terms);
    const { noDelay, keepAliveSeconds, backlog, reusePort } = this.options;
    // Node 20 cannot share a port by itself.
    const shared = reusePort ? { fd: await openSharedListener(host, port, this.options) } : null;
    let entrance!: Entrance; // nobody is accepted before it is known where we listen
    const server = createServer(
      {
        allowHalfOpen: true,
        pauseOnConnect: true,
        noDelay,
        keepAlive: keepAliveSeconds > 0,
        keepAliveInitialDelay: keepAliveSeconds * 1000,
      },
      socket => {
        if (socket.remoteAddress === undefined)
          socket.destroy(); // it has reset already
        else this.arrived(new NodeLink(socket, this, entrance, this.stages));
      },
    );
    const wanted = shared ?? { host, port, ipv6Only: true, exclusive: true };
    const bound = await new Promise<Bound>((resolve, reject) => {
      server.once('error', error => reject(Object.assign(error, { address: host, port })));
      server.listen({ ...wanted, backlog }, () => {
        const found = { host, port: (server.address() as { port: number }).port };
        entrance = this.entranceOf(found, terms, reception);
        resolve(found);
      });
    });
    server.on('error', error => this.tell('warn', 'accepting failed', { why: error.message }));
    this.servers.push(server);
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
    await tuneListener(fd, this.options, this.tell);
    return bound;
  }

  stopListening(): void {
    for (const server of this.servers.splice(0)) server.close();
  }
}
