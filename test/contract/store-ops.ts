// Operations with everything filled in that a test does not care about.

import {
  type MessagePut,
  OpKind,
  type QueuePut,
  type RetainedPut,
  type SessionPut,
} from '../../src/store/ops.ts';

const NEVER = Number.POSITIVE_INFINITY;

export function sessionPut(sid: number, changes: Partial<SessionPut> = {}): SessionPut {
  return {
    kind: OpKind.SessionPut,
    sid,
    clientId: `client-${sid}`,
    username: null,
    peer: '192.0.2.1:1883',
    expirySeconds: 0xffff_ffff,
    endsAt: NEVER,
    willDueAt: NEVER,
    connected: false,
    origin: null,
    grants: null,
    will: null,
    ...changes,
  };
}

export function messagePut(mid: number, changes: Partial<MessagePut> = {}): MessagePut {
  return {
    kind: OpKind.MessagePut,
    mid,
    topic: 'a/topic',
    source: Buffer.from(`message ${mid}`),
    payloadStart: 0,
    qos: 1,
    retain: false,
    expiresAt: NEVER,
    refs: 1,
    ...changes,
  };
}

export function queuePut(
  sid: number,
  rank: number,
  mid: number,
  changes: Partial<QueuePut> = {},
): QueuePut {
  return {
    kind: OpKind.QueuePut,
    sid,
    rank,
    mid,
    qos: 1,
    retain: false,
    identifiers: null,
    group: null,
    state: 0,
    packetId: 0,
    ...changes,
  };
}

export function retainedPut(topic: string, source: Uint8Array): RetainedPut {
  return { kind: OpKind.RetainedPut, topic, source, payloadStart: 0, qos: 1, expiresAt: NEVER };
}

/** `count` messages for one session, with ids and ranks from `first` on. */
export function backlog(sid: number, first: number, count: number, bytes = 20) {
  return Array.from({ length: count }, (_, i) => [
    messagePut(first + i, { source: new Uint8Array(bytes).fill(first + i) }),
    queuePut(sid, first + i, first + i),
  ]).flat();
}
