// What the property tests of the codec draw from: strings, properties and whole packets of every
// kind, as the test codec's plain objects.

import * as fc from 'fast-check';
import { freshSeed, rounds } from '../harness.ts';
import type { Version, WirePacket } from '../wire.ts';
import { type PropertyName, propertyRules, type WireProperties } from '../wire-properties.ts';

/** How long and from which seed a property test runs; MINNOW_SEED replays one. */
export function runs(count: number): { numRuns: number; seed: number } {
  return { numRuns: count * rounds, seed: freshSeed() };
}

/** Plain objects, as the codec makes them. */
function record<T extends Record<string, unknown>>(
  model: {
    [K in keyof T]: fc.Arbitrary<T[K]>;
  },
): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

export const version = fc.constantFrom<Version[]>(3, 4, 5);

/** Any string that MQTT can carry, mostly short. */
const string = fc
  .oneof({ weight: 30, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) }, longString())
  .map(value => value.replaceAll('\0', ''));

function longString(): fc.Arbitrary<string> {
  return fc.constantFrom('x'.repeat(127), 'ä'.repeat(100), '🐟'.repeat(5_000));
}

const topic = string.map(value => value.replace(/[+#]/g, '') || 'a');
const binary = fc.uint8Array({ maxLength: 40 }).map(data => new Uint8Array(data));
const packetId = fc.integer({ min: 1, max: 65_535 });
const qos = fc.constantFrom(0, 1, 2);

const values = {
  flag: fc.constantFrom(0, 1),
  u16: fc.integer({ min: 0, max: 65_535 }),
  'nonzero u16': fc.integer({ min: 1, max: 65_535 }),
  u32: fc.integer({ min: 0, max: 0xffff_ffff }),
  'nonzero u32': fc.integer({ min: 1, max: 0xffff_ffff }),
  varint: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 268_435_455 })),
  string,
  topic,
  binary,
  pair: fc.array(fc.tuple(string, string), { minLength: 1, maxLength: 4 }),
};

/** Any set of properties that may stand in `where`; `always` are never missing. */
export function properties(
  where: string,
  of: Version,
  always: readonly PropertyName[] = [],
): fc.Arbitrary<WireProperties> {
  if (of !== 5) return fc.constant({});
  const plain = where.replace(/^.*-/, '');
  const model: Record<string, fc.Arbitrary<unknown>> = {};
  for (const rule of propertyRules) {
    const places = rule.where.split(' ');
    if (!places.includes(where) && !places.includes(plain)) continue;
    const many = rule.type === 'varint' ? (where === 'server-publish' ? 3 : 1) : 0;
    model[rule.name] =
      many > 0 ? fc.array(values.varint, { minLength: 1, maxLength: many }) : values[rule.type];
  }
  return fc
    .record(model, { requiredKeys: [...always], noNullPrototype: true })
    .map(({ authenticationData, ...rest }) =>
      rest.authenticationMethod === undefined || authenticationData === undefined
        ? rest
        : { ...rest, authenticationData },
    ) as fc.Arbitrary<WireProperties>;
}

function connect(of: Version): fc.Arbitrary<WirePacket> {
  const will = record({
    ...{ topic, payload: binary, qos, retain: fc.boolean() },
    properties: properties('will', of),
  });
  return record({
    type: fc.constant('connect' as const),
    version: fc.constant(of),
    cleanStart: fc.boolean(),
    keepAlive: values.u16,
    clientId: string,
    will: fc.option(will),
    username: fc.option(string),
    password: fc.option(binary),
    properties: properties('connect', of),
  }).map(packet => ({
    ...packet,
    clientId: packet.clientId || (of === 5 ? '' : 'a'),
    password: of === 5 || packet.username !== null ? packet.password : null,
  }));
}

export function publish(of: Version, from: 'client' | 'server'): fc.Arbitrary<WirePacket> {
  return record({
    type: fc.constant('publish' as const),
    ...{ topic, payload: binary, qos, dup: fc.boolean(), retain: fc.boolean(), packetId },
    properties: properties(`${from}-publish`, of),
  }).map(p => ({ ...p, dup: p.dup && p.qos > 0, packetId: p.qos > 0 ? p.packetId : 0 }));
}

function ack(of: Version): fc.Arbitrary<WirePacket> {
  const codes = of === 5 ? [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99] : [0];
  const short = of === 5 ? [0, 0x92] : [0];
  const one = (type: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp', reasons: number[]) =>
    record({
      type: fc.constant(type),
      ...{ packetId, reason: fc.constantFrom(...reasons), properties: properties(type, of) },
    });
  return fc.oneof(
    ...[one('puback', codes), one('pubrec', codes), one('pubrel', short), one('pubcomp', short)],
  );
}

function subscribe(of: Version): fc.Arbitrary<WirePacket> {
  const flag = of === 5 ? fc.boolean() : fc.constant(false);
  const filter = record({
    filter: string.map(value => (value.startsWith('$share/') ? 'a' : value)),
    ...{ qos, noLocal: flag, retainAsPublished: flag },
    retainHandling: of === 5 ? qos : fc.constant(0),
  });
  return record({
    type: fc.constant('subscribe' as const),
    packetId,
    filters: fc.array(filter, { minLength: 1, maxLength: 5 }),
    properties: properties('subscribe', of),
  });
}

function unsubscribe(of: Version): fc.Arbitrary<WirePacket> {
  return record({
    type: fc.constant('unsubscribe' as const),
    packetId,
    filters: fc.array(string, { minLength: 1, maxLength: 5 }),
    properties: properties('unsubscribe', of),
  });
}

function disconnect(of: Version): fc.Arbitrary<WirePacket> {
  return record({
    type: fc.constant('disconnect' as const),
    reason: of === 5 ? fc.constantFrom(0, 4, 0x80, 0x81, 0x93, 0x99) : fc.constant(0),
    properties: properties('client-disconnect', of),
  });
}

const auth: fc.Arbitrary<WirePacket> = record({
  type: fc.constant('auth' as const),
  reason: fc.constantFrom(0x18, 0x19),
  properties: properties('auth', 5, ['authenticationMethod']),
});

/** Any valid packet of a client that speaks `of`. */
export function clientPacket(of: Version): fc.Arbitrary<WirePacket> {
  const kinds = [
    ...[connect(of), publish(of, 'client'), ack(of), subscribe(of), unsubscribe(of)],
    ...[disconnect(of), fc.constant<WirePacket>({ type: 'pingreq' })],
  ];
  return fc.oneof(...kinds, ...(of === 5 ? [auth] : []));
}

/** Any packet that our server has words for. */
export function serverPacket(of: Version): fc.Arbitrary<WirePacket> {
  const connack = properties('connack', of).chain(({ userProperties, ...ours }) =>
    record({
      type: fc.constant('connack' as const),
      sessionPresent: fc.constant(false),
      reason: of === 5 ? fc.constantFrom(0, 0x81, 0x87, 0x9f) : fc.constantFrom(0, 1, 2, 3, 4, 5),
      properties: fc.constant(ours),
    }),
  );
  const codes = (type: 'suback' | 'unsuback', reasons: number[]) =>
    record({
      type: fc.constant(type),
      packetId,
      reasons: fc.array(fc.constantFrom(...reasons), { minLength: 1, maxLength: 200 }),
      properties: fc.constant({}),
    });
  const suback = codes('suback', of === 5 ? [0, 1, 2, 0x80, 0x8f, 0xa2] : [0, 1, 2, 0x80]);
  const unsuback = codes('unsuback', [0, 0x11, 0x8f]).map(packet =>
    of === 5 ? packet : { ...packet, reasons: [] },
  );
  const goodbye = record({
    type: fc.constant('disconnect' as const),
    reason: fc.constantFrom(0, 0x81, 0x8b, 0x8e, 0xa2),
    properties: fc.record({ reasonString: string }, { requiredKeys: [], noNullPrototype: true }),
  });
  return fc.oneof(connack, suback, unsuback, publish(of, 'server'), ...(of === 5 ? [goodbye] : []));
}
