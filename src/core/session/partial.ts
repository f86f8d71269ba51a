// Bytes of a connection that must wait: a packet that is not whole yet, or whatever comes while it
// is not read from. Their buffers are borrowed from the pool, as those of outputs are, and count
// with them towards the memory target.

import { copyBytes } from '../../mqtt/encode/publish.ts';
import { NO_BYTES } from '../routing/message.ts';
import type { State } from '../state.ts';
import type { Connection } from './connection.ts';

/** A packet gets room for so many times what has come of it at most: its header only promises. */
const TRUST = 4;

/** Appends a copy of bytes[start, end) to what waits; `whole`: how much that will be, if known. */
export function keep(
  b: State,
  c: Connection,
  bytes: Uint8Array,
  start: number,
  end: number,
  whole = 0,
): void {
  const needed = c.partialEnd + (end - start);
  if (needed > c.partial.length) {
    const wanted = Math.max(2 * c.partial.length, Math.min(whole, TRUST * needed));
    const grown = b.pool.take(Math.max(needed, wanted));
    copyBytes(grown, 0, c.partial, 0, c.partialEnd);
    if (c.partial !== NO_BYTES) b.pool.give(c.partial);
    c.partial = grown;
  }
  copyBytes(c.partial, c.partialEnd, bytes, start, end);
  c.partialEnd = needed;
}

/** Nothing waits any more; returns the buffer that it was in, to be given back to the pool. */
export function takePartial(c: Connection): Uint8Array {
  const buffer = c.partial;
  c.partial = NO_BYTES;
  c.partialEnd = 0;
  return buffer;
}

/** Forgets what waits. */
export function dropPartial(b: State, c: Connection): void {
  if (c.partial !== NO_BYTES) b.pool.give(takePartial(c));
}
