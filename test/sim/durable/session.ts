// What the oracle of the crashing worlds knows of one session: subscriptions, what it is owed, and
// the QoS 2 identifiers received from its client, each as a fact that a crash may take back.

import { Durability } from '../../../src/core/journal.ts';
import { encodePacket, type PublishWire } from '../../wire.ts';
import { demand } from '../oracle/message.ts';
import { sharedParts } from '../topics.ts';
import { Fact, type Promised } from './fact.ts';

export interface Publication {
  readonly publisher: string;
  readonly topic: string;
  readonly text: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly expiresAt: number;
  readonly durability: number;
  readonly rank: number;
}

export interface Will {
  readonly topic: string;
  readonly text: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly delayMs: number;
}

/** What the store knows of a session as a whole. */
export interface SessionRecord {
  readonly state: SessionState;
  readonly expiryMs: number;
  /** The store knows it, because it outlives its connection or has a will. */
  readonly stored: boolean;
  readonly connected: boolean;
  readonly endsAt: number;
  readonly willDueAt: number;
  readonly will: Will | null;
}

/** How a copy is owed. */
export interface Terms {
  readonly qos: number;
  readonly retained?: boolean;
  readonly stored: boolean;
  readonly shared?: boolean;
}

/** A copy with QoS 1 or 2 that a session is owed; null when the exchange is over. */
export class Entry {
  readonly publication: Publication;
  readonly qos: number;
  /** Sent because of a new subscription. */
  readonly retained: boolean;
  readonly stored: boolean;
  /** Owed to any member of a share. */
  readonly shared: boolean;
  readonly fact = new Fact<'owed' | 'released' | null>(null);
  readonly owed: Promised;
  packetId = 0;
  sentStamp = 0;
  /** The broker may have dropped it: it has expired, is too large, or went with a session. */
  excused = false;

  constructor(p: Publication, terms: Terms, stamp: number) {
    this.publication = p;
    this.qos = terms.qos;
    this.retained = terms.retained ?? false;
    this.stored = terms.stored;
    this.shared = terms.shared ?? false;
    this.owed = this.fact.set('owed', stamp);
  }
}

/** A QoS 2 message received and not released: what it was, and what was promised with it. */
export interface Received {
  readonly topic: string;
  readonly text: string;
  readonly durability: number;
  readonly stored: boolean;
  readonly promises: readonly Promised[];
}

/** When something happens: the core's time, and the journal's position. */
export interface At {
  readonly now: number;
  readonly stamp: number;
}

export class SessionState {
  readonly clientId: string;
  /** The largest packet that its client takes. */
  packetSizeMax = Number.POSITIVE_INFINITY;
  readonly subscriptions = new Map<string, Fact<number | null>>();
  entries: Entry[] = [];
  /** By packet identifier. */
  readonly inFlight = new Map<number, Entry>();
  readonly received = new Map<number, Fact<Received | null>>();
  /** Of these, the ones from before a crash: they may have been released. */
  readonly doubtful = new Set<number>();
  /** QoS 2 messages by topic and text: how often they may come, and have come. */
  readonly copies = new Map<string, { allowed: number; arrived: number }>();
  readonly #lastRank = new Map<string, number>();
  /** A crash took something that it may take: identifiers of weak messages may mean others. */
  weakened = false;
  /** A crash brought it back though its client had ended it, as weaker classes allow. */
  revived = false;

  constructor(clientId: string) {
    this.clientId = clientId;
  }

  owe(p: Publication, terms: Terms, stamp: number): Entry {
    const entry = new Entry(p, terms, stamp);
    this.adopt(entry);
    return entry;
  }

  /** Whether it is a member of a share. */
  get sharing(): boolean {
    return [...this.subscriptions].some(([filter, { value }]) => {
      return value !== null && sharedParts(filter) !== null;
    });
  }

  /** What would go to another member of the share: QoS 2 messages that were sent stay. */
  legacy(): Entry[] {
    return this.entries.filter(({ shared, fact, qos, packetId }) => {
      return shared && fact.value === 'owed' && (qos === 1 || packetId === 0);
    });
  }

  /** Also for what was owed to a share until it came to this member of it. */
  adopt(entry: Entry): void {
    this.entries.push(entry);
    if (entry.qos < 2 || entry.retained) return;
    const copies = this.copiesOf(entry.publication.topic, entry.publication.text);
    copies.allowed++;
  }

  copiesOf(topic: string, text: string): { allowed: number; arrived: number } {
    const key = `${topic} ${text}`;
    let copies = this.copies.get(key);
    if (copies === undefined) {
      copies = { allowed: 0, arrived: 0 };
      this.copies.set(key, copies);
    }
    return copies;
  }

  receivedUnder(packetId: number): Fact<Received | null> {
    let fact = this.received.get(packetId);
    if (fact === undefined) {
      fact = new Fact<Received | null>(null);
      this.received.set(packetId, fact);
    }
    return fact;
  }

  /** The message received before that a QoS 2 message passes for; null when it is a new one. */
  knownAs({ packetId, dup, topic }: PublishWire, met: Set<string>): Received | null {
    const known = this.received.get(packetId)?.value ?? null;
    if (known === null || !this.doubtful.has(packetId)) return known;
    if (!dup) {
      met.add('a QoS 2 identifier had been released before the crash');
      return null;
    }
    if (known.topic === topic) return known;
    met.add('a QoS 2 identifier stands for another topic after the crash');
    return null;
  }

  // ---- What the broker sends -------------------------------------------------------------------

  /** The broker sends a PUBLISH with QoS 1 or 2: again, or what it owes next. */
  sent(packet: PublishWire, shares: Set<Entry>, twins: Set<string>, at: At): void {
    const text = new TextDecoder().decode(packet.payload);
    if (text === '') return;
    const what = () => `${packet.topic} «${text}» QoS ${packet.qos} to ${this.clientId}`;
    const known = this.inFlight.get(packet.packetId);
    if (known !== undefined) {
      const { publication, fact } = known;
      demand(
        publication.text === text && publication.topic === packet.topic,
        () => `${what()} under the identifier of «${publication.text}»`,
      );
      demand(fact.value === 'owed', () => `${what()} was released and comes again`);
      return;
    }
    const fits = ({ publication: p, qos, retained, packetId }: Entry) =>
      p.text === text &&
      p.topic === packet.topic &&
      qos === packet.qos &&
      packetId === 0 &&
      retained === packet.retain;
    let entry = this.#next(each => fits(each) && each.fact.value === 'owed', at.now);
    if (entry === undefined) {
      entry = [...shares].find(fits);
      if (entry !== undefined) {
        shares.delete(entry);
        this.adopt(entry);
      }
    }
    if (entry === undefined && twins.has(text)) return;
    demand(entry !== undefined, () => `${what()} is owed to nobody there`);
    this.#checkOrder(entry, what);
    entry.packetId = packet.packetId;
    entry.sentStamp = at.stamp;
    this.inFlight.set(packet.packetId, entry);
  }

  /** Of those that fit the one that is due: there are several when it was sent again. */
  #next(fits: (entry: Entry) => boolean, now: number): Entry | undefined {
    const owed = this.entries.filter(fits);
    const entry = owed.find(each => this.#inOrder(each)) ?? owed[0];
    if (entry === undefined || entry.publication.expiresAt > now) return entry;
    // It has expired, and went before that or was dropped: then this was one of the others.
    for (const other of owed) other.excused = true;
    return entry;
  }

  #inOrder({ publication: { publisher, topic, rank }, qos }: Entry): boolean {
    return rank > (this.#lastRank.get(`${publisher} ${topic} ${qos}`) ?? -1);
  }

  #checkOrder(entry: Entry, what: () => string): void {
    const { publication, retained, qos } = entry;
    const { publisher, topic, rank } = publication;
    // Which of two by one name a member of a share gets cannot be told.
    if (retained || topic.endsWith('/share')) return;
    demand(this.#inOrder(entry), () => `${what()} was overtaken`);
    this.#lastRank.set(`${publisher} ${topic} ${qos}`, rank);
  }

  /** The client's PUBACK, PUBREC (`released`) or PUBCOMP has been handled. */
  acknowledged(packetId: number, released: boolean, stamp: number): void {
    const entry = this.inFlight.get(packetId);
    if (entry === undefined) return;
    if (released) {
      if (entry.fact.value === 'owed') entry.fact.set('released', stamp);
      return;
    }
    entry.fact.set(null, stamp);
    this.inFlight.delete(packetId);
  }

  // ---- A crash ---------------------------------------------------------------------------------

  /** Rolls back to what the disk has; `needed` is the class from which on promises hold. */
  rollBack(through: number, needed: number, now: number, broken: (what: string) => void): void {
    for (const [filter, fact] of this.subscriptions) {
      const { broken: lost } = fact.rollBack(through, needed);
      if (lost) broken(`the subscription of ${this.clientId} to ${filter}`);
      if (fact.value === null) this.subscriptions.delete(filter);
    }
    for (const [id, fact] of this.received) {
      const outcome = fact.rollBack(through, needed);
      if (outcome.lost) this.weakened = true;
      if (outcome.broken) broken(`QoS 2 identifier ${id} of ${this.clientId}`);
      if (fact.value === null || !fact.value.stored) this.received.delete(id);
    }
    this.doubtful.clear();
    for (const id of this.received.keys()) this.doubtful.add(id);
    this.inFlight.clear();
    this.#lastRank.clear();
    for (const entry of this.entries) this.#rollBackEntry(entry, through, needed, now, broken);
    this.entries = this.entries.filter(entry => entry.fact.value !== null);
  }

  #rollBackEntry(
    entry: Entry,
    through: number,
    needed: number,
    now: number,
    broken: (what: string) => void,
  ): void {
    const { publication, fact, qos } = entry;
    const { topic, text, durability } = publication;
    const was = fact.value;
    const outcome = fact.rollBack(entry.stored ? through : -1, needed);
    if (publication.expiresAt <= now) entry.excused = true;
    if (outcome.broken && entry.stored && !entry.excused) {
      broken(`«${text}» on ${topic} QoS ${qos} for ${this.clientId} (${was} before)`);
    }
    if (qos === 2 && !entry.retained) {
      const copies = this.copiesOf(topic, text);
      if (durability < needed) copies.allowed = Number.POSITIVE_INFINITY;
      else if (outcome.lost && fact.value === null) copies.allowed--;
    }
    if (durability < needed) this.weakened = true;
    const sent = qos === 2 && (fact.value === 'released' || entry.sentStamp <= through);
    if (!sent) entry.packetId = 0;
    entry.sentStamp = 0;
    if (fact.value !== null && entry.packetId > 0) this.inFlight.set(entry.packetId, entry);
  }
}

/** The class from which on an acknowledgement survives: a crash of the process, or of the power. */
export function neededAfter(powerCut: boolean): number {
  return powerCut ? Durability.Strict : Durability.Written;
}

/** Bytes of its PUBLISH, near enough: names are short, or longer than some take. */
export function sizeOf({ topic, text }: Publication, qos: number): number {
  const payload = new TextEncoder().encode(text);
  return encodePacket({ type: 'publish', topic, payload, qos, packetId: 1 }, 5).length;
}
