// Decodes SUBSCRIBE and UNSUBSCRIBE [MQTT 5.0 3.8, 3.10]. Malformed packets and protocol errors are
// faults. A well-formed filter that breaks the rules for wildcards or shares is only refused: the
// SUBACK has a code per filter for that, and one bad filter need not cost a client its connection.

import { limits } from '../../limits.ts';
import type { Fault } from '../fault.ts';
import type { ProtocolVersion, QoS, SubscribeEntry } from '../packet.ts';
import { PacketType, type SubscribePacket, type UnsubscribePacket } from '../packet.ts';
import { PropertyId } from '../properties.ts';
import { Reason } from '../reason.ts';
import { filterValid } from '../topic.ts';
import { Reader } from './reader.ts';

const QOS = 0x03;
const NO_LOCAL = 0x04;
const RETAIN_AS_PUBLISHED = 0x08;
const RESERVED = 0xc0;
/** What MQTT 3.x does not use of the options byte. */
const RESERVED_3 = 0xfc;

/** The SUBSCRIBE whose body is buf[start, end), or what is wrong with it. */
export function decodeSubscribe(
  buf: Uint8Array,
  start: number,
  end: number,
  version: ProtocolVersion,
): SubscribePacket | Fault {
  const reader = new Reader(buf, start, end);
  const packetId = readPacketId(reader);
  const identifier =
    version === 5
      ? reader.properties(PacketType.SUBSCRIBE).number(PropertyId.SubscriptionIdentifier, 0)
      : 0;
  const entries: SubscribeEntry[] = [];
  while (reader.remaining > 0) {
    entries.push(readEntry(reader, version));
    checkCount(reader, entries.length);
  }
  if (entries.length === 0) reader.protocolError('SUBSCRIBE without a filter'); // [MQTT-3.8.3-2]
  return reader.fault ?? { packetId, entries, identifier };
}

/** The UNSUBSCRIBE whose body is buf[start, end), or what is wrong with it. */
export function decodeUnsubscribe(
  buf: Uint8Array,
  start: number,
  end: number,
  version: ProtocolVersion,
): UnsubscribePacket | Fault {
  const reader = new Reader(buf, start, end);
  const packetId = readPacketId(reader);
  if (version === 5) reader.properties(PacketType.UNSUBSCRIBE);
  const filters: string[] = [];
  while (reader.remaining > 0) {
    filters.push(reader.string());
    checkCount(reader, filters.length);
  }
  if (filters.length === 0) {
    reader.protocolError('UNSUBSCRIBE without a filter'); // [MQTT-3.10.3-2]
  }
  return reader.fault ?? { packetId, filters };
}

function readPacketId(reader: Reader): number {
  const packetId = reader.u16();
  if (packetId === 0) reader.protocolError('the packet identifier is 0'); // [MQTT-2.2.1-3]
  return packetId;
}

function checkCount(reader: Reader, count: number): void {
  if (count > limits.filtersPerPacketMax) {
    reader.fail(Reason.QuotaExceeded, `more than ${limits.filtersPerPacketMax} filters at once`);
  }
}

function readEntry(reader: Reader, version: ProtocolVersion): SubscribeEntry {
  const filter = reader.string();
  const options = reader.byte();
  const qos = options & QOS;
  const noLocal = (options & NO_LOCAL) !== 0;
  const retainHandling = (options >> 4) & 3;
  if ((options & (version === 5 ? RESERVED : RESERVED_3)) !== 0) {
    reader.malformed('reserved subscription options are set'); // [MQTT-3.8.3-5]
  }
  if (qos === 3) reader.protocolError('the maximum QoS of a subscription is 3');
  if (retainHandling === 3) reader.protocolError('the retain handling of a subscription is 3');
  if (noLocal && filter.startsWith('$share/')) {
    reader.protocolError('No Local on a shared subscription'); // [MQTT-3.8.3-4]
  }
  return {
    filter,
    qos: qos as QoS,
    noLocal,
    retainAsPublished: (options & RETAIN_AS_PUBLISHED) !== 0,
    retainHandling: retainHandling as 0 | 1 | 2,
    refusal: filterValid(filter) ? 0 : Reason.TopicFilterInvalid,
  };
}
