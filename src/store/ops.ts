// The operations of the log: every change of what outlives a connection, as plain records. Their
// order is the log's; applied in order to what was stored they give what is to be stored. Session
// ids, message ids and ranks are non-negative integers below 2^53 and are never used again; times
// are milliseconds of the core's clock, Infinity for never.

import type { QoS } from '../mqtt/packet.ts';

export const OpKind = {
  SessionPut: 1,
  SessionDrop: 2,
  SubscriptionPut: 3,
  SubscriptionDrop: 4,
  RetainedPut: 5,
  RetainedDrop: 6,
  MessagePut: 7,
  QueuePut: 8,
  QueueState: 9,
  QueueDrop: 10,
  ReceivedPut: 11,
  ReceivedDrop: 12,
} as const;

export type OpKind = (typeof OpKind)[keyof typeof OpKind];

/** How far a delivery has come; the values of DeliveryState in core/session/outbox.ts. */
export type QueueStateValue = 0 | 1 | 2 | 3;

export interface WillRecord {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly delaySeconds: number;
  readonly expirySeconds: number | null;
  /** Encoded, without a length prefix. */
  readonly properties: Uint8Array;
}

/** A session as it now is; takes the place of what was known under its id. */
export interface SessionPut {
  readonly kind: typeof OpKind.SessionPut;
  readonly sid: number;
  readonly clientId: string;
  readonly username: string | null;
  readonly peer: string;
  /** 0xFFFFFFFF: never. */
  readonly expirySeconds: number;
  readonly endsAt: number;
  readonly willDueAt: number;
  readonly connected: boolean;
  /** Where its client came in, and what it was granted, as JSON. */
  readonly origin: string | null;
  readonly grants: string | null;
  readonly will: WillRecord | null;
}

/** The end of a session and of all that hangs on it. */
export interface SessionDrop {
  readonly kind: typeof OpKind.SessionDrop;
  readonly sid: number;
}

export interface SubscriptionPut {
  readonly kind: typeof OpKind.SubscriptionPut;
  readonly sid: number;
  /** As the client gave it, $share prefix and all. */
  readonly filter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** 0 is none. */
  readonly identifier: number;
}

export interface SubscriptionDrop {
  readonly kind: typeof OpKind.SubscriptionDrop;
  readonly sid: number;
  readonly filter: string;
}

export interface RetainedPut {
  readonly kind: typeof OpKind.RetainedPut;
  readonly topic: string;
  /** Encoded properties without a length prefix, then the payload. */
  readonly source: Uint8Array;
  readonly payloadStart: number;
  readonly qos: QoS;
  readonly expiresAt: number;
}

export interface RetainedDrop {
  readonly kind: typeof OpKind.RetainedDrop;
  readonly topic: string;
}

/** A message that `refs` deliveries (at least one) will name; it goes with the last of them. */
export interface MessagePut {
  readonly kind: typeof OpKind.MessagePut;
  readonly mid: number;
  readonly topic: string;
  /** Encoded properties without a length prefix, then the payload. */
  readonly source: Uint8Array;
  readonly payloadStart: number;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly expiresAt: number;
  readonly refs: number;
}

/** A message's place in the outgoing order of a session. */
export interface QueuePut {
  readonly kind: typeof OpKind.QueuePut;
  readonly sid: number;
  readonly rank: number;
  readonly mid: number;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly identifiers: readonly number[] | null;
  /** The share it was picked for, as "name/filter". */
  readonly group: string | null;
  readonly state: QueueStateValue;
  readonly packetId: number;
}

/** A delivery came further. State 3 (await PUBCOMP) gives up its reference to the message. */
export interface QueueState {
  readonly kind: typeof OpKind.QueueState;
  readonly sid: number;
  readonly rank: number;
  readonly state: QueueStateValue;
  readonly packetId: number;
}

export interface QueueDrop {
  readonly kind: typeof OpKind.QueueDrop;
  readonly sid: number;
  readonly rank: number;
  /** 0 when the reference has gone already. */
  readonly mid: number;
  /** As its MessagePut said. */
  readonly refs: number;
}

/** The packet id of a QoS 2 message that was received and is not released yet. */
export interface ReceivedPut {
  readonly kind: typeof OpKind.ReceivedPut;
  readonly sid: number;
  readonly packetId: number;
  /** Of its message's topic, 32 bits, signed; null where an older minnow wrote it. */
  readonly topicHash: number | null;
}

export interface ReceivedDrop {
  readonly kind: typeof OpKind.ReceivedDrop;
  readonly sid: number;
  readonly packetId: number;
}

export type Op =
  | SessionPut
  | SessionDrop
  | SubscriptionPut
  | SubscriptionDrop
  | RetainedPut
  | RetainedDrop
  | MessagePut
  | QueuePut
  | QueueState
  | QueueDrop
  | ReceivedPut
  | ReceivedDrop;
