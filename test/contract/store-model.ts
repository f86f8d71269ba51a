// What a store has to hold, the naive way: maps in memory. And random histories of operations that
// make sense, as the core would tell them.

import {
  type MessagePut,
  type Op,
  OpKind,
  type QueuePut,
  type ReceivedPut,
  type RetainedPut,
  type SessionPut,
  type SubscriptionPut,
} from '../../src/store/ops.ts';
import type { InflightRow, WindowRow } from '../../src/store/store.ts';
import type { Contents } from './store-kit.ts';

const NO_BYTES = new Uint8Array(0);

export class StoreModel {
  readonly sessions = new Map<number, SessionPut>();
  readonly subscriptions = new Map<number, Map<string, SubscriptionPut>>();
  readonly retained = new Map<string, RetainedPut>();
  readonly received = new Map<number, Map<number, ReceivedPut>>();
  readonly queues = new Map<number, Map<number, QueuePut>>();
  readonly messages = new Map<number, MessagePut & { remaining: number }>();

  apply(ops: readonly Op[]): void {
    for (const op of ops) this.applyOne(op);
  }

  private applyOne(op: Op): void {
    switch (op.kind) {
      case OpKind.SessionPut:
        this.sessions.set(op.sid, op);
        break;
      case OpKind.SessionDrop:
        for (const { mid } of this.queues.get(op.sid)?.values() ?? []) this.release(mid);
        this.sessions.delete(op.sid);
        this.subscriptions.delete(op.sid);
        this.received.delete(op.sid);
        this.queues.delete(op.sid);
        break;
      case OpKind.SubscriptionPut:
        child(this.subscriptions, op.sid).set(op.filter, op);
        break;
      case OpKind.SubscriptionDrop:
        this.subscriptions.get(op.sid)?.delete(op.filter);
        break;
      case OpKind.RetainedPut:
        this.retained.set(op.topic, op);
        break;
      case OpKind.RetainedDrop:
        this.retained.delete(op.topic);
        break;
      case OpKind.MessagePut:
        this.messages.set(op.mid, { ...op, remaining: op.refs });
        break;
      case OpKind.QueuePut:
        child(this.queues, op.sid).set(op.rank, op);
        break;
      case OpKind.QueueState: {
        const row = this.queues.get(op.sid)!.get(op.rank)!;
        if (op.state === 3) this.release(row.mid);
        const mid = op.state === 3 ? 0 : row.mid;
        const { state, packetId } = op;
        this.queues.get(op.sid)!.set(op.rank, { ...row, mid, state, packetId });
        break;
      }
      case OpKind.QueueDrop:
        this.release(op.mid);
        this.queues.get(op.sid)!.delete(op.rank);
        break;
      case OpKind.ReceivedPut:
        child(this.received, op.sid).set(op.packetId, op);
        break;
      case OpKind.ReceivedDrop:
        this.received.get(op.sid)?.delete(op.packetId);
        break;
    }
  }

  private release(mid: number): void {
    const message = this.messages.get(mid);
    if (message !== undefined && --message.remaining === 0) this.messages.delete(mid);
  }

  private row(queued: QueuePut): WindowRow {
    const { rank, mid, qos, retain, identifiers, group } = queued;
    const message = this.messages.get(mid);
    return {
      rank,
      mid,
      refs: message?.refs ?? 0,
      qos,
      retain,
      identifiers,
      group,
      topic: message?.topic ?? '',
      source: message?.source ?? NO_BYTES,
      payloadStart: message?.payloadStart ?? 0,
      messageQos: message?.qos ?? 0,
      messageRetain: message?.retain ?? false,
      expiresAt: message?.expiresAt ?? Number.POSITIVE_INFINITY,
    };
  }

  /** In the order in which a store gives it. */
  contents(): Contents {
    const bySid = [...this.queues]
      .filter(([, rows]) => rows.size > 0)
      .sort(([a], [b]) => a - b)
      .map(([sid, rows]) => ({ sid, rows: [...rows.values()].sort((a, b) => a.rank - b.rank) }));
    const queued = (rows: QueuePut[]) => rows.filter(({ state }) => state === 0);
    const bytes = ({ mid }: QueuePut) => {
      const { topic, source } = this.messages.get(mid)!;
      return Buffer.byteLength(topic) + source.length;
    };
    const inflight = (sid: number, row: QueuePut): InflightRow => {
      return { ...this.row(row), sid, state: row.state, packetId: row.packetId };
    };
    return {
      sessions: sorted(this.sessions.values(), ({ sid }) => sid),
      subscriptions: sortedKeys(this.subscriptions).flatMap(sid =>
        sortedText(this.subscriptions.get(sid)!.values(), ({ filter }) => filter),
      ),
      retained: sortedText(this.retained.values(), ({ topic }) => topic),
      received: sortedKeys(this.received).flatMap(sid =>
        sorted(this.received.get(sid)!.values(), ({ packetId }) => packetId),
      ),
      queues: bySid.map(({ sid, rows }) => ({
        sid,
        queued: queued(rows).length,
        bytes: queued(rows).reduce((sum, row) => sum + bytes(row), 0),
        lastRank: rows.at(-1)!.rank,
      })),
      inflight: bySid.flatMap(({ sid, rows }) =>
        rows.filter(({ state }) => state > 0).map(row => inflight(sid, row)),
      ),
      skippedRows: 0,
      backlogs: new Map(bySid.map(({ sid, rows }) => [sid, queued(rows).map(r => this.row(r))])),
    };
  }
}

/** The map of `key` within `maps`, made when it is not there. */
function child<Key, Value>(maps: Map<number, Map<Key, Value>>, key: number): Map<Key, Value> {
  let map = maps.get(key);
  if (map === undefined) {
    map = new Map();
    maps.set(key, map);
  }
  return map;
}

function sorted<Item>(items: Iterable<Item>, rankOf: (item: Item) => number): Item[] {
  return [...items].sort((a, b) => rankOf(a) - rankOf(b));
}

function sortedKeys(map: ReadonlyMap<number, unknown>): number[] {
  return sorted(map.keys(), key => key);
}

/** By the bytes of their UTF-8 form. */
function sortedText<Item>(items: Iterable<Item>, textOf: (item: Item) => string): Item[] {
  return [...items].sort((a, b) => Buffer.compare(Buffer.from(textOf(a)), Buffer.from(textOf(b))));
}
