// A client with a memory: it keeps to the protocol, and what it has sent and received outlives its
// connections and the broker's crashes. What it sends again it sends in the order of first sending.
// What it sees it tells its `Witness`; what it does next is the witness' decision.

import { connect, type Socket } from 'node:net';
import {
  type AckWire,
  type ConnackWire,
  encodePacket,
  PacketDecoder,
  type PublishWire,
  type WireInput,
  type WirePacket,
} from '../wire.ts';

export interface Character {
  readonly id: string;
  readonly version: 4 | 5;
  /** Its session outlives its connections. */
  readonly persistent: boolean;
  /** MQTT 5: how many messages it takes at once. */
  readonly receiveMaximum: number;
}

export interface Publication {
  readonly topic: string;
  readonly payload: string;
  readonly qos: number;
  readonly retain: boolean;
}

/** Who watches a client and judges what the broker tells it. */
export interface Witness<P extends Publication> {
  connecting(client: ModelClient<P>, clean: boolean, will: P | null): void;
  connected(client: ModelClient<P>, sessionPresent: boolean): void;
  /** `will`: of a connection that was acknowledged and that the client did not end. */
  closed(client: ModelClient<P>, will: P | null): void;
  /** Each time it goes out. */
  sent(client: ModelClient<P>, publication: P): void;
  acknowledged(client: ModelClient<P>, publication: P, reason: number): void;
  subscribing(client: ModelClient<P>, filter: string): void;
  unsubscribing(client: ModelClient<P>, filter: string): void;
  subscribed(client: ModelClient<P>, filter: string, on: boolean): void;
  /** What reaches the application: without what the protocol tells apart as duplicates. */
  received(client: ModelClient<P>, packet: PublishWire): void;
  /** The broker did what no broker may do. */
  appalled(client: ModelClient<P>, error: Error): void;
  /** After everything of one read has been dealt with. */
  progressed(client: ModelClient<P>, packets: number): void;
}

interface Outgoing<P> {
  readonly publication: P;
  /** PUBREC came. */
  released: boolean;
}

export class ModelClient<P extends Publication> {
  readonly character: Character;
  /** CONNACK has come. */
  online = false;
  /** Acknowledges nothing until it is told to. */
  withholding = false;
  /** Its next CONNECT, and every one until one is answered, starts its session anew. */
  wantsClean = false;
  readonly outgoing = new Map<number, Outgoing<P>>();
  readonly #witness: Witness<P>;
  readonly #incoming = new Set<number>();
  readonly #requests = new Map<number, { filter: string; on: boolean }>();
  #withheld: WireInput[] = [];
  #socket: Socket | null = null;
  #decoder = new PacketDecoder(4);
  #will: P | null = null;
  #lastId = 0;

  constructor(character: Character, witness: Witness<P>) {
    this.character = character;
    this.#witness = witness;
  }

  get id(): string {
    return this.character.id;
  }

  /** There is a connection, answered or not. */
  get open(): boolean {
    return this.#socket !== null;
  }

  /** Everything it has sent has been answered to the end. */
  get idle(): boolean {
    const { size } = this.outgoing;
    return this.online && size === 0 && this.#requests.size === 0 && this.#withheld.length === 0;
  }

  connect(port: number, will: P | null): void {
    const { id, version, persistent, receiveMaximum } = this.character;
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const cleanStart = !persistent || this.wantsClean;
    this.#socket = socket;
    this.#decoder = new PacketDecoder(version);
    this.#will = will;
    this.#witness.connecting(this, cleanStart, will);
    socket.on('data', (chunk: Buffer) => {
      if (this.#socket !== socket) return;
      try {
        this.#take(chunk);
      } catch (error) {
        this.#witness.appalled(this, error as Error);
      }
    });
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => this.#closed(socket));
    const properties =
      version === 5 ? { sessionExpiryInterval: persistent ? 3600 : 0, receiveMaximum } : {};
    this.#send({
      type: 'connect',
      version,
      cleanStart,
      clientId: id,
      properties,
      will: will === null ? null : { ...will, payload: new TextEncoder().encode(will.payload) },
    });
  }

  publish(publication: P): void {
    const packetId = publication.qos === 0 ? 0 : this.#freeId();
    if (packetId > 0) this.outgoing.set(packetId, { publication, released: false });
    this.#sendPublish(publication, packetId, false);
  }

  subscribe(filter: string, qos: number): void {
    const packetId = this.#freeId();
    this.#requests.set(packetId, { filter, on: true });
    this.#witness.subscribing(this, filter);
    this.#send({ type: 'subscribe', packetId, filters: [{ filter, qos }] });
  }

  unsubscribe(filter: string): void {
    const packetId = this.#freeId();
    this.#requests.set(packetId, { filter, on: false });
    this.#witness.unsubscribing(this, filter);
    this.#send({ type: 'unsubscribe', packetId, filters: [filter] });
  }

  ping(): void {
    this.#send({ type: 'pingreq' });
  }

  /** Says goodbye: its will does not count any more. */
  disconnect(): void {
    this.#will = null;
    this.#send({ type: 'disconnect' });
    this.#socket?.end();
  }

  /** Goes without a word. */
  drop(): void {
    this.#will = null; // whether it is published before the next crash nobody promised
    this.#socket?.destroy();
  }

  /** Sends the acknowledgements it owes. */
  acknowledge(): void {
    this.withholding = false;
    for (const packet of this.#withheld.splice(0)) this.#send(packet);
  }

  #freeId(): number {
    do this.#lastId = this.#lastId === 0xffff ? 1 : this.#lastId + 1;
    while (this.outgoing.has(this.#lastId) || this.#requests.has(this.#lastId));
    return this.#lastId;
  }

  #send(packet: WireInput): void {
    const socket = this.#socket;
    if (socket?.writable) socket.write(encodePacket(packet, this.character.version));
  }

  #sendPublish(publication: P, packetId: number, dup: boolean): void {
    this.#witness.sent(this, publication);
    const { topic, payload, qos, retain } = publication;
    const id = packetId === 0 ? {} : { packetId };
    this.#send({ type: 'publish', topic, payload, qos, retain, dup, ...id });
  }

  #closed(socket: Socket): void {
    if (this.#socket !== socket) return;
    const will = this.online ? this.#will : null;
    this.#socket = null;
    this.online = false;
    this.withholding = false;
    this.#withheld = [];
    this.#requests.clear();
    this.#witness.closed(this, will);
  }

  #take(chunk: Uint8Array): void {
    const packets = this.#decoder.push(chunk);
    for (const packet of packets) this.#handle(packet);
    this.#witness.progressed(this, packets.length);
  }

  #handle(packet: WirePacket): void {
    switch (packet.type) {
      case 'connack':
        this.#onConnack(packet);
        break;
      case 'publish':
        this.#onPublish(packet);
        break;
      case 'suback':
      case 'unsuback': {
        const request = this.#requests.get(packet.packetId);
        if (request === undefined) throw new Error(`${this.id}: ${packet.type} out of nowhere`);
        this.#requests.delete(packet.packetId);
        if (packet.reasons.some(reason => reason >= 0x80)) throw new Error('refused');
        this.#witness.subscribed(this, request.filter, request.on);
        break;
      }
      case 'puback':
      case 'pubrec':
      case 'pubcomp':
        this.#onAck(packet);
        break;
      case 'pubrel':
        this.#incoming.delete(packet.packetId);
        this.#answer({ type: 'pubcomp', packetId: packet.packetId });
        break;
      case 'pingresp':
        break;
      default:
        throw new Error(`${this.id}: unexpected ${JSON.stringify(packet)}`);
    }
  }

  #onConnack({ reason, sessionPresent }: ConnackWire): void {
    if (reason !== 0) throw new Error(`${this.id}: refused with ${reason}`);
    this.online = true;
    this.wantsClean = false;
    if (!sessionPresent) {
      this.outgoing.clear();
      this.#incoming.clear();
    }
    this.#witness.connected(this, sessionPresent);
    for (const [packetId, { publication, released }] of this.outgoing) {
      if (released) this.#send({ type: 'pubrel', packetId });
      else this.#sendPublish(publication, packetId, true);
    }
  }

  #onPublish(packet: PublishWire): void {
    const { packetId, qos } = packet;
    const known = qos === 2 && this.#incoming.has(packetId);
    if (qos === 2) this.#incoming.add(packetId);
    if (!known) this.#witness.received(this, packet);
    if (qos > 0) this.#answer({ type: qos === 1 ? 'puback' : 'pubrec', packetId });
  }

  #answer(packet: WireInput): void {
    if (this.withholding) this.#withheld.push(packet);
    else this.#send(packet);
  }

  #onAck({ type, packetId, reason }: AckWire): void {
    const out = this.outgoing.get(packetId);
    if (out === undefined) throw new Error(`${this.id}: ${type} ${packetId} out of nowhere`);
    if (type === 'pubrec' && reason < 0x80) {
      if (!out.released) this.#witness.acknowledged(this, out.publication, reason);
      out.released = true;
      this.#send({ type: 'pubrel', packetId });
      return;
    }
    this.outgoing.delete(packetId);
    if (type !== 'pubcomp') this.#witness.acknowledged(this, out.publication, reason);
  }
}
