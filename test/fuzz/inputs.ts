// Inputs for the fuzzer: sequences of packets as a client may send them, and ways to spoil their
// bytes that keep enough of the structure to get past the first check.

import type { Prng } from '../prng.ts';
import {
  encodePacket,
  frame,
  join,
  string,
  text,
  u16,
  u32,
  type Version,
  varint,
  type WireInput,
} from '../wire.ts';
import type { WireProperties } from '../wire-properties.ts';

const topics = ['a', 'a/b', 'a//c', 'ä/€', 'forbidden/x', 'x'.repeat(300)];
const badTopics = ['', '+', 'a/#', 'a\0b'];
const filters = ['#', 'a/+', '+/+', 'a', '$share/g/a/#', '$share/g/+', 'ä/€', '$SYS/#', '+/#'];
const badFilters = ['', 'a/#/b', 'a+', '$share//a', '$share/g', '$share/g/', '\0'];
const clientIds = ['', 'one', 'two', 'three', 'ä', 'x'.repeat(100)];
const words = ['', 'a', 'ä', '\u{1f41f}', 'x'.repeat(200)];

/** How rare it is that what is drawn is wrong in itself, besides being spoiled later. */
const RARE = 60;

function pickTopic(prng: Prng): string {
  return prng.pick(prng.oneIn(RARE) ? badTopics : topics);
}

function pickFilter(prng: Prng): string {
  return prng.pick(prng.oneIn(RARE) ? badFilters : filters);
}

/** Everything one client sends on one connection: CONNECT first, nearly always. */
export function drawSequence(prng: Prng): { version: Version; packets: Uint8Array[] } {
  const version = prng.pick<Version>([3, 4, 4, 5, 5, 5, 5]);
  const packets: Uint8Array[] = [];
  if (!prng.oneIn(RARE)) packets.push(connect(prng, version));
  const length = prng.oneIn(4) ? prng.between(0, 2) : prng.between(1, 40);
  for (let i = 0; i < length; i++) packets.push(drawPacket(prng, version));
  return { version, packets };
}

function connect(prng: Prng, version: Version): Uint8Array {
  const v5 = version === 5;
  const withMethod = v5 && prng.oneIn(8);
  const clientId = prng.pick(clientIds);
  const nameless = clientId === '' && version < 5 && !prng.oneIn(RARE);
  const properties: WireProperties = {
    ...(v5 && prng.oneIn(2) && { sessionExpiryInterval: prng.pick([0, 1, 10, 0xffff_ffff]) }),
    ...(v5 && prng.oneIn(3) && { receiveMaximum: prng.pick([1, 3, 65_535]) }),
    ...(v5 && prng.oneIn(4) && { maximumPacketSize: prng.pick([1, 20, 200, 5_000]) }),
    ...(v5 && prng.oneIn(3) && { topicAliasMaximum: prng.pick([1, 5]) }),
    ...(v5 && prng.oneIn(4) && { requestResponseInformation: prng.below(2) }),
    ...(v5 && prng.oneIn(4) && { requestProblemInformation: prng.below(2) }),
    ...(v5 && prng.oneIn(4) && { userProperties: userProperties(prng) }),
    ...(withMethod && { authenticationMethod: prng.oneIn(10) ? 'unknown' : 'known' }),
    ...(withMethod && prng.oneIn(2) && { authenticationData: prng.bytes(prng.below(20)) }),
  };
  const username = prng.oneIn(3) ? prng.pick(words) : null;
  const will = prng.oneIn(3)
    ? {
        topic: pickTopic(prng),
        payload: prng.bytes(prng.below(30)),
        qos: prng.below(3),
        retain: prng.oneIn(2),
        properties: v5 ? { ...travelling(prng), willDelayInterval: prng.pick([0, 1, 100]) } : {},
      }
    : null;
  return encodePacket(
    {
      type: 'connect',
      version,
      clientId: nameless ? 'one' : clientId,
      cleanStart: prng.oneIn(2),
      keepAlive: prng.pick([0, 1, 60, 65_535]),
      username,
      password: username !== null && prng.oneIn(2) ? prng.bytes(prng.below(10)) : null,
      will,
      properties,
    },
    version,
  );
}

function userProperties(prng: Prng): [string, string][] {
  return Array.from({ length: prng.between(1, 5) }, () => [prng.pick(words), prng.pick(words)]);
}

function travelling(prng: Prng): WireProperties {
  return {
    ...(prng.oneIn(4) && { payloadFormatIndicator: 0 }),
    ...(prng.oneIn(4) && { messageExpiryInterval: prng.pick([0, 1, 1_000, 0xffff_ffff]) }),
    ...(prng.oneIn(4) && { contentType: prng.pick(words) }),
    ...(prng.oneIn(4) && { responseTopic: prng.oneIn(RARE) ? 'a/+' : 'answers' }),
    ...(prng.oneIn(4) && { correlationData: prng.bytes(prng.below(20)) }),
    ...(prng.oneIn(4) && { userProperties: userProperties(prng) }),
  };
}

const kinds = {
  ...{ publish: 12, puback: 0.2, pubrec: 0.2, pubrel: 3, pubcomp: 0.2, subscribe: 6 },
  ...{ unsubscribe: 3, pingreq: 1, disconnect: 0.3, auth: 0.2, connect: 0.1, connack: 0.05 },
  ...{ suback: 0.05, pingresp: 0.05 },
};

export function drawPacket(prng: Prng, version: Version): Uint8Array {
  const kind = prng.weighted(kinds);
  if (kind === 'connect') return connect(prng, version);
  return encodePacket(packetOf(prng, version, kind), version);
}

function packetOf(prng: Prng, version: Version, kind: keyof typeof kinds): WireInput {
  const v5 = version === 5;
  const packetId = prng.oneIn(RARE) ? prng.pick([0, 65_535]) : prng.between(1, 6);
  const reason = v5 && prng.oneIn(5) ? prng.pick([0x10, 0x80, 0x83, 0x97]) : 0;
  switch (kind) {
    case 'publish': {
      const alias =
        v5 && prng.oneIn(4)
          ? { topicAlias: prng.oneIn(RARE) ? prng.pick([0, 6, 65_535]) : prng.pick([1, 2, 5]) }
          : {};
      return {
        type: 'publish',
        topic: pickTopic(prng),
        payload: prng.bytes(prng.oneIn(20) ? 6_000 : prng.below(60)),
        qos: prng.below(3),
        dup: prng.oneIn(40),
        retain: prng.oneIn(4),
        packetId,
        properties: v5 ? { ...travelling(prng), ...alias } : {},
      };
    }
    case 'subscribe':
      return {
        type: 'subscribe',
        packetId,
        filters: Array.from({ length: prng.between(prng.oneIn(RARE) ? 0 : 1, 4) }, () => ({
          filter: pickFilter(prng),
          qos: prng.below(3),
          noLocal: v5 && prng.oneIn(20),
          retainAsPublished: v5 && prng.oneIn(4),
          retainHandling: v5 ? prng.below(3) : 0,
        })),
        properties:
          v5 && prng.oneIn(3)
            ? { subscriptionIdentifiers: [prng.pick([1, 127, 268_435_455])] }
            : {},
      };
    case 'unsubscribe':
      return { type: 'unsubscribe', packetId, filters: [pickFilter(prng), pickFilter(prng)] };
    case 'auth':
      return {
        type: 'auth',
        reason: prng.pick([0, 0x18, 0x19]),
        properties: { authenticationMethod: prng.pick(['known', 'unknown']) },
      };
    case 'disconnect':
      return {
        type: 'disconnect',
        reason: prng.pick([0, 4]),
        properties: v5 && prng.oneIn(2) ? { sessionExpiryInterval: prng.pick([0, 1, 1_000]) } : {},
      };
    case 'connack':
      return { type: 'connack', reason: 0 };
    case 'suback':
      return { type: 'suback', packetId, reasons: [0] };
    case 'pingreq':
    case 'pingresp':
      return { type: kind };
    default:
      return { type: kind as 'puback', packetId, reason };
  }
}

// ---- Spoiling -----------------------------------------------------------------------------------

type Spoil = (prng: Prng, packet: Uint8Array, version: Version) => Uint8Array;

const spoils: readonly Spoil[] = [
  function flipBits(prng, packet) {
    const spoiled = packet.slice();
    for (let i = prng.between(1, 4); i > 0; i--) {
      spoiled[prng.below(spoiled.length)]! ^= 1 << prng.below(8);
    }
    return spoiled;
  },
  function truncate(prng, packet) {
    return packet.slice(0, prng.below(packet.length));
  },
  function truncateWithRightLength(prng, packet) {
    return frame(packet[0]!, packet.slice(2, prng.between(2, packet.length)));
  },
  function lieAboutTheLength(prng, packet) {
    const lengths = [0, 1, packet.length, packet.length + 3, 100_000, 268_435_455];
    const given = prng.oneIn(3)
      ? prng.pick([
          [0x80, 0],
          [0xff, 0xff, 0xff, 0xff, 1],
          [0x80, 0x80, 0x80, 0x80],
        ])
      : varint(prng.pick(lengths));
    return join([packet.slice(0, 1), Uint8Array.from(given), packet.slice(2)]);
  },
  function insertBytes(prng, packet) {
    const at = prng.between(0, packet.length);
    const bytes = prng.bytes(prng.between(1, 8));
    return join([packet.slice(0, at), bytes, packet.slice(at)]);
  },
  function insertBytesWithRightLength(prng, packet) {
    const at = prng.between(2, packet.length);
    const bytes = prng.bytes(prng.between(1, 8));
    return frame(packet[0]!, packet.slice(2, at), bytes, packet.slice(at));
  },
  function spliceTwo(prng, packet, version) {
    const other = drawPacket(prng, version);
    const left = packet.slice(0, prng.below(packet.length));
    return join([left, other.slice(prng.below(other.length))]);
  },
  function otherTypeOrFlags(prng, packet) {
    const spoiled = packet.slice();
    spoiled[0] = prng.below(256);
    return spoiled;
  },
  function otherFieldLength(prng, packet) {
    const spoiled = packet.slice();
    const at = prng.below(packet.length);
    spoiled.set(u16(prng.pick([0, 1, 0x7fff, 0xffff])).slice(0, packet.length - at), at);
    return spoiled;
  },
  function reachBeyondTheEnd(prng, packet) {
    // The first field takes all there is, or a little more.
    const spoiled = packet.slice();
    const rest = packet.length - 4 + prng.below(4);
    if (packet.length > 4 && packet.length < 130) spoiled.set(u16(rest), 2);
    return spoiled;
  },
  function noise(prng) {
    return frame(prng.below(256), prng.bytes(prng.below(60)));
  },
  function twice(_, packet) {
    return join([packet, packet]);
  },
  function wildProperties(prng) {
    const properties = join(Array.from({ length: prng.between(1, 4) }, () => property(prng)));
    const length = prng.oneIn(5) ? varint(prng.below(300)) : varint(properties.length);
    const head = prng.pick([
      [0x30, string('a')],
      [0x32, join([string('a'), u16(1)])],
      [0x40, Uint8Array.of(0, 1, 0)],
      [0x82, u16(1)],
      [0xa2, u16(1)],
      [0xe0, Uint8Array.of(0)],
      [0xf0, Uint8Array.of(0x19)],
      [0x10, join([string('MQTT'), Uint8Array.of(5, 2), u16(10)])],
    ] as [number, Uint8Array][]);
    return frame(head[0], head[1], length, properties, string('a'), prng.bytes(prng.below(4)));
  },
];

/** A property that is whole, whether or not it exists or belongs where it stands. */
function property(prng: Prng): Uint8Array {
  const id = Uint8Array.of(prng.between(0, 45));
  const value = prng.pick([
    () => Uint8Array.of(prng.below(4)),
    () => u16(prng.below(65_536)),
    () => u32(prng.uint32()),
    () => varint(prng.below(300_000)),
    () => string(prng.pick(words)),
    () => join([string(prng.pick(words)), string(prng.pick(words))]),
    () => join([u16(3), Uint8Array.of(0xc0, 0x80, 0xff)]),
    () => text('x'),
  ])();
  return join([id, value]);
}

/** `packet`, spoiled in one way or several. */
export function spoil(prng: Prng, packet: Uint8Array, version: Version): Uint8Array {
  let spoiled = prng.pick(spoils)(prng, packet, version);
  while (prng.oneIn(4) && spoiled.length > 2) {
    spoiled = prng.pick(spoils)(prng, spoiled, version);
  }
  return spoiled;
}
