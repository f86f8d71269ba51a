// A store made of maps: the meaning of the operations in the fewest words, a disk that fails when
// it is told to, and a power switch. What was synced survives a cut; what was only written may not.

import type {
  Op,
  QueuePut,
  ReceivedPut,
  RetainedPut,
  SessionPut,
  SubscriptionPut,
} from '../../src/store/ops.ts';
import { type MessagePut, OpKind } from '../../src/store/ops.ts';
import {
  type Batch,
  emptyLoad,
  type InflightRow,
  type Loaded,
  type Store,
  type StoreDescription,
  StoreError,
  type WindowRow,
} from '../../src/store/store.ts';

/** What is stored, as tables. */
export class Tables {
  readonly sessions = new Map<number, SessionPut>();
  readonly subscriptions = new Map<string, SubscriptionPut>();
  readonly retained = new Map<string, RetainedPut>();
  readonly messages = new Map<number, { put: MessagePut; refs: number }>();
  readonly queue = new Map<number, Map<number, QueuePut>>();
  readonly received = new Map<number, Map<number, ReceivedPut>>();
  maxSid = 0;
  maxMid = 0;

  apply(op: Op): void {
    switch (op.kind) {
      case OpKind.SessionPut:
        this.sessions.set(op.sid, { ...op });
        this.maxSid = Math.max(this.maxSid, op.sid);
        return;
      case OpKind.SessionDrop:
        this.dropSession(op.sid);
        return;
      case OpKind.SubscriptionPut:
        this.subscriptions.set(`${op.sid} ${op.filter}`, { ...op });
        return;
      case OpKind.SubscriptionDrop:
        this.subscriptions.delete(`${op.sid} ${op.filter}`);
        return;
      case OpKind.RetainedPut:
        this.retained.set(op.topic, { ...op });
        return;
      case OpKind.RetainedDrop:
        this.retained.delete(op.topic);
        return;
      case OpKind.MessagePut:
        this.messages.set(op.mid, { put: { ...op }, refs: op.refs });
        this.maxMid = Math.max(this.maxMid, op.mid);
        return;
      case OpKind.QueuePut:
        this.rows(op.sid).set(op.rank, { ...op });
        return;
      case OpKind.QueueState: {
        const row = this.rows(op.sid).get(op.rank);
        if (row === undefined) return;
        const gone = op.state === 3;
        if (gone) this.unref(row.mid);
        const { state, packetId } = op;
        this.rows(op.sid).set(op.rank, { ...row, state, packetId, mid: gone ? 0 : row.mid });
        return;
      }
      case OpKind.QueueDrop: {
        const row = this.rows(op.sid).get(op.rank);
        if (row === undefined) return;
        this.unref(row.mid);
        this.rows(op.sid).delete(op.rank);
        return;
      }
      case OpKind.ReceivedPut:
        this.receivedOf(op.sid).set(op.packetId, { ...op });
        return;
      case OpKind.ReceivedDrop:
        this.receivedOf(op.sid).delete(op.packetId);
    }
  }

  rows(sid: number): Map<number, QueuePut> {
    let rows = this.queue.get(sid);
    if (rows === undefined) {
      rows = new Map();
      this.queue.set(sid, rows);
    }
    return rows;
  }

  private receivedOf(sid: number): Map<number, ReceivedPut> {
    let ids = this.received.get(sid);
    if (ids === undefined) {
      ids = new Map();
      this.received.set(sid, ids);
    }
    return ids;
  }

  private unref(mid: number): void {
    const message = this.messages.get(mid);
    if (message === undefined) return;
    message.refs--;
    if (message.refs === 0) this.messages.delete(mid);
  }

  private dropSession(sid: number): void {
    this.sessions.delete(sid);
    for (const [key, s] of this.subscriptions) if (s.sid === sid) this.subscriptions.delete(key);
    for (const row of this.rows(sid).values()) this.unref(row.mid);
    this.queue.delete(sid);
    this.received.delete(sid);
  }

  windowRow(row: QueuePut): WindowRow {
    const message = this.messages.get(row.mid);
    return {
      rank: row.rank,
      mid: row.mid,
      refs: message?.put.refs ?? 0,
      qos: row.qos,
      retain: row.retain,
      identifiers: row.identifiers,
      group: row.group,
      topic: message?.put.topic ?? '',
      source: message?.put.source ?? new Uint8Array(0),
      payloadStart: message?.put.payloadStart ?? 0,
      messageQos: message?.put.qos ?? 0,
      messageRetain: message?.put.retain ?? false,
      expiresAt: message?.put.expiresAt ?? Number.POSITIVE_INFINITY,
    };
  }

  sortedRows(sid: number): QueuePut[] {
    return [...this.rows(sid).values()].sort((a, b) => a.rank - b.rank);
  }
}

/** What is on one disk, across the stores that open it one after the other. */
export class ModelDisk {
  /** Batches whose sync has returned. */
  readonly synced: Batch[] = [];
  /** Batches that the operating system has. */
  readonly written: Batch[] = [];

  /** The power goes: of what was not synced, the first `kept` batches survive. */
  cut(kept: number): void {
    this.synced.push(...this.written.splice(0, kept));
    this.written.length = 0;
  }

  /** The process dies, the operating system does not. */
  kill(): void {
    this.cut(this.written.length);
  }
}

export class ModelStore implements Store {
  readonly description: StoreDescription = {
    kind: 'memory',
    journalMode: 'memory',
    path: '',
    driver: '',
    threaded: false,
    movedAside: null,
    fallbackReason: null,
  };
  readonly usage = { fileBytes: 0, usedBytes: 0, walBytes: 0, commitMs: 0 };
  onCommitted: Store['onCommitted'] = () => {};
  onFailed: Store['onFailed'] = () => {};
  onWindow: Store['onWindow'] = () => {};
  onWindowFailed: Store['onWindowFailed'] = () => {};
  /** Commits and windows that were asked for and have not been answered. */
  readonly asked: (() => void)[] = [];
  /** Commits fail from now on. */
  failing = false;
  /** Windows cannot be read from now on. */
  unreadable = false;
  readonly tables = new Tables();
  private readonly disk: ModelDisk;

  constructor(disk: ModelDisk) {
    this.disk = disk;
  }

  loadNow(): Loaded {
    for (const batch of [...this.disk.synced, ...this.disk.written]) {
      for (const op of batch.ops) this.tables.apply(op);
    }
    const t = this.tables;
    const last = this.disk.written.at(-1) ?? this.disk.synced.at(-1);
    const inflight: InflightRow[] = [];
    const queues = [...t.queue.keys()].map(sid => {
      const rows = t.sortedRows(sid);
      const queued = rows.filter(row => row.state === 0);
      for (const row of rows) {
        if (row.state === 0) continue;
        const { state, packetId } = row;
        inflight.push({ ...t.windowRow(row), sid, state, packetId });
      }
      const bytes = queued.reduce((sum, row) => sum + sizeOf(t.windowRow(row)), 0);
      return { sid, queued: queued.length, bytes, lastRank: rows.at(-1)?.rank ?? 0 };
    });
    return {
      ...emptyLoad,
      sessions: [...t.sessions.values()],
      subscriptions: [...t.subscriptions.values()],
      retained: [...t.retained.values()],
      received: [...t.received.values()].flatMap(ids => [...ids.values()]),
      queues: queues.filter(({ lastRank }) => lastRank > 0),
      inflight,
      maxSid: t.maxSid,
      maxMid: t.maxMid,
      clock: last === undefined ? null : { clock: last.clock, wall: last.wall },
    };
  }

  async load(): Promise<Loaded> {
    return this.loadNow();
  }

  commit(batch: Batch): void {
    this.asked.push(() => {
      if (this.failing) {
        this.onFailed(batch.through, new StoreError('io', 'the disk fails, as it was told to'));
        return;
      }
      for (const op of batch.ops) this.tables.apply(op);
      this.disk.written.push(batch);
      if (batch.sync) this.disk.kill(); // everything before it is synced with it
      this.onCommitted(batch.through, batch.sync, 0);
    });
  }

  requestWindow(sid: number, afterRank: number, limit: number, bytesMax: number): void {
    this.asked.push(() => {
      if (this.unreadable) {
        this.onWindowFailed(sid, new StoreError('io', 'the disk fails, as it was told to'));
        return;
      }
      const waiting = this.tables
        .sortedRows(sid)
        .filter(row => row.state === 0 && row.rank > afterRank);
      const rows: WindowRow[] = [];
      let bytes = 0;
      for (const row of waiting) {
        if (rows.length >= limit || (rows.length > 0 && bytes >= bytesMax)) break;
        rows.push(this.tables.windowRow(row));
        bytes += sizeOf(rows[rows.length - 1]);
      }
      this.onWindow(sid, rows, rows.length === waiting.length);
    });
  }

  /** Answers the oldest request; false when there is none. */
  answer(): boolean {
    const next = this.asked.shift();
    next?.();
    return next !== undefined;
  }

  drain(): void {}

  async close(): Promise<void> {
    while (this.answer()) {}
  }
}

function sizeOf(row: WindowRow): number {
  return row.topic.length + row.source.length;
}
