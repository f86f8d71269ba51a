// Encodes what a broker says rarely: CONNACK, SUBACK, UNSUBACK, DISCONNECT, AUTH, as whole packets.
// The bytes are the same as mqtt-packet's, which the tests hold them against; it is not used here
// because loading it costs 12 MB of memory and 7 ms of start, more than the rest of the codec.

import { PacketType, type ProtocolVersion } from '../packet.ts';
import { PropertyId, PropertyKind, propertyKind } from '../properties.ts';
import { connackReturnCode } from '../reason.ts';
import { utf8Encode } from '../utf8.ts';
import { varintLength, writeVarint } from '../varint.ts';

/** What the server tells an MQTT 5 client about itself; what is absent has its default. */
export interface ConnackProperties {
  readonly sessionExpirySeconds?: number;
  readonly receiveMaximum?: number;
  readonly maximumQoS?: 0 | 1 | 2;
  readonly retainAvailable?: boolean;
  readonly packetSizeMax?: number;
  readonly assignedClientId?: string;
  readonly topicAliasMaximum?: number;
  readonly reasonString?: string;
  readonly wildcardSubscriptionAvailable?: boolean;
  readonly subscriptionIdentifiersAvailable?: boolean;
  readonly sharedSubscriptionAvailable?: boolean;
  readonly serverKeepAliveSeconds?: number;
  readonly responseInformation?: string;
  readonly serverReference?: string;
  readonly authenticationMethod?: string;
  readonly authenticationData?: Uint8Array;
}

export interface Connack {
  readonly sessionPresent: boolean;
  /** An MQTT 5 reason code; 3.x clients get the return code that comes closest. */
  readonly reason: number;
  readonly properties: ConnackProperties | null;
}

const connackPropertyIds: readonly (readonly [keyof ConnackProperties, number])[] = [
  ['sessionExpirySeconds', PropertyId.SessionExpiryInterval],
  ['receiveMaximum', PropertyId.ReceiveMaximum],
  ['maximumQoS', PropertyId.MaximumQoS],
  ['retainAvailable', PropertyId.RetainAvailable],
  ['packetSizeMax', PropertyId.MaximumPacketSize],
  ['assignedClientId', PropertyId.AssignedClientIdentifier],
  ['topicAliasMaximum', PropertyId.TopicAliasMaximum],
  ['reasonString', PropertyId.ReasonString],
  ['wildcardSubscriptionAvailable', PropertyId.WildcardSubscriptionAvailable],
  ['subscriptionIdentifiersAvailable', PropertyId.SubscriptionIdentifierAvailable],
  ['sharedSubscriptionAvailable', PropertyId.SharedSubscriptionAvailable],
  ['serverKeepAliveSeconds', PropertyId.ServerKeepAlive],
  ['responseInformation', PropertyId.ResponseInformation],
  ['serverReference', PropertyId.ServerReference],
  ['authenticationMethod', PropertyId.AuthenticationMethod],
  ['authenticationData', PropertyId.AuthenticationData],
];

export function encodeConnack(connack: Connack, version: ProtocolVersion): Uint8Array {
  const { reason, properties } = connack;
  // A refusal never claims a session [MQTT-3.2.2-6], [MQTT-3.2.2-4] of 3.1.1; 3.1 has no such flag.
  const sessionPresent = connack.sessionPresent && reason < 0x80 && version !== 3;
  const body = new Writer();
  body.byte(sessionPresent ? 1 : 0);
  body.byte(version === 5 ? reason : connackReturnCode(reason));
  if (version === 5) {
    const list = new Writer();
    for (const [name, id] of connackPropertyIds) {
      const value = properties?.[name];
      if (value !== undefined) list.property(id, value);
    }
    body.prefixed(list);
  }
  return body.toPacket(PacketType.CONNACK);
}

/** Codes in the order of the filters [MQTT-3.8.4-6]; 3.x knows one way to say no. */
export function encodeSuback(
  packetId: number,
  codes: readonly number[],
  version: ProtocolVersion,
): Uint8Array {
  const body = new Writer(codes.length + 3);
  body.u16(packetId);
  if (version === 5) body.byte(0);
  for (const code of codes) body.byte(version === 5 || code < 0x80 ? code : 0x80);
  return body.toPacket(PacketType.SUBACK);
}

/** Codes in the order of the filters [MQTT-3.11.3-1]; 3.x answers with the identifier alone. */
export function encodeUnsuback(
  packetId: number,
  codes: readonly number[],
  version: ProtocolVersion,
): Uint8Array {
  const body = new Writer(codes.length + 3);
  body.u16(packetId);
  if (version === 5) {
    body.byte(0);
    for (const code of codes) body.byte(code);
  }
  return body.toPacket(PacketType.UNSUBACK);
}

/** The server's DISCONNECT, which exists in MQTT 5 only. */
export function encodeDisconnect(reason: number, reasonString: string | null): Uint8Array {
  const list = new Writer();
  if (reasonString !== null) list.property(PropertyId.ReasonString, reasonString);
  const body = new Writer();
  body.byte(reason);
  body.prefixed(list);
  return body.toPacket(PacketType.DISCONNECT);
}

/** AUTH, which exists in MQTT 5 only. */
export function encodeAuth(reason: number, method: string, data: Uint8Array | null): Uint8Array {
  const list = new Writer();
  list.property(PropertyId.AuthenticationMethod, method);
  if (data !== null) list.property(PropertyId.AuthenticationData, data);
  const body = new Writer();
  body.byte(reason);
  body.prefixed(list);
  return body.toPacket(PacketType.AUTH);
}

/** Collects the fields of one packet. */
class Writer {
  private bytes: Uint8Array;
  private length = 0;

  constructor(capacity = 64) {
    this.bytes = new Uint8Array(capacity);
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  u16(value: number): void {
    this.byte(value >> 8);
    this.byte(value & 0xff);
  }

  u32(value: number): void {
    this.u16(value >>> 16);
    this.u16(value & 0xffff);
  }

  property(id: number, value: number | boolean | string | Uint8Array): void {
    this.byte(id);
    if (typeof value === 'string') this.binary(utf8Encode(value));
    else if (typeof value === 'object') this.binary(value);
    else if (propertyKind[id] === PropertyKind.Byte) this.byte(Number(value));
    else if (propertyKind[id] === PropertyKind.TwoByte) this.u16(Number(value));
    else this.u32(Number(value));
  }

  /** The bytes of `list` behind their length: a packet's properties. */
  prefixed(list: Writer): void {
    this.reserve(4);
    this.length = writeVarint(this.bytes, this.length, list.length);
    this.append(list.bytes.subarray(0, list.length));
  }

  toPacket(type: number): Uint8Array {
    const start = 1 + varintLength(this.length);
    const packet = new Uint8Array(start + this.length);
    packet[0] = type << 4;
    writeVarint(packet, 1, this.length);
    packet.set(this.bytes.subarray(0, this.length), start);
    return packet;
  }

  private binary(value: Uint8Array): void {
    if (value.length > 65_535) throw new RangeError('a property is longer than 65,535 bytes');
    this.u16(value.length);
    this.append(value);
  }

  private append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  private reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const larger = new Uint8Array(2 * (this.length + count));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}
