// The frames a load generator sends, built once before the clock starts, and the stamp that each
// payload carries: who sent it (u32), its sequence number (u32), when (u32, microseconds).

import { PacketType, type ProtocolVersion, type QoS } from '../mqtt/packet.ts';

export const STAMP_BYTES = 12;
export const STAMP_SEQUENCE = 4;
export const STAMP_TIME = 8;

const encoder = new TextEncoder();

function text(value: string): number[] {
  const bytes = encoder.encode(value);
  return [bytes.length >> 8, bytes.length & 0xff, ...bytes];
}

function remainingLength(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return bytes;
}

function frame(head: number, ...parts: readonly (readonly number[])[]): Uint8Array {
  const body = parts.flat();
  return Uint8Array.from([head, ...remainingLength(body.length), ...body]);
}

/** No properties, where the version has them. */
function noProperties(version: ProtocolVersion): number[] {
  return version === 5 ? [0] : [];
}

/** With a clean session, which ends with its connection, or one that outlives it. */
export type SessionKind = 'clean' | 'persistent';

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** CONNECT without keep alive. */
export function connectFrame(
  version: ProtocolVersion,
  clientId: string,
  session: SessionKind = 'clean',
  credentials: Credentials | null = null,
): Uint8Array {
  const protocol = text(version === 3 ? 'MQIsdp' : 'MQTT');
  const CLEAN_SESSION = 0x02;
  const NEVER_EXPIRES = [5, 0x11, 0xff, 0xff, 0xff, 0xff];
  const persistent = session === 'persistent';
  const properties = persistent && version === 5 ? NEVER_EXPIRES : noProperties(version);
  const USERNAME_AND_PASSWORD = 0xc0;
  const flags = (persistent ? 0 : CLEAN_SESSION) | (credentials ? USERNAME_AND_PASSWORD : 0);
  const secrets = credentials ? [...text(credentials.username), ...text(credentials.password)] : [];
  const rest = [version, flags, 0, 0, ...properties];
  return frame(PacketType.CONNECT << 4, protocol, rest, text(clientId), secrets);
}

/** One SUBSCRIBE for all the filters. */
export function subscribeFrame(
  version: ProtocolVersion,
  filters: readonly string[],
  qos: QoS,
): Uint8Array {
  const packetId = [0, 1];
  const asked = filters.flatMap(filter => [...text(filter), qos]);
  return frame(0x82, packetId, noProperties(version), asked);
}

export function disconnectFrame(): Uint8Array {
  return frame(PacketType.DISCONNECT << 4);
}

/** What a PUBLISH of MQTT 5 may carry: that it is bytes, an expiry, a content type, a user
 *  property. */
function someProperties(): number[] {
  const userProperty = [0x26, ...text('unit'), ...text('celsius')];
  const all = [0x01, 0, 0x02, 0, 0, 14, 16, 0x03, ...text('application/json'), ...userProperty];
  return [...remainingLength(all.length), ...all];
}

export interface PublishOptions {
  readonly version: ProtocolVersion;
  readonly qos: QoS;
  readonly payloadBytes: number;
  /** Whether it carries properties; only MQTT 5 has them. */
  readonly properties?: boolean;
  readonly retain?: boolean;
}

/** A PUBLISH to be sent again and again; what varies is patched in place. */
export interface PublishTemplate {
  readonly bytes: Uint8Array;
  /** Where the packet identifier stands; 0 at QoS 0, which has none. */
  readonly packetIdAt: number;
  readonly stampAt: number;
}

export function publishTemplate(topic: string, options: PublishOptions): PublishTemplate {
  const { version, qos, payloadBytes, retain = false } = options;
  const name = text(topic);
  const packetId = qos > 0 ? [0, 0] : [];
  const properties = options.properties ? someProperties() : noProperties(version);
  const length = name.length + packetId.length + properties.length + payloadBytes;
  const first = (PacketType.PUBLISH << 4) | (qos << 1) | Number(retain);
  const head = [first, ...remainingLength(length)];
  const bytes = new Uint8Array(head.length + length).fill(0x2e);
  bytes.set([...head, ...name, ...packetId, ...properties]);
  return {
    bytes,
    packetIdAt: qos > 0 ? head.length + name.length : 0,
    stampAt: bytes.length - payloadBytes,
  };
}

/** Where the payload of a received PUBLISH begins, given its first byte and variable header. */
export function payloadOf(
  bytes: Uint8Array,
  head: number,
  body: number,
  version: ProtocolVersion,
): number {
  let at = body + 2 + ((bytes[body]! << 8) | bytes[body + 1]!);
  if ((head & 0x06) !== 0) at += 2;
  if (version === 5) {
    let length = 0;
    let shift = 0;
    let byte: number;
    do {
      byte = bytes[at++]!;
      length |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte >= 0x80 && shift < 28);
    at += length;
  }
  return at;
}
