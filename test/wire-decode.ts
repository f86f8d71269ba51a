// The decoding half of the test-side codec (wire.ts): a packet's body → a plain object, throwing on
// whatever is malformed or not allowed in the direction it travels.

import type { Version, WireFilter, WirePacket, WireWill } from './wire.ts';
import { ruleById, type WireProperties } from './wire-properties.ts';

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export type Sender = 'client' | 'server';

/** Reads one packet's body; every method throws when the bytes are not what they should be. */
class Cursor {
  private readonly data: Uint8Array;
  private at = 0;

  constructor(data: Uint8Array) {
    this.data = data;
  }

  get left(): number {
    return this.data.length - this.at;
  }

  take(count: number): Uint8Array {
    if (count > this.left) throw new Error('a field reaches beyond the packet');
    this.at += count;
    return this.data.slice(this.at - count, this.at);
  }

  byte(): number {
    return this.take(1)[0];
  }

  u16(): number {
    return this.byte() * 256 + this.byte();
  }

  u32(): number {
    return this.u16() * 65_536 + this.u16();
  }

  varint(): number {
    let value = 0;
    for (let i = 0; i < 4; i++) {
      const digit = this.byte();
      value += (digit % 128) * 128 ** i;
      if (digit >= 128) continue;
      if (i > 0 && digit === 0) throw new Error('a variable byte integer is not minimal');
      return value;
    }
    throw new Error('a variable byte integer has more than four bytes');
  }

  binary(): Uint8Array {
    return this.take(this.u16());
  }

  string(): string {
    const value = strictUtf8.decode(this.binary());
    if (value.includes('\0')) throw new Error('a string contains U+0000');
    return value;
  }

  topic(): string {
    const value = this.string();
    if (value === '') throw new Error('a topic name is empty');
    if (/[+#]/.test(value)) throw new Error('a topic name contains wildcards');
    return value;
  }

  packetId(): number {
    const id = this.u16();
    if (id === 0) throw new Error('the packet identifier is 0');
    return id;
  }
}

/** The packet with the first byte `first` and the body `data`, as `from` may send it. */
export function decodePacket(
  first: number,
  data: Uint8Array,
  version: Version,
  from: Sender,
): WirePacket {
  const body = new Cursor(data);
  const packet = decodeBody(first, body, version, from);
  if (body.left > 0) throw new Error(`${body.left} bytes follow the last field`);
  return packet;
}

function decodeBody(first: number, body: Cursor, version: Version, from: Sender): WirePacket {
  const flags = first & 15;
  const type = first >> 4;
  const wantedFlags = [6, 8, 10].includes(type) ? 2 : 0;
  // MQTT 3.1 has DUP on these three as well.
  const dup = version === 3 && wantedFlags === 2 ? 8 : 0;
  if (type !== 3 && (flags & ~dup) !== wantedFlags) {
    throw new Error(`flags ${flags} in packet ${type}`);
  }
  const senders = {
    client: [1, 3, 4, 5, 6, 7, 8, 10, 12, 14],
    server: [2, 3, 4, 5, 6, 7, 9, 11, 13],
  };
  const mayAlso = version === 5 ? [14, 15] : [];
  if (![...senders[from], ...mayAlso].includes(type)) {
    throw new Error(`a ${from} does not send packet type ${type}`);
  }
  switch (type) {
    case 1:
      return decodeConnect(body);
    case 2:
      return decodeConnack(body, version);
    case 3:
      return decodePublish(flags, body, version, from);
    case 4:
      return decodeAck('puback', body, version);
    case 5:
      return decodeAck('pubrec', body, version);
    case 6:
      return decodeAck('pubrel', body, version);
    case 7:
      return decodeAck('pubcomp', body, version);
    case 8:
      return decodeSubscribe(body, version);
    case 9:
      return decodeSuback('suback', body, version);
    case 10:
      return decodeUnsubscribe(body, version);
    case 11:
      return decodeSuback('unsuback', body, version);
    case 12:
      return { type: 'pingreq' };
    case 13:
      return { type: 'pingresp' };
    case 14:
      return decodeDisconnect(body, version, from);
    default:
      return decodeAuth(body, from);
  }
}

function decodeConnect(body: Cursor): WirePacket {
  const name = body.string();
  const level = body.byte();
  const version = (level === 0x83 || level === 0x84 ? level - 0x80 : level) as Version; // Bridges.
  if (name !== (version === 3 ? 'MQIsdp' : 'MQTT') || version < 3 || version > 5) {
    throw new Error(`not a protocol: ${name} ${version}`);
  }
  const flags = body.byte();
  const qos = (flags >> 3) & 3;
  const hasWill = (flags & 4) !== 0;
  // MQTT 3.1 looks at the flags that it needs only, and takes fields for missing at the end.
  if (version !== 3) {
    if (flags & 1) throw new Error('the reserved connect flag is set');
    if (!hasWill && flags & 0x38) throw new Error('will QoS or retain without a will');
  }
  const has = (flag: number) => (flags & flag) !== 0 && (version !== 3 || body.left > 0);
  if (hasWill && qos === 3) throw new Error('the will QoS is 3');
  if (version < 5 && (flags & 0xc0) === 0x40) throw new Error('a password without a user name');
  const keepAlive = body.u16();
  const properties = decodeProperties(body, 'connect', version);
  if (properties.authenticationData && properties.authenticationMethod === undefined) {
    throw new Error('authentication data without a method');
  }
  const clientId = body.string();
  const cleanStart = (flags & 2) !== 0;
  if (clientId === '' && (version === 3 || (version === 4 && !cleanStart))) {
    throw new Error('the client id is empty');
  }
  let will: WireWill | null = null;
  if (hasWill) {
    const willProperties = decodeProperties(body, 'will', version);
    const topic = body.topic();
    const payload = body.binary();
    will = { topic, payload, qos, retain: (flags & 32) !== 0, properties: willProperties };
  }
  const username = has(128) ? body.string() : null;
  const password = has(64) ? body.binary() : null;
  return {
    ...{ type: 'connect', version, cleanStart, keepAlive, clientId },
    ...{ will, username, password, properties },
  };
}

const connackReasons = [
  ...[0, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95],
  ...[0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f],
];

function decodeConnack(body: Cursor, version: Version): WirePacket {
  const flags = body.byte();
  if (flags > 1) throw new Error('reserved connect acknowledge flags are set');
  const allowed = version === 5 ? connackReasons : [0, 1, 2, 3, 4, 5];
  const reason = oneOf(allowed, body.byte(), 'CONNACK');
  if (reason !== 0 && flags === 1) throw new Error('a refusal says that a session is present');
  const properties = decodeProperties(body, 'connack', version);
  return { type: 'connack', sessionPresent: flags === 1, reason, properties };
}

function decodePublish(flags: number, body: Cursor, version: Version, from: Sender): WirePacket {
  const qos = (flags >> 1) & 3;
  const dup = (flags & 8) !== 0;
  if (qos === 3) throw new Error('QoS 3');
  if (qos === 0 && dup) throw new Error('DUP with QoS 0');
  const topic = body.string();
  if (/[+#]/.test(topic)) throw new Error('a topic name contains wildcards');
  const packetId = qos > 0 ? body.packetId() : 0;
  const properties = decodeProperties(body, `${from}-publish`, version);
  if (topic === '' && properties.topicAlias === undefined) throw new Error('no topic, no alias');
  const payload = body.take(body.left);
  const retain = (flags & 1) !== 0;
  return { type: 'publish', topic, payload, qos, dup, retain, packetId, properties };
}

const ackReasons = {
  puback: [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  pubrec: [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  pubrel: [0, 0x92],
  pubcomp: [0, 0x92],
};

function decodeAck(type: keyof typeof ackReasons, body: Cursor, version: Version): WirePacket {
  const packetId = body.packetId();
  if (version < 5) return { type, packetId, reason: 0, properties: {} };
  const reason = body.left > 0 ? oneOf(ackReasons[type], body.byte(), type) : 0;
  const properties = body.left > 0 ? decodeProperties(body, type, version) : {};
  return { type, packetId, reason, properties };
}

function decodeSubscribe(body: Cursor, version: Version): WirePacket {
  const packetId = body.packetId();
  const properties = decodeProperties(body, 'subscribe', version);
  const filters: WireFilter[] = [];
  do {
    const filter = body.string();
    const options = body.byte();
    const qos = options & 3;
    const noLocal = (options & 4) !== 0;
    const retainHandling = (options >> 4) & 3;
    if (options > (version === 5 ? 0x3f : 3)) throw new Error('reserved subscription options');
    if (qos === 3 || retainHandling === 3) throw new Error('a subscription option is 3');
    if (noLocal && filter.startsWith('$share/')) throw new Error('No Local on a share');
    const retainAsPublished = (options & 8) !== 0;
    filters.push({ filter, qos, noLocal, retainAsPublished, retainHandling });
  } while (body.left > 0);
  return { type: 'subscribe', packetId, filters, properties };
}

function decodeUnsubscribe(body: Cursor, version: Version): WirePacket {
  const packetId = body.packetId();
  const properties = decodeProperties(body, 'unsubscribe', version);
  const filters: string[] = [];
  do filters.push(body.string());
  while (body.left > 0);
  return { type: 'unsubscribe', packetId, filters, properties };
}

const subackReasons = {
  suback: [0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
  unsuback: [0, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91],
};

function decodeSuback(type: 'suback' | 'unsuback', body: Cursor, version: Version): WirePacket {
  const packetId = body.packetId();
  const properties = decodeProperties(body, type, version);
  const reasons: number[] = [];
  if (version < 5 && type === 'unsuback') return { type, packetId, reasons, properties };
  const allowed = version === 5 ? subackReasons[type] : [0, 1, 2, 0x80];
  do reasons.push(oneOf(allowed, body.byte(), type));
  while (body.left > 0);
  return { type, packetId, reasons, properties };
}

const disconnectReasons = {
  client: [0, 4, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99],
  server: [
    ...[0, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95],
    ...[0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2],
  ],
};

function decodeDisconnect(body: Cursor, version: Version, from: Sender): WirePacket {
  if (version < 5 || body.left === 0) return { type: 'disconnect', reason: 0, properties: {} };
  const reason = oneOf(disconnectReasons[from], body.byte(), 'DISCONNECT');
  const where = `${from}-disconnect`;
  const properties = body.left > 0 ? decodeProperties(body, where, version) : {};
  return { type: 'disconnect', reason, properties };
}

function decodeAuth(body: Cursor, from: Sender): WirePacket {
  const allowed = from === 'client' ? [0x18, 0x19] : [0, 0x18];
  if (body.left === 0 && from === 'server') return { type: 'auth', reason: 0, properties: {} };
  const reason = oneOf(allowed, body.byte(), 'AUTH');
  const properties = decodeProperties(body, 'auth', 5);
  if (properties.authenticationMethod === undefined) throw new Error('AUTH without a method');
  return { type: 'auth', reason, properties };
}

function oneOf(allowed: readonly number[], code: number, packet: string): number {
  if (!allowed.includes(code)) throw new Error(`reason 0x${code.toString(16)} in ${packet}`);
  return code;
}

/** Properties of a packet; `where` is its type, with the sender in front where that matters. */
function decodeProperties(body: Cursor, where: string, version: Version): WireProperties {
  if (version < 5) return {};
  const list = new Cursor(body.take(body.varint()));
  const found: Record<string, unknown> = {};
  while (list.left > 0) {
    const id = list.byte();
    const rule = ruleById.get(id);
    const places = rule?.where.split(' ') ?? [];
    if (!rule || !(places.includes(where) || places.includes(where.replace(/^.*-/, '')))) {
      throw new Error(`property ${id} in ${where}`);
    }
    const value = decodeValue(list, rule.type);
    const repeatable = rule.type === 'pair' || where === 'server-publish';
    if (rule.type === 'pair' || rule.type === 'varint') {
      const before = (found[rule.name] ?? []) as unknown[];
      if (before.length > 0 && !repeatable) throw new Error(`${rule.name} stands twice`);
      found[rule.name] = [...before, value];
    } else {
      if (rule.name in found) throw new Error(`${rule.name} stands twice`);
      found[rule.name] = value;
    }
  }
  return found;
}

function decodeValue(list: Cursor, type: string): unknown {
  switch (type) {
    case 'flag': {
      const value = list.byte();
      if (value > 1) throw new Error('a flag is neither 0 nor 1');
      return value;
    }
    case 'u16':
      return list.u16();
    case 'u32':
      return list.u32();
    case 'nonzero u16':
      return list.u16() || zero();
    case 'nonzero u32':
      return list.u32() || zero();
    case 'varint':
      return list.varint() || zero();
    case 'binary':
      return list.binary();
    case 'topic':
      return list.topic();
    case 'pair':
      return [list.string(), list.string()];
    default:
      return list.string();
  }
}

function zero(): never {
  throw new Error('a number is 0 that must not be');
}
