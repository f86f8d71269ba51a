// The one totally ordered log between the core and the disk. It implements the core's Journal:
// every operation gets the next sequence number and waits here until it is handed to the store, in
// order, in batches. What is finished before it was handed over cancels out and is never written.
// When a batch goes is decided in schedule.ts. One is under way at a time; what comes meanwhile is
// the next one (group commit). No clock of its own: `now` is the core's.

import { Durability, ESTATE_NAME, type Journal } from '../core/journal.ts';
import type { Message } from '../core/routing/message.ts';
import type { Subscription } from '../core/routing/subscription.ts';
import type { Topic } from '../core/routing/topics.ts';
import { type Delivery, DeliveryState } from '../core/session/outbox.ts';
import type { Session } from '../core/session/session.ts';
import type { QoS } from '../mqtt/packet.ts';
import { FlashBudget } from './budget.ts';
import { type Entry, StoredDelivery, StoredMessage } from './entry.ts';
import {
  type Op,
  OpKind,
  type QueuePut,
  type QueueState,
  type QueueStateValue,
  type SessionPut,
} from './ops.ts';
import { Pending } from './pending.ts';
import { Schedule } from './schedule.ts';
import type { Store, StoreError, WindowRow } from './store.ts';

export interface LogOptions {
  /** Class of sessions, subscriptions, and of topics that no rule names. */
  readonly defaultClass: number;
  /** Class by topic name; null where no rule speaks. */
  readonly classOf: (topic: string) => number | null;
  /** How long and how large a batch grows that nobody waits for. */
  readonly batchMs: number;
  readonly batchBytes: number;
  /** Bytes that may be written per day before batches widen; 0 is no budget. */
  readonly flashBytesPerDay: number;
  /** Bytes the database may take; 0 is no bound. */
  readonly quotaBytes: number;
  /** Bytes that stay free on its file system; 0 is no bound. */
  readonly freeBytesMin: number;
  /** Bytes that are free there now. */
  readonly freeBytes: () => number;
  /** Deliveries of one session kept in memory. */
  readonly windowMessages: number;
  readonly windowBytes: number;
  /** Milliseconds since the epoch, for the store's wall clock. */
  readonly wall: () => number;
}

/** What the log tells the hallway. */
export interface LogListener {
  /** The store has got to `written`, past any power cut to `synced`. */
  durable(written: number, synced: number): void;
  /** What of a session's backlog waited on disk. */
  window(session: Session, rows: readonly WindowRow[]): void;
  /** A batch has ended: `flush` may hand over the next one. */
  ready(): void;
  /** The database is over its bound: make room. False when there is nothing left to give up. */
  full(): boolean;
  /** There is nothing left, and strict work is refused; or there is room again (true). */
  room(room: boolean): void;
  /** Commits began to fail, or work again (null). */
  trouble(error: StoreError | null): void;
}

interface WantedWindow {
  readonly session: Session;
  readonly afterRank: number;
}

const identityTexts = new WeakMap<object, string>();

/** Who a session acts for beside its user name, as text for the disk: plain data, never changed. */
export function identityText(value: object | null): string | null {
  if (value === null) return null;
  let text = identityTexts.get(value);
  if (text === undefined) {
    text = JSON.stringify(value);
    identityTexts.set(value, text);
  }
  return text;
}

export class StoreLog implements Journal {
  last = 0;
  /** Over its bound, and nobody is left whose session could go. */
  private full = false;
  readonly defaultClass: number;
  readonly windowMessages: number;
  private readonly options: LogOptions;
  private readonly store: Store;
  private readonly listener: LogListener;
  private lastMessageId: number;
  private readonly pending = new Pending();
  private readonly schedule: Schedule;
  private underWay: readonly Entry[] | null = null;
  private batchEnded: () => void = () => {};
  private readonly budget: FlashBudget;
  private flushedAt = 0;
  private commits = 0;
  private bytesWritten = 0;
  /** What the store has committed goes through here. */
  private committed = 0;
  /** Up to here everything is as safe as its class promises. */
  private durable = 0;
  /** What `last` was when a turn left nothing to be done: most turns add nothing. */
  private quietAt = -1;
  private readonly windows = new Map<number, WantedWindow>();
  private readonly windowsAsked = new Map<number, WantedWindow>();
  /** Windows could not be read: they are not asked for again before, the core's milliseconds. */
  private windowsNotBefore = Number.NEGATIVE_INFINITY;

  constructor(store: Store, options: LogOptions, lastMessageId: number, listener: LogListener) {
    this.store = store;
    this.options = options;
    this.listener = listener;
    this.lastMessageId = lastMessageId;
    this.defaultClass = options.defaultClass;
    this.windowMessages = options.windowMessages;
    const { flashBytesPerDay, batchMs, batchBytes } = options;
    this.budget = new FlashBudget(flashBytesPerDay);
    this.schedule = new Schedule(this.pending, this.budget, batchMs, batchBytes);
    store.onCommitted = (through, synced, bytes) => this.onCommitted(through, synced, bytes);
    store.onFailed = (_through, error) => this.onFailed(error);
    store.onWindow = (sid, rows) => this.onWindow(sid, rows);
    store.onWindowFailed = (sid, error) => this.onWindowFailed(sid, error);
  }

  private get failing(): boolean {
    return this.schedule.retrying;
  }

  get degraded(): boolean {
    return this.failing || this.full;
  }

  classOf(topic: string): number {
    return this.options.classOf(topic) ?? this.defaultClass;
  }

  // ---- Operations

  session(s: Session): void {
    const { will } = s;
    const op: SessionPut = {
      kind: OpKind.SessionPut,
      sid: s.id,
      clientId: s.clientId,
      username: s.username,
      peer: s.peer,
      expirySeconds: s.expirySeconds,
      endsAt: s.endsAt,
      willDueAt: s.willDueAt,
      connected: s.connection !== null,
      origin: identityText(s.origin),
      grants: identityText(s.grants),
      will: will === null ? null : { ...will },
    };
    const more = (op.origin?.length ?? 0) + (op.grants?.length ?? 0);
    this.add(op, this.defaultClass, 128 + more + (will?.payload.length ?? 0));
  }

  sessionEnded(s: Session): void {
    this.add({ kind: OpKind.SessionDrop, sid: s.id }, this.defaultClass, 16);
  }

  sessionLeft(s: Session): void {
    const op: Op = {
      kind: OpKind.SessionPut,
      sid: s.id,
      clientId: `${ESTATE_NAME}${s.id}`,
      username: null,
      peer: '',
      expirySeconds: 0,
      endsAt: 0,
      willDueAt: Number.POSITIVE_INFINITY,
      connected: false,
      origin: null,
      grants: null,
      will: null,
    };
    this.add(op, this.defaultClass, 64);
  }

  subscribed(s: Subscription): void {
    const op: Op = {
      kind: OpKind.SubscriptionPut,
      sid: s.session.id,
      filter: s.filter,
      qos: s.qos,
      noLocal: s.noLocal,
      retainAsPublished: s.retainAsPublished,
      identifier: s.identifiers?.[0] ?? 0,
    };
    this.add(op, this.defaultClass, 32 + s.filter.length);
  }

  unsubscribed(s: Subscription): void {
    const op: Op = { kind: OpKind.SubscriptionDrop, sid: s.session.id, filter: s.filter };
    this.add(op, this.defaultClass, 32 + s.filter.length);
  }

  retained(m: Message): void {
    const { topic, source, payloadStart, qos, expiresAt } = m;
    const op: Op = { kind: OpKind.RetainedPut, topic, source, payloadStart, qos, expiresAt };
    this.add(op, m.durability, m.size);
  }

  retainedCleared(topic: string, durability: number): void {
    this.add({ kind: OpKind.RetainedDrop, topic }, durability, topic.length);
  }

  queued(session: Session, d: Delivery): void {
    const m = d.message;
    let stored = m.stored as StoredMessage | null;
    if (stored === null || !stored.open) {
      stored = this.putMessage(m);
      m.stored = stored;
    }
    stored.refs++;
    (stored.entry!.op as { refs: number }).refs = stored.refs;
    const op: QueuePut = {
      kind: OpKind.QueuePut,
      sid: session.id,
      rank: d.rank,
      mid: stored.id,
      qos: d.qos as QoS,
      retain: d.retain,
      identifiers: d.identifiers,
      group: d.group === null ? null : `${d.group.name}/${d.group.filter}`,
      state: DeliveryState.Queued,
      packetId: 0,
    };
    d.stored = new StoredDelivery(stored, m.durability, this.add(op, m.durability, 48));
  }

  private putMessage(m: Message): StoredMessage {
    const id = ++this.lastMessageId;
    const { topic, source, payloadStart, qos, retain, expiresAt } = m;
    const op: Op = {
      kind: OpKind.MessagePut,
      mid: id,
      topic,
      source,
      payloadStart,
      qos,
      retain,
      expiresAt,
      refs: 0,
    };
    return new StoredMessage(id, this.add(op, m.durability, m.size));
  }

  moved(session: Session, d: Delivery): void {
    // QoS 1 stays as it was queued: after a crash all of it is sent again, in the order of its
    // ranks. Were some of it known as sent, that would go first and overtake the rest.
    if (d.qos !== 2) return;
    const stored = d.stored as StoredDelivery;
    const state = d.state as QueueStateValue;
    const { packetId } = d;
    const released = state === DeliveryState.AwaitPubcomp;
    if (stored.open) {
      // Not handed over yet: the row is written as it is by then.
      const op = stored.entry!.op as { state: number; packetId: number; mid: number };
      op.state = state;
      op.packetId = packetId;
      if (released && !stored.messageGone) {
        op.mid = 0;
        this.dropReference(stored.message);
      }
    } else {
      const { id: sid } = session;
      const op: QueueState = { kind: OpKind.QueueState, sid, rank: d.rank, state, packetId };
      this.add(op, stored.durability, 24);
    }
    if (released) stored.messageGone = true;
  }

  finished(session: Session, d: Delivery): void {
    const stored = d.stored as StoredDelivery;
    if (stored.open) {
      this.pending.cancel(stored.entry!);
      if (!stored.messageGone) this.dropReference(stored.message);
      return;
    }
    const { id, refs } = stored.message;
    const op: Op = {
      kind: OpKind.QueueDrop,
      sid: session.id,
      rank: d.rank,
      mid: stored.messageGone ? 0 : id,
      refs,
    };
    // Nobody is told about it, so nobody waits for it.
    this.add(op, Durability.Batched, 24);
  }

  received(session: Session, packetId: number, topic: Topic): void {
    const { id: sid } = session;
    const op: Op = { kind: OpKind.ReceivedPut, sid, packetId, topicHash: topic.hash };
    this.add(op, topic.durability, 20);
  }

  forgotten(session: Session, packetId: number, durability: number): void {
    this.add({ kind: OpKind.ReceivedDrop, sid: session.id, packetId }, durability, 16);
  }

  wantWindow(session: Session, afterRank: number): void {
    this.windows.set(session.id, { session, afterRank });
  }

  private add(op: Op, durability: number, bytes: number): Entry {
    this.last++;
    return this.pending.add(op, durability, bytes);
  }

  /** One delivery less refers to a message whose own operation may still be pending. */
  private dropReference(stored: StoredMessage): void {
    if (!stored.open) return;
    stored.refs--;
    if (stored.refs === 0) this.pending.cancel(stored.entry!);
    else (stored.entry!.op as { refs: number }).refs = stored.refs;
  }

  // ---- Batches

  /** The end of a turn: hands over what must go now, lets go what waits for nothing any more. */
  flush(now: number): void {
    this.flushedAt = now;
    if (this.quiet) return;
    if (this.full) this.tellRoom(this.overBound()); // somebody may have made room
    if (this.underWay !== null) return;
    const { promised, queued } = this.pending;
    if (promised === 0) this.advance(this.last);
    this.schedule.note(now, this.store.usage.commitMs);
    if (this.mustGo(now)) this.commit(now);
    else if (queued === 0) this.askWindows(now);
    if (this.isDone()) this.quietAt = this.last;
  }

  /** Nothing came since there was nothing to do. */
  private get quiet(): boolean {
    return this.last === this.quietAt && this.windows.size === 0;
  }

  private isDone(): boolean {
    if (this.full || this.underWay !== null || this.durable < this.last) return false;
    return this.schedule.next === Number.POSITIVE_INFINITY; // nothing is pending, no sync is owed
  }

  private mustGo(now: number): boolean {
    const read = this.windows.size > 0 && now >= this.windowsNotBefore && !this.failing;
    return (read && this.pending.queued > 0) || this.schedule.due(now);
  }

  /** When `flush` wants to be called though nothing came; Infinity: never. */
  nextDeadline(): number {
    if (this.underWay !== null || this.quiet) return Number.POSITIVE_INFINITY;
    const reads = this.windows.size > 0 && !this.failing;
    return Math.min(this.schedule.next, reads ? this.windowsNotBefore : Number.POSITIVE_INFINITY);
  }

  private commit(now: number): void {
    const sync = this.schedule.hand(now);
    const entries = this.pending.take();
    this.underWay = entries;
    const ops = entries.map(entry => entry.op!);
    const after = this.committed;
    const through = this.last;
    const wall = this.options.wall();
    this.store.commit({ ops, after, through, sync, clock: now, wall });
    this.askWindows(now);
  }

  private onCommitted(through: number, synced: boolean, bytes: number): void {
    this.underWay = null;
    this.commits++;
    this.bytesWritten += bytes;
    this.budget.spend(bytes, this.flushedAt);
    this.tellRoom(this.overBound() && !this.listener.full());
    this.committed = through;
    const recovered = this.failing;
    this.schedule.committed(synced);
    if (recovered) this.listener.trouble(null);
    // A batch in which something strict was is reported when it is synced; where nothing was, all
    // that is strict up to its end was synced before.
    this.advance(through);
    this.listener.ready();
    this.batchEnded();
  }

  private tellRoom(full: boolean): void {
    if (full !== this.full) this.listener.room(!full);
    this.full = full;
  }

  /** Asked after each commit: one session goes at a time; the next commit tells what it gave. */
  private overBound(): boolean {
    const { quotaBytes, freeBytesMin, freeBytes } = this.options;
    if (quotaBytes > 0 && this.store.usage.usedBytes > quotaBytes) return true;
    return freeBytesMin > 0 && freeBytes() < freeBytesMin;
  }

  /** Nothing of the batch is on disk: it goes again, before everything that came since. */
  private onFailed(error: StoreError): void {
    const entries = this.underWay;
    if (entries === null) return;
    this.underWay = null;
    const first = !this.failing;
    this.pending.giveBack(entries);
    this.schedule.failed();
    if (first) this.listener.trouble(error);
    this.listener.ready();
    this.batchEnded();
  }

  private advance(through: number): void {
    if (through <= this.durable) return;
    this.durable = through;
    this.listener.durable(through, through);
  }

  // ---- Windows

  /** Windows are read behind everything that was queued, so nothing in them is missing. What ended
   *  meanwhile is not in them: they begin behind what was read before. */
  private askWindows(now: number): void {
    if (this.windows.size === 0 || now < this.windowsNotBefore) return;
    const { windowMessages, windowBytes } = this.options;
    const wanted = [...this.windows];
    this.windows.clear();
    for (const [sid, window] of wanted) {
      this.windowsAsked.set(sid, window);
      this.store.requestWindow(sid, window.afterRank, windowMessages, windowBytes);
    }
  }

  private onWindow(sid: number, rows: readonly WindowRow[]): void {
    const asked = this.windowsAsked.get(sid);
    if (asked === undefined) return;
    this.windowsAsked.delete(sid);
    // Nothing there only because the batch before it failed: it is asked for behind the next.
    if (this.failing && rows.length === 0) this.windows.set(sid, asked);
    else this.listener.window(asked.session, rows);
  }

  /** The window could not be read: it is asked for again a little later. */
  private onWindowFailed(sid: number, error: StoreError): void {
    const asked = this.windowsAsked.get(sid);
    if (asked === undefined) return;
    this.windowsAsked.delete(sid);
    this.windows.set(sid, asked);
    this.windowsNotBefore = this.flushedAt + this.options.batchMs;
    this.listener.trouble(error);
    this.listener.ready();
  }

  /** How a delivery that was read from the store is known to it: for `Delivery.stored`. */
  adopt(mid: number, refs: number, durability: number): unknown {
    const message = new StoredMessage(mid, null);
    message.refs = refs;
    const delivery = new StoredDelivery(message, durability, null);
    delivery.messageGone = mid === 0;
    return delivery;
  }

  figures(): Readonly<Record<string, number | string>> {
    const { kind, journalMode, movedAside } = this.store.description;
    const { fileBytes, usedBytes, walBytes } = this.store.usage;
    return {
      'store/kind': kind,
      'store/mode': journalMode,
      'store/state': this.failing
        ? 'failing'
        : this.full
          ? 'full'
          : movedAside === null
            ? 'well'
            : 'begun anew',
      'store/commits': this.commits,
      'store/bytes written': this.bytesWritten,
      'store/bytes used': usedBytes,
      'store/bytes file': fileBytes,
      'store/bytes log': walBytes,
    };
  }

  /** Hands over what is left, behind the batch that is under way, and waits for it. */
  async close(now: number): Promise<void> {
    while (this.underWay !== null) {
      await new Promise<void>(resolve => {
        this.batchEnded = resolve;
      });
    }
    if (this.pending.alive > 0) this.commit(now);
    await this.store.close();
  }
}
