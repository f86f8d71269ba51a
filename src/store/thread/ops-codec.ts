// Operations ↔ one ArrayBuffer, for the way to the store thread: a transferred buffer costs neither
// side a structured clone. One table of fields per kind, written and read in the same order.

import type { QoS } from '../../mqtt/packet.ts';
import { type Op, OpKind, type QueueStateValue, type WillRecord } from '../ops.ts';
import { ByteReader, ByteWriter } from './byte-writer.ts';

export function encodeOps(ops: readonly Op[], writer: ByteWriter = new ByteWriter()): ArrayBuffer {
  for (const op of ops) writeOp(writer, op);
  return writer.take();
}

/** `copies`: whether bytes in the operations are their own or views into `buffer`. */
export function decodeOps(buffer: ArrayBuffer, copies: boolean): Op[] {
  const reader = new ByteReader(buffer, copies);
  const ops: Op[] = [];
  while (!reader.done) ops.push(readOp(reader));
  return ops;
}

export function writeOp(writer: ByteWriter, op: Op): void {
  writer.byte(op.kind);
  switch (op.kind) {
    case OpKind.SessionPut:
      writer.count(op.sid);
      writer.string(op.clientId);
      writeNullableString(writer, op.username);
      writer.string(op.peer);
      writer.count(op.expirySeconds);
      writer.number(op.endsAt);
      writer.number(op.willDueAt);
      writer.flag(op.connected);
      writeNullableString(writer, op.origin);
      writeNullableString(writer, op.grants);
      writeWill(writer, op.will);
      break;
    case OpKind.SessionDrop:
      writer.count(op.sid);
      break;
    case OpKind.SubscriptionPut:
      writer.count(op.sid);
      writer.string(op.filter);
      writer.byte(op.qos);
      writer.flag(op.noLocal);
      writer.flag(op.retainAsPublished);
      writer.count(op.identifier);
      break;
    case OpKind.SubscriptionDrop:
      writer.count(op.sid);
      writer.string(op.filter);
      break;
    case OpKind.RetainedPut:
      writer.string(op.topic);
      writer.data(op.source);
      writer.count(op.payloadStart);
      writer.byte(op.qos);
      writer.number(op.expiresAt);
      break;
    case OpKind.RetainedDrop:
      writer.string(op.topic);
      break;
    default:
      writeDeliveryOp(writer, op);
  }
}

function writeDeliveryOp(writer: ByteWriter, op: Op & { readonly kind: DeliveryKind }): void {
  switch (op.kind) {
    case OpKind.MessagePut:
      writer.count(op.mid);
      writer.string(op.topic);
      writer.data(op.source);
      writer.count(op.payloadStart);
      writer.byte(op.qos);
      writer.flag(op.retain);
      writer.number(op.expiresAt);
      writer.count(op.refs);
      break;
    case OpKind.QueuePut:
      writer.count(op.sid);
      writer.count(op.rank);
      writer.count(op.mid);
      writer.byte(op.qos);
      writer.flag(op.retain);
      writeIdentifiers(writer, op.identifiers);
      writeNullableString(writer, op.group);
      writer.byte(op.state);
      writer.count(op.packetId);
      break;
    case OpKind.QueueState:
      writer.count(op.sid);
      writer.count(op.rank);
      writer.byte(op.state);
      writer.count(op.packetId);
      break;
    case OpKind.QueueDrop:
      writer.count(op.sid);
      writer.count(op.rank);
      writer.count(op.mid);
      writer.count(op.refs);
      break;
    case OpKind.ReceivedPut:
      writer.count(op.sid);
      writer.count(op.packetId);
      writer.flag(op.topicHash !== null);
      if (op.topicHash !== null) writer.number(op.topicHash);
      break;
    case OpKind.ReceivedDrop:
      writer.count(op.sid);
      writer.count(op.packetId);
      break;
  }
}

export function readOp(reader: ByteReader): Op {
  const kind = reader.byte() as OpKind;
  switch (kind) {
    case OpKind.SessionPut:
      return {
        kind,
        sid: reader.count(),
        clientId: reader.string(),
        username: readNullableString(reader),
        peer: reader.string(),
        expirySeconds: reader.count(),
        endsAt: reader.number(),
        willDueAt: reader.number(),
        connected: reader.flag(),
        origin: readNullableString(reader),
        grants: readNullableString(reader),
        will: readWill(reader),
      };
    case OpKind.SessionDrop:
      return { kind, sid: reader.count() };
    case OpKind.SubscriptionPut:
      return {
        kind,
        sid: reader.count(),
        filter: reader.string(),
        qos: reader.byte() as QoS,
        noLocal: reader.flag(),
        retainAsPublished: reader.flag(),
        identifier: reader.count(),
      };
    case OpKind.SubscriptionDrop:
      return { kind, sid: reader.count(), filter: reader.string() };
    case OpKind.RetainedPut:
      return {
        kind,
        topic: reader.string(),
        source: reader.data(),
        payloadStart: reader.count(),
        qos: reader.byte() as QoS,
        expiresAt: reader.number(),
      };
    case OpKind.RetainedDrop:
      return { kind, topic: reader.string() };
    default:
      return readDeliveryOp(reader, kind);
  }
}

type DeliveryKind = Exclude<
  OpKind,
  | typeof OpKind.SessionPut
  | typeof OpKind.SessionDrop
  | typeof OpKind.SubscriptionPut
  | typeof OpKind.SubscriptionDrop
  | typeof OpKind.RetainedPut
  | typeof OpKind.RetainedDrop
>;

function readDeliveryOp(reader: ByteReader, kind: DeliveryKind): Op {
  switch (kind) {
    case OpKind.MessagePut:
      return {
        kind,
        mid: reader.count(),
        topic: reader.string(),
        source: reader.data(),
        payloadStart: reader.count(),
        qos: reader.byte() as QoS,
        retain: reader.flag(),
        expiresAt: reader.number(),
        refs: reader.count(),
      };
    case OpKind.QueuePut:
      return {
        kind,
        sid: reader.count(),
        rank: reader.count(),
        mid: reader.count(),
        qos: reader.byte() as QoS,
        retain: reader.flag(),
        identifiers: readIdentifiers(reader),
        group: readNullableString(reader),
        state: reader.byte() as QueueStateValue,
        packetId: reader.count(),
      };
    case OpKind.QueueState:
      return {
        kind,
        sid: reader.count(),
        rank: reader.count(),
        state: reader.byte() as QueueStateValue,
        packetId: reader.count(),
      };
    case OpKind.QueueDrop:
      return {
        kind,
        sid: reader.count(),
        rank: reader.count(),
        mid: reader.count(),
        refs: reader.count(),
      };
    case OpKind.ReceivedPut:
      return {
        kind,
        sid: reader.count(),
        packetId: reader.count(),
        topicHash: reader.flag() ? reader.number() : null,
      };
    case OpKind.ReceivedDrop:
      return { kind, sid: reader.count(), packetId: reader.count() };
  }
}

export function writeNullableString(writer: ByteWriter, value: string | null): void {
  writer.flag(value !== null);
  if (value !== null) writer.string(value);
}

export function readNullableString(reader: ByteReader): string | null {
  return reader.flag() ? reader.string() : null;
}

export function writeIdentifiers(writer: ByteWriter, identifiers: readonly number[] | null): void {
  writer.count(identifiers?.length ?? 0);
  for (const identifier of identifiers ?? []) writer.count(identifier);
}

/** No identifiers and an empty list of them are the same. */
export function readIdentifiers(reader: ByteReader): number[] | null {
  const length = reader.count();
  return length === 0 ? null : Array.from({ length }, () => reader.count());
}

function writeWill(writer: ByteWriter, will: WillRecord | null): void {
  writer.flag(will !== null);
  if (will === null) return;
  writer.string(will.topic);
  writer.data(will.payload);
  writer.byte(will.qos);
  writer.flag(will.retain);
  writer.count(will.delaySeconds);
  writer.number(will.expirySeconds ?? Number.POSITIVE_INFINITY);
  writer.data(will.properties);
}

function readWill(reader: ByteReader): WillRecord | null {
  if (!reader.flag()) return null;
  const topic = reader.string();
  const payload = reader.data();
  const qos = reader.byte() as QoS;
  const retain = reader.flag();
  const delaySeconds = reader.count();
  const expiry = reader.number();
  const expirySeconds = expiry === Number.POSITIVE_INFINITY ? null : expiry;
  return { topic, payload, qos, retain, delaySeconds, expirySeconds, properties: reader.data() };
}
