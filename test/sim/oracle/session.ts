// What the oracle knows of one session: its subscriptions, the copies it is owed, those in flight
// towards it and the QoS 2 identifiers received from it. Every PUBLISH the broker sends to it is
// held against that here.

import { matches } from '../topics.ts';
import type { Draft } from './broker-model.ts';
import {
  type Copy,
  demand,
  nameOf,
  type Owed,
  type OwedToShare,
  type QoS,
  sameBytes,
  sameNumbers,
  show,
  type Terms,
} from './message.ts';

export interface Subscription {
  /** Without $share and the share's name. */
  readonly filter: string;
  /** Share name and filter, or null. */
  readonly share: string | null;
  readonly qos: number;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** 0 for none. */
  readonly identifier: number;
}

export interface InFlight {
  readonly packetId: number;
  readonly owed: Owed;
  /** PUBREC came: only PUBREL and PUBCOMP are left. */
  released: boolean;
  /** Sent on the current connection, so that it counts against receive maximum. */
  counted: boolean;
  /** It may be given up instead of sent again: the client takes smaller packets now. */
  mayVanish: boolean;
}

export class SessionModel {
  clientId: string;
  readonly version: number;
  online = true;
  expirySeconds = 0;
  /** As of its last connection. */
  packetSizeMax = Infinity;
  /** When it ends unless its client comes back. */
  endsAt = Infinity;
  will: { readonly draft: Draft; readonly dueAt: number } | null = null;
  /** By filter as the client gave it. */
  readonly subscriptions = new Map<string, Subscription>();
  /** What waited for it may come after it has unsubscribed again. */
  askedForSys = false;
  /** Copies not sent yet, in the order they were routed. */
  readonly owed = new Set<Owed>();
  /** By packet identifier, in the order of first sending. */
  readonly inFlight = new Map<number, InFlight>();
  readonly received = new Set<number>();
  /** Names of the QoS 2 messages accepted from its client: none may be accepted twice. */
  readonly accepted = new Set<string>();
  /** Filters for which retained messages may still be on their way, and how many times over. */
  readonly underway = new Map<string, number>();
  /** After a reconnect: what must be sent again, in this order. */
  resendPublish: InFlight[] = [];
  resendPubrel: InFlight[] = [];
  #released: InFlight[] = [];
  readonly #lastRank = new Map<string, number>();

  constructor(clientId: string, version: number) {
    this.clientId = clientId;
    this.version = version;
  }

  /** When its will is due or it ends, while it has no connection. */
  get dueAt(): number {
    if (this.online) return Infinity;
    return Math.min(this.endsAt, this.will?.dueAt ?? Infinity);
  }

  /** In flight on the current connection, as receive maximum counts it [MQTT-3.3.4-9]. */
  get unacknowledged(): number {
    let count = 0;
    for (const entry of this.inFlight.values()) if (entry.counted) count++;
    return count;
  }

  owe(owed: Omit<Owed, 'excuse'>): Owed {
    const entry: Owed = { ...owed, excuse: null };
    this.owed.add(entry);
    return entry;
  }

  /** The connection is over: QoS 0 that was not sent is lost, and so may retained messages be. */
  goOffline(): void {
    this.online = false;
    for (const owed of this.owed) {
      if (owed.retainedFor !== null) owed.excuse ??= 'the connection ended before it was sent';
      else if (owed.terms.qos === 0 && owed.excuse === null) this.owed.delete(owed);
    }
  }

  goOnline(): void {
    this.online = true;
    this.endsAt = Infinity;
    this.will = null;
    const all = [...this.inFlight.values()];
    for (const entry of all) entry.counted = false;
    this.resendPublish = all.filter(each => !each.released);
    this.#released = this.#released.filter(each => this.inFlight.get(each.packetId) === each);
    this.resendPubrel = [...this.#released];
  }

  // ---- Retained messages on their way ----------------------------------------------------------

  /** Retained copies for `filter` (of `topic`, unless it is null) need not arrive any more. */
  excuseRetained(filter: string, topic: string | null, excuse: string): void {
    for (const owed of this.owed) {
      if (owed.retainedFor !== filter) continue;
      if (topic === null || owed.publication.topic === topic) owed.excuse ??= excuse;
    }
  }

  // ---- What the broker sends -------------------------------------------------------------------

  /** A PUBLISH with DUP = 1: it must be the next in line to be sent again. */
  resent(copy: Copy, now: number): void {
    let next = this.resendPublish.shift();
    while (next?.mayVanish && next.packetId !== copy.packetId) {
      this.finish(next);
      next = this.resendPublish.shift();
    }
    demand(next !== undefined, () => `DUP set on what is not sent again: ${show(copy)}`);
    demand(
      next.packetId === copy.packetId,
      () => `sent again out of order: ${show(copy)}, expected packet id ${next.packetId}`,
    );
    const { terms } = next.owed;
    demand(
      fits(terms, copy),
      () => `${show(copy)} differs from its first sending, ${JSON.stringify(terms)}`,
    );
    checkContent(next.owed, copy, this.version, now, false);
    next.counted = true;
  }

  /** A PUBLISH with DUP = 0: it must be owed; returns what it was, now paid. */
  sent(copy: Copy, shares: Set<OwedToShare>, now: number): Owed {
    const owed = this.#find(copy, shares, now);
    checkContent(owed, copy, this.version, now, true);
    this.#checkOrder(owed, copy);
    this.owed.delete(owed);
    if (copy.qos === 0) return owed;
    const { packetId } = copy;
    demand(!this.inFlight.has(packetId), () => `packet id is in flight already: ${show(copy)}`);
    const entry = { packetId, owed, released: false, counted: true, mayVanish: false };
    this.inFlight.set(packetId, entry);
    return owed;
  }

  #find(copy: Copy, shares: Set<OwedToShare>, now: number): Owed {
    const name = nameOf(copy.topic, copy.payload);
    let near: Terms | null = null;
    let excused: Owed | null = null;
    let unlike: Owed | null = null;
    for (const owed of this.owed) {
      const { publication } = owed;
      const { topic, payload } = publication;
      if (topic !== copy.topic || nameOf(topic, payload) !== name) continue;
      if (!fits(owed.terms, copy)) near ??= owed.terms;
      else if (!this.#alike(owed, copy, now)) unlike ??= payload.length > 0 ? owed : null;
      else if (owed.excuse === null) return owed;
      else excused ??= owed;
    }
    if (excused !== null) return excused;
    let best: OwedToShare | null = null;
    let bestRank = -1;
    let unlikeShare: OwedToShare | null = null;
    for (const owed of shares) {
      const { publication } = owed;
      const ways = owed.members.get(this.clientId);
      if (ways === undefined || nameOf(publication.topic, publication.payload) !== name) continue;
      if (!ways.some(terms => fits(terms, copy))) near ??= ways[0]!;
      else if (this.#alike(owed, copy, now)) {
        const own = owed.own.get(this.clientId);
        const rank = (own && fits(own, copy) ? 2 : 0) + (owed.excuse === null ? 1 : 0);
        if (rank > bestRank) best = owed;
        bestRank = Math.max(rank, bestRank);
      } else if (copy.payload.length > 0) unlikeShare ??= owed;
    }
    if (best !== null) return this.#takeShare(best, copy, shares);
    const walked = this.#takeWalked(copy, name, now);
    if (walked !== null) return walked;
    // What differs is said by the checks that follow.
    if (unlike !== null) return unlike;
    if (unlikeShare !== null) return this.#takeShare(unlikeShare, copy, shares);
    const instead = near === null ? 'nothing of the kind' : JSON.stringify(near);
    demand(false, () => `${this.clientId} gets ${show(copy)}, but is owed ${instead}`);
  }

  /**
   * A retained message that several new subscriptions match: for which of them it came first is not
   * seen, so each may have left the last copy to another, on that one's present terms.
   */
  #takeWalked(copy: Copy, name: string, now: number): Owed | null {
    for (const filter of copy.retain ? this.underway.keys() : []) {
      const subscription = this.subscriptions.get(filter);
      if (subscription === undefined || !matches(subscription.filter, copy.topic)) continue;
      for (const owed of this.owed) {
        const { publication, retainedFor } = owed;
        if (retainedFor === null || nameOf(publication.topic, publication.payload) !== name)
          continue;
        const terms = retainedTerms(subscription, publication.qos);
        if (!fits(terms, copy) || !this.#alike(owed, copy, now)) continue;
        this.owed.delete(owed);
        return { ...owed, terms };
      }
    }
    return null;
  }

  #takeShare(owed: OwedToShare, copy: Copy, shares: Set<OwedToShare>): Owed {
    shares.delete(owed);
    const { publication, share, rerouted } = owed;
    const terms = owed.members.get(this.clientId)!.find(each => fits(each, copy))!;
    return { publication, terms, retainedFor: null, share, rerouted, excuse: null };
  }

  /**
   * Whether `copy` is of this very publication and not of another by the same name: one that was
   * sent again by its publisher, or that has no payload to tell it by.
   */
  #alike(owed: Owed | OwedToShare, copy: Copy, now: number): boolean {
    const { properties, expiresAt, rank } = owed.publication;
    if (expiresAt < now) return false;
    const live = !('retainedFor' in owed && owed.retainedFor !== null) && !owed.rerouted;
    if (live && rank <= (this.#lastRank.get(streamOf(owed, copy)) ?? -1)) return false;
    if (this.version < 5) return true;
    const expiry = expiresAt === Infinity ? null : (expiresAt - now) / 1000;
    if (expiry === null || copy.expirySeconds === null) {
      if (expiry !== copy.expirySeconds) return false;
    } else if (Math.abs(expiry - copy.expirySeconds) > 1) {
      return false;
    }
    return properties === copy.properties;
  }

  /** First sendings of one publisher's messages on one topic keep their order [MQTT-4.6.0-6]. */
  #checkOrder(owed: Owed, copy: Copy): void {
    if (owed.retainedFor !== null || owed.rerouted || copy.payload.length === 0) return;
    const { publisher, topic, rank } = owed.publication;
    const overtaken = this.resendPublish.find(({ owed: { publication, terms }, mayVanish }) => {
      if (publication.publisher !== publisher || publication.topic !== topic) return false;
      return terms.qos === copy.qos && !mayVanish;
    });
    demand(!overtaken, () => `${show(copy)} overtakes what has to be sent again`);
    const stream = streamOf(owed, copy);
    const last = this.#lastRank.get(stream) ?? -1;
    demand(rank > last, () => `out of order: ${show(copy)} is #${rank}, sent before was #${last}`);
    this.#lastRank.set(stream, rank);
  }

  // ---- What its client answers -----------------------------------------------------------------

  /** PUBREC: the broker must answer with PUBREL. */
  release(entry: InFlight): void {
    entry.released = true;
    this.#released.push(entry);
  }

  /** PUBACK, PUBCOMP or an error: the exchange is over. */
  finish(entry: InFlight): void {
    this.inFlight.delete(entry.packetId);
  }
}

/** On which terms a retained message comes because of a new subscription [MQTT-3.3.1-8]. */
export function retainedTerms({ qos, identifier }: Subscription, published: number): Terms {
  const identifiers = identifier > 0 ? [identifier] : [];
  return { qos: Math.min(qos, published) as QoS, retain: true, identifiers };
}

/** What keeps its order: one publisher's messages on one topic with one QoS, share by share. */
function streamOf({ publication, share }: Owed | OwedToShare, copy: Copy): string {
  return `${publication.publisher}\n${publication.topic}\n${copy.qos}\n${share}`;
}

function fits(terms: Terms, copy: Copy): boolean {
  return (
    terms.qos === copy.qos &&
    (terms.retain === null || terms.retain === copy.retain) &&
    sameNumbers(terms.identifiers, copy.identifiers)
  );
}

function checkContent(owed: Owed, copy: Copy, version: number, now: number, first: boolean): void {
  const { publication } = owed;
  demand(sameBytes(publication.payload, copy.payload), () => `payload corrupted: ${show(copy)}`);
  const rest = (publication.expiresAt - now) / 1000;
  demand(!first || rest >= 0, () => `expired ${-rest} s ago: ${show(copy)}`);
  if (version < 5) return;
  const { properties } = publication;
  demand(properties === copy.properties, () => {
    return `properties of ${show(copy)} are ${copy.properties}, published were ${properties}`;
  });
  if (rest === Infinity) {
    demand(copy.expirySeconds === null, () => `expiry interval out of nowhere: ${show(copy)}`);
    return;
  }
  demand(
    copy.expirySeconds !== null && Math.abs(copy.expirySeconds - Math.max(0, rest)) <= 1,
    () => `${rest} s until expiry, but ${copy.expirySeconds} sent in ${show(copy)}`,
  );
}
