// The asynchronous driver on Node: `node:net` sockets.
// Node keeps what the kernel does not take, without copying it. So a write goes through a pooled
// buffer of the driver's own: one that has left at once is free again, one that has not belongs to
// its link until it has, and until then the link takes nothing more.
// Reading allocates: `onread` with a pooled buffer exists for outgoing connections only. Who counts
// microseconds on Node uses the synchronous driver.

import { createServer, type Server, type Socket } from 'node:net';
import { formatAddress } from '../../config/address.ts';
import type { Connection } from '../../core/session/connection.ts';
import { KB } from '../../limits.ts';
import type { Driver, Hallway, Link, Tell } from '../driver.ts';
import type { IoOptions } from '../options.ts';
import { Gate, type Guest } from './gate.ts';
import { openSharedListener, tuneListener } from './tune.ts';
import { Turns } from './turns.ts';

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

class NodeLink implements Link, Guest {
  readonly peer: string;
  connection: Connection | null = null;
  blocked = false;
  closing = false;
  /** The hallway knows it. */
  known = false;
  /** We have said goodbye; what still comes is thrown away. */
  finished = false;
  private readonly socket: Socket;
  private readonly driver: NodeDriver;
  private readonly stages: Stages;
  private readonly onWritten = () => this.written();
  /** Holds bytes that the kernel has not taken yet. */
  private stage: Buffer | null = null;
  /** Bytes were refused for the sake of `stage`. */
  private short = false;

  constructor(socket: Socket, driver: NodeDriver, stages: Stages) {
    this.socket = socket;
    this.driver = driver;
    this.stages = stages;
    this.peer = formatAddress(socket.remoteAddress ?? '', socket.remotePort ?? 0);
    socket.on('data', chunk => {
      if (!this.finished) driver.received(this, chunk as Buffer);
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

  pause(paused: boolean): void {
    if (paused) this.socket.pause();
    else this.socket.resume();
  }

  close(): void {
    this.finished = true;
    this.socket.resume(); // the peer's end of stream must be seen
    this.socket.end();
  }

  abort(): void {
    this.finished = true;
    this.socket.resetAndDestroy();
  }

  /** The peer's side has ended, and its answers are written. */
  end(): void {
    this.finished = true;
    this.socket.destroy();
  }

  hold(): void {} // it was accepted paused

  letIn(): void {
    this.socket.resume();
    this.driver.letIn(this);
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

export class NodeDriver implements Driver {
  private readonly hallway: Hallway;
  private readonly options: IoOptions;
  private readonly tell: Tell;
  private readonly gate: Gate;
  private readonly stages = new Stages();
  private readonly turns = new Turns(() => this.turn());
  private readonly servers: Server[] = [];
  private readonly links = new Set<NodeLink>();
  /** Their peers have ended their sides; they end with the turn. */
  private readonly ending: NodeLink[] = [];

  constructor(hallway: Hallway, options: IoOptions, tell: Tell) {
    this.hallway = hallway;
    this.options = options;
    this.tell = tell;
    this.gate = new Gate(options.acceptsPerSecond, tell);
  }

  async listen(host: string, port: number): Promise<{ host: string; port: number }> {
    const { noDelay, keepAliveSeconds, backlog, reusePort } = this.options;
    // Node 20 cannot share a port by itself.
    const shared = reusePort ? { fd: await openSharedListener(host, port, this.options) } : null;
    const server = createServer(
      {
        allowHalfOpen: true,
        pauseOnConnect: true,
        noDelay,
        keepAlive: keepAliveSeconds > 0,
        keepAliveInitialDelay: keepAliveSeconds * 1000,
      },
      socket => this.accepted(socket),
    );
    const wanted = shared ?? { host, port, ipv6Only: true, exclusive: true };
    await new Promise<void>((resolve, reject) => {
      server.once('error', error => reject(Object.assign(error, { address: host, port })));
      server.listen({ ...wanted, backlog }, resolve);
    });
    server.on('error', error => this.tell('warn', 'accepting failed', { why: error.message }));
    this.servers.push(server);
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
    await tuneListener(fd, this.options, this.tell);
    return { host, port: (server.address() as { port: number }).port };
  }

  wake(): void {
    this.turns.plan();
  }

  stopListening(): void {
    for (const server of this.servers.splice(0)) server.close();
  }

  stop(): void {
    this.stopListening();
    for (const link of this.links) link.abort();
    this.turns.stop();
  }

  /** Called by a link whose time has come. */
  letIn(link: NodeLink): void {
    link.known = true;
    if (!this.hallway.opened(link)) link.abort();
    this.turns.plan();
  }

  received(link: NodeLink, chunk: Uint8Array): void {
    this.hallway.bytes(link, chunk);
    this.turns.afterRead();
  }

  drained(link: NodeLink): void {
    this.hallway.drained(link);
    this.turns.plan();
  }

  ended(link: NodeLink): void {
    this.ending.push(link);
    this.turns.plan();
  }

  closed(link: NodeLink): void {
    if (!this.links.delete(link)) return;
    link.finished = true;
    this.gate.left(link);
    if (!link.known) return;
    this.hallway.closed(link);
    this.turns.plan();
  }

  private accepted(socket: Socket): void {
    const link = new NodeLink(socket, this, this.stages);
    if (!this.gate.hasRoom()) {
      link.abort();
      return;
    }
    this.links.add(link);
    this.gate.arrived(link);
    this.turns.plan(); // also to let in who is held
  }

  private turn(): number {
    const untilNext = this.gate.letIn();
    const delay = this.hallway.turn();
    for (const link of this.ending.splice(0)) if (this.links.has(link)) link.end();
    return Math.min(delay, untilNext);
  }
}
