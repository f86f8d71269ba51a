// A transport behind a door, as the hallway sees it. A stream keeps what the system does not take,
// so what is written is copied (the hallway uses its buffer again), at the latest then, and what
// may wait is bounded.

import type { Origin } from '../../core/access.ts';
import type { Connection } from '../../core/session/connection.ts';
import { limits } from '../../limits.ts';
import type { Link } from '../driver.ts';
import { RELEASED_BYTES, release } from '../lent.ts';
import type { DoorSide } from './side.ts';
import type { DoorSocket } from './socket.ts';

/** What all kinds of links are made from. */
export interface Passage {
  /** The connection that the system accepted. */
  readonly raw: DoorSocket;
  /** Where MQTT or WebSocket frames are read from and written to: `raw`, or TLS around it. */
  readonly stream: DoorSocket;
  readonly peer: string;
  readonly origin: Origin;
}

export abstract class DoorLink implements Link {
  readonly peer: string;
  readonly origin: Origin;
  connection: Connection | null = null;
  blocked = false;
  closing = false;
  protected readonly stream: DoorSocket;
  protected readonly side: DoorSide;
  private readonly raw: DoorSocket;
  /** Nothing that comes is handed on any more. */
  private finished = false;
  private closed = false;
  private paused = false;
  private held = false;
  private condemned = false;
  /** Ends the wait for a peer that does not take its last answers. */
  private farewell: ReturnType<typeof setTimeout> | undefined;
  /** The hallway was told that not all was taken. */
  private short = false;

  constructor({ raw, stream, peer, origin }: Passage, side: DoorSide) {
    this.raw = raw;
    this.stream = stream;
    this.peer = peer;
    this.origin = origin;
    this.side = side;
    // Not at once: on Bun a bug within would become an error of the stream.
    stream.on('drain', () => queueMicrotask(() => this.drained()));
    stream.on('error', () => {}); // `close` follows and is enough
    stream.once('close', () => this.gone());
  }

  /** Introduces it to the hallway and begins to read. */
  open(): void {
    if (this.side.opened(this)) {
      this.read();
      this.setReading();
    } else {
      this.abort();
    }
    this.side.wake();
  }

  write(buffer: Uint8Array, start: number, end: number): number {
    if (this.finished) return 0;
    let at = start;
    // What the system takes at once leaves room, and no `drain` comes after it.
    for (let room = this.room(); at < end && room > 0; room = this.room()) {
      const next = Math.min(end, at + room);
      this.send(buffer.subarray(at, next));
      at = next;
    }
    this.short = at < end;
    return at - start;
  }

  pause(paused: boolean): void {
    this.paused = paused;
    this.setReading();
  }

  /** As `pause`, on behalf of all links. */
  hold(held: boolean): void {
    this.held = held;
    this.setReading();
  }

  close(): void {
    if (this.finished) return;
    this.finished = true;
    this.setReading(); // the peer's end of stream must be seen
    this.sayGoodbye();
  }

  /** It may not be here any more: nothing is read from it, and so long it has to take what it is
   *  told. */
  condemn(farewellMs: number): void {
    if (this.condemned) return;
    this.condemned = true;
    this.setReading();
    this.abortIn(farewellMs);
  }

  abort(): void {
    this.finished = true;
    // A unix socket knows no reset.
    if (this.raw.remoteAddress === undefined) this.raw.destroy();
    else this.raw.resetAndDestroy();
    this.stream.destroy();
    this.gone();
  }

  /** Calls `received` with what comes from now on. */
  protected abstract read(): void;
  /** Writes `bytes`, which are lent, as they travel. */
  protected abstract send(bytes: Uint8Array): void;
  /** What was sent, then the end. */
  protected abstract sayGoodbye(): void;

  protected received(chunk: Uint8Array): void {
    if (this.finished) return;
    this.side.bytes(this, chunk);
    this.side.wake();
  }

  /** The peer sends nothing more. The core bounds a goodbye that it says itself; here it forgets
   *  the link at once, and so long its last answers may take. */
  protected ended(): void {
    if (this.finished) return;
    this.abortIn(limits.doorFarewellMs);
    this.side.ended(this);
    this.side.wake();
  }

  /** The peer broke the rules of its transport; it is told by whoever calls this. */
  protected finish(): void {
    this.finished = true;
  }

  private setReading(): void {
    const stopped = (this.paused || this.held || this.condemned) && !this.finished;
    if (stopped) this.stream.pause();
    else this.stream.resume();
  }

  protected abortIn(ms: number): void {
    clearTimeout(this.farewell);
    this.farewell = setTimeout(() => this.abort(), ms);
  }

  /** Writes what is in memory of its own. */
  protected give(bytes: Buffer): void {
    if (bytes.length < RELEASED_BYTES) this.stream.write(bytes);
    else this.stream.write(bytes, error => void (error ?? release(bytes)));
  }

  private room(): number {
    return limits.doorWindowBytes - this.stream.writableLength;
  }

  private drained(): void {
    if (!this.short || this.finished) return;
    this.short = false;
    this.side.drained(this);
    this.side.wake();
  }

  private gone(): void {
    if (this.closed) return;
    this.closed = true;
    this.finished = true;
    clearTimeout(this.farewell);
    this.raw.destroy();
    this.stream.destroy();
    this.side.closed(this);
    this.side.wake();
  }
}

/** MQTT's bytes as they are: TCP behind a proxy, TLS, a unix socket. */
export class StreamLink extends DoorLink {
  protected read(): void {
    this.stream.on('data', (chunk: Buffer) => {
      this.received(chunk);
      release(chunk);
    });
    this.stream.on('end', () => this.ended());
  }

  protected send(bytes: Uint8Array): void {
    if (this.stream.borrows) this.stream.write(bytes);
    else this.give(Buffer.from(bytes));
  }

  protected sayGoodbye(): void {
    this.stream.end();
  }
}
