// Bytes of a connection that must wait: a packet that is not whole yet, or whatever comes while it
// is not read from. They count towards the memory target.

import type { State } from '../state.ts';
import type { Connection } from './connection.ts';

const NOTHING = new Uint8Array(0);

/** Appends a copy of bytes[start, end) to what waits. */
export function keep(b: State, c: Connection, bytes: Uint8Array, start: number, end: number): void {
  const needed = c.partialEnd + (end - start);
  if (needed > c.partial.length) {
    const grown = new Uint8Array(Math.max(needed, 2 * c.partial.length));
    grown.set(c.partial.subarray(0, c.partialEnd), 0);
    b.partialBytes += grown.length - c.partial.length;
    c.partial = grown;
  }
  c.partial.set(bytes.subarray(start, end), c.partialEnd);
  c.partialEnd = needed;
}

/** Nothing waits any more; returns the buffer that it was in. */
export function takePartial(b: State, c: Connection): Uint8Array {
  const buffer = c.partial;
  b.partialBytes -= buffer.length;
  c.partial = NOTHING;
  c.partialEnd = 0;
  return buffer;
}
