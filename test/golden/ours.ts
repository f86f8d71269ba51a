// The codec of src/mqtt as the corpus sees it: bytes → the test codec's plain objects or a reason
// code, and plain objects → bytes for what a server sends.

import { AckView, decodeAck } from '../../src/mqtt/decode/ack.ts';
import { decodeConnect } from '../../src/mqtt/decode/connect.ts';
import { decodePublish, PublishView } from '../../src/mqtt/decode/publish.ts';
import { decodeAuth, decodeDisconnect } from '../../src/mqtt/decode/session.ts';
import { decodeSubscribe, decodeUnsubscribe } from '../../src/mqtt/decode/subscribe.ts';
import {
  type Connack,
  type ConnackProperties,
  encodeAuth,
  encodeConnack,
  encodeDisconnect,
  encodeSuback,
  encodeUnsuback,
} from '../../src/mqtt/encode/packets.ts';
import {
  PublishExtras,
  publishLength,
  writeAck,
  writePublish,
} from '../../src/mqtt/encode/publish.ts';
import { Fault } from '../../src/mqtt/fault.ts';
import { firstByteValid, headerLength, packetLength } from '../../src/mqtt/framer.ts';
import type { ConnectPacket } from '../../src/mqtt/packet.ts';
import { topicNameValid } from '../../src/mqtt/topic.ts';
import { utf8Decode } from '../../src/mqtt/utf8.ts';
import { encodeProperties, join, text, type Version, type WirePacket } from '../wire.ts';
import type { WireProperties } from '../wire-properties.ts';

type Object = Record<string, unknown>;

/** What our decoders make of a client's packet: its parts, or the reason code of what is wrong. */
export function decodeOurs(buf: Uint8Array, version: Version): Object | number {
  const length = packetLength(buf, 0, buf.length);
  if (length < 0 || !firstByteValid(buf[0], version)) return 0x81;
  const start = headerLength(length);
  const decoded = decodeBody(buf, start, length, version);
  return decoded instanceof Fault ? decoded.reason : decoded;
}

function decodeBody(
  buf: Uint8Array,
  start: number,
  end: number,
  version: Version,
): Object | Fault | number {
  switch (buf[0] >> 4) {
    case 1:
      return decodeConnect(buf, start, end) as unknown as Object | Fault;
    case 3: {
      const view = new PublishView();
      return decodePublish(view, buf, buf[0], start, end, version) || publishParts(view, buf);
    }
    case 4:
    case 5:
    case 6:
    case 7: {
      const view = new AckView();
      return decodeAck(view, buf, buf[0] >> 4, start, end, version) || { ...view };
    }
    case 8:
      return decodeSubscribe(buf, start, end, version) as unknown as Object | Fault;
    case 10:
      return decodeUnsubscribe(buf, start, end, version) as unknown as Object | Fault;
    case 14:
      return decodeDisconnect(buf, start, end, version) as unknown as Object | Fault;
    case 15: // Before MQTT 5 the core turns it away unread.
      return version === 5 ? (decodeAuth(buf, start, end) as unknown as Object | Fault) : {};
    default:
      return {};
  }
}

function publishParts(view: PublishView, buf: Uint8Array): Object {
  const { qos, dup, retain, packetId, alias, expirySeconds, payloadIsUtf8 } = view;
  const { propertiesTravel, topicStart, topicEnd, payloadStart, end } = view;
  const nameValid = topicNameValid(buf, topicStart, topicEnd);
  return {
    ...{ qos, dup, retain, packetId, alias, expirySeconds, payloadIsUtf8, propertiesTravel },
    topicEmpty: topicStart === topicEnd,
    topic: nameValid ? utf8Decode(buf, topicStart, topicEnd) : null,
    payload: buf.slice(payloadStart, end),
    properties: buf.slice(view.propertiesStart, view.propertiesEnd),
  };
}

/** What `decodeOurs` should make of the bytes of `packet`: derived from the corpus alone. */
export function expectOurs(packet: WirePacket, refusals: readonly number[] | null) {
  switch (packet.type) {
    case 'connect':
      return expectConnect(packet);
    case 'publish': {
      const { qos, dup, retain, packetId, payload, properties } = packet;
      return {
        ...{ qos, dup, retain, packetId, payload },
        topic: packet.topic === '' ? null : packet.topic,
        alias: properties.topicAlias ?? 0,
        expirySeconds: properties.messageExpiryInterval ?? -1,
        payloadIsUtf8: properties.payloadFormatIndicator === 1,
        propertiesTravel:
          properties.topicAlias === undefined && properties.messageExpiryInterval === undefined,
      };
    }
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return { packetId: packet.packetId, reason: packet.reason };
    case 'subscribe':
      return {
        packetId: packet.packetId,
        identifier: packet.properties.subscriptionIdentifiers?.[0] ?? 0,
        entries: packet.filters.map((filter, i) => ({ ...filter, refusal: refusals?.[i] ?? 0 })),
      };
    case 'unsubscribe':
      return { packetId: packet.packetId, filters: packet.filters };
    case 'disconnect':
      return {
        reason: packet.reason,
        sessionExpirySeconds: packet.properties.sessionExpiryInterval ?? null,
      };
    case 'auth': {
      const { authenticationMethod, authenticationData } = packet.properties;
      return {
        reason: packet.reason,
        method: authenticationMethod ?? null,
        data: authenticationData ?? null,
      };
    }
    default:
      return {};
  }
}

function expectConnect(packet: WirePacket & { type: 'connect' }): Omit<ConnectPacket, 'bridge'> {
  const { version, cleanStart, clientId, username, password, will, properties: p } = packet;
  const expiry3 = cleanStart ? 0 : 0xffff_ffff;
  return {
    ...{ version, cleanStart, clientId, username, password },
    keepAliveSeconds: packet.keepAlive,
    will: will && {
      topic: will.topic,
      payload: will.payload,
      qos: will.qos as 0 | 1 | 2,
      retain: will.retain,
      delaySeconds: will.properties.willDelayInterval ?? 0,
      expirySeconds: will.properties.messageExpiryInterval ?? null,
      properties: travelling(will.properties),
      payloadIsUtf8: will.properties.payloadFormatIndicator === 1,
    },
    sessionExpirySeconds: version === 5 ? (p.sessionExpiryInterval ?? 0) : expiry3,
    receiveMaximum: p.receiveMaximum ?? 65_535,
    packetSizeMax: p.maximumPacketSize ?? 268_435_460,
    topicAliasMaximum: p.topicAliasMaximum ?? 0,
    requestResponseInformation: p.requestResponseInformation === 1,
    requestProblemInformation: p.requestProblemInformation !== 0,
    userProperties: p.userProperties ?? [],
    authenticationMethod: p.authenticationMethod ?? null,
    authenticationData: p.authenticationData ?? null,
  };
}

/** The encoded properties that travel on with a will, without their length. */
function travelling(properties: WireProperties): Uint8Array {
  const { willDelayInterval, messageExpiryInterval, ...rest } = properties;
  return withoutLength(rest);
}

function withoutLength(properties: WireProperties): Uint8Array {
  const encoded = encodeProperties(properties, 5);
  return encoded.slice(encoded.findIndex(byte => byte < 128) + 1);
}

/** What a server sends, by our encoders; null when they have no words for it. */
export function encodeOurs(packet: WirePacket, version: Version): Uint8Array | null {
  switch (packet.type) {
    case 'connack':
      return encodeConnack(asConnack(packet, version), version);
    case 'publish':
      return publish(packet, version);
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp': {
      const first = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 }[packet.type];
      const target = new Uint8Array(5);
      return target.slice(0, writeAck(target, 0, first, packet.packetId, packet.reason));
    }
    case 'suback':
      return encodeSuback(packet.packetId, packet.reasons, version);
    case 'unsuback':
      return encodeUnsuback(packet.packetId, packet.reasons, version);
    case 'disconnect':
      return encodeDisconnect(packet.reason, packet.properties.reasonString ?? null);
    case 'auth': {
      const { authenticationMethod, authenticationData } = packet.properties;
      return encodeAuth(packet.reason, authenticationMethod!, authenticationData ?? null);
    }
    default:
      return null;
  }
}

/** A reason that gives each return code of MQTT 3.x. */
const reasonOfReturnCode = [0, 0x84, 0x85, 0x88, 0x86, 0x87];

const connackNames: Record<string, keyof ConnackProperties> = {
  sessionExpiryInterval: 'sessionExpirySeconds',
  maximumPacketSize: 'packetSizeMax',
  assignedClientIdentifier: 'assignedClientId',
  serverKeepAlive: 'serverKeepAliveSeconds',
};

function asConnack(packet: WirePacket & { type: 'connack' }, version: Version): Connack {
  const { sessionPresent, reason } = packet;
  if (version !== 5) {
    return { sessionPresent, reason: reasonOfReturnCode[reason], properties: null };
  }
  const entries = Object.entries(packet.properties).map(([name, value]) => [
    connackNames[name] ?? name,
    name.endsWith('Available') ? value === 1 : value,
  ]);
  return { sessionPresent, reason, properties: Object.fromEntries(entries) };
}

function publish(packet: WirePacket & { type: 'publish' }, version: Version): Uint8Array {
  const { topicAlias, messageExpiryInterval, subscriptionIdentifiers, ...rest } = packet.properties;
  const extras = new PublishExtras();
  extras.alias = topicAlias ?? 0;
  extras.topicKnown = packet.topic === '';
  extras.expirySeconds = messageExpiryInterval ?? -1;
  extras.identifiers = subscriptionIdentifiers ?? null;
  const encoded = withoutLength(rest);
  const source = join([encoded, packet.payload]);
  const body = {
    ...{ topicBytes: text(packet.topic), source },
    ...{ propertiesStart: 0, payloadStart: encoded.length, end: source.length },
  };
  const { qos, dup, retain, packetId } = packet;
  const first = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0);
  const length = publishLength(body, extras, qos, version === 5);
  const target = new Uint8Array(length);
  const end = writePublish(target, 0, first, packetId, body, extras, version === 5);
  return target.slice(0, end);
}
