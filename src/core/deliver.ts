// From a matched subscription to the recipient's output. Owns the sending order and the recipient's
// bounds. What the states of an outgoing message are stands in session/outbox.ts.

import { limits } from '../limits.ts';
import {
  ACK_LENGTH_MAX,
  type PublishExtras,
  publishLength,
  writeAck,
  writePublish,
} from '../mqtt/encode/publish.ts';
import { PacketType } from '../mqtt/packet.ts';
import { Durability } from './journal.ts';
import { type MemoryWatch, Pressure } from './limits/memory.ts';
import type { Message } from './routing/message.ts';
import type { Subscription } from './routing/subscription.ts';
import { noteCongestion, relieve, resumeReading } from './session/congestion.ts';
import type { Connection } from './session/connection.ts';
import { Delivery, DeliveryState, inflightLimit, type Outbox } from './session/outbox.ts';
import type { Session } from './session/session.ts';
import type { State } from './state.ts';
import { holdOutput } from './transport.ts';

const PUBLISH = PacketType.PUBLISH << 4;
const PUBREL = (PacketType.PUBREL << 4) | 2;
const DUP = 8;

/** A message that outlives the call: itself when it owns its bytes, else its one copy. */
function owned(b: State, m: Message): Message {
  if (m !== b.borrowed) return m;
  b.ownedCopy ??= m.own();
  return b.ownedCopy;
}

/**
 * Delivers `m` to one hit. `shared` tells that many others get it too, so that encoding it once
 * pays. The retain flag travels only where the subscription asks for it [MQTT-3.3.1-12,
 * MQTT-3.3.1-13].
 */
export function deliver(
  b: State,
  hit: Subscription,
  m: Message,
  shared: boolean,
  now: number,
): void {
  const session = hit.session;
  const qos = m.qos < hit.qos ? m.qos : hit.qos;
  const retain = m.retain && hit.retainAsPublished;
  if (qos > 0) {
    const outbox = session.needOutbox();
    const delivery = new Delivery(owned(b, m), qos, retain, hit.identifiers, hit.group);
    const c = session.connection;
    if (c !== null && outbox.clear && hasRoom(b, c, outbox)) {
      note(b, session, outbox, delivery);
      if (delivery.rank > 0) outbox.loadedRank = delivery.rank;
      send(b, c, session, outbox, delivery, shared ? m : null, now);
    } else {
      enqueue(b, session, outbox, delivery, now);
    }
    return;
  }
  deliverQoS0(b, session, hit, m, retain, shared, now);
}

function deliverQoS0(
  b: State,
  session: Session,
  hit: Subscription,
  m: Message,
  retain: boolean,
  shared: boolean,
  now: number,
): void {
  const c = session.connection;
  if (c === null && !(b.options.queueQoS0 && session.persistent)) {
    b.counters.droppedOffline++;
  } else if (c === null || (session.outbox !== null && session.outbox.queuedQoS0 > 0)) {
    // Behind those that came while the client was away [MQTT-4.6.0-6].
    const delivery = new Delivery(owned(b, m), 0, retain, hit.identifiers, hit.group);
    enqueue(b, session, session.needOutbox(), delivery, now);
  } else if (c.out.length > b.qos0OutputMax) {
    b.counters.droppedSlowConsumer++;
    noteCongestion(b, session);
  } else {
    const byte0 = PUBLISH | (retain ? 1 : 0);
    writeTo(b, c, byte0, 0, m, hit.identifiers, shared, now);
  }
}

/** Whether one more message may go out now. */
function hasRoom(b: State, c: Connection, outbox: Outbox): boolean {
  return (
    outbox.window < c.inflightMax &&
    outbox.inflight < inflightLimit(c.session!.kept) &&
    c.out.length <= b.options.outputHighWater
  );
}

/** Sends a delivery for the first time. `frame` is the message while its layouts are at hand. */
function send(
  b: State,
  c: Connection,
  session: Session,
  outbox: Outbox,
  delivery: Delivery,
  frame: Message | null,
  now: number,
): void {
  if (delivery.qos > 0) begin(b, session, outbox, delivery);
  if (delivery.rank > 0) {
    b.journal.moved(session, delivery);
    // A QoS 2 message that went out before its identifier is kept would go out twice.
    if (delivery.qos === 2) holdOutput(b, c, delivery.message.durability);
  }
  const byte0 = PUBLISH | (delivery.qos << 1) | (delivery.retain ? 1 : 0);
  const message = frame ?? delivery.message;
  const id = delivery.packetId;
  if (!writeTo(b, c, byte0, id, message, delivery.identifiers, frame !== null, now)) {
    // Too large for this client: as if it had been delivered [MQTT-3.1.2-25].
    finish(b, session, outbox, delivery);
  }
}

/** Only a strict message is on disk, power cut or not, before it leaves under its identifier. */
function begin(b: State, { kept }: Session, outbox: Outbox, d: Delivery): void {
  d.message.hold(b);
  if (d.qos === 2 && kept && d.message.durability < Durability.Strict) {
    outbox.beginForgettable(d, b.forgettableStart);
  } else {
    outbox.begin(d, kept);
  }
}

/** Notes a delivery that must outlive a crash, before it is sent or queued. */
function note(b: State, session: Session, outbox: Outbox, d: Delivery): void {
  if (!session.kept || d.message.durability === Durability.None) return;
  d.rank = ++outbox.lastRank;
  b.journal.queued(session, d);
}

/** The end of a delivery that is in flight or was taken out of the queue. */
export function finish(b: State, session: Session, outbox: Outbox, d: Delivery): void {
  if (d.packetId > 0) {
    if (d.holds) d.message.letGo(b);
    outbox.finish(d);
  }
  if (d.rank > 0) b.journal.finished(session, d);
}

/** Appends one PUBLISH to the output of `c`; false when the client does not take that size. */
function writeTo(
  b: State,
  c: Connection,
  byte0: number,
  packetId: number,
  whole: Message,
  identifiers: readonly number[] | null,
  shared: boolean,
  now: number,
): boolean {
  const v5 = c.version === 5;
  const out = c.out;
  const m = c.mount === null ? whole : c.mount.seen(whole);
  if (m === null) return outside(b);
  let length: number;
  if (shared && m === whole && !(v5 && (identifiers !== null || c.outAliases !== null))) {
    const frame = b.frames.get(m, (byte0 >> 1) & 3, v5);
    length = frame.bytes.length;
    if (length > c.packetSizeMax) return tooLarge(b);
    out.reserve(length);
    const at = out.end;
    out.buffer.set(frame.bytes, at);
    out.buffer[at] = byte0;
    if (frame.idAt !== 0) {
      out.buffer[at + frame.idAt] = packetId >> 8;
      out.buffer[at + frame.idAt + 1] = packetId & 0xff;
    }
    out.end = at + length;
  } else {
    const extras = b.extras;
    extras.clear();
    if (v5) fillExtras(c, m, identifiers, extras, now);
    length = publishLength(m, extras, (byte0 >> 1) & 3, v5);
    if (length > c.packetSizeMax) return tooLarge(b);
    if (extras.alias !== 0 && !extras.topicKnown) c.outAliases!.byTopic.set(m.topic, extras.alias);
    out.reserve(length);
    out.end = writePublish(out.buffer, out.end, byte0, packetId, m, extras, v5);
  }
  b.counters.packetsSent++;
  b.counters.publishSent++;
  b.counters.publishBytesSent += length;
  if (!c.dirty) b.effects.markDirty(c);
  // Once: when it passes the mark. Whoever cannot be written to now is not asked again and again.
  const waiting = out.length;
  if (waiting > limits.outputUrgent && waiting - length <= limits.outputUrgent) {
    b.effects.urgent.push(c);
  }
  if (waiting > b.options.outputHighWater) noteCongestion(b, c.session!);
  return true;
}

/** Not below the mount point of its recipient: as if it had not been allowed. */
function outside(b: State): boolean {
  b.counters.droppedNotAuthorized++;
  return false;
}

function tooLarge(b: State): boolean {
  b.counters.droppedTooLarge++;
  return false;
}

/** The MQTT 5 properties that differ from recipient to recipient. */
function fillExtras(
  c: Connection,
  m: Message,
  identifiers: readonly number[] | null,
  extras: PublishExtras,
  now: number,
): void {
  extras.expirySeconds = m.remainingSeconds(now);
  extras.identifiers = identifiers;
  if (c.outAliases === null) return;
  const { byTopic, max } = c.outAliases;
  const known = byTopic.get(m.topic);
  if (known !== undefined) {
    extras.alias = known;
    extras.topicKnown = true;
  } else if (byTopic.size < max) {
    extras.alias = byTopic.size + 1; // never above the client's maximum [MQTT-3.3.2-9]
  }
}

/** Lets a delivery wait for its session, within the session's bounds. */
function enqueue(b: State, session: Session, outbox: Outbox, d: Delivery, now: number): void {
  const size = d.size;
  if (queueFull(b, outbox, size)) dropExpired(b, session, outbox, now);
  if (b.options.queuePolicy === 'drop-oldest') {
    while (outbox.queued > 0 && queueFull(b, outbox, size)) {
      finish(b, session, outbox, dequeue(b, outbox));
      b.counters.droppedQueueFull++;
    }
  }
  if (queueFull(b, outbox, size)) {
    b.counters.droppedQueueFull++;
  } else if (b.guard.memory !== null && noMemoryFor(b, b.guard.memory, session, d)) {
    b.counters.droppedMemoryQueued++;
  } else {
    note(b, session, outbox, d);
    if (d.rank > 0 && spills(b, outbox)) {
      outbox.spilled++;
      if (d.group !== null) outbox.spilledShares = true;
      outbox.spilledBytes += size;
    } else {
      outbox.enqueue(d);
      b.queuedBytes += size;
      if (d.rank > 0) outbox.loadedRank = d.rank;
    }
    // Its acknowledgements are what frees the queue: go on reading them.
    if (session.connection?.pausedFor) resumeReading(b, session.connection);
  }
  if (session.connection !== null && aboveHalf(b, outbox)) noteCongestion(b, session);
}

function queueFull(b: State, outbox: Outbox, size: number): boolean {
  const o = b.options;
  return (
    outbox.waiting >= o.queueMessagesMax ||
    outbox.queuedBytes + outbox.spilledBytes + size > o.queueBytesMax ||
    b.queuedBytes + size > o.queuedBytesTotalMax
  );
}

/** Whether the memory target forbids that `d` waits; on disk it may, if nothing else can. */
function noMemoryFor(b: State, { pressure }: MemoryWatch, session: Session, d: Delivery): boolean {
  if (pressure < (session.connection === null ? Pressure.Offline : Pressure.Newcomers))
    return false;
  const lasts = session.kept && d.message.durability > Durability.None;
  return !lasts || b.journal.windowMessages === Number.POSITIVE_INFINITY;
}

function dequeue(b: State, outbox: Outbox): Delivery {
  const delivery = outbox.dequeue();
  b.queuedBytes -= delivery.size;
  return delivery;
}

/** Drops what has expired at the front of the queue. */
function dropExpired(b: State, session: Session, outbox: Outbox, now: number): void {
  let next = outbox.peek();
  while (next !== null && next.message.expiresAt <= now) {
    finish(b, session, outbox, dequeue(b, outbox));
    b.counters.droppedExpired++;
    next = outbox.peek();
  }
}

function aboveHalf(b: State, outbox: Outbox): boolean {
  const o = b.options;
  return outbox.queued * 2 > o.queueMessagesMax || outbox.queuedBytes * 2 > o.queueBytesMax;
}

/** Sends what waits for `session`, as far as there is room: first what must be sent again. */
export function pump(b: State, session: Session, now: number): void {
  const c = session.connection;
  const outbox = session.outbox;
  if (c === null || outbox === null) return;
  for (let d = outbox.nextResend(); d !== null; d = outbox.nextResend()) {
    if (!hasRoom(b, c, outbox)) return;
    outbox.resent();
    resend(b, c, session, outbox, d, now);
  }
  while (outbox.queued > 0) {
    if (!hasRoom(b, c, outbox)) return;
    const d = dequeue(b, outbox);
    if (d.message.expiresAt <= now) {
      b.counters.droppedExpired++;
      finish(b, session, outbox, d);
    } else {
      send(b, c, session, outbox, d, null, now);
    }
  }
  refill(b, session, outbox);
}

/** Whether the next stored delivery waits on disk only: nothing may overtake those that do. */
function spills(b: State, outbox: Outbox): boolean {
  if (outbox.spilled > 0 || outbox.queued >= b.journal.windowMessages) return true;
  const { memory } = b.guard;
  if (memory === null || memory.pressure < Pressure.Offline) return false;
  return b.journal.windowMessages < Number.POSITIVE_INFINITY;
}

/** Asks for the next of what waits on disk when little of it is left in memory. */
function refill(b: State, session: Session, outbox: Outbox): void {
  if (outbox.spilled === 0 || outbox.windowAsked) return;
  if (outbox.queued * 2 > b.journal.windowMessages) return;
  outbox.windowAsked = true;
  b.journal.wantWindow(session, outbox.loadedRank);
}

/** Takes what waited on disk back into memory, oldest first. */
export function takeWindow(
  b: State,
  session: Session,
  deliveries: readonly Delivery[],
  now: number,
): void {
  const outbox = session.needOutbox();
  outbox.windowAsked = false;
  for (const d of deliveries) {
    const size = d.size;
    outbox.enqueue(d);
    outbox.loadedRank = d.rank;
    outbox.spilled--;
    outbox.spilledBytes -= size;
    b.queuedBytes += size;
  }
  if (deliveries.length === 0) {
    // The store has none of what was counted: do not wait for it.
    outbox.spilled = 0;
    outbox.spilledBytes = 0;
  }
  pump(b, session, now);
}

/** Sends again on a new connection what the last one left in flight [MQTT-4.4.0-1]. */
function resend(
  b: State,
  c: Connection,
  session: Session,
  outbox: Outbox,
  d: Delivery,
  now: number,
): void {
  if (d.state === DeliveryState.AwaitPubcomp) {
    sendAck(b, c, PUBREL, d.packetId, 0);
    return;
  }
  outbox.count(d);
  const byte0 = PUBLISH | DUP | (d.qos << 1) | (d.retain ? 1 : 0); // [MQTT-3.3.1-1]
  if (!writeTo(b, c, byte0, d.packetId, d.message, d.identifiers, false, now)) {
    finish(b, session, outbox, d);
  }
}

/** Appends an acknowledgement to the output of `c`; reasons are left out before MQTT 5. */
export function sendAck(b: State, c: Connection, byte0: number, id: number, reason: number): void {
  c.out.reserve(ACK_LENGTH_MAX);
  c.out.end = writeAck(c.out.buffer, c.out.end, byte0, id, c.version === 5 ? reason : 0);
  b.counters.packetsSent++;
  if (!c.dirty) b.effects.markDirty(c);
}

/** The client took something: send what waits, and let publishers go on that waited for it. */
export function progress(b: State, session: Session, now: number): void {
  if (session.outbox !== null && !session.outbox.clear) pump(b, session, now);
  if (session.congested) relieve(b, session);
  b.scheduleWalk(session);
}
