// A subscription: one session's wish for one filter; and what stands in the router's index for a
// filter: its only subscription, or a bucket of all that share it. Most filters have one, and there
// may be a hundred thousand of them: a subscription has as few fields as fit into 80 bytes.

import type { QoS } from '../../mqtt/packet.ts';
import type { Session } from '../session/session.ts';
import type { ShareGroup } from './share-group.ts';

export class Subscription {
  readonly session: Session;
  /** The filter as the client gave it, $share prefix and all. */
  readonly filter: string;
  qos: QoS;
  noLocal: boolean;
  retainAsPublished: boolean;
  /** Subscription identifiers to send along; more than one only where subscriptions overlap. */
  identifiers: readonly number[] | null;
  /** The share it is a member of, or null. */
  readonly group: ShareGroup | null;
  /** Position in its bucket or share; -1 once it has been removed. */
  index = -1;

  constructor(
    session: Session,
    filter: string,
    qos: QoS,
    noLocal: boolean,
    retainAsPublished: boolean,
    identifiers: readonly number[] | null,
    group: ShareGroup | null,
  ) {
    this.session = session;
    this.filter = filter;
    this.qos = qos;
    this.noLocal = noLocal;
    this.retainAsPublished = retainAsPublished;
    this.identifiers = identifiers;
    this.group = group;
  }

  /** Of what `mergeHits` makes: the overlapping subscriptions of one session. */
  get parts(): Subscription[] | null {
    return null;
  }
}

class MergedHit extends Subscription {
  private readonly merged: Subscription[];

  constructor(
    merged: Subscription[],
    qos: QoS,
    noLocal: boolean,
    retainAsPublished: boolean,
    identifiers: readonly number[] | null,
  ) {
    const { session, filter } = merged[0];
    super(session, filter, qos, noLocal, retainAsPublished, identifiers, null);
    this.merged = merged;
  }

  override get parts(): Subscription[] {
    return this.merged;
  }
}

/**
 * One hit out of several subscriptions of one session: the highest QoS, every identifier
 * [MQTT-3.3.4-2, MQTT-3.3.4-3], the retain flag as published if any of them asks for it.
 */
export function mergeHits(parts: Subscription[]): Subscription {
  let qos: QoS = 0;
  let retainAsPublished = false;
  let noLocal = false;
  const identifiers: number[] = [];
  for (const part of parts) {
    if (part.qos > qos) qos = part.qos;
    retainAsPublished ||= part.retainAsPublished;
    noLocal ||= part.noLocal;
    if (part.identifiers !== null) identifiers.push(...part.identifiers);
  }
  return new MergedHit(
    parts,
    qos,
    noLocal,
    retainAsPublished,
    identifiers.length > 0 ? identifiers : null,
  );
}

/** Everybody who gave the same filter: plain subscriptions and shares. */
export class Bucket {
  readonly subscriptions: Subscription[] = [];
  groups: ShareGroup[] | null = null;
}

/** What stands in the index for one filter. */
export type Entry = Subscription | Bucket;

/** The entry with `s` in it as well. */
export function entryWith(entry: Entry | null, s: Subscription): Entry {
  if (entry === null) {
    s.index = 0;
    return s;
  }
  const bucket = asBucket(entry);
  s.index = bucket.subscriptions.length;
  bucket.subscriptions.push(s);
  return bucket;
}

/** The entry without `s`; null when nothing is left of it. */
export function entryWithout(entry: Entry, s: Subscription): Entry | null {
  if (entry === s) {
    s.index = -1;
    return null;
  }
  const bucket = entry as Bucket;
  removeIndexed(bucket.subscriptions, s);
  return smallest(bucket);
}

export function asBucket(entry: Entry | null): Bucket {
  if (entry instanceof Bucket) return entry;
  const bucket = new Bucket();
  if (entry !== null) bucket.subscriptions.push(entry);
  return bucket;
}

/** The least that can stand for a bucket: itself, its only subscription, or nothing. */
export function smallest(bucket: Bucket): Entry | null {
  const { subscriptions, groups } = bucket;
  if (groups !== null || subscriptions.length > 1) return bucket;
  return subscriptions[0] ?? null;
}

/** Takes `item` out of `list` in constant time: the last one moves into its place. */
export function removeIndexed<Item extends { index: number }>(list: Item[], item: Item): void {
  const last = list.pop()!;
  if (last !== item) {
    list[item.index] = last;
    last.index = item.index;
  }
  item.index = -1;
}
