// Clients for very many messages: they read without decoding what they need not know, and keep one
// bit per message. A payload begins with the message's serial number, ten digits.

import { connect, type Socket } from 'node:net';
import { encodePacket, type WireInput } from '../wire.ts';

const DIGITS = 10;
const PAYLOAD_BYTES = 64;
const CONNACK = 2;
const PUBLISH = 3;
const PUBACK = 4;
const SUBACK = 9;

/** What came: a packet's type, and its body data[start, end). */
type Take = (type: number, data: Buffer, start: number, end: number) => void;

/** A bare MQTT 3.1.1 connection that tells packet by packet what came. */
class FastConnection {
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #take: Take;
  #rest: Buffer = Buffer.alloc(0);

  constructor(port: number, take: Take, afterRead: () => void) {
    this.#take = take;
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => {
      this.#read(chunk);
      afterRead();
    });
    this.#socket.on('error', () => {});
    this.closed = new Promise(resolve => this.#socket.once('close', () => resolve()));
  }

  send(packet: WireInput): void {
    this.write(encodePacket(packet, 4));
  }

  write(bytes: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  end(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (;;) {
      let start = at + 1;
      let length = 0;
      let shift = 0;
      while (start < data.length && data[start] >= 128) {
        length += (data[start++] & 127) << shift;
        shift += 7;
      }
      if (start >= data.length) break;
      length += data[start++] << shift;
      if (start + length > data.length) break;
      this.#take(data[at] >> 4, data, start, start + length);
      at = start + length;
    }
    this.#rest = data.subarray(at);
  }
}

/** Publishes numbered messages with QoS 1, so many at once; those acknowledged are remembered. */
export class Publisher {
  /** Every serial number below it has been given away. */
  next: number;
  readonly acknowledged: number[] = [];
  readonly #connection: FastConnection;
  readonly #topicOf: (serial: number) => string;
  /** By packet identifier. */
  readonly #underWay = new Map<number, number>();
  #limit = 0;
  #atOnce = 0;
  #lastId = 0;
  #done: () => void = () => {};

  constructor(port: number, id: string, next: number, topicOf: (serial: number) => string) {
    this.next = next;
    this.#topicOf = topicOf;
    const take = (type: number, data: Buffer, start: number) => this.#take(type, data, start);
    this.#connection = new FastConnection(port, take, () => this.#fill());
    this.#connection.send({ type: 'connect', version: 4, clientId: id });
  }

  /** Publishes all up to `limit`; resolves when they are acknowledged, or the connection ends. */
  async upTo(limit: number, atOnce: number): Promise<void> {
    this.#limit = limit;
    this.#atOnce = atOnce;
    const done = new Promise<void>(resolve => {
      this.#done = resolve;
    });
    this.#fill();
    await Promise.race([done, this.#connection.closed]);
  }

  end(): void {
    this.#connection.end();
  }

  #take(type: number, data: Buffer, start: number): void {
    if (type !== PUBACK) return;
    const id = data.readUInt16BE(start);
    this.acknowledged.push(this.#underWay.get(id)!);
    this.#underWay.delete(id);
  }

  #fill(): void {
    const packets: Uint8Array[] = [];
    while (this.#underWay.size < this.#atOnce && this.next < this.#limit) {
      const serial = this.next++;
      do this.#lastId = (this.#lastId % 0xffff) + 1;
      while (this.#underWay.has(this.#lastId));
      this.#underWay.set(this.#lastId, serial);
      packets.push(publishPacket(this.#topicOf(serial), this.#lastId, serial));
    }
    if (packets.length > 0) this.#connection.write(Buffer.concat(packets));
    if (this.#underWay.size === 0 && this.next >= this.#limit) this.#done();
  }
}

function publishPacket(topic: string, packetId: number, serial: number): Uint8Array {
  const length = 2 + topic.length + 2 + PAYLOAD_BYTES;
  const packet = Buffer.alloc(2 + length, '.');
  packet[0] = 0x32;
  packet[1] = length; // below 128
  packet.writeUInt16BE(topic.length, 2);
  packet.write(topic, 4, 'latin1');
  packet.writeUInt16BE(packetId, 4 + topic.length);
  packet.write(String(serial).padStart(DIGITS, '0'), 6 + topic.length, 'latin1');
  return packet;
}

/** A kept session that takes what waits for it, acknowledging read by read. */
export class Drain {
  readonly id: string;
  readonly filter: string;
  /** How many different messages have come, and all that came. */
  distinct = 0;
  received = 0;
  /** In words: what came behind a later message of its topic that had come for the first time. */
  disorder: string | null = null;
  /** Told after every read. */
  onRead: () => void = () => {};
  readonly #seen: Uint8Array;
  /** The last new serial number by topic. */
  readonly #latest = new Map<string, number>();
  #connection: FastConnection | null = null;
  #acks: number[] = [];
  #subscribed: () => void = () => {};

  constructor(id: string, filter: string, serials: number) {
    this.id = id;
    this.filter = filter;
    this.#seen = new Uint8Array(serials);
  }

  connect(port: number): void {
    const take = (type: number, data: Buffer, start: number, end: number) =>
      this.#take(type, data, start, end);
    this.#connection = new FastConnection(port, take, () => this.#afterRead());
    const session = { version: 4, cleanStart: false, clientId: this.id } as const;
    this.#connection.send({ type: 'connect', ...session });
  }

  async subscribe(): Promise<void> {
    const subscribed = new Promise<void>(resolve => {
      this.#subscribed = resolve;
    });
    this.#connection!.send({ type: 'subscribe', filters: [{ filter: this.filter, qos: 1 }] });
    await subscribed;
  }

  /** Goes away; its session stays. */
  async leave(): Promise<void> {
    this.#connection!.end();
    await this.#connection!.closed;
  }

  has(serial: number): boolean {
    return this.#seen[serial] === 1;
  }

  #take(type: number, data: Buffer, start: number, end: number): void {
    if (type === SUBACK) this.#subscribed();
    else if (type === PUBLISH) this.#onPublish(data, start, end);
    else if (type !== CONNACK) throw new Error(`${this.id}: a packet of type ${type}`);
  }

  #onPublish(data: Buffer, start: number, end: number): void {
    const idAt = start + 2 + data.readUInt16BE(start);
    this.#acks.push(data.readUInt16BE(idAt));
    this.received++;
    if (end - idAt - 2 !== PAYLOAD_BYTES) throw new Error(`${end - idAt - 2} bytes of payload`);
    let serial = 0;
    for (let i = idAt + 2; i < idAt + 2 + DIGITS; i++) serial = serial * 10 + data[i] - 48;
    if (this.#seen[serial] === 1) return;
    this.#seen[serial] = 1;
    this.distinct++;
    const topic = data.toString('latin1', start + 2, idAt);
    const last = this.#latest.get(topic) ?? -1;
    if (serial < last) this.disorder ??= `${this.id}: ${serial} behind ${last} at ${topic}`;
    this.#latest.set(topic, serial);
  }

  #afterRead(): void {
    if (this.#acks.length > 0) {
      const packets = Buffer.alloc(this.#acks.length * 4);
      for (const [index, id] of this.#acks.entries()) {
        packets.writeUInt16BE(0x4002, index * 4);
        packets.writeUInt16BE(id, index * 4 + 2);
      }
      this.#acks = [];
      this.#connection!.write(packets);
    }
    this.onRead();
  }
}
