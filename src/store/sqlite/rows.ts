// Rows of the database → the records they stand for. What is on a disk may have been damaged in a
// way that SQLite does not see, so every value is checked; a row that makes no sense is null.

import type { QoS } from '../../mqtt/packet.ts';
import {
  type MessagePut,
  OpKind,
  type QueuePut,
  type QueueStateValue,
  type ReceivedPut,
  type RetainedPut,
  type SessionPut,
  type SubscriptionPut,
  type WillRecord,
} from '../ops.ts';
import type { InflightRow, QueueSummary, WindowRow } from '../store.ts';

type Row = Readonly<Record<string, unknown>>;

const NO_BYTES = new Uint8Array(0);

function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isQos(value: unknown): value is QoS {
  return value === 0 || value === 1 || value === 2;
}

function isPacketId(value: unknown): value is number {
  return isId(value) && value <= 0xffff;
}

function isHash(value: unknown): value is number {
  return typeof value === 'number' && (value | 0) === value;
}

/** NULL is never. */
function isTime(value: unknown): value is number | null {
  return value === null || typeof value === 'number';
}

function timeOf(value: number | null): number {
  return value ?? Number.POSITIVE_INFINITY;
}

/** A Uint8Array, whatever kind of one the library gave. */
function plain(bytes: Uint8Array): Uint8Array {
  return bytes.constructor === Uint8Array
    ? bytes
    : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A session that may do more or less than was granted is not what was kept. */
function isIdentity(value: unknown): value is string | null {
  if (value === null) return true;
  if (typeof value !== 'string') return false;
  try {
    const identity: unknown = JSON.parse(value);
    return typeof identity === 'object' && identity !== null;
  } catch {
    return false;
  }
}

export function sessionOf(row: unknown): SessionPut | null {
  const { sid, client_id, username, peer, expiry_seconds, ends_at, will_due_at } = row as Row;
  if (!isId(sid) || typeof client_id !== 'string' || typeof peer !== 'string') return null;
  if (username !== null && typeof username !== 'string') return null;
  if (!isId(expiry_seconds) || expiry_seconds > 0xffff_ffff) return null;
  if (!isTime(ends_at) || !isTime(will_due_at)) return null;
  const { origin, grants } = row as Row;
  if (!isIdentity(origin) || !isIdentity(grants)) return null;
  const will = willOf(row as Row);
  if (will === undefined) return null;
  return {
    kind: OpKind.SessionPut,
    sid,
    clientId: client_id,
    username,
    peer,
    expirySeconds: expiry_seconds,
    endsAt: timeOf(ends_at),
    willDueAt: timeOf(will_due_at),
    connected: (row as Row).connected === 1,
    origin,
    grants,
    will,
  };
}

function willOf(row: Row): WillRecord | null | undefined {
  const { will_topic, will_payload, will_qos, will_delay_seconds, will_expiry_seconds } = row;
  const { will_properties } = row;
  if (will_topic === null) return null;
  if (typeof will_topic !== 'string' || !isQos(will_qos) || !isId(will_delay_seconds)) return;
  if (!(will_payload instanceof Uint8Array) || !(will_properties instanceof Uint8Array)) return;
  if (will_expiry_seconds !== null && !isId(will_expiry_seconds)) return;
  return {
    topic: will_topic,
    payload: plain(will_payload),
    qos: will_qos,
    retain: row.will_retain === 1,
    delaySeconds: will_delay_seconds,
    expirySeconds: will_expiry_seconds,
    properties: plain(will_properties),
  };
}

export function subscriptionOf(row: unknown): SubscriptionPut | null {
  const { sid, filter, qos, no_local, retain_as_published, identifier } = row as Row;
  if (!isId(sid) || typeof filter !== 'string' || !isQos(qos) || !isId(identifier)) return null;
  return {
    kind: OpKind.SubscriptionPut,
    sid,
    filter,
    qos,
    noLocal: no_local === 1,
    retainAsPublished: retain_as_published === 1,
    identifier,
  };
}

export function retainedOf(row: unknown): RetainedPut | null {
  const { topic, source, payload_start, qos, expires_at } = row as Row;
  if (typeof topic !== 'string' || !(source instanceof Uint8Array) || !isQos(qos)) return null;
  if (!isId(payload_start) || payload_start > source.length || !isTime(expires_at)) return null;
  return {
    kind: OpKind.RetainedPut,
    topic,
    source: plain(source),
    payloadStart: payload_start,
    qos,
    expiresAt: timeOf(expires_at),
  };
}

export function messageOf(row: unknown): MessagePut | null {
  const { mid, refs, qos, retain, payload_start, expires_at, topic, source } = row as Row;
  if (!isId(mid) || !isId(refs) || !isQos(qos) || typeof topic !== 'string') return null;
  if (!(source instanceof Uint8Array) || !isTime(expires_at)) return null;
  if (!isId(payload_start) || payload_start > source.length) return null;
  return {
    kind: OpKind.MessagePut,
    mid,
    topic,
    source: plain(source),
    payloadStart: payload_start,
    qos,
    retain: retain === 1,
    expiresAt: timeOf(expires_at),
    refs,
  };
}

export function deliveryOf(row: unknown): QueuePut | null {
  const { sid, rank, mid, qos, retain, state, packet_id, identifiers, share } = row as Row;
  if (!isId(sid) || !isId(rank) || !isId(mid) || !isQos(qos) || !isPacketId(packet_id)) return null;
  if (!isId(state) || state > 3 || (share !== null && typeof share !== 'string')) return null;
  return {
    kind: OpKind.QueuePut,
    sid,
    rank,
    mid,
    qos,
    retain: retain === 1,
    identifiers: identifiers === null ? null : identifiersOf(identifiers),
    group: share,
    state: state as QueueStateValue,
    packetId: packet_id,
  };
}

export function receivedOf(row: unknown): ReceivedPut | null {
  const { sid, packet_id, topic_hash } = row as Row;
  if (!isId(sid) || !isPacketId(packet_id)) return null;
  if (topic_hash !== null && !isHash(topic_hash)) return null;
  return { kind: OpKind.ReceivedPut, sid, packetId: packet_id, topicHash: topic_hash };
}

export function queueSummaryOf(row: unknown): QueueSummary | null {
  const { sid, queued, bytes, last_rank } = row as Row;
  if (!isId(sid) || !isId(queued) || !isId(bytes) || !isId(last_rank)) return null;
  return { sid, queued, bytes, lastRank: last_rank };
}

export function windowRowOf(row: unknown): WindowRow | null {
  const { rank, mid, refs, qos, retain, identifiers, share, topic, source } = row as Row;
  const { payload_start, message_qos, message_retain, expires_at } = row as Row;
  if (!isId(rank) || !isId(mid) || !isId(refs) || !isQos(qos) || !isQos(message_qos)) return null;
  if (typeof topic !== 'string' || !(source instanceof Uint8Array)) return null;
  if (!isId(payload_start) || payload_start > source.length || !isTime(expires_at)) return null;
  if (share !== null && typeof share !== 'string') return null;
  return {
    rank,
    mid,
    refs,
    qos,
    retain: retain === 1,
    identifiers: identifiers === null ? null : identifiersOf(identifiers),
    group: share,
    topic,
    source: plain(source),
    payloadStart: payload_start,
    messageQos: message_qos,
    messageRetain: message_retain === 1,
    expiresAt: timeOf(expires_at),
  };
}

export function inflightRowOf(row: unknown): InflightRow | null {
  const { sid, state, packet_id } = row as Row;
  if (!isId(sid) || !isPacketId(packet_id)) return null;
  if (state !== 1 && state !== 2 && state !== 3) return null;
  const delivery = windowRowOf(state === 3 ? { ...(row as Row), ...released } : row);
  if (delivery === null) return null;
  return { ...delivery, sid, state: state as QueueStateValue, packetId: packet_id };
}

/** What stands in the place of a message that has gone. */
const released: Row = {
  mid: 0,
  refs: 0,
  topic: '',
  source: NO_BYTES,
  payload_start: 0,
  message_qos: 0,
  message_retain: 0,
  expires_at: null,
};

export function identifiersText(identifiers: readonly number[] | null): string | null {
  return identifiers === null || identifiers.length === 0 ? null : identifiers.join();
}

function identifiersOf(text: unknown): number[] | null {
  const identifiers = String(text)
    .split(',')
    .map(Number)
    .filter(value => isId(value) && value > 0);
  return identifiers.length === 0 ? null : identifiers;
}
