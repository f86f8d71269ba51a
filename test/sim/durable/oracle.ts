// What a broker that keeps its promises would know and do, across crashes. It is told every packet
// that the broker has handled and every packet that it writes. Each fact is stamped with the
// journal's position, so that a crash rolls all of them back to what the disk has got to: exactly
// that is what the restarted broker must know, and nothing that was promised may be missing in it.

import { Durability } from '../../../src/core/journal.ts';
import { encodePacket, type PublishWire, type WirePacket } from '../../wire.ts';
import { demand } from '../oracle/message.ts';
import { matches, sharedParts } from '../topics.ts';
import { Arrivals } from './arrivals.ts';
import { Fact, type Promised } from './fact.ts';
import {
  type Entry,
  type Publication,
  type SessionRecord,
  SessionState,
  sizeOf,
} from './session.ts';
import { expirySeconds, type Talk } from './talk.ts';

type SessionFact = Fact<SessionRecord | null>;

const decoder = new TextDecoder();

export class Oracle {
  readonly sessions = new Map<string, SessionFact>();
  readonly retained = new Map<string, Fact<Publication | null>>();
  /** Owed to some member of the share: to whom is seen when it is sent. */
  shares = new Set<Entry>();
  /** Whatever was owed to a member of the share since the last crash. */
  #sharedEntries: Entry[] = [];
  /** Sent again by their publishers and shared: which of two by one name went is not seen. */
  readonly #twins = new Set<string>();
  readonly #shared = new Set<string>();
  /** Owed to some member of the share with QoS 0, by topic and text: if one is connected. */
  readonly #passingShares = new Set<string>();
  /** What has happened at least once. */
  readonly met = new Set<string>();
  readonly #defaultClass: number;
  readonly #classOf: (topic: string) => number;
  readonly arrivals: Arrivals;
  readonly #talks = new Map<string, Talk>();
  #routed = 0;
  /** Set while one input is looked at. */
  #now = 0;
  #stamp = 0;
  /** The latest that it ever was: a wall clock that jumps may set the core's time back. */
  #latest = 0;

  constructor(defaultClass: number, classOf: (topic: string) => number) {
    this.#defaultClass = defaultClass;
    this.#classOf = classOf;
    this.arrivals = new Arrivals(classOf);
  }

  at(now: number, stamp: number): void {
    this.#now = now;
    this.#stamp = stamp;
    this.#latest = Math.max(this.#latest, now);
  }

  records(): SessionRecord[] {
    return [...this.sessions.values()].map(fact => fact.value).filter(record => record !== null);
  }

  // ---- Connections and sessions ----------------------------------------------------------------

  /** The broker lets a client in. */
  connected(talk: Talk): void {
    const { clientId } = talk;
    const connect = talk.connect!;
    let fact = this.sessions.get(clientId);
    if (fact === undefined) {
      fact = new Fact<SessionRecord | null>(null, record => (record?.stored ? record : null));
      this.sessions.set(clientId, fact);
    }
    const before = fact.value?.stored ?? false;
    if (fact.value?.connected) this.#leave(clientId, true);
    if (fact.value !== null && connect.cleanStart) this.#end(fact);
    const known = fact.value;
    const state = known?.state ?? new SessionState(clientId);
    const { will } = connect;
    const expiry = expirySeconds(connect);
    const expiryMs = expiry === 0xffff_ffff ? Number.POSITIVE_INFINITY : expiry * 1000;
    const storable = expiry > 0 || will !== null || (known?.stored ?? false);
    const record = {
      ...{ state, expiryMs, connected: true },
      stored: storable && this.#defaultClass > Durability.None,
      endsAt: Number.POSITIVE_INFINITY,
      willDueAt: Number.POSITIVE_INFINITY,
      will: will && {
        topic: will.topic,
        text: decoder.decode(will.payload),
        ...{ qos: will.qos, retain: will.retain },
        delayMs: (will.properties.willDelayInterval ?? 0) * 1000,
      },
    };
    const promise = fact.set(record, this.#stamp);
    talk.state = state;
    state.packetSizeMax = connect.properties.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    this.#talks.set(clientId, talk);
    // Where nothing of it is stored, what ended before may come back, to end again.
    const promises = before || record.stored ? [promise] : [];
    talk.owe('connack', 0, this.#defaultClass, promises, known !== null);
  }

  /** The transport is gone. */
  lost(talk: Talk): void {
    if (talk.state !== null && this.#talks.get(talk.clientId) === talk) {
      this.#leave(talk.clientId, true);
    }
    talk.state = null;
  }

  /** The connection of a session ends; the will counts unless its client said goodbye. */
  #leave(clientId: string, withWill: boolean): void {
    const fact = this.sessions.get(clientId)!;
    const record = fact.value!;
    const talk = this.#talks.get(clientId)!;
    talk.state = null;
    this.#talks.delete(clientId);
    const will = withWill ? record.will : null;
    const now = this.#now;
    const left: SessionRecord = {
      ...record,
      ...{ connected: false, will, endsAt: now + record.expiryMs },
      willDueAt: will === null ? Number.POSITIVE_INFINITY : now + will.delayMs,
    };
    fact.set(left, this.#stamp);
    if (left.expiryMs === 0) this.#end(fact);
    else if (left.willDueAt <= now) this.#publishWill(fact);
  }

  #end(fact: SessionFact): void {
    const record = fact.value!;
    fact.set(null, this.#stamp);
    this.#inherit(record.state);
    if (record.will !== null) this.#publish(record.state.clientId, record.will, 0);
  }

  /** What an ended member leaves goes to another one, if there is any. */
  #inherit(ended: SessionState): void {
    if (!ended.sharing) return;
    const heirs = this.records().some(({ state }) => state.sharing);
    for (const entry of ended.legacy()) {
      if (heirs) this.met.add('a member of a share leaves messages to another');
      entry.packetId = 0;
      this.shares.add(entry);
    }
    for (const entry of this.shares) {
      // It may have been on its way to the one that ended, and stays there then.
      if (!heirs || entry.qos === 2) entry.excused = true;
    }
  }

  #publishWill(fact: SessionFact): void {
    const record = fact.value!;
    this.met.add('a will is published');
    fact.set({ ...record, will: null, willDueAt: Number.POSITIVE_INFINITY }, this.#stamp);
    this.#publish(record.state.clientId, record.will!, 0);
  }

  /** The broker has done what was due. */
  advance(): void {
    const now = this.#now;
    for (const fact of this.sessions.values()) {
      const record = fact.value;
      if (record === null || record.connected) continue;
      if (record.endsAt <= now) {
        this.met.add('a session expires');
        this.#end(fact);
      } else if (record.willDueAt <= now) {
        this.met.add('a delayed will comes due');
        this.#publishWill(fact);
      }
    }
    for (const fact of this.retained.values()) {
      if ((fact.value?.expiresAt ?? Number.POSITIVE_INFINITY) > now) continue;
      this.met.add('a retained message expires');
      fact.set(null, this.#stamp);
    }
  }

  // ---- What clients send -----------------------------------------------------------------------

  /** The broker has handled `packet`; `degraded`: its store was failing then. */
  handled(talk: Talk, packet: WirePacket, degraded: boolean): void {
    if (packet.type === 'connect') {
      talk.connect = packet;
      return;
    }
    const { state } = talk;
    if (state === null) return;
    switch (packet.type) {
      case 'publish':
        this.#onPublish(talk, state, packet, degraded);
        return;
      case 'pubrel':
        this.#onPubrel(talk, state, packet.packetId);
        return;
      case 'puback':
      case 'pubcomp':
        state.acknowledged(packet.packetId, false, this.#stamp);
        return;
      case 'pubrec':
        state.acknowledged(packet.packetId, packet.reason < 0x80, this.#stamp);
        if (packet.reason < 0x80) return;
        this.met.add('a client refuses a QoS 2 message');
        this.arrivals.refused(state, packet.packetId);
        return;
      case 'subscribe': {
        const promises = packet.filters.map(({ filter, qos }) => this.#set(state, filter, qos));
        talk.owe('suback', packet.packetId, this.#defaultClass, promises);
        for (const { filter, qos } of packet.filters) this.#oweRetained(state, filter, qos);
        return;
      }
      case 'unsubscribe': {
        const promises = packet.filters.map(filter => this.#set(state, filter, null));
        talk.owe('unsuback', packet.packetId, this.#defaultClass, promises);
        return;
      }
      case 'disconnect':
        this.#leave(talk.clientId, packet.reason !== 0);
        return;
    }
  }

  #set(state: SessionState, filter: string, qos: number | null): Promised {
    let fact = state.subscriptions.get(filter);
    if (fact === undefined) {
      fact = new Fact<number | null>(null);
      state.subscriptions.set(filter, fact);
    }
    return fact.value === qos ? fact.last : fact.set(qos, this.#stamp);
  }

  #oweRetained(state: SessionState, filter: string, qos: number): void {
    if (sharedParts(filter) !== null) return;
    for (const { value } of this.retained.values()) {
      if (value === null || !matches(filter, value.topic)) continue;
      if (value.expiresAt > this.#now) this.#deliver(state, value, qos, true);
    }
  }

  #onPublish(talk: Talk, state: SessionState, packet: PublishWire, degraded: boolean): void {
    const { topic, qos, packetId, retain } = packet;
    const text = decoder.decode(packet.payload);
    const durability = this.#classOf(topic);
    if (qos === 2 && this.#known(talk, state, packet, text, durability)) return;
    const strict = durability === Durability.Strict;
    const refused = degraded && strict && this.#needsStore(state, packet);
    if (refused) {
      this.met.add('a message is refused while the store fails');
      if (qos > 0 && talk.version < 5) this.#leave(talk.clientId, true);
      else if (qos > 0) talk.owe(qos === 1 ? 'puback' : 'pubrec', packetId, -1, [], false);
      return;
    }
    const expiry = packet.properties.messageExpiryInterval ?? null;
    const expiryMs = expiry === null ? Number.POSITIVE_INFINITY : expiry * 1000;
    const promises = this.#publish(talk.clientId, { topic, text, qos, retain }, expiryMs);
    if (qos === 0) return;
    if (qos === 2) {
      const stored = this.#storedWith(state, durability);
      const received = state.receivedUnder(packetId);
      const own = received.set({ topic, text, durability, stored, promises }, this.#stamp);
      state.doubtful.delete(packetId);
      if (stored) promises.push(own);
    }
    talk.owe(qos === 1 ? 'puback' : 'pubrec', packetId, durability, promises);
  }

  /** A QoS 2 message sent again is acknowledged, and promised, again. */
  #known(
    talk: Talk,
    state: SessionState,
    packet: PublishWire,
    text: string,
    durability: number,
  ): boolean {
    const known = state.knownAs(packet, this.met);
    if (known === null) return false;
    const { text: first, promises } = known;
    this.met.add('a QoS 2 message is received twice');
    // Weak messages may pass for one another. So may those of a session that its client had ended.
    const may = state.revived || (state.weakened && durability < Durability.Strict);
    demand(
      first === text || may,
      () => `«${text}» of ${talk.clientId} passes for «${first}» sent again`,
    );
    talk.owe('pubrec', packet.packetId, durability, promises);
    return true;
  }

  #onPubrel(talk: Talk, state: SessionState, packetId: number): void {
    const fact = state.received.get(packetId);
    const durability = fact?.value?.durability ?? Durability.None;
    if (fact !== undefined && fact.value !== null) fact.set(null, this.#stamp);
    const promises = fact !== undefined && this.#storedWith(state, durability) ? [fact.last] : [];
    talk.owe('pubcomp', packetId, durability, promises);
  }

  #storedWith(state: SessionState, durability: number): boolean {
    const record = this.sessions.get(state.clientId)?.value;
    if (record?.state !== state) return false;
    return record.expiryMs > 0 && record.stored && durability > Durability.None;
  }

  /** Whether a message with QoS `qos` has to be stored, so that a failing store refuses it. */
  #needsStore(state: SessionState, packet: PublishWire): boolean {
    const { topic, qos, retain } = packet;
    if (retain || (qos === 2 && this.#storedWith(state, Durability.Strict))) return true;
    return this.records().some(({ stored, expiryMs, state: other }) => {
      if (!stored || expiryMs === 0 || qos === 0) return false;
      return [...other.subscriptions].some(([filter, { value }]) => {
        return (value ?? 0) > 0 && matches(sharedParts(filter)?.filter ?? filter, topic);
      });
    });
  }

  // ---- Routing ---------------------------------------------------------------------------------

  #publish(
    publisher: string,
    from: { topic: string; text: string; qos: number; retain: boolean },
    expiryMs: number,
  ): Promised[] {
    const { topic, text, qos, retain } = from;
    const durability = this.#classOf(topic);
    // Wills carry no expiry here: 0 stands for none.
    const expiresAt = expiryMs === 0 ? Number.POSITIVE_INFINITY : this.#now + expiryMs;
    const p = { publisher, topic, text, qos, retain, expiresAt, durability, rank: this.#routed++ };
    const promises: Promised[] = [];
    if (retain) promises.push(this.#retain(p));
    let shared = -1;
    let sharedStored = false;
    for (const { state } of this.records()) {
      let granted = -1;
      for (const [filter, { value }] of state.subscriptions) {
        const share = sharedParts(filter);
        if (value === null || !matches(share?.filter ?? filter, topic)) continue;
        if (share === null) {
          granted = Math.max(granted, value);
        } else {
          shared = value;
          sharedStored = this.#storedWith(state, durability);
        }
      }
      if (granted < 0) continue;
      const entry = this.#deliver(state, p, granted, false);
      if (entry?.stored) promises.push(entry.owed);
    }
    if (shared > 0 && qos === 0) this.#passingShares.add(`${topic} ${text}`);
    if (shared > 0 && qos > 0 && text !== '') {
      const stored = sharedStored;
      if (this.#shared.has(text)) this.#twins.add(text);
      this.#shared.add(text);
      const home = new SessionState('share');
      const terms = { qos: Math.min(shared, qos), stored, shared: true };
      const entry = home.owe(p, terms, this.#stamp);
      this.shares.add(entry);
      this.#sharedEntries.push(entry);
      if (stored) promises.push(entry.owed);
    }
    return promises;
  }

  #retain(p: Publication): Promised {
    let fact = this.retained.get(p.topic);
    if (fact === undefined) {
      fact = new Fact<Publication | null>(null);
      this.retained.set(p.topic, fact);
    }
    return fact.set(p.text === '' ? null : p, this.#stamp);
  }

  #deliver(state: SessionState, p: Publication, granted: number, retained: boolean): Entry | null {
    const qos = Math.min(p.qos, granted);
    const large = sizeOf(p, qos) > state.packetSizeMax;
    if (large) this.met.add('a message is too large for its client');
    if (qos === 0) {
      const talk = this.#talks.get(state.clientId);
      if (talk?.state === state && !large) talk.passing.owe(p, retained);
      return null;
    }
    if (p.text === '') return null; // empty ones cannot be told apart
    const terms = { qos, retained, stored: this.#storedWith(state, p.durability) };
    const entry = state.owe(p, terms, this.#stamp);
    entry.excused = large;
    return entry;
  }

  // ---- What the broker writes ------------------------------------------------------------------

  wrote(talk: Talk, packet: WirePacket): void {
    const { state } = talk;
    switch (packet.type) {
      case 'publish':
        if (state !== null) this.#sent(talk, state, packet);
        return;
      case 'pubrel': {
        const entry = state?.inFlight.get(packet.packetId);
        if (entry === undefined) return;
        const { fact, publication } = entry;
        demand(fact.value === 'released', () => `PUBREL out of nowhere: «${publication.text}»`);
        fact.last.promised = Math.max(fact.last.promised, publication.durability);
        return;
      }
      case 'connack':
      case 'puback':
      case 'pubrec':
      case 'pubcomp':
      case 'suback':
      case 'unsuback':
        if (talk.answered(packet).present) this.met.add('a session is resumed');
        return;
    }
  }

  #sent(talk: Talk, state: SessionState, packet: PublishWire): void {
    const text = decoder.decode(packet.payload);
    const what = () => `${packet.topic} «${text}» QoS ${packet.qos} to ${talk.clientId}`;
    const size = encodePacket(packet, 5).length;
    demand(size <= state.packetSizeMax, () => `${what()} is larger than it takes: ${size} bytes`);
    if (packet.qos > 0) {
      state.sent(packet, this.shares, this.#twins, { now: this.#latest, stamp: this.#stamp });
    } else if (!talk.passing.sent(packet, text)) {
      demand(this.#passingShares.delete(`${packet.topic} ${text}`), () => `${what()} is not owed`);
    }
  }

  // ---- Crashes ---------------------------------------------------------------------------------

  /** The disk has got to `through`; promises of class `needed` and stronger must hold. */
  crash(through: number, needed: number): void {
    const broken: string[] = [];
    const note = (what: string) => broken.push(what);
    this.#talks.clear();
    for (const [clientId, fact] of this.sessions) {
      const last = fact.value?.state;
      if (fact.rollBack(through, needed).broken) note(`the session of ${clientId}`);
      const record = fact.value;
      // Nobody was promised that it had ended, or this is a broken promise. Its client may think
      // so all the same: it was told so for a session after it that nothing was stored of.
      if (record !== null && record.state !== last) {
        record.state.revived = true;
        record.state.weakened = true;
      }
      if (record === null) {
        this.sessions.delete(clientId);
        continue;
      }
      if (record.expiryMs === 0) record.state.subscriptions.clear(); // only its will is kept
      record.state.rollBack(through, needed, this.#latest, note);
    }
    for (const [topic, fact] of this.retained) {
      if (this.#classOf(topic) === Durability.None) this.retained.delete(topic);
      else if (fact.rollBack(through, needed).broken) note(`what is retained on ${topic}`);
    }
    const home = new SessionState('share');
    home.entries = this.#sharedEntries;
    home.rollBack(through, needed, this.#latest, note);
    // Which member has what is not seen: it may have gone from one to another.
    this.#sharedEntries = home.entries;
    this.shares = new Set(home.entries);
    demand(broken.length === 0, () => `promised and not on disk: ${broken.join('; ')}`);
  }

  /** The broker is back: whoever was connected is not any more. */
  restarted(): void {
    const now = this.#now;
    for (const fact of this.sessions.values()) {
      const record = fact.value;
      if (record === null || !record.connected) continue;
      const willDueAt = record.will === null ? Number.POSITIVE_INFINITY : now + record.will.delayMs;
      const endsAt = now + record.expiryMs;
      fact.set({ ...record, connected: false, endsAt, willDueAt }, this.#stamp);
      if (record.will !== null) this.met.add('a crash leaves a will');
    }
  }

  /** What somebody is still owed, in words. */
  unpaid(): string[] {
    const entries = this.records().flatMap(({ state }) => state.entries);
    const passing = [...this.#talks.values()].flatMap(talk => talk.passing.unpaid());
    // What was sent to a member is that one's, even if it ends with it.
    const waiting = [...this.shares].filter(({ packetId }) => packetId === 0);
    const owed = [...entries, ...waiting]
      .filter(({ fact, excused, publication }) => {
        const gone = excused || publication.expiresAt <= this.#latest;
        return fact.value !== null && !gone && !this.#twins.has(publication.text);
      })
      .map(({ publication: { topic, text }, qos, packetId, fact }) => {
        return `${topic} «${text}» QoS ${qos} (${fact.value}, packet id ${packetId})`;
      });
    return [...owed, ...passing];
  }
}
