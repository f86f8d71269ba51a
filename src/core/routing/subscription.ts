// A subscription: one session's wish for one filter, and the bucket of wishes that share a filter.

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
  /** Set only on what `mergeHits` makes: the overlapping subscriptions of one session. */
  parts: Subscription[] | null = null;

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
  const hit = new Subscription(
    parts[0].session,
    parts[0].filter,
    qos,
    noLocal,
    retainAsPublished,
    identifiers.length > 0 ? identifiers : null,
    null,
  );
  hit.parts = parts;
  return hit;
}

/** Everybody who gave the same filter: plain subscriptions and shares. */
export class Bucket {
  readonly subscriptions: Subscription[] = [];
  groups: ShareGroup[] | null = null;

  get empty(): boolean {
    return this.subscriptions.length === 0 && this.groups === null;
  }

  add(subscription: Subscription): void {
    subscription.index = this.subscriptions.length;
    this.subscriptions.push(subscription);
  }

  remove(subscription: Subscription): void {
    removeIndexed(this.subscriptions, subscription);
  }
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
