// What is read from the database: nearly everything at the start, and windows of what waits.

import type { Loaded, WindowRow } from '../store.ts';
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
  readonly loaded: Loaded;
  /** Session ids of deliveries whose session is gone. */
  readonly orphans: readonly number[];
}

export function readAll(database: Database): Reading {
  let skippedRows = 0;
  const read = <Result>(sql: string, of: (row: unknown) => Result | null): Result[] => {
    const results: Result[] = [];
    for (const row of database.prepare(sql).iterate()) {
      const result = of(row);
      if (result === null) skippedRows++;
      else results.push(result);
    }
    return results;
  };
  const sessions = read(load.sessions, sessionOf);
  const known = new Set(sessions.map(({ sid }) => sid));
  const allQueues = read(load.queues, queueSummaryOf);
  const subscriptions = read(load.subscriptions, subscriptionOf);
  const retained = read(load.retained, retainedOf);
  const received = read(load.received, receivedOf);
  const inflight = read(load.inflight, inflightRowOf);
  const orphans = allQueues.map(({ sid }) => sid).filter(sid => !known.has(sid));
  const of = <Row extends { sid: number }>(rows: Row[]) => rows.filter(({ sid }) => known.has(sid));
  const state = readState(database);
  return {
    loaded: {
      sessions,
      subscriptions: of(subscriptions),
      retained,
      received: of(received),
      queues: of(allQueues),
      inflight: of(inflight),
      maxSid: Math.max(state.maxSid, ...tail(sessions), ...tail(allQueues)),
      maxMid: state.maxMid,
      clock: state.clock,
      skippedRows,
    },
    orphans,
  };
}

/** The highest session id of rows in the order of their sids, as a list of none or one. */
function tail(rows: readonly { readonly sid: number }[]): number[] {
  return rows.slice(-1).map(({ sid }) => sid);
}

function readState(database: Database): Pick<Loaded, 'maxSid' | 'maxMid' | 'clock'> {
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

/** Sessions ids of deliveries whose session is gone. */
export function readOrphans(database: Database): number[] {
  return (database.prepare(load.orphans).all() as { sid: number }[]).map(({ sid }) => sid);
}
