// From packets of the test codec to the oracle's words, and how large a copy is on the wire.

import { encodeProperties, type PublishWire, type WireWill } from '../../wire.ts';
import type { WireProperties } from '../../wire-properties.ts';
import type { Draft, WillDraft } from './broker-model.ts';
import type { Copy, Publication, QoS, Terms } from './message.ts';

/** The properties that travel from publisher to subscriber unchanged [MQTT-3.3.2-4 and on]. */
function travelling(properties: WireProperties): WireProperties {
  const { messageExpiryInterval, topicAlias, subscriptionIdentifiers, ...rest } = properties;
  const { willDelayInterval, ...travel } = rest;
  return travel;
}

/** One text for each set of properties: only the order of user properties counts. */
function canonical(properties: WireProperties): string {
  const travel = travelling(properties);
  const entries = Object.entries(travel).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(entries, (_, value) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  );
}

function draftOf(
  topic: string,
  from: { payload: Uint8Array; qos: number; retain: boolean; properties: WireProperties },
): Draft {
  const travel = travelling(from.properties);
  const bytes = Object.keys(travel).length === 0 ? 0 : encodeProperties(travel, 5).length;
  return {
    topic,
    payload: from.payload,
    qos: from.qos as QoS,
    retain: from.retain,
    properties: canonical(from.properties),
    propertyBytes: bytes === 0 ? 0 : bytes - (bytes > 128 ? 2 : 1),
    expirySeconds: from.properties.messageExpiryInterval ?? null,
  };
}

export function draftOfPublish(topic: string, packet: PublishWire): Draft {
  return draftOf(topic, packet);
}

export function draftOfWill(will: WireWill): WillDraft {
  return {
    draft: draftOf(will.topic, will),
    delaySeconds: will.properties.willDelayInterval ?? 0,
  };
}

export function copyOf(topic: string, packet: PublishWire): Copy {
  return {
    topic,
    payload: packet.payload,
    qos: packet.qos as QoS,
    retain: packet.retain,
    dup: packet.dup,
    packetId: packet.packetId,
    identifiers: [...(packet.properties.subscriptionIdentifiers ?? [])].sort((a, b) => a - b),
    properties: canonical(packet.properties),
    expirySeconds: packet.properties.messageExpiryInterval ?? null,
  };
}

function varintBytes(value: number): number {
  return value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : 4;
}

/** The largest form that a copy may take: with its topic name and, where they are on, an alias. */
export function sizeOf(
  publication: Publication,
  terms: Terms,
  version: number,
  aliases: boolean,
): number {
  let rest = 2 + Buffer.byteLength(publication.topic) + publication.payload.length;
  if (terms.qos > 0) rest += 2;
  if (version === 5) {
    let properties = publication.propertyBytes + (aliases ? 3 : 0);
    if (publication.expiresAt < Infinity) properties += 5;
    for (const identifier of terms.identifiers) properties += 1 + varintBytes(identifier);
    rest += varintBytes(properties) + properties;
  }
  return 1 + varintBytes(rest) + rest;
}
