// A codec for tests: plain objects ↔ bytes, every packet, both directions. Naive and strict, and
// written without the decoders of src/mqtt, so that it is an independent opinion about them. It
// throws on whatever is malformed: our broker must never send that.

import { decodePacket, type Sender } from './wire-decode.ts';
import { type PropertyRule, ruleByName, type WireProperties } from './wire-properties.ts';

export type Version = 3 | 4 | 5;

export interface WireWill {
  topic: string;
  payload: Uint8Array;
  qos: number;
  retain: boolean;
  properties: WireProperties;
}

export interface WireFilter {
  filter: string;
  qos: number;
  noLocal: boolean;
  retainAsPublished: boolean;
  retainHandling: number;
}

export interface ConnectWire {
  type: 'connect';
  version: Version;
  cleanStart: boolean;
  keepAlive: number;
  clientId: string;
  will: WireWill | null;
  username: string | null;
  password: Uint8Array | null;
  properties: WireProperties;
}

export interface ConnackWire {
  type: 'connack';
  sessionPresent: boolean;
  /** A reason code, or a return code before MQTT 5. */
  reason: number;
  properties: WireProperties;
}

export interface PublishWire {
  type: 'publish';
  topic: string;
  payload: Uint8Array;
  qos: number;
  dup: boolean;
  retain: boolean;
  /** 0 for QoS 0. */
  packetId: number;
  properties: WireProperties;
}

export interface AckWire {
  type: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp';
  packetId: number;
  reason: number;
  properties: WireProperties;
}

export interface SubscribeWire {
  type: 'subscribe';
  packetId: number;
  filters: WireFilter[];
  properties: WireProperties;
}

export interface UnsubscribeWire {
  type: 'unsubscribe';
  packetId: number;
  filters: string[];
  properties: WireProperties;
}

export interface SubackWire {
  type: 'suback' | 'unsuback';
  packetId: number;
  /** Empty for UNSUBACK before MQTT 5. */
  reasons: number[];
  properties: WireProperties;
}

export interface PingWire {
  type: 'pingreq' | 'pingresp';
}

export interface DisconnectWire {
  type: 'disconnect' | 'auth';
  reason: number;
  properties: WireProperties;
}

export type WirePacket =
  | ConnectWire
  | ConnackWire
  | PublishWire
  | AckWire
  | SubscribeWire
  | UnsubscribeWire
  | SubackWire
  | PingWire
  | DisconnectWire;

/** What encodePacket needs to be told: the type, and whatever is not as usual. */
type Loose<P> = P extends { type: infer T } ? { type: T } & Partial<Omit<P, 'type'>> : never;
export type WireInput =
  | Exclude<Loose<WirePacket>, { type: 'connect' | 'subscribe' | 'publish' }>
  | (Omit<Loose<ConnectWire>, 'will'> & { will?: Partial<WireWill> | null })
  | (Omit<Loose<SubscribeWire>, 'filters'> & {
      filters?: (string | (Partial<WireFilter> & { filter: string }))[];
    })
  | (Omit<Loose<PublishWire>, 'payload'> & { payload?: Uint8Array | string });

const types = [
  ...['reserved', 'connect', 'connack', 'publish', 'puback', 'pubrec', 'pubrel', 'pubcomp'],
  ...['subscribe', 'suback', 'unsubscribe', 'unsuback', 'pingreq', 'pingresp', 'disconnect'],
  'auth',
];

// ---- Bytes ----------------------------------------------------------------------------------

/** Bytes from pieces: hex text (blanks ignored), numbers, arrays. For packets wrong on purpose. */
export function bytes(...parts: (string | number | ArrayLike<number>)[]): Uint8Array {
  const all: number[] = [];
  for (const part of parts) {
    if (typeof part === 'number') all.push(part);
    else if (typeof part !== 'string') all.push(...Array.from(part));
    else {
      const hex = part.replace(/\s/g, '');
      if (!/^([0-9a-f]{2})*$/i.test(hex)) throw new Error(`not hex: ${part}`);
      for (let i = 0; i < hex.length; i += 2) all.push(Number.parseInt(hex.slice(i, i + 2), 16));
    }
  }
  return Uint8Array.from(all);
}

export function hex(data: Uint8Array): string {
  return Array.from(data, byte => byte.toString(16).padStart(2, '0')).join('');
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** A string as MQTT writes it: two bytes of length, then UTF-8. */
export function string(value: string): Uint8Array {
  return binary(text(value));
}

export function binary(value: Uint8Array): Uint8Array {
  return join([u16(value.length), value]);
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of((value >> 8) & 0xff, value & 0xff);
}

export function u32(value: number): Uint8Array {
  return join([u16(Math.floor(value / 0x10000)), u16(value % 0x10000)]);
}

export function varint(value: number): Uint8Array {
  const digits: number[] = [];
  for (let rest = value; rest > 0 || digits.length === 0; rest = Math.floor(rest / 128)) {
    digits.push((rest % 128) + (rest >= 128 ? 128 : 0));
  }
  return Uint8Array.from(digits);
}

export function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A packet from its first byte and its body, whatever these are. */
export function frame(firstByte: number, ...body: Uint8Array[]): Uint8Array {
  const rest = join(body);
  return join([Uint8Array.of(firstByte), varint(rest.length), rest]);
}

// ---- Encoding -------------------------------------------------------------------------------

/** The bytes of a packet; what is not given has its usual value. */
export function encodePacket(packet: WireInput, version: Version): Uint8Array {
  const first = types.indexOf(packet.type) << 4;
  switch (packet.type) {
    case 'connect':
      return frame(first, encodeConnect(packet, packet.version ?? version));
    case 'publish':
      return encodePublish(packet, version);
    case 'connack':
      return frame(
        first,
        Uint8Array.of(packet.sessionPresent ? 1 : 0, packet.reason ?? 0),
        encodeProperties(packet.properties, version),
      );
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp': {
      const flags = packet.type === 'pubrel' ? 2 : 0;
      return frame(first | flags, u16(packet.packetId ?? 1), encodeReason(packet, version));
    }
    case 'subscribe': {
      const filters = (packet.filters ?? []).map(filter => encodeFilter(filter));
      const properties = encodeProperties(packet.properties, version);
      return frame(first | 2, u16(packet.packetId ?? 1), properties, ...filters);
    }
    case 'unsubscribe': {
      const filters = (packet.filters ?? []).map(filter => string(filter));
      const properties = encodeProperties(packet.properties, version);
      return frame(first | 2, u16(packet.packetId ?? 1), properties, ...filters);
    }
    case 'suback':
    case 'unsuback': {
      const properties = encodeProperties(packet.properties, version);
      const reasons = Uint8Array.from(packet.reasons ?? []);
      return frame(first, u16(packet.packetId ?? 1), properties, reasons);
    }
    case 'disconnect':
    case 'auth':
      return frame(first, encodeReason(packet, version));
    default:
      return frame(first);
  }
}

function encodeConnect(packet: WireInput & { type: 'connect' }, version: Version): Uint8Array {
  const { will = null, username = null, password = null } = packet;
  const flags =
    ((packet.cleanStart ?? true) ? 2 : 0) |
    (will ? 4 | ((will.qos ?? 0) << 3) | (will.retain ? 32 : 0) : 0) |
    (password === null ? 0 : 64) |
    (username === null ? 0 : 128);
  return join([
    string(version === 3 ? 'MQIsdp' : 'MQTT'),
    Uint8Array.of(version, flags),
    u16(packet.keepAlive ?? 0),
    encodeProperties(packet.properties, version),
    string(packet.clientId ?? ''),
    will ? encodeProperties(will.properties, version) : new Uint8Array(0),
    will ? string(will.topic ?? 'will') : new Uint8Array(0),
    will ? binary(will.payload ?? new Uint8Array(0)) : new Uint8Array(0),
    username === null ? new Uint8Array(0) : string(username),
    password === null ? new Uint8Array(0) : binary(password),
  ]);
}

function encodePublish(packet: WireInput & { type: 'publish' }, version: Version): Uint8Array {
  const { qos = 0, payload = '' } = packet;
  return frame(
    0x30 | (packet.dup ? 8 : 0) | (qos << 1) | (packet.retain ? 1 : 0),
    string(packet.topic ?? ''),
    qos > 0 ? u16(packet.packetId ?? 1) : new Uint8Array(0),
    encodeProperties(packet.properties, version),
    typeof payload === 'string' ? text(payload) : payload,
  );
}

function encodeFilter(given: string | (Partial<WireFilter> & { filter: string })): Uint8Array {
  const filter = typeof given === 'string' ? { filter: given } : given;
  const options =
    (filter.qos ?? 0) |
    (filter.noLocal ? 4 : 0) |
    (filter.retainAsPublished ? 8 : 0) |
    ((filter.retainHandling ?? 0) << 4);
  return join([string(filter.filter), Uint8Array.of(options)]);
}

/** Reason code and properties in their shortest form: both may be left out [MQTT 5.0 3.4.2.1]. */
function encodeReason(
  packet: { reason?: number; properties?: WireProperties },
  version: Version,
): Uint8Array {
  const { reason = 0, properties = {} } = packet;
  if (version !== 5) return new Uint8Array(0);
  if (Object.keys(properties).length > 0) {
    return join([Uint8Array.of(reason), encodeProperties(properties, version)]);
  }
  return reason === 0 ? new Uint8Array(0) : Uint8Array.of(reason);
}

/** Length and properties, in the order of the object's keys. */
export function encodeProperties(
  properties: WireProperties | undefined,
  version: Version,
): Uint8Array {
  if (version !== 5) return new Uint8Array(0);
  const parts: Uint8Array[] = [];
  for (const [name, value] of Object.entries(properties ?? {})) {
    const rule = ruleByName.get(name as keyof WireProperties);
    if (!rule) throw new Error(`no such property: ${name}`);
    const repeated = rule.type === 'pair' || rule.type === 'varint';
    for (const one of repeated ? (value as unknown[]) : [value]) {
      parts.push(Uint8Array.of(rule.id), encodeValue(rule, one));
    }
  }
  const body = join(parts);
  return join([varint(body.length), body]);
}

function encodeValue(rule: PropertyRule, value: unknown): Uint8Array {
  switch (rule.type) {
    case 'flag':
      return Uint8Array.of(value as number);
    case 'u16':
    case 'nonzero u16':
      return u16(value as number);
    case 'u32':
    case 'nonzero u32':
      return u32(value as number);
    case 'varint':
      return varint(value as number);
    case 'binary':
      return binary(value as Uint8Array);
    case 'pair':
      return join((value as [string, string]).map(string));
    default:
      return string(value as string);
  }
}

// ---- Decoding -------------------------------------------------------------------------------

/** Cuts a stream into packets and decodes them. Packets of `from` are what it expects to see. */
export class PacketDecoder {
  /** The version that packets are read as; a CONNECT sets it. */
  version: Version;
  private readonly from: Sender;
  private rest: Uint8Array = new Uint8Array(0);

  constructor(version: Version, from: Sender = 'server') {
    this.version = version;
    this.from = from;
  }

  /** Bytes of a packet that is not complete yet. */
  get pending(): number {
    return this.rest.length;
  }

  /** Takes the next bytes and returns the packets that they complete. */
  push(chunk: Uint8Array): WirePacket[] {
    const data = join([this.rest, chunk]);
    const packets: WirePacket[] = [];
    let at = 0;
    for (;;) {
      const body = bodyRange(data, at);
      if (body === null || body.end > data.length) break;
      const rest = data.subarray(body.start, body.end);
      const packet = decodePacket(data[at], rest, this.version, this.from);
      if (packet.type === 'connect') this.version = packet.version;
      packets.push(packet);
      at = body.end;
    }
    this.rest = data.subarray(at);
    return packets;
  }
}

/** Where the body of the packet at `at` lies, or null while its length is not known. */
function bodyRange(data: Uint8Array, at: number): { start: number; end: number } | null {
  let length = 0;
  for (let i = 0; i < 4; i++) {
    const next = at + 1 + i;
    if (next >= data.length) return null;
    length += (data[next] % 128) * 128 ** i;
    if (data[next] >= 128) continue;
    if (i > 0 && data[next] === 0) throw new Error('the remaining length is not minimal');
    return { start: next + 1, end: next + 1 + length };
  }
  throw new Error('the remaining length has more than four bytes');
}
