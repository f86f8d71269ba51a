// What the hallway asks of a store: to make batches of operations durable, in order, and to give
// back what was stored: most of it at the start, the waiting messages in windows. A store never
// rolls the core back: a batch that failed is given again.

import type { Op, QueuePut, ReceivedPut, RetainedPut, SessionPut, SubscriptionPut } from './ops.ts';

export interface Batch {
  readonly ops: readonly Op[];
  /** Sequence number that the batch before it went through, 0 for the first: what is on disk is
   *  a prefix of the log, so a batch whose predecessor is not there fails like it. */
  readonly after: number;
  /** Sequence number of its last operation, also where that one cancelled out. */
  readonly through: number;
  /** Whether it counts as committed only when it survives a power cut. */
  readonly sync: boolean;
  /** The core's clock and the wall clock when it was made, milliseconds. */
  readonly clock: number;
  readonly wall: number;
}

/** What stands in a message row, without its id. */
export interface StoredMessage {
  readonly topic: string;
  readonly source: Uint8Array;
  readonly payloadStart: number;
  readonly messageQos: number;
  readonly messageRetain: boolean;
  readonly expiresAt: number;
}

/** A delivery with its message; `refs` is what its QueueDrop has to say. */
export interface WindowRow extends StoredMessage {
  readonly rank: number;
  readonly mid: number;
  readonly refs: number;
  readonly qos: number;
  readonly retain: boolean;
  readonly identifiers: readonly number[] | null;
  readonly group: string | null;
}

/** A delivery that was under way (state 1, 2 or 3). In state 3 the message has gone: mid is 0, the
 *  topic and source are empty. */
export interface InflightRow extends WindowRow {
  readonly sid: number;
  readonly state: QueuePut['state'];
  readonly packetId: number;
}

/** What waits for a session, state 0, without the rows themselves. */
export interface QueueSummary {
  readonly sid: number;
  readonly queued: number;
  /** Bytes of their topics and sources. */
  readonly bytes: number;
  /** The highest rank among all rows of the session, whatever their state. */
  readonly lastRank: number;
}

export interface Loaded {
  readonly sessions: readonly SessionPut[];
  readonly subscriptions: readonly SubscriptionPut[];
  readonly retained: readonly RetainedPut[];
  readonly received: readonly ReceivedPut[];
  /** Only sessions that have rows. */
  readonly queues: readonly QueueSummary[];
  /** By session, and in the order of their ranks within it. */
  readonly inflight: readonly InflightRow[];
  /** The highest ids ever given, 0 when there were none. */
  readonly maxSid: number;
  readonly maxMid: number;
  /** Of the last commit; null in a new store. The clock may lag by up to a second. */
  readonly clock: { readonly clock: number; readonly wall: number } | null;
  /** Rows that were left out because they make no sense: the database is damaged a little. */
  readonly skippedRows: number;
}

export interface StoreDescription {
  readonly kind: 'memory' | 'sqlite';
  /** What keeps the file whole: 'wal', or 'delete' where WAL cannot work; 'memory' for memory. */
  readonly journalMode: 'memory' | 'wal' | 'delete';
  /** The file, or an empty string. */
  readonly path: string;
  /** 'bun:sqlite', 'better-sqlite3', 'node:sqlite', or an empty string. */
  readonly driver: string;
  readonly threaded: boolean;
  /** Where a damaged database was moved to at the start, or null. */
  readonly movedAside: string | null;
  /** Why WAL is not used although it was wanted, or null. */
  readonly fallbackReason: string | null;
}

export interface StoreUsage {
  /** The size of the database file, and how much of it holds something. */
  readonly fileBytes: number;
  readonly usedBytes: number;
  /** The journal beside it. */
  readonly walBytes: number;
  /** How long the last commit took that wrote something, milliseconds. */
  readonly commitMs: number;
}

export const emptyLoad: Loaded = {
  sessions: [],
  subscriptions: [],
  retained: [],
  received: [],
  queues: [],
  inflight: [],
  maxSid: 0,
  maxMid: 0,
  clock: null,
  skippedRows: 0,
};

export type StoreErrorCode =
  /** Another process has it open. */
  | 'locked'
  /** The directory is not there. */
  | 'missing'
  /** No permission to write there, or a read-only file system. */
  | 'not-writable'
  /** Written by a newer minnow. */
  | 'newer'
  /** A database of another program. */
  | 'foreign'
  /** A copy would take the place of another file. */
  | 'exists'
  /** This runtime has no SQLite. */
  | 'no-driver'
  /** No space is left. */
  | 'full'
  /** What is on disk makes no sense: at the next start it is moved aside. */
  | 'damaged'
  /** The disk, or the file system, refused something. */
  | 'io';

/** An operating error of a store; the message is one sentence for a person. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string) {
    super(message);
    this.name = 'StoreError';
    this.code = code;
  }
}

/**
 * The callbacks may come while `commit` or `requestWindow` is still running (memory, inline) or
 * later (thread); they come in the order of the calls.
 */
export interface Store {
  readonly description: StoreDescription;
  /** As of the last commit. */
  readonly usage: StoreUsage;
  /** Once, before the first commit. Rejects with a StoreError. */
  load(): Promise<Loaded>;
  /** The batch may not be changed afterwards, nor the bytes its operations name. */
  commit(batch: Batch): void;
  /** Asks for up to `limit` rows (at least one, then no more than about `bytesMax`) of state 0 with
   *  a rank above `afterRank`, in order, as they are after all commits given so far. */
  requestWindow(sid: number, afterRank: number, limit: number, bytesMax: number): void;
  /** `synced`: it survives a power cut; `bytesWritten`: to the disk, since the last report. */
  onCommitted: (through: number, synced: boolean, bytesWritten: number) => void;
  /** Nothing of that batch is on disk, and all that were given after it fail as well; the next
   *  one has to go on from the last committed. */
  onFailed: (through: number, error: StoreError) => void;
  /** `complete`: there are no more rows behind these for now. */
  onWindow: (sid: number, rows: readonly WindowRow[], complete: boolean) => void;
  /** A window that cannot be read, now or ever (`error.code`). */
  onWindowFailed: (sid: number, error: StoreError) => void;
  /** Calls back with the answers that wait, for who runs no events meanwhile. */
  drain(): void;
  /** After the last commit. What was given before is done before. */
  close(): Promise<void>;
}
