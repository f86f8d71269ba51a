// Writes operations into the database, in order, inside a transaction of the caller's. Knows what
// hangs on what: a session's end takes its rows along, the last reference its message. A batch that
// is written twice leaves what it leaves once: a disk may fail in such a way that nobody knows
// whether a commit came through.

import { type MessagePut, type Op, OpKind, type QueuePut, type SessionPut } from '../ops.ts';
import { identifiersText } from './rows.ts';
import type { Statements } from './sql.ts';

/** Rows of a dropped session's queue that are removed at once; the rest goes in slices. */
const PURGE_ROWS = 1_000;

export class OpWriter {
  /** The highest ids seen. */
  maxSid: number;
  maxMid: number;
  /** Sessions whose end is written but not the removal of their whole queue. After a crash they
   *  are known by their rows, which have no session. */
  private readonly purging: Set<number>;
  /** What the current transaction adds to them and takes away. */
  private readonly begun: number[] = [];
  private readonly done: number[] = [];
  private readonly statements: Statements;
  private lastMessage = { mid: 0, size: 0 };
  /** References given up in this transaction, of messages that several deliveries name. */
  private readonly released = new Map<number, number>();

  constructor(statements: Statements, maxSid: number, maxMid: number, orphans: Iterable<number>) {
    this.statements = statements;
    this.maxSid = maxSid;
    this.maxMid = maxMid;
    this.purging = new Set(orphans);
  }

  apply(ops: readonly Op[]): void {
    for (const op of ops) this.applyOne(op);
    this.settle();
  }

  private applyOne(op: Op): void {
    const { statements } = this;
    switch (op.kind) {
      case OpKind.SessionPut:
        this.putSession(op);
        break;
      case OpKind.SessionDrop:
        statements.dropSession.run(op.sid);
        statements.dropSubscriptions.run(op.sid);
        statements.dropAllReceived.run(op.sid);
        if (!this.purgeQueue(op.sid)) this.begun.push(op.sid);
        break;
      case OpKind.SubscriptionPut: {
        const { sid, filter, qos, noLocal, retainAsPublished, identifier } = op;
        statements.putSubscription.run(
          sid,
          filter,
          qos,
          bit(noLocal),
          bit(retainAsPublished),
          identifier,
        );
        break;
      }
      case OpKind.SubscriptionDrop:
        statements.dropSubscription.run(op.sid, op.filter);
        break;
      case OpKind.RetainedPut: {
        const { topic, qos, payloadStart, expiresAt, source } = op;
        statements.putRetained.run(topic, qos, payloadStart, timeValue(expiresAt), source);
        break;
      }
      case OpKind.RetainedDrop:
        statements.dropRetained.run(op.topic);
        break;
      case OpKind.MessagePut:
        this.putMessage(op);
        break;
      case OpKind.QueuePut:
        this.putQueue(op);
        break;
      case OpKind.QueueState:
        if (op.state === 3) this.releaseMessage(op.sid, op.rank);
        (op.state === 3 ? statements.releaseQueue : statements.setQueueState).run(
          op.state,
          op.packetId,
          op.sid,
          op.rank,
        );
        break;
      case OpKind.QueueDrop:
        if (statements.dropQueue.run(op.sid, op.rank).changes === 0) break;
        if (op.mid !== 0) this.release(op.mid, op.refs);
        break;
      case OpKind.ReceivedPut:
        statements.putReceived.run(op.sid, op.packetId, op.topicHash);
        break;
      case OpKind.ReceivedDrop:
        statements.dropReceived.run(op.sid, op.packetId);
        break;
    }
  }

  private putSession(op: SessionPut): void {
    const { will } = op;
    if (op.sid > this.maxSid) this.maxSid = op.sid;
    this.statements.putSession.run(
      op.sid,
      op.clientId,
      op.username,
      op.peer,
      op.expirySeconds,
      timeValue(op.endsAt),
      timeValue(op.willDueAt),
      bit(op.connected),
      will?.topic ?? null,
      will?.payload ?? null,
      will?.qos ?? null,
      will === null ? null : bit(will.retain),
      will?.delaySeconds ?? null,
      will?.expirySeconds ?? null,
      will?.properties ?? null,
      op.origin,
      op.grants,
    );
  }

  private putMessage(op: MessagePut): void {
    const { mid, refs, qos, retain, payloadStart, expiresAt, topic, source } = op;
    if (mid > this.maxMid) this.maxMid = mid;
    const { statements } = this;
    const expires = timeValue(expiresAt);
    statements.putMessage.run(mid, refs, qos, bit(retain), payloadStart, expires, topic, source);
    if (refs > 1) statements.putRefs.run(mid, refs);
    this.lastMessage = { mid, size: source.length + Buffer.byteLength(topic) };
  }

  private putQueue(op: QueuePut): void {
    const { sid, rank, mid, qos, retain, state, packetId, group } = op;
    this.statements.putQueue.run(
      sid,
      rank,
      mid,
      qos,
      bit(retain),
      state,
      packetId,
      this.sizeOf(mid),
      identifiersText(op.identifiers),
      group,
    );
  }

  /** A message mostly comes right before its deliveries. */
  private sizeOf(mid: number): number {
    if (mid !== this.lastMessage.mid) {
      const row = this.statements.messageSize.get(mid) as { size: number } | undefined | null;
      this.lastMessage = { mid, size: row?.size ?? 0 };
    }
    return this.lastMessage.size;
  }

  private releaseMessage(sid: number, rank: number): void {
    const row = this.statements.referenceOf.get(sid, rank) as Reference | undefined | null;
    if (row && row.mid !== 0 && row.refs !== null) this.release(row.mid, row.refs);
  }

  private release(mid: number, refs: number): void {
    if (refs === 1) this.statements.dropMessage.run(mid);
    else this.released.set(mid, (this.released.get(mid) ?? 0) + 1);
  }

  /** Counts down once per message, however many deliveries of it ended. */
  private settle(): void {
    if (this.released.size === 0) return;
    for (const [mid, count] of this.released) {
      const row = this.statements.takeRefs.get(count, mid) as { remaining: number } | undefined;
      if (row && row.remaining > 0) continue;
      this.statements.dropRefs.run(mid);
      this.statements.dropMessage.run(mid);
    }
    this.released.clear();
  }

  /** After the transaction was committed. */
  keep(): void {
    for (const sid of this.begun) this.purging.add(sid);
    for (const sid of this.done) this.purging.delete(sid);
    this.begun.length = 0;
    this.done.length = 0;
  }

  /** After the transaction was rolled back. */
  discard(): void {
    this.begun.length = 0;
    this.done.length = 0;
    this.released.clear();
    this.lastMessage = { mid: 0, size: 0 };
  }

  get mustPurge(): boolean {
    return this.purging.size > 0;
  }

  /** Removes a slice of what dropped sessions left behind; in a transaction, like `apply`. */
  purge(): void {
    for (const sid of this.purging) {
      if (this.purgeQueue(sid)) this.done.push(sid);
      break;
    }
    this.settle();
  }

  /** Whether nothing is left of it. */
  private purgeQueue(sid: number): boolean {
    const rows = this.statements.referencesOf.all(sid, PURGE_ROWS) as Reference[];
    if (rows.length === 0) return true;
    for (const { mid, refs } of rows) if (mid !== 0 && refs !== null) this.release(mid, refs);
    this.statements.dropQueueThrough.run(sid, rows.at(-1)!.rank);
    return rows.length < PURGE_ROWS;
  }
}

interface Reference {
  readonly rank: number;
  readonly mid: number;
  /** Null when the message is not there. */
  readonly refs: number | null;
}

function bit(value: boolean): number {
  return value ? 1 : 0;
}

function timeValue(time: number): number | null {
  return time === Number.POSITIVE_INFINITY ? null : time;
}
