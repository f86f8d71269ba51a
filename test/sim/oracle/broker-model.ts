// What an ideal broker would know: sessions, retained messages, and what each publication owes to
// whom at the moment it is accepted. Sessions end and delayed wills are published here too, when
// `advance` reaches their time.

import { matches } from '../topics.ts';
import type { Owed, OwedToShare, Publication, QoS, Terms } from './message.ts';
import { sameName, sameNumbers } from './message.ts';
import { retainedTerms, type SessionModel, type Subscription } from './session.ts';

/** A publication that has not been accepted yet. */
export type Draft = Omit<Publication, 'rank' | 'publisher' | 'expiresAt'> & {
  readonly expirySeconds: number | null;
};

export interface WillDraft {
  readonly draft: Draft;
  readonly delaySeconds: number;
}

/** How much may wait for one session, and what goes when it is more. */
export interface QueueBound {
  readonly messagesMax: number;
  readonly policy: 'drop-newest' | 'drop-oldest';
}

export class BrokerModel {
  readonly sessions = new Map<string, SessionModel>();
  readonly retained = new Map<string, Publication>();
  readonly owedToShares = new Set<OwedToShare>();
  /** QoS 0 copies for sessions that were offline: the broker counts at least as many. */
  droppedOffline = 0;
  /** QoS 0 copies of which it is a matter of taste whether somebody offline was to get them. */
  droppedOfflineMaybe = 0;
  /** QoS 1 and 2 copies that went with the session they were for. */
  lostWithSession = 0;
  /** QoS 0 copies of the current input: QoS 0 is sent at once or never. */
  readonly atOnce: { session: SessionModel | null; owed: Owed | OwedToShare }[] = [];
  /** What has happened at least once: a simulation that never meets a case does not test it. */
  readonly met = new Set<string>();
  #accepted = 0;
  /** QoS 1 and 2 copies beyond the bound of a queue, where that can be foretold. */
  queueFull = 0;
  readonly #queueQoS0: boolean;
  readonly #queue: QueueBound | null;

  /** `queue` is given where each drop at the bound of a queue can be foretold. */
  constructor(queueQoS0: boolean, queue: QueueBound | null) {
    this.#queueQoS0 = queueQoS0;
    this.#queue = queue;
  }

  /** Accepts a publication; returns it and how many subscribers and shares it was meant for. */
  publish(
    publisher: string,
    draft: Draft,
    now: number,
  ): { publication: Publication; recipients: number } {
    const { expirySeconds, ...rest } = draft;
    const expiresAt = expirySeconds === null ? Infinity : now + expirySeconds * 1000;
    const publication = { ...rest, expiresAt, rank: this.#accepted++, publisher };
    if (publication.retain) this.#retain(publication);
    let recipients = 0;
    const shares = new Map<string, Map<SessionModel, Terms>>();
    for (const session of this.sessions.values()) {
      const hits: Subscription[] = [];
      for (const subscription of session.subscriptions.values()) {
        if (!matches(subscription.filter, publication.topic)) continue;
        if (subscription.share === null) {
          // No Local: not to the connection it came from [MQTT-3.8.3-3].
          if (!(subscription.noLocal && session.clientId === publisher)) hits.push(subscription);
          continue;
        }
        const members = shares.get(subscription.share) ?? new Map<SessionModel, Terms>();
        shares.set(subscription.share, members);
        members.set(session, termsOf(publication, [subscription]));
      }
      if (hits.length === 0) continue;
      recipients++;
      this.#owe(session, publication, termsOf(publication, hits));
    }
    for (const [share, members] of shares) {
      recipients++;
      this.#oweToShare(share, publication, members, false);
    }
    return { publication, recipients };
  }

  #owe(session: SessionModel, publication: Publication, terms: Terms): void {
    if (terms.qos === 0 && !session.online && !(this.#queueQoS0 && session.expirySeconds > 0)) {
      this.droppedOffline++;
      return;
    }
    const live = { retainedFor: null, share: null, rerouted: false };
    const owed = session.owe({ publication, terms, ...live });
    if (terms.qos > 0) return;
    if (session.online) this.atOnce.push({ session, owed });
    if (this.#queueQoS0) owed.excuse = 'QoS 0 may wait for its client, but need not';
  }

  /** One member gets it: a connected one while there is one [MQTT 5.0 4.8.2]. */
  #oweToShare(
    share: string,
    publication: Publication,
    members: ReadonlyMap<SessionModel, Terms>,
    rerouted: boolean,
  ): void {
    const connected = [...members].filter(([session]) => session.online);
    const eligible = connected.length > 0 ? connected : [...members];
    const qos0 = eligible.filter(([, terms]) => terms.qos === 0).length;
    let excuse: string | null = null;
    if (connected.length === 0 && qos0 > 0) {
      if (qos0 === eligible.length && !this.#queueQoS0) {
        this.droppedOffline++;
        return;
      }
      this.droppedOfflineMaybe++;
      excuse = 'it may have been meant for an offline member with QoS 0';
    }
    const owed: OwedToShare = {
      publication,
      share,
      members: new Map(eligible.map(([session, terms]) => [session.clientId, [terms]])),
      own: new Map(eligible.map(([session, terms]) => [session.clientId, terms])),
      rerouted,
      excuse,
    };
    const mixed = this.#mixedWithTwins(owed);
    this.owedToShares.add(mixed);
    if (connected.length > 0 && qos0 > 0) this.atOnce.push({ session: null, owed: mixed });
  }

  /**
   * A publisher that sends again makes two publications of one name, and empty payloads have none.
   * Which of them a member gets cannot be seen, so each may go where any of the others may.
   */
  #mixedWithTwins(owed: OwedToShare): OwedToShare {
    const twins = [...this.owedToShares].filter(({ share, publication }) => {
      return share === owed.share && sameName(publication, owed.publication);
    });
    if (twins.length === 0) return owed;
    const ways = new Map<string, Terms[]>();
    for (const [clientId, terms] of [owed, ...twins].flatMap(({ members }) => [...members])) {
      const known = ways.get(clientId) ?? [];
      ways.set(clientId, [...known, ...terms.filter(each => !known.some(w => sameTerms(w, each)))]);
    }
    for (const twin of twins) {
      this.owedToShares.delete(twin);
      this.owedToShares.add({ ...twin, members: new Map(ways), rerouted: true });
    }
    return { ...owed, members: ways, rerouted: true };
  }

  /** The bound of a queue costs exactly the newest, or the oldest, that do not fit. */
  trimQueue(session: SessionModel): void {
    if (this.#queue === null) return;
    const { messagesMax, policy } = this.#queue;
    const over = session.owed.size - messagesMax;
    if (over <= 0) return;
    const queue = [...session.owed];
    const dropped = policy === 'drop-newest' ? queue.slice(messagesMax) : queue.slice(0, over);
    for (const owed of dropped) session.owed.delete(owed);
    this.queueFull += over;
  }

  // ---- Retained messages -----------------------------------------------------------------------

  #retain(publication: Publication): void {
    const { topic } = publication;
    const cleared = publication.payload.length === 0;
    if (!cleared) this.retained.set(topic, publication);
    else if (this.retained.delete(topic)) this.met.add('a retained message is cleared');
    // Where retained messages are still on their way, the old one or the new one may go.
    for (const session of this.sessions.values()) {
      for (const [filter, times] of session.underway) {
        const subscription = session.subscriptions.get(filter);
        session.excuseRetained(filter, topic, 'the retained message was replaced meanwhile');
        if (cleared || subscription === undefined || !matches(subscription.filter, topic)) continue;
        for (let i = 0; i < times; i++) {
          this.#oweRetained(session, subscription, filter, publication).excuse =
            'it was retained while others were on their way';
        }
      }
    }
  }

  #oweRetained(
    session: SessionModel,
    subscription: Subscription,
    filter: string,
    publication: Publication,
  ): Owed {
    const terms = retainedTerms(subscription, publication.qos);
    return session.owe({ publication, terms, retainedFor: filter, share: null, rerouted: false });
  }

  /** Sets or replaces a subscription; `filter` is as the client gave it, $share and all. */
  subscribe(
    session: SessionModel,
    filter: string,
    subscription: Subscription,
    retainHandling: number,
    now: number,
  ): void {
    const fresh = !session.subscriptions.has(filter);
    session.subscriptions.set(filter, subscription);
    if (filter.startsWith('$SYS/')) session.askedForSys = true;
    // What was still to be sent for the old one may come on either's terms, or not at all.
    session.excuseRetained(filter, null, 'the subscription was replaced');
    const waiting = new Set<Publication>();
    for (const owed of session.owed) {
      if (owed.retainedFor === filter) waiting.add(owed.publication);
    }
    for (const publication of waiting) {
      for (let i = 0; i < (session.underway.get(filter) ?? 0); i++) {
        const again = this.#oweRetained(session, subscription, filter, publication);
        again.excuse = 'the subscription was replaced';
      }
    }
    if (subscription.share !== null) return;
    if (retainHandling === 2 || (retainHandling === 1 && !fresh)) return;
    session.underway.set(filter, (session.underway.get(filter) ?? 0) + 1);
    for (const publication of this.retained.values()) {
      if (publication.expiresAt <= now) continue;
      if (!matches(subscription.filter, publication.topic)) continue;
      this.#oweRetained(session, subscription, filter, publication);
    }
  }

  unsubscribe(session: SessionModel, filter: string): boolean {
    session.excuseRetained(filter, null, 'the subscription is gone');
    return session.subscriptions.delete(filter);
  }

  // ---- Sessions --------------------------------------------------------------------------------

  /** The client's connection is over. `will` is null when it must not be published. */
  disconnect(session: SessionModel, will: WillDraft | null, now: number): void {
    session.goOffline();
    session.endsAt =
      session.expirySeconds >= 0xffff_ffff ? Infinity : now + session.expirySeconds * 1000;
    if (will !== null) {
      const dueAt = Math.min(now + will.delaySeconds * 1000, session.endsAt);
      session.will = { draft: will.draft, dueAt };
    }
    this.#settleSession(session, now);
  }

  /** A session's own time: its will is published, or it ends. */
  #settleSession(session: SessionModel, now: number): void {
    if (session.endsAt <= now) this.end(session, now);
    else if (session.will !== null && session.will.dueAt <= now) this.#publishWill(session, now);
  }

  #publishWill(session: SessionModel, now: number): void {
    const will = session.will!;
    session.will = null;
    this.met.add('a will is published');
    this.publish(session.clientId, will.draft, now);
  }

  /** Lets everything happen that is due, oldest first. */
  advance(now: number): void {
    const due = [...this.sessions.values()].filter(session => session.dueAt <= now);
    due.sort((a, b) => a.dueAt - b.dueAt);
    for (const session of due) {
      this.met.add(session.endsAt <= now ? 'a session expires' : 'a delayed will comes due');
      this.#settleSession(session, now);
    }
    for (const [topic, publication] of this.retained) {
      if (publication.expiresAt > now) continue;
      this.retained.delete(topic);
      this.met.add('a retained message expires');
    }
  }

  /** The session ends: its share of shared messages goes to others, its will is published. */
  end(session: SessionModel, now: number): void {
    this.sessions.delete(session.clientId);
    this.trimQueue(session);
    for (const owed of session.owed) if (owed.terms.qos > 0) this.lostWithSession++;
    for (const { owed } of session.inFlight.values()) {
      // QoS 1 that was not acknowledged goes to another member, QoS 2 never [MQTT-4.8.2-4, -5].
      if (owed.share !== null && owed.terms.qos === 1) this.#reroute(owed.share, owed.publication);
      if (owed.share !== null && owed.terms.qos === 2)
        this.met.add('a QoS 2 message of a share is lost');
    }
    for (const owed of [...this.owedToShares]) {
      if (!owed.members.delete(session.clientId)) continue;
      // It may have waited for this member, and goes to somebody else now.
      this.owedToShares.delete(owed);
      const others = this.#membersOf(owed.share, owed.publication);
      const members = new Map(owed.members);
      for (const [other, terms] of others) {
        members.set(other.clientId, [terms, ...(members.get(other.clientId) ?? [])]);
      }
      if (members.size === 0) {
        this.lostWithSession++;
        continue;
      }
      const excuse = owed.excuse ?? 'it may have waited for a member whose session ended';
      const rerouted = { ...owed, members, rerouted: true, excuse };
      this.owedToShares.add(rerouted);
      // Whoever gets it now may have QoS 0 and be slow, or be offline.
      this.atOnce.push({ session: null, owed: rerouted });
      this.droppedOfflineMaybe++;
    }
    if (session.will !== null) this.#publishWill(session, now);
  }

  #membersOf(share: string, publication: Publication): Map<SessionModel, Terms> {
    const members = new Map<SessionModel, Terms>();
    for (const session of this.sessions.values()) {
      for (const subscription of session.subscriptions.values()) {
        if (subscription.share === share) {
          members.set(session, termsOf(publication, [subscription]));
        }
      }
    }
    return members;
  }

  #reroute(share: string, publication: Publication): void {
    const members = this.#membersOf(share, publication);
    if (members.size === 0) return;
    this.met.add('a message goes to another member of a share');
    this.#oweToShare(share, publication, members, true);
  }
}

function sameTerms(a: Terms, b: Terms): boolean {
  return a.qos === b.qos && a.retain === b.retain && sameNumbers(a.identifiers, b.identifiers);
}

/** Overlapping subscriptions: one copy, at the highest QoS, with every identifier. */
function termsOf(publication: Publication, hits: readonly Subscription[]): Terms {
  const granted = Math.max(...hits.map(hit => hit.qos));
  const asPublished = hits.filter(hit => hit.retainAsPublished).length;
  const open = publication.retain && asPublished > 0 && asPublished < hits.length;
  return {
    qos: Math.min(granted, publication.qos) as QoS,
    retain: open ? null : publication.retain && asPublished > 0,
    identifiers: hits
      .map(hit => hit.identifier)
      .filter(identifier => identifier > 0)
      .sort((a, b) => a - b),
  };
}
