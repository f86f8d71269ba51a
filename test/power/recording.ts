// What shim.c noted of a broker's run, in the order in which it happened. A number in the sequence
// stands for a moment: a write, a received chunk and the end of a sync are noted behind the call,
// what is sent and the beginning of a sync in front of it.

import { readFileSync } from 'node:fs';

export const Kind = {
  Open: 1,
  Close: 2,
  Write: 3,
  Truncate: 4,
  Unlink: 5,
  Rename: 6,
  SyncBegin: 7,
  SyncEnd: 8,
  Received: 9,
  Sent: 10,
  /** Something that cannot be followed: the recording is worth nothing. */
  Lost: 11,
} as const;

export interface Event {
  readonly sequence: number;
  readonly kind: number;
  readonly fd: number;
  /** Open: the flags. Write: the offset. Truncate: the size. SyncEnd: 0 or -errno. */
  readonly a: number;
  /** Open: whether the file was there before. SyncEnd: the sequence number of its beginning. */
  readonly b: number;
  /** Of an arbitrary origin. */
  readonly ms: number;
  /** The bytes; the name below the directory (empty for itself); two names with a NUL between. */
  readonly data: Buffer;
}

const HEADER_BYTES = 48;

/** A broker that was killed may have left a part of its last event. Throws where
 *  something could not be followed. */
export function readRecording(path: string): Event[] {
  const bytes = readFileSync(path);
  const events: Event[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const start = at + HEADER_BYTES;
    const end = start + bytes.readUInt32LE(at + 40);
    if (end > bytes.length) break;
    const event: Event = {
      sequence: bytes.readUInt32LE(at),
      kind: bytes.readUInt32LE(at + 4),
      fd: bytes.readInt32LE(at + 12),
      a: Number(bytes.readBigInt64LE(at + 16)),
      b: Number(bytes.readBigInt64LE(at + 24)),
      ms: Number(bytes.readBigInt64LE(at + 32)) / 1e6,
      data: bytes.subarray(start, end),
    };
    if (event.kind === Kind.Lost) throw new Error(`not followed: ${event.data.toString()}`);
    events.push(event);
    at = end;
  }
  return events.sort((a, b) => a.sequence - b.sequence);
}
