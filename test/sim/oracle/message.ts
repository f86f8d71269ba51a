// What the oracle knows of one publication and of its way to one session. Nothing here comes from
// src/: the oracle has its own words for what the specification promises.

export type QoS = 0 | 1 | 2;

/** One publication as it was accepted: each acceptance is a new one, even of a resent PUBLISH. */
export interface Publication {
  /** Rank among all publications, in the order of acceptance. */
  readonly rank: number;
  /** Client id of the publisher; for a will, the client whose will it is. */
  readonly publisher: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  /** The properties that travel on unchanged, in canonical form. */
  readonly properties: string;
  /** Bytes those take on the wire. */
  readonly propertyBytes: number;
  /** Virtual milliseconds; Infinity without a message expiry interval. */
  readonly expiresAt: number;
}

/** How a copy has to look when it reaches one session. */
export interface Terms {
  readonly qos: QoS;
  /** null where the specification leaves the flag open. */
  readonly retain: boolean | null;
  /** Subscription identifiers, sorted. */
  readonly identifiers: readonly number[];
}

/** One copy that a session is owed. */
export interface Owed {
  readonly publication: Publication;
  readonly terms: Terms;
  /** The subscription that a retained message is sent for, or null for a live one. */
  readonly retainedFor: string | null;
  /** The share it was routed through, or null. */
  readonly share: string | null;
  /** Its place in the order no longer counts: it came back from another member of the share. */
  readonly rerouted: boolean;
  /** Why it may legitimately fail to arrive, or null while it must arrive. */
  excuse: string | null;
}

/** A copy that exactly one of several members of a share is owed. */
export interface OwedToShare {
  readonly publication: Publication;
  /** Share name and filter. */
  readonly share: string;
  /** Whom it may go to, by client id, and on which terms. */
  readonly members: Map<string, readonly Terms[]>;
  /** Of these, what it was routed with itself: the others are those of its twins. */
  readonly own: ReadonlyMap<string, Terms>;
  readonly rerouted: boolean;
  excuse: string | null;
}

/**
 * What tells publications apart: payloads begin with a name that is used once, empty payloads are
 * known by their topic.
 */
export function nameOf(topic: string, payload: Uint8Array): string {
  let name = `${topic}\n`;
  for (let i = 0; i < payload.length && payload[i] !== 0x7c; i++) {
    name += String.fromCharCode(payload[i]!);
  }
  return name;
}

export function sameName(a: Publication, b: Publication): boolean {
  return a.topic === b.topic && nameOf('', a.payload) === nameOf('', b.payload);
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** A PUBLISH as the broker sent it, its topic alias resolved. */
export interface Copy {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly packetId: number;
  /** Sorted. */
  readonly identifiers: readonly number[];
  readonly properties: string;
  /** Remaining message expiry interval, seconds, or null. */
  readonly expirySeconds: number | null;
}

/** What the broker did is not what the specification (or minnow's own word) promises. */
export class Violation extends Error {}

export function demand(holds: boolean, what: () => string): asserts holds {
  if (!holds) throw new Violation(what());
}

/** A copy as a failure speaks of it. */
export function show(copy: Copy): string {
  const name = nameOf('', copy.payload).slice(1, 21) || '(empty)';
  const id = copy.qos > 0 ? ` id ${copy.packetId}` : '';
  const flags = `${copy.dup ? ' DUP' : ''}${copy.retain ? ' retain' : ''}`;
  const subscriptions = copy.identifiers.length > 0 ? ` for ${copy.identifiers}` : '';
  return `PUBLISH «${name}» on ${copy.topic} QoS ${copy.qos}${id}${flags}${subscriptions}`;
}

/** Any packet in one line, its payload cut short. */
export function showPacket(packet: object): string {
  return JSON.stringify(packet, (_, value) =>
    value instanceof Uint8Array ? nameOf('', value.subarray(0, 40)).slice(1) : value,
  );
}
