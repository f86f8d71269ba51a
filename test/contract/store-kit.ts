// What the suites about stores share: the implementations under test, folders that vanish, and a
// user of a store that gives batches, waits for the answers, and reads everything back.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Op } from '../../src/store/ops.ts';
import type { SqliteSettings } from '../../src/store/sqlite/connection.ts';
import type { Driver } from '../../src/store/sqlite/driver.ts';
import { runtimeDriver } from '../../src/store/sqlite/runtime-driver.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite-store.ts';
import type { Loaded, Store, StoreError, WindowRow } from '../../src/store/store.ts';
import { ThreadStore } from '../../src/store/thread/thread-store.ts';

export const driver = await runtimeDriver();

export interface Implementation {
  readonly name: string;
  /** The database below `folder`. */
  open(folder: string, settings?: Partial<SqliteSettings>): Promise<Store>;
}

export function settingsIn(folder: string, changes: Partial<SqliteSettings> = {}): SqliteSettings {
  return {
    path: join(folder, 'minnow.db'),
    pageBytes: 4096,
    cacheBytes: 1 << 20,
    walBytes: 1 << 20,
    badKept: 2,
    ...changes,
  };
}

export function openInline(
  folder: string,
  changes: Partial<SqliteSettings> = {},
  through: Driver = driver,
): SqliteStore {
  return new SqliteStore(settingsIn(folder, changes), through);
}

/** Everything that keeps what it is given. */
export const implementations: readonly Implementation[] = [
  {
    name: `sqlite, inline (${driver.name})`,
    open: async (folder, changes) => openInline(folder, changes),
  },
  {
    name: `sqlite, on a thread (${driver.name})`,
    open: (folder, changes) => ThreadStore.open(settingsIn(folder, changes)),
  },
];

const folders: string[] = [];
/** To be called after all tests of each file that uses this one. */
export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'minnow-store-'));
  folders.push(folder);
  return folder;
}

export interface Committed {
  readonly through: number;
  readonly synced: boolean;
  readonly bytesWritten: number;
}

interface Waiting<Answer> {
  resolve(answer: Answer): void;
  reject(error: StoreError): void;
}

export interface WindowAnswer {
  readonly sid: number;
  readonly rows: readonly WindowRow[];
  readonly complete: boolean;
}

/** Gives operations to a store and waits for what it says. */
export class StoreUser<Kind extends Store = Store> {
  readonly store: Kind;
  /** The core's clock and the wall's, as told with every batch. */
  clock = 1_000;
  wall = 1_700_000_000_000;
  /** What was given, and what was committed, goes through here. */
  given = 0;
  committed = 0;
  private readonly commits: (Waiting<Committed> & { readonly through: number })[] = [];
  private readonly windows: Waiting<WindowAnswer>[] = [];

  constructor(store: Kind) {
    this.store = store;
    store.onCommitted = (through, synced, bytesWritten) => {
      const waiting = this.commits.shift();
      assert.equal(through, waiting?.through, 'answered in the order of the calls');
      this.committed = through;
      waiting?.resolve({ through, synced, bytesWritten });
    };
    store.onFailed = (through, error) => {
      const waiting = this.commits.shift();
      assert.equal(through, waiting?.through, 'answered in the order of the calls');
      waiting?.reject(error);
    };
    store.onWindow = (sid, rows, complete) =>
      this.windows.shift()!.resolve({ sid, rows, complete });
    store.onWindowFailed = (_sid, error) => this.windows.shift()!.reject(error);
  }

  /** Gives a batch after the last that was given. */
  commit(ops: readonly Op[], sync = false): Promise<Committed> {
    const after = this.given;
    const through = after + Math.max(1, ops.length);
    this.given = through;
    const { clock, wall } = this;
    return new Promise((resolve, reject) => {
      this.commits.push({ through, resolve, reject });
      this.store.commit({ ops, after, through, sync, clock, wall });
    });
  }

  /** After a failure: the next batch follows the last that was committed. */
  goBack(): void {
    this.given = this.committed;
  }

  window(sid: number, afterRank = 0, limit = 1_000, bytesMax = 1e9): Promise<WindowAnswer> {
    return new Promise((resolve, reject) => {
      this.windows.push({ resolve, reject });
      this.store.requestWindow(sid, afterRank, limit, bytesMax);
    });
  }

  /** All rows of state 0, read in windows of `limit`. */
  async backlog(sid: number, limit = 7): Promise<WindowRow[]> {
    const rows: WindowRow[] = [];
    for (;;) {
      const window = await this.window(sid, rows.at(-1)?.rank ?? 0, limit);
      assert.equal(window.sid, sid);
      assert.ok(window.rows.length <= limit);
      rows.push(...window.rows);
      if (window.complete) return rows;
    }
  }
}

export interface Contents extends Omit<Loaded, 'clock' | 'maxSid' | 'maxMid'> {
  readonly backlogs: ReadonlyMap<number, readonly WindowRow[]>;
}

/** All that is in a store, which has not been loaded yet. */
export async function contentsOf(user: StoreUser): Promise<Contents> {
  const { clock: _clock, maxSid: _maxSid, maxMid: _maxMid, ...loaded } = await user.store.load();
  const backlogs = new Map<number, readonly WindowRow[]>();
  for (const { sid } of loaded.queues) backlogs.set(sid, await user.backlog(sid));
  return { ...loaded, backlogs };
}

/** How many rows stand in each table of a database that nobody has open. */
export function rowCounts(folder: string): Record<string, number> {
  const database = driver.open(settingsIn(folder).path);
  try {
    const names = ['sessions', 'queue', 'messages', 'message_refs'];
    return Object.fromEntries(
      names.map(name => {
        const row = database.prepare(`SELECT count(*) AS count FROM ${name}`).get();
        return [name, (row as { count: number }).count];
      }),
    );
  } finally {
    database.close();
  }
}
