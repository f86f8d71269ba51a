// What the tests of looking after a store share.

import { type Op, OpKind } from '../../src/store/ops.ts';
import type { WindowRow } from '../../src/store/store.ts';
import { type CheckReport, lookAfter, type Upkeeper } from '../../src/store/upkeep/upkeep.ts';
import { driver, settingsIn } from '../contract/store-kit.ts';

/** All but the first of a backlog. */
export function dropsOf(rows: readonly WindowRow[]): Op[] {
  return rows.slice(1).map(({ rank, mid, refs }) => {
    return { kind: OpKind.QueueDrop, sid: 1, rank, mid, refs };
  });
}

/** What no store does to its database. */
export function damage(folder: string, sql: string): void {
  const database = driver.open(settingsIn(folder).path);
  database.exec(sql);
  database.close();
}

export async function faultsOf(store: Upkeeper): Promise<readonly string[]> {
  return ((await lookAfter(store, { command: 'check' })) as CheckReport).faults;
}
