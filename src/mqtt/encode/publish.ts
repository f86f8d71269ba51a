// Writes what a broker sends all day: PUBLISH and the four acknowledgements, straight into the
// bytes that will leave. The caller reserves the room; nothing is allocated here.

import { PropertyId } from '../properties.ts';
import { varintLength, writeVarint } from '../varint.ts';

/** The parts of an application message, wherever its bytes lie: properties, then the payload. */
export interface PublishBody {
  readonly topicBytes: Uint8Array;
  readonly source: Uint8Array;
  /** MQTT 5 properties that travel on unchanged: source[propertiesStart, payloadStart). */
  readonly propertiesStart: number;
  readonly payloadStart: number;
  readonly end: number;
}

/** What one recipient's copy carries besides the body. One instance is filled again and again. */
export class PublishExtras {
  /** Topic alias to send, 0 for none. */
  alias = 0;
  /** Leave the topic name out: the alias is known to the client. */
  topicKnown = false;
  /** Remaining message expiry, seconds; -1 for none. */
  expirySeconds = -1;
  /** Subscription identifiers, or null. */
  identifiers: readonly number[] | null = null;

  clear(): void {
    this.alias = 0;
    this.topicKnown = false;
    this.expirySeconds = -1;
    this.identifiers = null;
  }
}

function extrasLength(extras: PublishExtras): number {
  let length = extras.alias !== 0 ? 3 : 0;
  if (extras.expirySeconds >= 0) length += 5;
  if (extras.identifiers !== null) {
    for (const id of extras.identifiers) length += 1 + varintLength(id);
  }
  return length;
}

function remainingLength(body: PublishBody, extras: PublishExtras, qos: number, v5: boolean) {
  const topicLength = extras.topicKnown ? 0 : body.topicBytes.length;
  const fixed = 2 + topicLength + (qos > 0 ? 2 : 0) + (body.end - body.payloadStart);
  if (!v5) return fixed;
  const properties = extrasLength(extras) + (body.payloadStart - body.propertiesStart);
  return fixed + varintLength(properties) + properties;
}

/** The length in bytes of the whole PUBLISH as `writePublish` would write it. */
export function publishLength(
  body: PublishBody,
  extras: PublishExtras,
  qos: number,
  v5: boolean,
): number {
  const remaining = remainingLength(body, extras, qos, v5);
  return 1 + varintLength(remaining) + remaining;
}

/**
 * Writes a PUBLISH at `target[at]` and returns where it ends. `byte0` carries type, DUP, QoS and
 * retain; `packetId` is written when its QoS is not 0. [MQTT 5.0 3.3]
 */
export function writePublish(
  target: Uint8Array,
  at: number,
  byte0: number,
  packetId: number,
  body: PublishBody,
  extras: PublishExtras,
  v5: boolean,
): number {
  const qos = (byte0 >> 1) & 3;
  let pos = at;
  target[pos++] = byte0;
  pos = writeVarint(target, pos, remainingLength(body, extras, qos, v5));
  const topic = body.topicBytes;
  const topicLength = extras.topicKnown ? 0 : topic.length;
  target[pos++] = topicLength >> 8;
  target[pos++] = topicLength & 0xff;
  pos = copyBytes(target, pos, topic, 0, topicLength);
  if (qos > 0) {
    target[pos++] = packetId >> 8;
    target[pos++] = packetId & 0xff;
  }
  if (!v5) return copyBytes(target, pos, body.source, body.payloadStart, body.end);
  pos = writeVarint(target, pos, extrasLength(extras) + (body.payloadStart - body.propertiesStart));
  pos = writeExtras(target, pos, extras);
  return copyBytes(target, pos, body.source, body.propertiesStart, body.end);
}

function writeExtras(target: Uint8Array, at: number, extras: PublishExtras): number {
  let pos = at;
  if (extras.alias !== 0) {
    target[pos++] = PropertyId.TopicAlias;
    target[pos++] = extras.alias >> 8;
    target[pos++] = extras.alias & 0xff;
  }
  if (extras.expirySeconds >= 0) {
    target[pos++] = PropertyId.MessageExpiryInterval;
    pos = writeUint32(target, pos, extras.expirySeconds);
  }
  if (extras.identifiers !== null) {
    for (const id of extras.identifiers) {
      target[pos++] = PropertyId.SubscriptionIdentifier;
      pos = writeVarint(target, pos, id);
    }
  }
  return pos;
}

function writeUint32(target: Uint8Array, at: number, value: number): number {
  target[at] = value >>> 24;
  target[at + 1] = (value >>> 16) & 0xff;
  target[at + 2] = (value >>> 8) & 0xff;
  target[at + 3] = value & 0xff;
  return at + 4;
}

/** Up to so many bytes a loop beats making a view and calling a native copy. */
const SHORT = 96;
/** Up to so many it beats the native copy alone, where no view is needed. */
const SHORTER = 40;

/** Copies source[start, end) to target[at] and returns where it ends. */
export function copyBytes(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  end: number,
): number {
  const length = end - start;
  const whole = length === source.length;
  if (length <= (whole ? SHORTER : SHORT)) copyShort(target, at, source, start, end);
  else target.set(whole ? source : source.subarray(start, end), at);
  return at + length;
}

function copyShort(target: Uint8Array, at: number, source: Uint8Array, start: number, end: number) {
  let from = start;
  let to = at;
  // Eight at a time: a loop that takes them one by one is mostly busy with itself.
  for (const last = end - 7; from < last; from += 8, to += 8) {
    target[to] = source[from];
    target[to + 1] = source[from + 1];
    target[to + 2] = source[from + 2];
    target[to + 3] = source[from + 3];
    target[to + 4] = source[from + 4];
    target[to + 5] = source[from + 5];
    target[to + 6] = source[from + 6];
    target[to + 7] = source[from + 7];
  }
  while (from < end) target[to++] = source[from++];
}

/** Longest acknowledgement that `writeAck` writes, bytes. */
export const ACK_LENGTH_MAX = 5;

/**
 * Writes PUBACK, PUBREC, PUBREL or PUBCOMP (`byte0` says which) and returns where it ends. A reason
 * other than success needs MQTT 5; before it there is no room for one.
 */
export function writeAck(
  target: Uint8Array,
  at: number,
  byte0: number,
  packetId: number,
  reason: number,
): number {
  target[at] = byte0;
  target[at + 1] = reason === 0 ? 2 : 3;
  target[at + 2] = packetId >> 8;
  target[at + 3] = packetId & 0xff;
  if (reason === 0) return at + 4;
  target[at + 4] = reason;
  return at + 5;
}
