// PUBLISH and PUBREL as they come in, and the routing of every message: from clients, wills and
// $SYS. Route first, acknowledge last.

import {
  decodePublish,
  type PublishView,
  withoutOwnProperties,
} from '../../mqtt/decode/publish.ts';
import { PacketType, type QoS } from '../../mqtt/packet.ts';
import { Reason } from '../../mqtt/reason.ts';
import { payloadUtf8Valid, utf8Valid } from '../../mqtt/utf8.ts';
import { deliver, sendAck } from '../deliver.ts';
import { Durability } from '../journal.ts';
import { Pressure } from '../limits/memory.ts';
import { keepsPace } from '../limits/publish-rate.ts';
import { type Message, NEVER } from '../routing/message.ts';
import type { Retained } from '../routing/retained.ts';
import { mergeHits, type Subscription } from '../routing/subscription.ts';
import type { Topic } from '../routing/topics.ts';
import { pauseReading } from '../session/congestion.ts';
import type { Connection, Publisher } from '../session/connection.ts';
import type { Session } from '../session/session.ts';
import type { State } from '../state.ts';
import { holdOutput } from '../transport.ts';

const PUBACK = PacketType.PUBACK << 4;
const PUBREC = PacketType.PUBREC << 4;
const PUBCOMP = PacketType.PUBCOMP << 4;

/** One PUBLISH: buf[start, end) behind the fixed header. Returns 0 or why the connection must go.
 *  */
export function onPublish(
  b: State,
  c: Connection,
  buf: Uint8Array,
  byte0: number,
  start: number,
  end: number,
  now: number,
): number {
  const view = b.publishView;
  const malformed = decodePublish(view, buf, byte0, start, end, c.version);
  if (malformed !== 0) return malformed;
  b.counters.publishReceived++;
  b.counters.publishBytesReceived += end - start;
  const publisher = c.needPublisher();
  if (publisher.pacer !== null && !keepsPace(b, c, publisher.pacer, end - start, now)) {
    return Reason.MessageRateTooHigh;
  }
  if (b.guard.memory !== null) b.guard.memory.look(b);
  const topic = topicOf(b, c, publisher, view, buf);
  if (typeof topic === 'number') return topic;
  if (topic.levels > b.options.topicLevelsMax) return Reason.TopicNameInvalid;
  const capability = checkCapabilities(b, view);
  if (capability !== 0) return capability;
  if (view.qos === 0) {
    const reason = admit(b, c, view, topic, buf, now);
    // The one refusal that is to be told in any case: by DISCONNECT, where there is no
    // acknowledgement to do it [MQTT 5.0 3.3.2.3.2].
    if (reason === Reason.PayloadFormatInvalid) return reason;
  } else {
    if (publisher.receiveUsed >= b.options.receiveMaximum && c.version === 5) {
      return Reason.ReceiveMaximumExceeded;
    }
    publisher.receiveUsed++;
    const handle = view.qos === 1 ? onQoS1 : onQoS2;
    const unsayable = handle(b, c, view, topic, buf, now);
    if (unsayable !== 0) return unsayable;
  }
  if (b.congested !== null) {
    pauseReading(b, c, b.congested, now);
    b.congested = null;
  }
  return 0;
}

/** Returns 0, or why the connection must go: MQTT 3 cannot say that the store fails. */
function onQoS1(
  b: State,
  c: Connection,
  view: PublishView,
  topic: Topic,
  buf: Uint8Array,
  now: number,
): number {
  const id = view.packetId;
  const noted = b.journal.last;
  const reason = admit(b, c, view, topic, buf, now);
  if (mustNotAcknowledge(b, c, reason)) return reason;
  if (b.journal.last !== noted) holdOutput(b, c, topic.durability);
  sendAck(b, c, PUBACK, id, reason); // [MQTT-4.3.2-4]
  endExchange(c);
  return 0;
}

/** Returns as onQoS1 does. */
function onQoS2(
  b: State,
  c: Connection,
  view: PublishView,
  topic: Topic,
  buf: Uint8Array,
  now: number,
): number {
  const id = view.packetId;
  const session = c.session!;
  const receipts = session.needReceipts();
  if (receipts.knows(id, view.dup, topic.hash)) {
    // Known and not yet released: the client missed our PUBREC [MQTT-4.3.3-10].
    c.needPublisher().receiveUsed--;
    holdOutput(b, c, topic.durability); // the first one may not be kept yet
    sendAck(b, c, PUBREC, id, 0);
    return 0;
  }
  const noted = b.journal.last;
  const reason = admit(b, c, view, topic, buf, now);
  if (mustNotAcknowledge(b, c, reason)) return reason;
  if (reason < 0x80) {
    const stale = receipts.add(id, topic.durability);
    if (session.kept && topic.durability > Durability.None) b.journal.received(session, id, topic);
    else if (stale) b.journal.forgotten(session, id, Durability.Batched);
  } else {
    endExchange(c);
  }
  if (b.journal.last !== noted) holdOutput(b, c, topic.durability);
  sendAck(b, c, PUBREC, id, reason); // [MQTT-4.3.3-8]
  return 0;
}

/** Before MQTT 5 every acknowledgement is a good one: what the disk refuses must not get it. */
function mustNotAcknowledge(b: State, c: Connection, reason: number): boolean {
  return reason === Reason.QuotaExceeded && c.version !== 5 && b.journal.degraded;
}

/** PUBREL: the client may use the identifier again, and so forget it here [MQTT-4.3.3-11]. */
export function onPubrel(b: State, c: Connection, id: number): void {
  const session = c.session!;
  const durability = session.receipts?.release(id);
  const known = durability !== undefined;
  if (known) {
    endExchange(c);
    if (session.kept && durability > Durability.None) {
      // Were this forgotten, the identifier's next message would pass for a duplicate.
      b.journal.forgotten(session, id, durability);
      holdOutput(b, c, durability);
    }
  }
  sendAck(b, c, PUBCOMP, id, known ? 0 : Reason.PacketIdNotFound);
}

/** The place in the receive maximum is free again when the acknowledgement has left. */
function endExchange(c: Connection): void {
  c.needPublisher().receiveEnding++;
}

/** The topic named by name, by alias, or by both (which defines the alias); or a reason code. */
function topicOf(
  b: State,
  c: Connection,
  publisher: Publisher,
  view: PublishView,
  buf: Uint8Array,
): Topic | number {
  const start = view.topicStart;
  const end = view.topicEnd;
  const alias = view.alias;
  if (alias !== 0) return aliasedTopic(b, c, publisher, view, buf);
  const last = publisher.lastTopic;
  if (last?.equals(buf, start, end)) return last;
  if (start === end) return c.version === 5 ? Reason.ProtocolError : Reason.TopicNameInvalid;
  const topic = findTopic(b, c, buf, start, end);
  if (topic === null) return invalidName(view, buf);
  // Below a mount point the two have different names.
  if (c.mount === null) publisher.lastTopic = topic;
  return topic;
}

function findTopic(
  b: State,
  c: Connection,
  buf: Uint8Array,
  start: number,
  end: number,
): Topic | null {
  if (c.mount === null) return b.topics.find(buf, start, end);
  const whole = c.mount.nameBytes(buf, start, end);
  return whole === null ? null : b.topics.find(whole, 0, whole.length);
}

function aliasedTopic(
  b: State,
  c: Connection,
  publisher: Publisher,
  view: PublishView,
  buf: Uint8Array,
): Topic | number {
  const alias = view.alias;
  if (alias > b.options.topicAliasMaximum) return Reason.TopicAliasInvalid; // [MQTT-3.3.2-9]
  if (view.topicStart === view.topicEnd) return publisher.aliases?.[alias] ?? Reason.ProtocolError;
  const topic = findTopic(b, c, buf, view.topicStart, view.topicEnd);
  if (topic === null) return invalidName(view, buf);
  publisher.aliases ??= new Array(b.options.topicAliasMaximum + 1).fill(undefined);
  publisher.aliases[alias] = topic;
  return topic;
}

/** Broken UTF-8 is malformed [MQTT-1.5.4-1]; a wildcard in a name is a wrong name. */
function invalidName(view: PublishView, buf: Uint8Array): number {
  return utf8Valid(buf, view.topicStart, view.topicEnd)
    ? Reason.TopicNameInvalid
    : Reason.MalformedPacket;
}

function checkCapabilities(b: State, view: PublishView): number {
  if (view.qos > b.options.maximumQoS) return Reason.QoSNotSupported; // [MQTT-3.2.2-11]
  if (view.retain && !b.options.retainAvailable) return Reason.RetainNotSupported;
  return 0;
}

/** Judges, keeps and routes one message of a client; returns the reason code to answer with. */
function admit(
  b: State,
  c: Connection,
  view: PublishView,
  topic: Topic,
  buf: Uint8Array,
  now: number,
): number {
  if (topic.reserved || !b.access.mayPublish(c, topic.name, view.retain)) {
    b.counters.droppedNotAuthorized++;
    return Reason.NotAuthorized;
  }
  if (
    topic.durability === Durability.Strict &&
    b.journal.degraded &&
    needsStore(b, c, topic, view)
  ) {
    b.counters.droppedStoreFailing++;
    return Reason.QuotaExceeded;
  }
  if (view.payloadIsUtf8 && b.options.checkPayloadFormat) {
    if (!payloadUtf8Valid(buf, view.payloadStart, view.end)) {
      b.counters.droppedPayloadFormat++;
      return Reason.PayloadFormatInvalid;
    }
  }
  const m = b.borrowed;
  m.topic = topic.name;
  m.topicBytes = topic.bytes;
  m.source = buf;
  m.propertiesStart = view.propertiesStart;
  m.payloadStart = view.payloadStart;
  m.end = view.end;
  m.qos = view.qos as QoS;
  m.retain = view.retain;
  m.durability = topic.durability;
  m.expiresAt = view.expirySeconds < 0 ? NEVER : now + view.expirySeconds * 1000;
  if (!view.propertiesTravel) dropOwnProperties(m);
  b.ownedCopy = null;
  const kept = m.retain ? retain(b, m, now) : true;
  const recipients = routeTo(b, topic, m, c.session, now);
  b.ownedCopy = null;
  if (!kept) return Reason.QuotaExceeded;
  return recipients > 0 ? 0 : Reason.NoMatchingSubscribers;
}

/**
 * Topic alias and message expiry are this connection's own: the rest travels on unchanged and in
 * order [MQTT-3.3.2-15, -16, -17, -18, -20].
 */
function dropOwnProperties(m: Message): void {
  m.source = withoutOwnProperties(m.source, m.propertiesStart, m.payloadStart, m.end);
  m.payloadStart = m.source.length - (m.end - m.payloadStart);
  m.propertiesStart = 0;
  m.end = m.source.length;
}

/** Routes a message that the broker itself holds (will, $SYS), keeping it first if retained. */
export function publishOwn(b: State, m: Message, from: Session | null, now: number): void {
  b.ownedCopy = m;
  const topic = b.topics.named(m.topic);
  m.durability = topic.durability;
  if (m.retain) retain(b, m, now);
  routeTo(b, topic, m, from, now);
  b.ownedCopy = null;
  b.congested = null;
}

/** Whether a message would have to be stored before it could be acknowledged, or delivered. */
function needsStore(b: State, c: Connection, topic: Topic, view: PublishView): boolean {
  if (view.retain || (view.qos === 2 && c.session!.kept)) return true;
  b.topics.resolve(topic);
  const stores = ({ session, qos }: Subscription) =>
    session.kept &&
    (Math.min(qos, view.qos) > 0 || (b.options.queueQoS0 && session.connection === null));
  return topic.hits.some(stores) || topic.groups.some(group => group.members.some(stores));
}

/** Keeps or clears the retained message of a topic; false when there is no room for it. */
function retain(b: State, m: Message, now: number): boolean {
  if (m.payloadLength === 0) {
    const node = b.retained.find(m.topic); // [MQTT-3.3.1-6]
    const gone = node === null || node.message === null;
    if (node !== null) clearRetained(b, node);
    // That it was cleared before need not be kept yet, and this one is acknowledged.
    if (gone && m.qos > 0 && m.durability > Durability.None)
      b.journal.retainedCleared(m.topic, m.durability);
    return true;
  }
  if (!b.retained.accepts(m)) {
    b.counters.droppedRetainedFull++;
    return false;
  }
  const { memory } = b.guard;
  if (memory !== null && memory.pressure >= Pressure.Retained && b.retained.growsBy(m) > 0) {
    b.counters.droppedMemoryRetained++;
    return false;
  }
  if (m === b.borrowed) b.ownedCopy ??= m.own();
  const copy = b.ownedCopy ?? m;
  const node = b.retained.set(copy);
  if (copy.durability > Durability.None) b.journal.retained(copy);
  if (node.timer !== null) b.timers.cancel(node.timer);
  if (copy.expiresAt !== NEVER) b.timers.arm(node.expiryTimer(), Math.max(copy.expiresAt, now));
  return true;
}

export function clearRetained(b: State, node: Retained): void {
  const { message } = node;
  if (message === null) return;
  if (node.timer !== null) b.timers.cancel(node.timer);
  b.retained.clear(node);
  if (message.durability > Durability.None)
    b.journal.retainedCleared(message.topic, message.durability);
}

/** Delivers `m` to everybody who subscribed to its topic; returns how many that were. */
function routeTo(b: State, topic: Topic, m: Message, from: Session | null, now: number): number {
  if (topic.generation !== b.router.generation) b.topics.resolve(topic);
  const hits = topic.hits;
  const groups = topic.groups;
  const shared = hits.length + groups.length > 1;
  if (shared) b.frames.reset(m.remainingSeconds(now));
  let recipients = 0;
  for (let i = 0; i < hits.length; i++) {
    let hit = hits[i];
    if (hit.noLocal && hit.session === from) {
      const others = hit.parts?.filter(part => !part.noLocal) ?? [];
      if (others.length === 0) continue; // [MQTT-3.8.3-3]
      hit = mergeHits(others);
    }
    recipients++;
    deliver(b, hit, m, shared, now);
  }
  for (let i = 0; i < groups.length; i++) {
    const member = groups[i].pick(null, b.access, m.topic);
    if (member === null) continue;
    recipients++;
    deliver(b, member, m, shared, now);
  }
  return recipients;
}
