// What a store does for whoever looks after it, beside storing: telling what is in it, checking it,
// copying it while it is used, giving back the room that it does not need. For `minnow store`,
// directly or through a running broker.

import { type StoreDescription, StoreError } from '../store.ts';

export type UpkeepRequest =
  | { readonly command: 'stat' }
  | { readonly command: 'check' }
  | { readonly command: 'compact' }
  /** Writes a consistent copy to a file that is not there yet. */
  | { readonly command: 'backup'; readonly path: string };

export interface StoreStat extends Omit<StoreDescription, 'kind' | 'threaded'> {
  readonly schema: number;
  readonly fileBytes: number;
  readonly usedBytes: number;
  readonly walBytes: number;
  readonly sessions: number;
  readonly subscriptions: number;
  readonly retained: number;
  readonly retainedBytes: number;
  /** Messages that wait for somebody or are on their way, and their deliveries. */
  readonly messages: number;
  readonly messageBytes: number;
  readonly queued: number;
  readonly inflight: number;
  /** Packet identifiers of QoS 2 messages that were not released yet. */
  readonly received: number;
}

export interface CheckReport {
  /** Empty when everything is in order. */
  readonly faults: readonly string[];
}

export interface CompactReport {
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

export interface BackupReport {
  readonly path: string;
  readonly bytes: number;
}

export type UpkeepResult = StoreStat | CheckReport | CompactReport | BackupReport;

export interface Upkeeper {
  /** Calls `done` once, before it returns or later: no promise, for an owner that runs none.
   *  Where the store has a thread, commits go on meanwhile: `compact` sweeps and gives up empty
   *  pages a slice at a time, and a backup lets them through where there is a log. Otherwise, and
   *  with `check` always, all of the database is read or written at once, and commits wait. */
  upkeep(request: UpkeepRequest, done: (outcome: UpkeepResult | StoreError) => void): void;
}

/** The same as a promise; rejects with a StoreError. */
export function lookAfter(store: Upkeeper, request: UpkeepRequest): Promise<UpkeepResult> {
  return new Promise((resolve, reject) => {
    store.upkeep(request, outcome => {
      if (outcome instanceof StoreError) reject(outcome);
      else resolve(outcome);
    });
  });
}
