// The asynchronous driver on Bun: `Bun.listen` sockets. One timer stands for all of the broker's
// deadlines. While much comes in, a turn runs when all sockets of one poll have been read
// (setImmediate); while little does, right after each read: that saves a third of a lone message's
// CPU time and some of its latency.

import type { Socket, TCPSocketListener } from 'bun';
import type { Connection } from '../../core/session/connection.ts';
import type { Driver, Hallway, Link, Tell } from '../driver.ts';
import type { IoOptions } from '../options.ts';

class BunLink implements Link {
  readonly peer: string;
  readonly socket: Socket<BunLink>;
  connection: Connection | null = null;
  blocked = false;
  closing = false;
  private paused = false;

  constructor(socket: Socket<BunLink>) {
    this.socket = socket;
    const { remoteAddress, remotePort } = socket;
    this.peer = remoteAddress.includes(':')
      ? `[${remoteAddress}]:${remotePort}`
      : `${remoteAddress}:${remotePort}`;
  }

  write(buffer: Uint8Array, start: number, end: number): number {
    const written = this.socket.write(buffer as Uint8Array<ArrayBuffer>, start, end - start);
    return written > 0 ? written : 0; // -1: it is closing, which `closed` will tell
  }

  pause(paused: boolean): void {
    if (paused === this.paused) return;
    this.paused = paused;
    if (paused) this.socket.pause();
    else this.socket.resume();
  }

  close(): void {
    this.pause(false); // the peer's end of stream must be seen
    this.socket.shutdown();
  }

  abort(): void {
    this.socket.terminate();
  }
}

/** An IPv6 listener leaves IPv4 to its sibling on the same port. Bun takes it, its types lack it.
 *  */
const ipv6Alone = { ipv6Only: true };

/** Two reads this close together belong to a load that is worth gathering. */
const BUSY_GAP_MS = 0.1;
/** So many polls in a row with a single read, and gathering is not worth it any more. */
const CALM_POLLS = 8;

/** Timers are not finer than this, and a wake-up too early is only a turn without work. */
const TIMER_STEP_MS = 1;
/** setTimeout's own bound. */
const TIMER_MAX_MS = 0x7fff_ffff;

export class BunDriver implements Driver {
  private readonly hallway: Hallway;
  private readonly listeners: TCPSocketListener<BunLink>[] = [];
  private readonly links = new Set<BunLink>();
  private turnPlanned = false;
  private timer: ReturnType<typeof setTimeout> | null = null;
  /** When `timer` fires, milliseconds on performance.now's clock. */
  private timerAt = Number.POSITIVE_INFINITY;
  private readonly pollEnded = () => this.endPoll();
  private busy = false;
  private lastReadAt = 0;
  private readsInTurn = 0;
  private calmPolls = 0;

  constructor(hallway: Hallway, _options: IoOptions, _tell: Tell) {
    this.hallway = hallway;
  }

  async listen(host: string, port: number): Promise<{ host: string; port: number }> {
    const { hallway } = this;
    const plan = () => this.planTurn();
    try {
      const listener = Bun.listen<BunLink>({
        hostname: host,
        port,
        exclusive: true,
        ...ipv6Alone,
        socket: {
          open: socket => this.opened(socket),
          data: (socket, chunk) => {
            hallway.bytes(socket.data, chunk);
            this.afterRead();
          },
          drain: socket => {
            hallway.drained(socket.data);
            plan();
          },
          close: socket => this.closed(socket),
          error: () => {}, // `close` follows and is enough
        },
      });
      this.listeners.push(listener);
      return { host, port: listener.port };
    } catch (error) {
      throw Object.assign(error as Error, { address: host, port });
    }
  }

  wake(): void {
    this.planTurn();
  }

  stopListening(): void {
    for (const listener of this.listeners.splice(0)) listener.stop();
  }

  stop(): void {
    this.stopListening();
    for (const link of this.links) link.abort();
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private opened(socket: Socket<BunLink>): void {
    const link = new BunLink(socket);
    socket.data = link;
    this.links.add(link);
    socket.setNoDelay(true);
    if (!this.hallway.opened(link)) link.abort();
    this.planTurn();
  }

  private closed(socket: Socket<BunLink>): void {
    const link = socket.data;
    if (!this.links.delete(link)) return;
    this.hallway.closed(link);
    this.planTurn();
  }

  /** Ends the turn at once while reads are rare, with the whole poll while they are not. */
  private afterRead(): void {
    if (this.busy) {
      this.readsInTurn++;
      this.planTurn();
      return;
    }
    this.turn();
    const now = performance.now();
    this.busy = now - this.lastReadAt < BUSY_GAP_MS;
    this.lastReadAt = now;
  }

  /** The turn of a whole poll: several with one read or none, and reads count as rare again. */
  private endPoll(): void {
    this.turnPlanned = false;
    this.calmPolls = this.readsInTurn > 1 ? 0 : this.calmPolls + 1;
    this.readsInTurn = 0;
    if (this.calmPolls >= CALM_POLLS) this.busy = false;
    this.turn();
  }

  private planTurn(): void {
    if (this.turnPlanned) return;
    this.turnPlanned = true;
    setImmediate(this.pollEnded);
  }

  private turn(): void {
    const delay = this.hallway.turn();
    if (delay === 0) this.planTurn();
    else this.setTimer(delay);
  }

  /** Keeps a timer that fires early enough; moves it only when it would fire too late. */
  private setTimer(delay: number): void {
    const at = performance.now() + delay;
    if (this.timer !== null) {
      if (this.timerAt <= at) return;
      clearTimeout(this.timer);
      this.timer = null;
    }
    if (delay === Number.POSITIVE_INFINITY) return;
    this.timerAt = at;
    this.timer = setTimeout(
      () => {
        this.timer = null;
        this.timerAt = Number.POSITIVE_INFINITY;
        this.turn();
      },
      Math.min(Math.ceil(delay) + TIMER_STEP_MS, TIMER_MAX_MS),
    );
  }
}
