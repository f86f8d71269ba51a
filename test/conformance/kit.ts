// What the conformance tests say again and again: a test for several versions, a packet that has to
// be there, an exchange from end to end, a connection that has to be closed.

import assert from 'node:assert/strict';
import { test } from '../harness.ts';
import {
  frame,
  type PublishWire,
  type SubackWire,
  string,
  u16,
  type Version,
  type WireFilter,
  type WireInput,
  type WirePacket,
} from '../wire.ts';
import type { WireProperties } from '../wire-properties.ts';
import type { Client } from '../world.ts';

export const everyVersion: readonly Version[] = [3, 4, 5];
/** The versions before properties and reason codes. */
export const before5: readonly Version[] = [3, 4];
export const since311: readonly Version[] = [4, 5];
export const only311: readonly Version[] = [4];
export const only5: readonly Version[] = [5];

const versionNames = { 3: 'MQTT 3.1', 4: 'MQTT 3.1.1', 5: 'MQTT 5.0' };

/** One test per version; `name` begins with the ids of the statements it shows. */
export function across(
  name: string,
  versions: readonly Version[],
  body: (version: Version) => void,
): void {
  for (const version of versions) test(`${name} · ${versionNames[version]}`, () => body(version));
}

type Typed<P, T> = P extends { type: infer U } ? (T extends U ? P & { type: T } : never) : never;
type PacketOf<T extends WirePacket['type']> = Typed<WirePacket, T>;
export type PublishFields = Omit<Extract<WireInput, { type: 'publish' }>, 'type'>;

/** What `client` has received, which is nothing but packets of this type. */
export function all<T extends WirePacket['type']>(client: Client, type: T): PacketOf<T>[] {
  const packets = client.take();
  for (const packet of packets) assert.equal(packet.type, type);
  return packets as PacketOf<T>[];
}

/** What `client` has received, which is one packet of this type. */
export function one<T extends WirePacket['type']>(client: Client, type: T): PacketOf<T> {
  const packets = client.take();
  assert.deepEqual(
    packets.map(packet => packet.type),
    [type],
  );
  return packets[0] as PacketOf<T>;
}

/** Nothing has arrived, and the connection stands. */
export function quiet(client: Client): void {
  assert.deepEqual(client.take(), []);
  assert.equal(client.closed, false, 'the connection is closed');
}

export type Filter = string | (Partial<WireFilter> & { filter: string });

/** SUBSCRIBE and its SUBACK; what follows that is left for the client to take. Options that came
 *  with MQTT 5 are left out before it. */
export function subscribe(
  client: Client,
  filters: Filter | Filter[],
  properties: WireProperties = {},
): SubackWire {
  const list = (Array.isArray(filters) ? filters : [filters]).map(filter =>
    typeof filter === 'string' || client.version === 5
      ? filter
      : { filter: filter.filter, qos: filter.qos ?? 0 },
  );
  client.send({ type: 'subscribe', packetId: 77, filters: list, properties });
  const packets = client.take();
  const at = packets.findIndex(packet => packet.type === 'suback');
  assert.ok(at >= 0, 'there is a SUBACK');
  const suback = packets[at] as SubackWire;
  client.keep(packets.filter(packet => packet !== suback));
  return suback;
}

/** Publishes and sees the exchange through; returns the reason code of the acknowledgement. */
export function publish(client: Client, topic: string, fields: PublishFields = {}): number {
  const { qos = 0, packetId = 1 } = fields;
  client.send({ type: 'publish', topic, ...fields });
  if (qos === 0) return 0;
  const answer = takeAck(client, qos === 1 ? 'puback' : 'pubrec', packetId);
  if (qos === 2 && answer.reason < 0x80) {
    client.send({ type: 'pubrel', packetId });
    takeAck(client, 'pubcomp', packetId);
  }
  return answer.reason;
}

function takeAck(client: Client, type: 'puback' | 'pubrec' | 'pubcomp', packetId: number) {
  const packets = client.take();
  const ack = packets.find(packet => packet.type === type && packet.packetId === packetId);
  assert.ok(ack !== undefined && ack.type === type, `there is a ${type.toUpperCase()}`);
  client.keep(packets.filter(packet => packet !== ack));
  return ack;
}

/** Takes and acknowledges messages until no more come; returns them in the order of arrival. */
export function receive(client: Client): PublishWire[] {
  const messages: PublishWire[] = [];
  for (let packets = client.take(); packets.length > 0; packets = client.take()) {
    for (const packet of packets) {
      if (packet.type === 'publish') messages.push(packet);
      const answer = answerTo(packet);
      if (answer !== null) client.send(answer);
    }
  }
  return messages;
}

function answerTo(packet: WirePacket): WireInput | null {
  if (packet.type === 'pubrel') return { type: 'pubcomp', packetId: packet.packetId };
  if (packet.type !== 'publish' || packet.qos === 0) return null;
  return { type: packet.qos === 1 ? 'puback' : 'pubrec', packetId: packet.packetId };
}

/** The payloads as text. */
export function texts(messages: readonly PublishWire[]): string[] {
  return messages.map(message => new TextDecoder().decode(message.payload));
}

/** The broker has ended the connection: DISCONNECT with `reason` in MQTT 5, a plain close before.
 *  */
export function ended(client: Client, reason: number): void {
  const packets = client.take();
  if (client.version === 5) {
    assert.deepEqual(
      packets.map(packet => [packet.type, 'reason' in packet ? packet.reason : null]),
      [['disconnect', reason]],
    );
  } else {
    assert.deepEqual(packets, []);
  }
  assert.equal(client.closed, true, 'the connection is still open');
}

/** The broker has closed a connection without a word. */
export function closedSilently(client: Client): void {
  assert.deepEqual(client.take(), []);
  assert.equal(client.closed, true, 'the connection is still open');
}

/** A PUBLISH from pieces, for what encodePacket would not write. */
export function rawPublish(version: Version, topic: Uint8Array, properties?: Uint8Array) {
  const list = properties ?? new Uint8Array(0);
  return frame(0x30, topic, version === 5 ? prefixed(list) : list);
}

/** A SUBSCRIBE or UNSUBSCRIBE (`first` is its first byte) whose payload is `payload`. */
export function rawSubscribe(version: Version, first: number, ...payload: Uint8Array[]) {
  return frame(first, u16(9), version === 5 ? Uint8Array.of(0) : new Uint8Array(0), ...payload);
}

function prefixed(list: Uint8Array): Uint8Array {
  return Uint8Array.of(list.length, ...list);
}

/** A string field that is whatever these bytes are. */
export function field(content: ArrayLike<number>): Uint8Array {
  return Uint8Array.of(content.length >> 8, content.length & 0xff, ...Array.from(content));
}

export const topicA = string('a');
