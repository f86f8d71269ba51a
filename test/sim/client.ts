// A model client: it keeps to the protocol of its version, and has a memory of its own that
// outlives its connections, so that it sends again what was not acknowledged. What it does when is
// the world's decision; how it answers is its own.

import type { Prng } from '../prng.ts';
import {
  type AckWire,
  type ConnackWire,
  encodePacket,
  join,
  PacketDecoder,
  type PublishWire,
  type Version,
  type WireInput,
  type WirePacket,
} from '../wire.ts';
import type { Clock } from './clock.ts';
import type { Link } from './link.ts';

/** How a client is, as long as it lives. */
export interface Character {
  readonly version: Version;
  readonly cleanStart: number;
  /** Seconds; 0xffffffff for good. */
  readonly sessionExpiry: number;
  readonly keepAlive: number;
  readonly receiveMaximum: number;
  readonly packetSizeMax: number | null;
  readonly aliasMax: number;
  /** Mean time it takes to acknowledge, milliseconds. */
  readonly ackDelayMs: number;
  /** Whether it acknowledges in any order, as some clients do though they should not. */
  readonly shuffles: boolean;
  /** How often it answers with an error. */
  readonly errors: number;
  /** Sends before it has seen CONNACK. */
  readonly eager: boolean;
  /** How many packet identifiers it uses: of few, each stands for many messages. */
  readonly packetIds: number;
}

interface Outgoing {
  readonly packet: PublishWire;
  released: boolean;
}

type AckType = AckWire['type'];
const ackTypes: readonly AckType[] = ['puback', 'pubrec', 'pubrel', 'pubcomp'];

const NOTHING = new Uint8Array(0);

export class Client {
  /** Empty until the broker has given it a name, if it has none of its own. */
  id: string;
  readonly character: Character;
  link: Link | null = null;
  connected = false;
  /** It does not send anything, not even a ping; but it may drip a packet that it had begun. */
  mute = false;
  readonly #clock: Clock;
  readonly #prng: Prng;
  /** What it has sent and not seen the end of, by packet identifier, oldest first. */
  readonly #outgoing = new Map<number, Outgoing>();
  /** QoS 2 messages it has got and not been released from. */
  readonly #incoming = new Set<number>();
  readonly #acks = new Map<AckType, { packetId: number; reason: number }[]>();
  readonly #answering = new Set<AckType>();
  /** Requests that the broker has not answered: SUBSCRIBE and UNSUBSCRIBE. */
  readonly #requests = new Set<number>();
  readonly #aliasesOut = new Map<string, number>();
  #decoder = new PacketDecoder(4);
  #connection = 0;
  #lastId = 0;
  #keepAlive = 0;
  #lastSentAt = 0;
  #quota = 0;
  #aliasMaxOut = 0;
  #packetSizeMaxOut = Infinity;
  #resend: Outgoing[] = [];
  /** The rest of a packet that it sends byte by byte. */
  #dripping: Uint8Array = NOTHING;

  constructor(id: string, character: Character, clock: Clock, prng: Prng) {
    this.id = id;
    this.character = character;
    this.#clock = clock;
    this.#prng = prng;
  }

  get v5(): boolean {
    return this.character.version === 5;
  }

  /** Whether it has nothing left to do or to wait for. */
  get idle(): boolean {
    const acks = ackTypes.some(type => (this.#acks.get(type)?.length ?? 0) > 0);
    const asking = this.#outgoing.size + this.#requests.size + this.#dripping.length;
    return this.connected && !acks && asking === 0;
  }

  // ---- Connecting ------------------------------------------------------------------------------

  /** Begins on a new link with this CONNECT; whatever link it had is forgotten. */
  connect(link: Link, connect: WireInput & { type: 'connect' }): void {
    this.#connection++;
    this.link = link;
    this.connected = false;
    this.mute = false;
    this.#dripping = NOTHING;
    this.#decoder = new PacketDecoder(this.character.version);
    this.#acks.clear();
    this.#answering.clear();
    this.#requests.clear();
    this.#aliasesOut.clear();
    this.#resend = [];
    this.#quota = 0;
    this.#keepAlive = connect.keepAlive ?? 0;
    if (connect.cleanStart) this.#forget();
    this.send(connect);
  }

  #forget(): void {
    this.#outgoing.clear();
    this.#incoming.clear();
  }

  /** The link is no more. */
  lost(): void {
    this.link = null;
    this.connected = false;
  }

  send(packet: WireInput): void {
    if (this.link === null) return;
    this.#lastSentAt = this.#clock.now;
    this.link.send(join([this.#dripping, encodePacket(packet, this.character.version)]));
    this.#dripping = NOTHING;
  }

  /** Sends a packet, a byte now and then as long as it is mute, unless one is on its way still. */
  drip(packet: WireInput): boolean {
    if (this.#dripping.length > 0) return false;
    this.#dripping = encodePacket(packet, this.character.version);
    this.#dripOn(this.#connection);
    return true;
  }

  #dripOn(connection: number): void {
    if (connection !== this.#connection || this.link === null) return;
    const count = this.mute ? 1 : this.#dripping.length;
    if (count > 0) this.link.send(this.#dripping.slice(0, count));
    this.#dripping = this.#dripping.slice(count);
    if (this.#dripping.length === 0) return;
    this.#clock.after(this.#prng.interval(1_000), () => this.#dripOn(connection));
  }

  #onConnack(packet: ConnackWire): void {
    if (packet.reason !== 0) return;
    const { properties } = packet;
    this.connected = true;
    this.id = properties.assignedClientIdentifier ?? this.id;
    this.#keepAlive = properties.serverKeepAlive ?? this.#keepAlive;
    const { packetIds } = this.character;
    this.#quota = Math.min(properties.receiveMaximum ?? 65_535, 100, Math.ceil(packetIds / 2));
    this.#aliasMaxOut = properties.topicAliasMaximum ?? 0;
    this.#packetSizeMaxOut = properties.maximumPacketSize ?? Infinity;
    // MQTT 3.1 does not tell: its clients have to believe in their session.
    if (!packet.sessionPresent && this.character.version > 3) this.#forget();
    this.#resend = [...this.#outgoing.values()];
    this.#sendAgain();
    this.#keepUp(this.#connection);
  }

  /** What was not acknowledged goes out again, in order, as far as the broker takes it. */
  #sendAgain(): void {
    while (this.#resend.length > 0 && this.#quota > 0) {
      const { packet, released } = this.#resend.shift()!;
      this.#quota--;
      if (released) this.send({ type: 'pubrel', packetId: packet.packetId });
      else this.send({ ...packet, dup: true, properties: this.#withoutAlias(packet) });
    }
  }

  #withoutAlias(packet: PublishWire): PublishWire['properties'] {
    const { topicAlias, ...properties } = packet.properties;
    return properties;
  }

  /** Pings in time, unless it is mute. */
  #keepUp(connection: number): void {
    if (this.#keepAlive === 0) return;
    this.#clock.after(this.#keepAlive * 300, () => {
      if (connection !== this.#connection || !this.connected) return;
      const silentFor = this.#clock.now - this.#lastSentAt;
      if (!this.mute && silentFor >= this.#keepAlive * 300) this.send({ type: 'pingreq' });
      this.#keepUp(connection);
    });
  }

  // ---- Acting ----------------------------------------------------------------------------------

  /** Publishes unless it has to wait for acknowledgements first; returns whether it did. */
  publish(draft: Omit<PublishWire, 'type' | 'packetId' | 'dup'>): boolean {
    const packet: PublishWire = { type: 'publish', dup: false, packetId: 0, ...draft };
    if (packet.qos > 0) {
      if (this.#quota <= 0 || this.#resend.length > 0 || this.#idsAreTaken) return false;
      packet.packetId = this.#nextId();
    }
    if (encodePacket(packet, this.character.version).length + 3 > this.#packetSizeMaxOut) {
      return false;
    }
    if (packet.qos > 0) {
      this.#quota--;
      this.#outgoing.set(packet.packetId, { packet, released: false });
    }
    this.send(this.#aliased(packet));
    return true;
  }

  /** With a topic alias, if the broker takes one and the dice agree. */
  #aliased(packet: PublishWire): PublishWire {
    if (!this.connected || this.#aliasMaxOut === 0 || this.#prng.oneIn(2)) return packet;
    const known = this.#aliasesOut.get(packet.topic);
    if (known !== undefined && !this.#prng.oneIn(4)) {
      return { ...packet, topic: '', properties: { ...packet.properties, topicAlias: known } };
    }
    const alias = known ?? this.#prng.between(1, Math.min(this.#aliasMaxOut, 4));
    for (const [topic, taken] of this.#aliasesOut) {
      if (taken === alias) this.#aliasesOut.delete(topic);
    }
    this.#aliasesOut.set(packet.topic, alias);
    return { ...packet, properties: { ...packet.properties, topicAlias: alias } };
  }

  /** SUBSCRIBE or UNSUBSCRIBE with a packet identifier of its own; returns whether it had one. */
  request(
    packet: Extract<WireInput, { type: 'subscribe' }> | Extract<WireInput, { type: 'unsubscribe' }>,
  ): boolean {
    if (this.#idsAreTaken) return false;
    const packetId = this.#nextId();
    this.#requests.add(packetId);
    this.send({ ...packet, packetId });
    return true;
  }

  get #idsAreTaken(): boolean {
    return this.#outgoing.size + this.#requests.size >= this.character.packetIds;
  }

  #nextId(): number {
    do {
      this.#lastId = (this.#lastId % this.character.packetIds) + 1;
    } while (this.#outgoing.has(this.#lastId) || this.#requests.has(this.#lastId));
    return this.#lastId;
  }

  // ---- Answering -------------------------------------------------------------------------------

  receive(piece: Uint8Array): void {
    for (const packet of this.#decoder.push(piece)) this.#on(packet);
  }

  #on(packet: WirePacket): void {
    switch (packet.type) {
      case 'connack':
        this.#onConnack(packet);
        return;
      case 'publish':
        this.#onPublish(packet);
        return;
      case 'suback':
      case 'unsuback':
        this.#requests.delete(packet.packetId);
        return;
      case 'pubrel':
        this.#incoming.delete(packet.packetId);
        this.#answer('pubcomp', packet.packetId, 0);
        return;
      case 'puback':
      case 'pubrec':
      case 'pubcomp':
        this.#onAcknowledged(packet);
        return;
      default:
        return;
    }
  }

  #onPublish(packet: PublishWire): void {
    const { packetId, qos } = packet;
    const refuse = this.v5 && this.#prng.chance(this.character.errors);
    const reason = refuse ? this.#prng.pick([0x80, 0x83, 0x97]) : 0;
    if (qos === 1) {
      this.#answer('puback', packetId, reason);
      return;
    }
    if (qos === 2) {
      const known = this.#incoming.has(packetId);
      if (reason === 0) this.#incoming.add(packetId);
      this.#answer('pubrec', packetId, known ? 0 : reason);
    }
  }

  #onAcknowledged(packet: AckWire): void {
    const entry = this.#outgoing.get(packet.packetId);
    if (entry === undefined) return;
    if (packet.type === 'pubrec' && packet.reason < 0x80) {
      entry.released = true;
      this.#answer('pubrel', packet.packetId, 0);
      return;
    }
    this.#outgoing.delete(packet.packetId);
    this.#quota++;
    this.#sendAgain();
  }

  /** Acknowledges after a while: those of one kind in order, unless it is one that shuffles. */
  #answer(type: AckType, packetId: number, reason: number): void {
    const waiting = this.#acks.get(type) ?? [];
    this.#acks.set(type, waiting);
    waiting.push({ packetId, reason });
    if (!this.#answering.has(type)) this.#answerLater(type, this.#connection);
  }

  #answerLater(type: AckType, connection: number): void {
    this.#answering.add(type);
    const delay = this.#prng.interval(this.character.ackDelayMs) + (this.mute ? 500 : 0);
    this.#clock.after(delay, () => {
      if (connection !== this.#connection || this.link === null) return;
      const waiting = this.#acks.get(type)!;
      if (!this.mute) {
        let count = this.#prng.between(1, waiting.length);
        while (count-- > 0) {
          const at = this.character.shuffles ? this.#prng.below(waiting.length) : 0;
          const [ack] = waiting.splice(at, 1);
          this.send({ type, ...ack! });
        }
      }
      if (waiting.length > 0) this.#answerLater(type, connection);
      else this.#answering.delete(type);
    });
  }
}

/** A character, drawn: what is rare in life is frequent here. */
export function drawCharacter(prng: Prng, anySize: boolean): Character {
  const version = prng.weighted({ 3: 1, 4: 4, 5: 7 });
  const v5 = version === '5';
  return {
    version: Number(version) as Version,
    cleanStart: prng.pick([0, 0, 0.3, 1]),
    sessionExpiry: prng.pick([0, 2, 15, 0xffff_ffff, 0xffff_ffff]),
    keepAlive: prng.pick([0, 0, 5, 30]),
    receiveMaximum: v5 ? prng.pick([1, 2, 5, 65_535]) : 65_535,
    packetSizeMax: v5 && !anySize && prng.oneIn(5) ? prng.pick([120, 200, 1_000]) : null,
    aliasMax: prng.pick([0, 2, 10]),
    ackDelayMs: prng.pick([1, 20, 300]),
    shuffles: prng.oneIn(5),
    errors: prng.pick([0, 0, 0, 0.1]),
    eager: prng.oneIn(4),
    packetIds: prng.pick([8, 65_535, 65_535]),
  };
}
