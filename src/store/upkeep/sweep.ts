// Removes what nothing leads to any more, a slice at a time; others may commit between two slices.
// What makes that safe: a message comes in one transaction with all deliveries that name it, and
// none names it that did not from the start. So one that was there before the first delivery was
// looked at, and that none of them names, is one that nobody will ask for.

import type { Database } from '../sqlite/driver.ts';
import { sweep as sql } from '../sqlite/sql.ts';

/** Rows that are looked at, or removed, at once. */
const SLICE_ROWS = 1_000;
/** Message ids that are held against all deliveries at once, with a byte each. */
const IDS = 1024 * 1024;

/** Each step belongs into a transaction. */
export function* sweep(database: Database): Generator<undefined, void> {
  yield* dropLostDeliveries(database);
  yield* dropUnnamedMessages(database);
  yield* dropLostReferences(database);
}

function* dropLostDeliveries(database: Database): Generator<undefined, void> {
  const drop = database.prepare(sql.dropDelivery);
  for (const rows of deliveries(database)) {
    for (const { sid, rank, lost } of rows) if (lost !== 0) drop.run(sid, rank);
    yield;
  }
}

function* dropUnnamedMessages(database: Database): Generator<undefined, void> {
  const next = database.prepare(sql.nextMessage);
  // What comes meanwhile has somebody who waits for it.
  const { last } = database.prepare(sql.lastMessage).get() as { last: number | null };
  for (let from = 0; ; from += IDS) {
    const { first } = next.get(from) as { first: number | null };
    if (first === null || first > last!) return;
    from = first;
    yield* dropUnnamedAmong(database, from);
  }
}

/** Of the messages with the ids from `first` to `first + IDS - 1`. */
function* dropUnnamedAmong(database: Database, first: number): Generator<undefined, void> {
  const unnamed = new Uint8Array(IDS);
  const end = first + IDS;
  const slices = slicesOf<{ mid: number }>(database, sql.messages, [first - 1], row => [row.mid]);
  for (const rows of slices) {
    for (const { mid } of rows) if (mid < end) unnamed[mid - first] = 1;
    yield;
    if (rows.at(-1)!.mid >= end) break;
  }
  for (const rows of deliveries(database)) {
    for (const { mid } of rows) if (mid >= first && mid < end) unnamed[mid - first] = 0;
    yield;
  }
  const drop = database.prepare(sql.dropMessage);
  let dropped = 0;
  for (let i = unnamed.indexOf(1); i >= 0; i = unnamed.indexOf(1, i + 1)) {
    drop.run(first + i);
    if (++dropped % SLICE_ROWS === 0) yield;
  }
}

function* dropLostReferences(database: Database): Generator<undefined, void> {
  const drop = database.prepare(sql.dropReference);
  type Row = { readonly mid: number; readonly lost: number };
  for (const rows of slicesOf<Row>(database, sql.references, [-1], row => [row.mid])) {
    for (const { mid, lost } of rows) if (lost !== 0) drop.run(mid);
    yield;
  }
}

interface DeliveryRow {
  readonly sid: number;
  readonly rank: number;
  readonly mid: number;
  /** Not 0: the message that it names is not there. */
  readonly lost: number;
}

function deliveries(database: Database): Generator<readonly DeliveryRow[], void> {
  return slicesOf(database, sql.deliveries, [-1, -1], ({ sid, rank }: DeliveryRow) => [sid, rank]);
}

/** The rows behind `after` in the order of their keys; none of the slices is empty. */
function* slicesOf<Row>(
  database: Database,
  text: string,
  after: number[],
  keyOf: (row: Row) => number[],
): Generator<readonly Row[], void> {
  const read = database.prepare(text);
  for (let key = after; ; ) {
    const rows = read.all(...key, SLICE_ROWS) as Row[];
    if (rows.length > 0) yield rows;
    if (rows.length < SLICE_ROWS) return;
    key = keyOf(rows.at(-1)!);
  }
}
