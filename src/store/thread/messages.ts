// What a store's thread and the one that uses it say to each other. Bytes are transferred.

import type { MessagePort } from 'node:worker_threads';
import type { SqliteSettings } from '../sqlite/connection.ts';
import type { Heritage } from '../sqlite/sqlite-store.ts';
import type { Batch, StoreDescription, StoreErrorCode, StoreUsage } from '../store.ts';
import type { UpkeepRequest, UpkeepResult } from '../upkeep/upkeep.ts';

/** Given to the thread at its start. */
export interface ThreadData {
  readonly minnowStore: SqliteSettings;
  /** What is asked comes by it, and the answers go by it. */
  readonly port: MessagePort;
  /** A file that is written to after every answer (thread-store.ts), or null. */
  readonly bell: number | null;
}

export type ToThread =
  /** First of all, in answer to `up`. */
  | { readonly type: 'take-over'; readonly heritage: Heritage }
  | { readonly type: 'close' }
  | (Omit<Batch, 'ops'> & { readonly type: 'commit'; readonly bytes: ArrayBuffer })
  | {
      readonly type: 'window';
      readonly sid: number;
      readonly afterRank: number;
      readonly limit: number;
      readonly bytesMax: number;
    }
  | { readonly type: 'upkeep'; readonly id: number; readonly request: UpkeepRequest };

export interface ErrorParts {
  readonly code: StoreErrorCode;
  readonly message: string;
}

export type FromThread =
  /** It runs, and nobody but it may have the file open from now on. */
  | { readonly type: 'up' }
  | {
      readonly type: 'committed';
      readonly through: number;
      readonly synced: boolean;
      readonly bytesWritten: number;
      readonly usage: StoreUsage;
    }
  | {
      readonly type: 'failed';
      readonly through: number;
      readonly error: ErrorParts;
    }
  /** The database was opened anew. */
  | { readonly type: 'described'; readonly state: ThreadState }
  | {
      readonly type: 'window';
      readonly sid: number;
      readonly bytes: ArrayBuffer;
      readonly complete: boolean;
    }
  | { readonly type: 'window-failed'; readonly sid: number; readonly error: ErrorParts }
  | { readonly type: 'kept-up'; readonly id: number; readonly result: UpkeepResult }
  | { readonly type: 'upkeep-failed'; readonly id: number; readonly error: ErrorParts }
  | { readonly type: 'closed' }
  /** The thread has failed: a bug. */
  | { readonly type: 'broken'; readonly why: string };

export interface ThreadState {
  readonly description: StoreDescription;
  readonly usage: StoreUsage;
}
