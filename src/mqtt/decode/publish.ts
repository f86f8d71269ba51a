// Reads a PUBLISH where it lies: no copy, no allocation, no throw. The result is a set of offsets
// into the bytes that were handed in. The topic name is not looked at here: the core knows most
// topics already and checks only those it has not seen (core/routing/topics.ts).

import { PropertyId, PropertyKind, propertyKind, propertyPackets } from '../properties.ts';
import { Reason } from '../reason.ts';
import { utf8Valid } from '../utf8.ts';
import { readVarint, varintLength } from '../varint.ts';

/** Where the parts of one PUBLISH lie. One instance is filled again and again. */
export class PublishView {
  qos = 0;
  dup = false;
  retain = false;
  topicStart = 0;
  topicEnd = 0;
  /** 0 for QoS 0. */
  packetId = 0;
  propertiesStart = 0;
  propertiesEnd = 0;
  payloadStart = 0;
  end = 0;
  /** Topic alias, 0 when there is none. */
  alias = 0;
  /** Message expiry interval, seconds; -1 when there is none. */
  expirySeconds = -1;
  payloadIsUtf8 = false;
  /** Whether the properties may travel on as they are: neither alias nor expiry among them. */
  propertiesTravel = true;
}

const PUBLISH_BIT = 1 << 3;

/**
 * Decodes the PUBLISH whose body is buf[start, end) and whose first byte is `byte0` into `view`.
 * Returns 0, or the reason code of what is wrong with it [MQTT 5.0 3.3].
 */
export function decodePublish(
  view: PublishView,
  buf: Uint8Array,
  byte0: number,
  start: number,
  end: number,
  version: number,
): number {
  const qos = (byte0 >> 1) & 3;
  view.qos = qos;
  view.dup = (byte0 & 8) !== 0;
  view.retain = (byte0 & 1) !== 0;
  if (qos === 3) return Reason.MalformedPacket;
  if (qos === 0 && view.dup) return Reason.MalformedPacket; // [MQTT-3.3.1-2]
  if (end - start < 2) return Reason.MalformedPacket;
  let pos = start + 2;
  view.topicStart = pos;
  pos += (buf[start] << 8) | buf[start + 1];
  view.topicEnd = pos;
  if (pos > end) return Reason.MalformedPacket;
  if (qos === 0) {
    view.packetId = 0;
  } else {
    if (end - pos < 2) return Reason.MalformedPacket;
    view.packetId = (buf[pos] << 8) | buf[pos + 1];
    if (view.packetId === 0) return Reason.ProtocolError; // [MQTT-2.2.1-3]
    pos += 2;
  }
  view.end = end;
  view.alias = 0;
  view.expirySeconds = -1;
  view.payloadIsUtf8 = false;
  view.propertiesTravel = true;
  view.propertiesStart = pos;
  view.propertiesEnd = pos;
  view.payloadStart = pos;
  return version === 5 ? decodeProperties(view, buf, pos, end) : 0;
}

/** Reads the property length at `pos` and, when there are properties, what stands in them. */
function decodeProperties(view: PublishView, buf: Uint8Array, pos: number, end: number): number {
  if (pos >= end) return Reason.MalformedPacket;
  let length = buf[pos++];
  if (length >= 128) {
    const at = pos - 1;
    length = readVarint(buf, at, end);
    if (length < 0) return Reason.MalformedPacket;
    pos = at + varintLength(length);
  }
  const stop = pos + length;
  if (stop > end) return Reason.MalformedPacket;
  view.propertiesStart = pos;
  view.propertiesEnd = stop;
  view.payloadStart = stop;
  return length === 0 ? 0 : scanProperties(view, buf, pos, stop);
}

function scanProperties(view: PublishView, buf: Uint8Array, from: number, stop: number): number {
  let pos = from;
  let seen = 0; // property ids that may stand in PUBLISH all lie below 64: two 32-bit masks
  let seenHigh = 0;
  while (pos < stop) {
    const id = buf[pos++];
    const kind = propertyKind[id];
    if (kind === PropertyKind.None) return Reason.MalformedPacket;
    if ((propertyPackets[id] & PUBLISH_BIT) === 0) return Reason.MalformedPacket;
    // Only the server puts a subscription identifier into a PUBLISH [MQTT-3.3.4-6].
    if (id === PropertyId.SubscriptionIdentifier) return Reason.ProtocolError;
    if (id !== PropertyId.UserProperty) {
      const bit = 1 << (id & 31);
      if (((id < 32 ? seen : seenHigh) & bit) !== 0) return Reason.ProtocolError;
      if (id < 32) seen |= bit;
      else seenHigh |= bit;
    }
    const next = propertyEnd(buf, pos, stop, kind);
    if (next < 0) return Reason.MalformedPacket;
    const fault = takeProperty(view, buf, id, pos, next);
    if (fault !== 0) return fault;
    pos = next;
  }
  return 0;
}

/** Notes what the core must know of one property whose value is buf[pos, next). */
function takeProperty(
  view: PublishView,
  buf: Uint8Array,
  id: number,
  pos: number,
  next: number,
): number {
  switch (id) {
    case PropertyId.PayloadFormatIndicator:
      if (buf[pos] > 1) return Reason.ProtocolError;
      view.payloadIsUtf8 = buf[pos] === 1;
      return 0;
    case PropertyId.MessageExpiryInterval:
      view.expirySeconds =
        buf[pos] * 0x1000000 + ((buf[pos + 1] << 16) | (buf[pos + 2] << 8) | buf[pos + 3]);
      view.propertiesTravel = false;
      return 0;
    case PropertyId.TopicAlias:
      view.alias = (buf[pos] << 8) | buf[pos + 1];
      view.propertiesTravel = false;
      return view.alias === 0 ? Reason.TopicAliasInvalid : 0; // [MQTT-3.3.2-8]
    case PropertyId.ResponseTopic:
      // A response topic is a topic name: not empty, no wildcards [MQTT-3.3.2-14].
      if (next === pos + 2) return Reason.ProtocolError;
      for (let i = pos + 2; i < next; i++) {
        if (buf[i] === 0x23 || buf[i] === 0x2b) return Reason.ProtocolError;
      }
      return 0;
    default:
      return 0;
  }
}

/** Where the value of kind `kind` that starts at `pos` ends, or -1 when it is malformed. */
export function propertyEnd(buf: Uint8Array, pos: number, stop: number, kind: number): number {
  switch (kind) {
    case PropertyKind.Byte:
      return pos + 1 <= stop ? pos + 1 : -1;
    case PropertyKind.TwoByte:
      return pos + 2 <= stop ? pos + 2 : -1;
    case PropertyKind.FourByte:
      return pos + 4 <= stop ? pos + 4 : -1;
    case PropertyKind.Varint: {
      const value = readVarint(buf, pos, stop);
      return value < 0 ? -1 : pos + varintLength(value);
    }
    case PropertyKind.Binary:
      return binaryEnd(buf, pos, stop);
    case PropertyKind.Utf8:
      return stringEnd(buf, pos, stop);
    case PropertyKind.Pair: {
      const middle = stringEnd(buf, pos, stop);
      return middle < 0 ? -1 : stringEnd(buf, middle, stop);
    }
    default:
      return -1;
  }
}

function binaryEnd(buf: Uint8Array, pos: number, stop: number): number {
  if (stop - pos < 2) return -1;
  const next = pos + 2 + ((buf[pos] << 8) | buf[pos + 1]);
  return next <= stop ? next : -1;
}

function stringEnd(buf: Uint8Array, pos: number, stop: number): number {
  const next = binaryEnd(buf, pos, stop);
  return next >= 0 && utf8Valid(buf, pos + 2, next) ? next : -1;
}

/**
 * A copy of a PUBLISH's properties and payload, buf[start, end), without the properties that are
 * meant for one connection only: topic alias and message expiry. What remains keeps its order; the
 * payload, buf[payloadStart, end), stands at the end as before. The properties must be valid.
 */
export function withoutOwnProperties(
  buf: Uint8Array,
  start: number,
  payloadStart: number,
  end: number,
): Uint8Array {
  const copy = new Uint8Array(end - start);
  let length = 0;
  let pos = start;
  while (pos < payloadStart) {
    const id = buf[pos];
    const next = propertyEnd(buf, pos + 1, payloadStart, propertyKind[id]);
    if (id !== PropertyId.TopicAlias && id !== PropertyId.MessageExpiryInterval) {
      copy.set(buf.subarray(pos, next), length);
      length += next - pos;
    }
    pos = next;
  }
  copy.set(buf.subarray(payloadStart, end), length);
  return copy.subarray(0, length + end - payloadStart);
}
