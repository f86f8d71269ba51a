// The broker as it was when it stopped: sessions, subscriptions, retained messages and what was in
// flight, from what the store kept. Whoever was connected then is not any more; its will, if the
// client does not come back in time, is published as after any lost connection.

import type { QoS, Will } from '../mqtt/packet.ts';
import { utf8Encode } from '../mqtt/utf8.ts';
import type { Origin } from './access.ts';
import { armSession, noteSession } from './ending.ts';
import { Durability, ESTATE_NAME } from './journal.ts';
import { Message, NEVER } from './routing/message.ts';
import type { ShareGroup } from './routing/share-group.ts';
import { Subscription } from './routing/subscription.ts';
import { Delivery } from './session/outbox.ts';
import { Away, Session } from './session/session.ts';
import { heldWith } from './session/subscriptions.ts';
import type { State } from './state.ts';

/** A message as the store keeps it. */
export interface KeptMessage {
  readonly topic: string;
  /** Properties, then the payload from `payloadStart` on. */
  readonly source: Uint8Array;
  readonly payloadStart: number;
  readonly qos: number;
  readonly expiresAt: number;
}

/** A delivery as the store keeps it. `message` is null once the client has it (await PUBCOMP). */
export interface KeptDelivery {
  readonly rank: number;
  readonly qos: number;
  readonly retain: boolean;
  readonly identifiers: readonly number[] | null;
  /** "name/filter" of the share it was picked for, or null. */
  readonly group: string | null;
  readonly state: number;
  readonly packetId: number;
  readonly message: KeptMessage | null;
  /** The journal's own. */
  readonly stored: unknown;
}

export interface KeptSession {
  readonly sid: number;
  readonly clientId: string;
  readonly username: string | null;
  readonly peer: string;
  readonly expirySeconds: number;
  readonly endsAt: number;
  readonly willDueAt: number;
  readonly connected: boolean;
  readonly origin: Origin | null;
  readonly grants: object | null;
  readonly will: Will | null;
  readonly subscriptions: readonly {
    readonly filter: string;
    readonly qos: number;
    readonly noLocal: boolean;
    readonly retainAsPublished: boolean;
    readonly identifier: number;
  }[];
  /** Waiting deliveries on disk. */
  readonly waiting: number;
  readonly waitingBytes: number;
  readonly lastRank: number;
  /** Deliveries in flight, by rank. */
  readonly inflight: readonly KeptDelivery[];
  /** Received and not released; the topic's hash is null where none was kept. */
  readonly received: readonly { readonly packetId: number; readonly topicHash: number | null }[];
}

export function keptMessage(b: State, kept: KeptMessage, retain: boolean): Message {
  const m = new Message();
  m.topic = kept.topic;
  m.topicBytes = utf8Encode(kept.topic);
  m.source = kept.source;
  m.payloadStart = kept.payloadStart;
  m.end = kept.source.length;
  m.qos = kept.qos as QoS;
  m.retain = retain;
  m.expiresAt = kept.expiresAt;
  m.durability = b.journal.classOf(kept.topic);
  return m;
}

export function restoreRetained(b: State, kept: KeptMessage): void {
  const m = keptMessage(b, kept, true);
  const node = b.retained.set(m);
  if (m.expiresAt !== NEVER) b.timers.arm(node.expiryTimer(), m.expiresAt);
}

export function restoreSession(b: State, kept: KeptSession, now: number): void {
  const s = new Session(kept.sid, kept.clientId);
  s.expirySeconds = kept.expirySeconds;
  s.will = kept.will;
  s.stored = true;
  const away = new Away(kept, now);
  s.away = away;
  if (kept.connected) {
    // It ended with the process: from now on it is a client that was lost.
    away.endsAt = s.expires ? now + s.expirySeconds * 1000 : NEVER;
    away.willDueAt = s.will === null ? NEVER : now + s.will.delaySeconds * 1000;
  } else {
    // For a session that never ends nothing tells when it was left: it counts as away longest.
    away.leftAt = kept.endsAt === NEVER ? 0 : kept.endsAt - kept.expirySeconds * 1000;
    away.endsAt = kept.endsAt;
    away.willDueAt = kept.willDueAt;
  }
  if (s.clientId.startsWith(ESTATE_NAME)) {
    away.estate = true;
    b.journal.wantWindow(s, 0);
    return;
  }
  b.sessions.set(s.clientId, s);
  b.guard.users?.add(s);
  for (const kept_ of kept.subscriptions) {
    const { filter, qos, noLocal, retainAsPublished, identifier } = kept_;
    const ids = identifier === 0 ? null : [identifier];
    const group = b.router.shareFor(filter);
    const subscription = new Subscription(
      s,
      filter,
      qos as QoS,
      noLocal,
      retainAsPublished,
      ids,
      group,
    );
    s.subscriptions = heldWith(s.subscriptions, subscription, b.hashSeed);
    b.router.add(subscription);
  }
  for (const { packetId, topicHash } of kept.received) {
    // The class of its message is not known any more.
    s.needReceipts().restore(packetId, Durability.Strict, topicHash);
  }
  if (kept.waiting > 0 || kept.lastRank > 0) restoreOutbox(b, s, kept);
  if (kept.connected) noteSession(b, s);
  armSession(b, s);
}

function restoreOutbox(b: State, s: Session, kept: KeptSession): void {
  const outbox = s.needOutbox();
  outbox.lastRank = kept.lastRank;
  outbox.spilled = kept.waiting;
  outbox.spilledBytes = kept.waitingBytes;
  outbox.spilledShares = kept.waiting > 0;
  for (const row of kept.inflight) {
    const d = keptDelivery(b, row);
    if (d.holds) d.message.hold(b);
    outbox.adopt(d);
  }
}

/** A delivery as it was, its share found again if it still has members. */
export function keptDelivery(b: State, kept: KeptDelivery): Delivery {
  const message = kept.message === null ? new Message() : keptMessage(b, kept.message, kept.retain);
  const group = kept.group === null ? null : groupOf(b, kept.group);
  const d = new Delivery(message, kept.qos, kept.retain, kept.identifiers, group);
  d.rank = kept.rank;
  d.state = kept.state;
  d.packetId = kept.packetId;
  d.stored = kept.stored;
  return d;
}

function groupOf(b: State, name: string): ShareGroup | null {
  return b.router.findShare(`$share/${name}`);
}
