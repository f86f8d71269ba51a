// Bytes on their way to one client, in one buffer that is borrowed from a pool while there are any
// and given back when they are gone: an idle connection holds none.

import { Durability } from '../journal.ts';
import type { Counters } from '../report/counters.ts';

const EMPTY = new Uint8Array(0);
const CLASS_MIN = 9; // 512 bytes
const CLASS_MAX = 22; // 4 MB
/** Bytes of free buffers kept per size class. */
const KEPT_PER_CLASS = 2 << 20;

/** Free buffers by power of two. Larger ones than the last class are left to the collector. */
export class BufferPool {
  /** Bytes of the buffers that are in use. */
  lentBytes = 0;
  private readonly free: Uint8Array[][] = [];

  constructor() {
    for (let i = 0; i <= CLASS_MAX; i++) this.free.push([]);
  }

  /** A buffer of at least `bytes`; its content is whatever it was. */
  take(bytes: number): Uint8Array {
    const size = sizeClass(bytes);
    const length = size > CLASS_MAX ? bytes : 1 << size;
    this.lentBytes += length;
    const kept = size > CLASS_MAX ? undefined : this.free[size].pop();
    return kept ?? new Uint8Array(length);
  }

  give(buffer: Uint8Array): void {
    const size = sizeClass(buffer.length);
    this.lentBytes -= buffer.length;
    if (size > CLASS_MAX || buffer.length !== 1 << size) return;
    const list = this.free[size];
    if ((list.length + 1) << size <= KEPT_PER_CLASS || list.length < 2) list.push(buffer);
  }

  /** Forgets the free buffers. */
  empty(): void {
    for (const list of this.free) list.length = 0;
  }
}

function sizeClass(bytes: number): number {
  return bytes <= 1 << CLASS_MIN ? CLASS_MIN : 32 - Math.clz32(bytes - 1);
}

/** Bytes behind stream position `at` wait until the journal has got to `sequence`. */
interface Hold {
  readonly at: number;
  readonly sequence: number;
  readonly durability: number;
}

export class Output {
  buffer: Uint8Array = EMPTY;
  /** Bytes to be written: buffer[start, end). */
  start = 0;
  end = 0;
  /** Bytes from buffer[held[0].at - base] on wait for the journal; `base` is what has left before.
   * */
  private held: Hold[] | null = null;
  private written = 0;
  /** What the last turn needed: the size to begin the next one with. */
  private hint = 0;
  private readonly pool: BufferPool;
  private readonly counters: Counters;

  constructor(pool: BufferPool, counters: Counters) {
    this.pool = pool;
    this.counters = counters;
  }

  get length(): number {
    return this.end - this.start;
  }

  /** Bytes that have left so far. */
  get taken(): number {
    return this.written;
  }

  /** Makes room for `bytes` more behind `end`; the caller writes there and moves `end`. */
  reserve(bytes: number): void {
    if (this.buffer.length - this.end >= bytes) return;
    const waiting = this.end - this.start;
    const needed = waiting + bytes;
    if (this.buffer === EMPTY) {
      this.buffer = this.pool.take(needed > this.hint ? needed : this.hint);
      return;
    }
    // Half empty at the front: move down instead of growing.
    if (this.start > 0 && needed <= this.buffer.length && this.start >= waiting) {
      this.buffer.copyWithin(0, this.start, this.end);
    } else {
      const grown = this.pool.take(Math.max(needed, this.buffer.length * 2));
      grown.set(this.buffer.subarray(this.start, this.end), 0);
      this.pool.give(this.buffer);
      this.buffer = grown;
    }
    this.start = 0;
    this.end = waiting;
  }

  /** Appends bytes as they are. */
  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.end);
    this.end += bytes.length;
  }

  /** What is appended from here on waits until the journal has got to `sequence`. */
  hold(sequence: number, durability: number): void {
    this.held ??= [];
    this.held.push({ at: this.written + this.length, sequence, durability });
  }

  get holding(): boolean {
    return this.held !== null;
  }

  /** How far it may be written now: buffer[start, limit). */
  get limit(): number {
    return this.held === null ? this.end : this.start + (this.held[0].at - this.written);
  }

  /** The store has got to `written` and, past any power cut, to `synced`. */
  release(written: number, synced: number): void {
    const held = this.held;
    if (held === null) return;
    let free = 0;
    while (free < held.length) {
      const { sequence, durability } = held[free];
      if (sequence > (durability === Durability.Strict ? synced : written)) break;
      free++;
    }
    if (free === held.length) this.held = null;
    else if (free > 0) held.splice(0, free);
  }

  /** The driver took the first `bytes` of what waits. */
  consume(bytes: number): void {
    this.start += bytes;
    this.written += bytes;
    this.counters.bytesSent += bytes;
    if (this.start === this.end) this.giveBack();
  }

  /** Forgets what waits. */
  drop(): void {
    this.held = null;
    this.giveBack();
  }

  private giveBack(): void {
    if (this.buffer !== EMPTY) {
      this.hint = this.end;
      this.pool.give(this.buffer);
      this.buffer = EMPTY;
    }
    this.start = 0;
    this.end = 0;
  }
}
