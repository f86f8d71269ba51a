// What is read from the database: nearly everything at the start, and windows of what waits.

import { LoadedKind, type LoadedTotals, type LoadSink } from '../loading.ts';
import type { ReceivedPut, SubscriptionPut } from '../ops.ts';
import type { WindowRow } from '../store.ts';
import type { Database } from './driver.ts';
import {
  inflightRowOf,
  queueSummaryOf,
  receivedOf,
  retainedOf,
  sessionOf,
  subscriptionOf,
  windowRowOf,
} from './rows.ts';
import { load, type Statements } from './sql.ts';

export interface Reading {
  readonly totals: LoadedTotals;
  /** Session ids of deliveries whose session is gone. */
  readonly orphans: readonly number[];
}

/** Gives everything but the waiting messages to `sink`. */
export function readAll(database: Database, sink: LoadSink): Reading {
  const reader = new Reader(database);
  const known = new Set<number>();
  const orphans: number[] = [];
  let maxSid = 0;
  reader.each(load.sessions, sessionOf, session => {
    known.add(session.sid);
    maxSid = Math.max(maxSid, session.sid);
    sink.take(session);
  });
  const takeKnown = (record: SubscriptionPut | ReceivedPut) => {
    if (known.has(record.sid)) sink.take(record);
  };
  reader.each(load.subscriptions, subscriptionOf, takeKnown);
  reader.each(load.retained, retainedOf, record => sink.take(record));
  reader.each(load.received, receivedOf, takeKnown);
  reader.each(load.queues, queueSummaryOf, queue => {
    maxSid = Math.max(maxSid, queue.sid);
    if (known.has(queue.sid)) sink.take({ kind: LoadedKind.Queue, queue });
    else orphans.push(queue.sid);
  });
  reader.each(load.inflight, inflightRowOf, inflight => {
    if (known.has(inflight.sid)) sink.take({ kind: LoadedKind.Inflight, inflight });
  });
  const state = readState(database);
  const { skippedRows } = reader;
  return { totals: { ...state, maxSid: Math.max(state.maxSid, maxSid), skippedRows }, orphans };
}

class Reader {
  skippedRows = 0;
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  each<Result>(
    sql: string,
    of: (row: unknown) => Result | null,
    take: (result: Result) => void,
  ): void {
    for (const row of this.database.prepare(sql).iterate()) {
      const result = of(row);
      if (result === null) this.skippedRows++;
      else take(result);
    }
  }
}

function readState(database: Database): Omit<LoadedTotals, 'skippedRows'> {
  const { clock, wall, max_sid, max_mid } = database.prepare(load.state).get() as State;
  const { max } = database.prepare(load.maxMid).get() as { max: number | null };
  const known = typeof clock === 'number' && typeof wall === 'number';
  return {
    maxSid: idOf(max_sid),
    maxMid: Math.max(idOf(max_mid), idOf(max)),
    clock: known ? { clock, wall } : null,
  };
}

interface State {
  readonly clock: unknown;
  readonly wall: unknown;
  readonly max_sid: unknown;
  readonly max_mid: unknown;
}

function idOf(value: unknown): number {
  return Number.isSafeInteger(value) ? (value as number) : 0;
}

export interface Window {
  readonly rows: readonly WindowRow[];
  readonly complete: boolean;
}

export function readWindow(
  statements: Statements,
  sid: number,
  afterRank: number,
  limit: number,
  bytesMax: number,
): Window {
  const rows: WindowRow[] = [];
  let bytes = 0;
  for (const row of statements.window.iterate(sid, afterRank)) {
    if (rows.length === limit || bytes >= bytesMax) return { rows, complete: false };
    const delivery = windowRowOf(row);
    if (delivery === null) continue;
    rows.push(delivery);
    bytes += delivery.source.length + delivery.topic.length;
  }
  return { rows, complete: true };
}

/** Session ids of deliveries whose session is gone. */
export function readOrphans(database: Database): number[] {
  return (database.prepare(load.orphans).all() as { sid: number }[]).map(({ sid }) => sid);
}
