// Looking after an open database: the work behind upkeep.ts.

import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import type { Op } from '../ops.ts';
import type { Connection } from '../sqlite/connection.ts';
import { type Database, faultOf } from '../sqlite/driver.ts';
import { syncDirectory } from '../sqlite/files.ts';
import {
  deliveryOf,
  messageOf,
  receivedOf,
  retainedOf,
  sessionOf,
  subscriptionOf,
} from '../sqlite/rows.ts';
import { load, schemaVersion, upkeep } from '../sqlite/sql.ts';
import type { StoreDescription } from '../store.ts';
import { checkVacant } from './backup.ts';
import type { BackupReport, CheckReport, StoreStat } from './upkeep.ts';

type Counts = Omit<StoreStat, keyof StoreDescription | 'fileBytes' | 'usedBytes' | 'walBytes'>;

export function statOf(connection: Connection, description: StoreDescription): StoreStat {
  const { kind: _kind, threaded: _threaded, ...described } = description;
  const counts = connection.database.prepare(upkeep.count).get() as Counts;
  return { ...described, ...connection.usage(), ...counts, schema: schemaVersion };
}

const relations: readonly (readonly [sql: string, what: string])[] = [
  [upkeep.deliveriesWithoutMessage, 'deliveries whose message is missing'],
  [upkeep.messagesWithoutDelivery, 'messages that no delivery names'],
  [upkeep.wrongReferences, 'messages whose deliveries are miscounted'],
];

/** Reads all of the database: whether SQLite finds it whole, and what is in it hangs together. */
export function checkAll({ database }: Connection): CheckReport {
  const faults: string[] = [];
  try {
    const rows = database.prepare(upkeep.integrity).all() as { integrity_check: string }[];
    faults.push(...rows.map(row => row.integrity_check).filter(text => text !== 'ok'));
    for (const [sql, what] of relations) {
      const { count } = database.prepare(sql).get() as { count: number };
      if (count > 0) faults.push(`${count} ${what}`);
    }
  } catch (error) {
    if (faultOf(error) !== 'damaged') throw error;
    faults.push((error as Error).message);
  }
  return { faults };
}

/** A copy of what is committed, all at once: where there is no log commits change the file. */
export function backUp({ database }: Connection, path: string): BackupReport {
  checkVacant(path);
  const part = `${path}.part`;
  rmSync(part, { force: true });
  try {
    database.prepare(upkeep.backup).run(part);
    syncFile(part);
    renameSync(part, path);
    syncDirectory(path);
  } finally {
    rmSync(part, { force: true });
  }
  return { path, bytes: statSync(path).size };
}

function syncFile(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Everything that is stored, as operations that build it up anew. */
export function* readOps(database: Database): Generator<Op> {
  const tables: readonly (readonly [sql: string, of: (row: unknown) => Op | null])[] = [
    [load.sessions, sessionOf],
    [load.subscriptions, subscriptionOf],
    [load.retained, retainedOf],
    [load.received, receivedOf],
    [upkeep.messages, messageOf],
    [upkeep.deliveries, deliveryOf],
  ];
  for (const [sql, of] of tables) {
    for (const row of database.prepare(sql).iterate()) {
      const op = of(row);
      if (op !== null) yield op;
    }
  }
}
