// SUBSCRIBE and UNSUBSCRIBE, and the retained messages a new subscription is sent: a bounded number
// per turn, so that nobody waits while a filter over 100,000 topics is served.

import { limits } from '../../limits.ts';
import { decodeSubscribe, decodeUnsubscribe } from '../../mqtt/decode/subscribe.ts';
import { encodeSuback, encodeUnsuback } from '../../mqtt/encode/packets.ts';
import { Fault } from '../../mqtt/fault.ts';
import type { QoS, SubscribeEntry, SubscribePacket } from '../../mqtt/packet.ts';
import { Reason } from '../../mqtt/reason.ts';
import {
  countLevels,
  countWildcards,
  filterValid,
  hasWildcard,
  parseShare,
} from '../../mqtt/topic.ts';
import { mayReceive } from '../access.ts';
import { deliver } from '../deliver.ts';
import type { MountPoint } from '../routing/mount-point.ts';
import { Subscription } from '../routing/subscription.ts';
import type { Connection } from '../session/connection.ts';
import type { RetainedWalk, Session } from '../session/session.ts';
import { heldCount, heldFor, heldWith, heldWithout } from '../session/subscriptions.ts';
import type { State } from '../state.ts';
import { holdOutput, sendPacket } from '../transport.ts';

/** SUBSCRIBE: buf[start, end) behind the fixed header. Returns null or the fault of the client. */
export function onSubscribe(
  b: State,
  c: Connection,
  buf: Uint8Array,
  start: number,
  end: number,
  now: number,
): Fault | null {
  const packet = decodeSubscribe(buf, start, end, c.version);
  if (packet instanceof Fault) return packet;
  if (packet.identifier !== 0 && !b.options.subscriptionIdentifierAvailable) {
    return new Fault(Reason.SubscriptionIdsNotSupported, 'subscription identifiers are off');
  }
  const session = c.session!;
  const walks: RetainedWalk[] = [];
  const noted = b.journal.last;
  const { mount } = c;
  const entries = mount === null ? packet.entries : packet.entries.map(e => mounted(mount, e));
  const codes = entries.map(entry => subscribe(b, c, session, entry, packet, walks));
  if (b.journal.last !== noted) holdOutput(b, c, b.journal.defaultClass);
  sendPacket(b, c, encodeSuback(packet.packetId, codes, c.version)); // [MQTT-3.8.4-1]
  if (walks.length > 0) {
    session.walks ??= [];
    session.walks.push(...walks);
    // At once, as far as may be: nothing published from here on overtakes them [MQTT-4.6.0-5].
    if (!b.walking.has(session)) continueWalks(b, session, now);
  }
  return null;
}

/** The entry as it means below a mount point. */
function mounted(mount: MountPoint, entry: SubscribeEntry): SubscribeEntry {
  if (entry.refusal !== 0) return entry;
  const filter = mount.filterText(entry.filter);
  return filter === null ? { ...entry, refusal: Reason.TopicFilterInvalid } : { ...entry, filter };
}

/** One filter of a SUBSCRIBE; returns its reason code [MQTT-3.8.4-6]. */
function subscribe(
  b: State,
  c: Connection,
  session: Session,
  entry: SubscribeEntry,
  packet: SubscribePacket,
  walks: RetainedWalk[],
): number {
  const refusal = refusalOf(b, c, session, entry);
  if (refusal !== 0) return refusal;
  const qos = Math.min(entry.qos, b.options.maximumQoS) as QoS;
  const identifiers = packet.identifier === 0 ? null : [packet.identifier];
  const noLocal = entry.noLocal || c.bridge;
  const retainAsPublished = entry.retainAsPublished || c.bridge;
  let subscription = heldFor(session.subscriptions, entry.filter);
  const isNew = subscription === undefined;
  if (subscription === undefined) {
    subscription = new Subscription(
      session,
      entry.filter,
      qos,
      noLocal,
      retainAsPublished,
      identifiers,
      b.router.shareFor(entry.filter),
    );
    session.subscriptions = heldWith(session.subscriptions, subscription, b.hashSeed);
    b.router.add(subscription);
  } else {
    // Changed in place, so that no message falls between old and new [MQTT-3.8.4-3].
    subscription.qos = qos;
    subscription.noLocal = noLocal;
    subscription.retainAsPublished = retainAsPublished;
    subscription.identifiers = identifiers;
    b.router.changed();
  }
  if (session.kept) b.journal.subscribed(subscription);
  const wanted = entry.retainHandling === 0 || (entry.retainHandling === 1 && isNew);
  if (wanted && subscription.group === null && b.retained.count > 0) {
    walks.push({ subscription, topics: b.retained.walk(entry.filter) });
  }
  return qos;
}

function refusalOf(b: State, c: Connection, session: Session, entry: SubscribeEntry): number {
  const o = b.options;
  if (entry.refusal !== 0) return entry.refusal;
  const share = parseShare(entry.filter);
  const filter = share === null ? entry.filter : share.filter;
  if (share !== null && !o.sharedSubscriptionAvailable) {
    return Reason.SharedSubscriptionsNotSupported;
  }
  if (!o.wildcardSubscriptionAvailable && hasWildcard(filter)) {
    return Reason.WildcardSubscriptionsNotSupported;
  }
  if (countLevels(filter) > o.topicLevelsMax) return Reason.TopicFilterInvalid;
  if (o.filterWildcardsMax > 0 && countWildcards(filter) > o.filterWildcardsMax) {
    return Reason.TopicFilterInvalid;
  }
  if (!b.access.maySubscribe(c, filter)) return Reason.NotAuthorized;
  const known = session.subscriptions;
  if (heldCount(known) >= o.subscriptionsPerSessionMax) {
    if (heldFor(known, entry.filter) === undefined) return Reason.QuotaExceeded;
  }
  return 0;
}

export function onUnsubscribe(
  b: State,
  c: Connection,
  buf: Uint8Array,
  start: number,
  end: number,
): Fault | null {
  const packet = decodeUnsubscribe(buf, start, end, c.version);
  if (packet instanceof Fault) return packet;
  const session = c.session!;
  const noted = b.journal.last;
  const codes = packet.filters.map(given => {
    const filter = c.mount === null ? given : (c.mount.filterText(given) ?? '');
    const subscription = heldFor(session.subscriptions, filter);
    if (subscription === undefined) {
      return filterValid(filter) ? Reason.NoSubscriptionExisted : Reason.TopicFilterInvalid;
    }
    removeSubscription(b, session, subscription);
    if (session.kept) b.journal.unsubscribed(subscription);
    return Reason.Success;
  });
  if (b.journal.last !== noted) holdOutput(b, c, b.journal.defaultClass);
  sendPacket(b, c, encodeUnsuback(packet.packetId, codes, c.version)); // [MQTT-3.10.4-4]
  return null;
}

export function removeSubscription(b: State, session: Session, subscription: Subscription): void {
  session.subscriptions = heldWithout(session.subscriptions, subscription);
  b.router.remove(subscription);
}

// ---- Retained messages for new subscriptions
// -----------------------------------------------------

/** A new turn: those whose walks were put off go on, in the order in which they were. */
export function goOnWalking(b: State, now: number): void {
  b.walkSteps = limits.retainedPerTurnMax;
  let waiting = b.walking.size;
  for (const session of b.walking) {
    if (waiting-- === 0 || b.walkSteps <= 0) return;
    b.walking.delete(session);
    continueWalks(b, session, now);
  }
}

/** Sends `session` its next retained messages, as far as this turn and its bounds allow. */
function continueWalks(b: State, session: Session, now: number): void {
  const walks = session.walks;
  if (walks === null || session.connection === null) return;
  let left: number = limits.retainedPerTurn;
  while (walks.length > 0) {
    const { subscription, topics } = walks[0];
    const as = asRetained(subscription);
    while (subscription.index >= 0 && !topics.done) {
      // What waits is bounded: the walk goes on when the client has taken some of it.
      if (session.congested || session.queued >= limits.retainedPerTurn) return;
      if (left-- === 0 || b.walkSteps-- <= 0) {
        b.scheduleWalk(session);
        return;
      }
      const message = topics.step()?.message ?? null;
      if (message === null || message.expiresAt <= now) continue;
      if (mayReceive(b.access, session, message.topic)) deliver(b, as, message, false, now);
    }
    walks.shift();
  }
  session.walks = null;
}

/**
 * A retained message that is sent because of a new subscription always says so [MQTT-3.3.1-8], and
 * no-local is about messages as they are published, not about this one.
 */
function asRetained(s: Subscription): Subscription {
  if (s.retainAsPublished) return s;
  return new Subscription(s.session, s.filter, s.qos, false, true, s.identifiers, null);
}
