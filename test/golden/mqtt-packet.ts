// mqtt-packet as the corpus sees it: its packets as the test codec's plain objects, and back.

import { generate, type Packet, parser } from 'mqtt-packet';
import type { Version, WirePacket } from '../wire.ts';
import type { WireProperties } from '../wire-properties.ts';

type Fields = Record<string, unknown>;

/** What mqtt-packet reads in the bytes, or "refused", or "nothing" when it waits for more. */
export function parseTheirs(data: Uint8Array, version: Version): object | 'refused' | 'nothing' {
  const found: (Packet | 'refused')[] = [];
  const parse = parser({ protocolVersion: version });
  parse.on('packet', packet => found.push(packet));
  parse.on('error', () => found.push('refused'));
  try {
    parse.parse(Buffer.from(data));
  } catch {
    return 'refused';
  }
  const first = found[0];
  if (first === undefined) return 'nothing';
  return first === 'refused' ? 'refused' : asWire(first as unknown as Fields, version);
}

function asWire(p: Fields, version: Version): object {
  const type = p.cmd as string;
  const properties = wireProperties(p.properties as Fields | undefined);
  switch (type) {
    case 'connect':
      return connectAsWire(p, properties);
    case 'connack': {
      const reason = version === 5 ? p.reasonCode : p.returnCode;
      return { type, sessionPresent: p.sessionPresent, reason, properties };
    }
    case 'publish': {
      const { topic, qos, dup, retain } = p;
      const payload = plain(p.payload);
      return { type, topic, payload, qos, dup, retain, packetId: p.messageId ?? 0, properties };
    }
    case 'subscribe': {
      const filters = (p.subscriptions as Fields[]).map(s => ({
        filter: s.topic,
        qos: s.qos,
        noLocal: s.nl ?? false,
        retainAsPublished: s.rap ?? false,
        retainHandling: s.rh ?? 0,
      }));
      return { type, packetId: p.messageId, filters, properties };
    }
    case 'unsubscribe':
      return { type, packetId: p.messageId, filters: p.unsubscriptions, properties };
    case 'suback':
    case 'unsuback':
      return { type, packetId: p.messageId, reasons: p.granted ?? [], properties };
    case 'pingreq':
    case 'pingresp':
      return { type };
    case 'disconnect':
    case 'auth':
      return { type, reason: p.reasonCode ?? 0, properties };
    default:
      return { type, packetId: p.messageId, reason: p.reasonCode ?? 0, properties };
  }
}

function connectAsWire(p: Fields, properties: WireProperties): object {
  const will = p.will as Fields | undefined;
  return {
    type: 'connect',
    version: p.protocolVersion,
    cleanStart: p.clean,
    keepAlive: p.keepalive,
    clientId: p.clientId,
    will: will
      ? {
          topic: will.topic,
          payload: plain(will.payload),
          qos: will.qos,
          retain: will.retain,
          properties: wireProperties(will.properties as Fields | undefined),
        }
      : null,
    username: p.username ?? null,
    password: p.password === undefined || p.password === null ? null : plain(p.password),
    properties,
  };
}

function plain(value: unknown): Uint8Array {
  return typeof value === 'string'
    ? new TextEncoder().encode(value)
    : new Uint8Array(value as Buffer);
}

function wireProperties(given: Fields | undefined): WireProperties {
  const entries = Object.entries(given ?? {}).map(([name, value]) => {
    if (name === 'subscriptionIdentifier') {
      return ['subscriptionIdentifiers', [value].flat()];
    }
    if (name === 'userProperties') return [name, pairs(value as Fields)];
    if (typeof value === 'boolean') return [name, Number(value)];
    return [name, value instanceof Uint8Array ? plain(value) : value];
  });
  return Object.fromEntries(entries);
}

/** It keeps the values of a name together: the order among names is lost. */
function pairs(grouped: Fields): [string, string][] {
  return Object.entries(grouped).flatMap(([name, value]) =>
    [value].flat().map(one => [name, one] as [string, string]),
  );
}

/** What mqtt-packet writes for a packet, or null when it refuses to. */
export function generateTheirs(packet: WirePacket, version: Version): Uint8Array | null {
  try {
    return new Uint8Array(
      generate(fromWire(packet, version) as unknown as Packet, { protocolVersion: version }),
    );
  } catch {
    return null;
  }
}

function fromWire(packet: WirePacket, version: Version): Fields {
  const common: Fields = { cmd: packet.type };
  if ('packetId' in packet) common.messageId = packet.packetId;
  if ('properties' in packet) common.properties = theirProperties(packet.properties);
  switch (packet.type) {
    case 'connect': {
      const { clientId, cleanStart, keepAlive, username, password, will } = packet;
      const fields: Fields = { clientId, clean: cleanStart, keepalive: keepAlive };
      fields.protocolVersion = version;
      fields.protocolId = version === 3 ? 'MQIsdp' : 'MQTT';
      if (username !== null) fields.username = username;
      if (password !== null) fields.password = Buffer.from(password);
      if (will !== null) {
        const payload = Buffer.from(will.payload);
        fields.will = { ...will, payload, properties: theirProperties(will.properties) };
      }
      return { ...common, ...fields };
    }
    case 'publish': {
      const { topic, qos, dup, retain } = packet;
      return { ...common, topic, qos, dup, retain, payload: Buffer.from(packet.payload) };
    }
    case 'subscribe': {
      const subscriptions = packet.filters.map(f => ({
        ...{ topic: f.filter, qos: f.qos, nl: f.noLocal },
        ...{ rap: f.retainAsPublished, rh: f.retainHandling },
      }));
      return { ...common, subscriptions };
    }
    case 'unsubscribe':
      return { ...common, unsubscriptions: packet.filters };
    case 'suback':
    case 'unsuback':
      return { ...common, granted: packet.reasons };
    case 'connack': {
      const { sessionPresent, reason } = packet;
      return { ...common, sessionPresent, reasonCode: reason, returnCode: reason };
    }
    case 'pingreq':
    case 'pingresp':
      return common;
    default:
      return { ...common, reasonCode: packet.reason };
  }
}

const theirBooleans = new Set([
  ...['payloadFormatIndicator', 'requestProblemInformation', 'requestResponseInformation'],
  ...['retainAvailable', 'wildcardSubscriptionAvailable', 'subscriptionIdentifiersAvailable'],
  'sharedSubscriptionAvailable',
]);

function theirProperties(properties: WireProperties): Fields | undefined {
  const entries = Object.entries(properties).map(([name, value]) => {
    if (name === 'subscriptionIdentifiers') return ['subscriptionIdentifier', value];
    if (name === 'userProperties') return [name, grouped(value as [string, string][])];
    if (theirBooleans.has(name)) return [name, value === 1];
    return [name, value instanceof Uint8Array ? Buffer.from(value) : value];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function grouped(list: readonly [string, string][]): Record<string, string[]> {
  const groups: Record<string, string[]> = {};
  for (const [name, value] of list) groups[name] = [...(groups[name] ?? []), value];
  return groups;
}
