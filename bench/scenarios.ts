// What is measured, as data. Names are those of the Open MQTT Benchmark Suite where it has them
// (fanout-1-1K-1-1K: publishers, subscribers, messages in, messages out per second); the others say
// who talks to whom, at which QoS and what else is special.

import {
  type StoreDemand,
  type TrafficScenario as Traffic,
  trafficFaults,
} from '../src/bench/scenario.ts';
import type { ProtocolVersion, QoS } from '../src/mqtt/packet.ts';
import type { Door, Guard } from './entrance.ts';

/** What the broker is to have in front of it; nothing said: a plain port, as it comes. */
export interface EntranceWish {
  readonly door?: Door;
  readonly guard?: Guard;
  /** Whether all clients but the first resume its TLS session. */
  readonly resume?: boolean;
}

export interface TrafficScenario extends Traffic, EntranceWish {
  /** The rate is this share of what the same broker reached in another scenario of the same run. */
  readonly shareOf?: { readonly scenario: string; readonly share: number };
}

/** Connections that say nothing. */
export interface IdleScenario {
  readonly kind: 'idle';
  readonly name: string;
  readonly version: ProtocolVersion;
  readonly connections: number;
  /** How many connect each second; 0: as fast as the broker lets them. */
  readonly perSecond: number;
  /** Filters without wildcards that each subscribes to, when all are there. */
  readonly subscriptionsEach: number;
}

/** Many retained messages, and somebody who wants all of them at once. */
export interface RetainedScenario {
  readonly kind: 'retained';
  readonly name: string;
  readonly version: ProtocolVersion;
  readonly messages: number;
  readonly payloadBytes: number;
}

/** Clients that leave as soon as they are let in. */
export interface ConnectsScenario extends EntranceWish {
  readonly kind: 'connects';
  readonly name: string;
  readonly version: ProtocolVersion;
  /** So many are on their way in at any time. */
  readonly atOnce: number;
}

/** From starting the program to its first CONNACK. */
export interface StartScenario {
  readonly kind: 'start';
  readonly name: string;
}

export type Scenario =
  | TrafficScenario
  | IdleScenario
  | RetainedScenario
  | ConnectsScenario
  | StartScenario;

type Change = Partial<Omit<TrafficScenario, 'kind' | 'name'>>;

/** Pairs at QoS 0 and 64 bytes, but for what is said. Windows: deep enough that a fast broker
 *  always has work while the generator pauses, and 10,000 messages under way at most, which is what
 *  brokers let wait for one client. */
export function traffic(name: string, change: Change): TrafficScenario {
  return {
    kind: 'traffic',
    name,
    version: 4,
    qos: 0,
    properties: false,
    publishers: 50,
    subscribers: 50,
    topic: 'bench/{n}',
    filter: 'bench/{n}',
    spread: 1,
    stalled: 0,
    payloadBytes: 64,
    pace: { window: 200 },
    store: null,
    ...change,
  };
}

const fanOut: Change = { publishers: 1, topic: 'bench/all', filter: 'bench/all' };
const fanIn: Change = { subscribers: 1, filter: 'bench/+' };
const share: Change = { subscribers: 5, filter: '$share/all/bench/+' };
const pairs = (count: number): Change => ({ publishers: count, subscribers: count });

function atQos(name: string, change: Change, ...levels: readonly QoS[]): TrafficScenario[] {
  return levels.map(qos => traffic(`${name}-qos${qos}`, { ...change, qos }));
}

const pipelined: readonly TrafficScenario[] = [
  ...atQos('p2p-50-50', {}, 0, 1, 2),
  ...atQos('p2p-1-1', pairs(1), 0, 1),
  ...atQos('fan-out-1-50', { ...fanOut, pace: { window: 250 } }, 0, 1, 2),
  ...atQos('fan-out-1-1000', { ...fanOut, subscribers: 1_000, pace: { window: 20 } }, 0),
  ...atQos('fan-in-50-1', fanIn, 0, 1, 2),
  ...atQos('shared-50-5', share, 0, 1),
  traffic('p2p-50-50-qos0-16B', { payloadBytes: 16 }),
  traffic('p2p-50-50-qos0-1kB', { payloadBytes: 1_024, pace: { window: 100 } }),
  traffic('p2p-50-50-qos0-16kB', { payloadBytes: 16_384, pace: { window: 20 } }),
  traffic('p2p-50-50-qos1-v5', { qos: 1, version: 5 }),
  traffic('p2p-50-50-qos0-v5-properties', { version: 5, properties: true }),
  traffic('wildcards-10K-qos0', {
    topic: 'bench/{n}/{i}/value',
    filter: 'bench/{n}/{i}/+',
    spread: 200,
  }),
  traffic('fan-out-1-50-qos0-stalled', { ...fanOut, pace: { window: 250 }, stalled: 1 }),
];

function storing(name: string, change: Change, store: StoreDemand): TrafficScenario {
  return traffic(name, { qos: 1, ...change, store });
}

const persistent: StoreDemand = { session: 'persistent', away: false };
const clean: StoreDemand = { session: 'clean', away: false };

/** Steady rates. Those of the suite are QoS 1 and 16 bytes. */
const paced: readonly TrafficScenario[] = [
  ...atQos('trickle-1000', { pace: { perSecond: 1_000 } }, 0, 1),
  ...atQos('steady-20000', { ...pairs(25), pace: { perSecond: 20_000 } }, 0, 1),
  traffic('half-p2p-50-50-qos1', {
    qos: 1,
    pace: { perSecond: 1_000, burst: 20 },
    shareOf: { scenario: 'p2p-50-50-qos1', share: 0.5 },
  }),
  ...[
    { name: 'p2p-1K-1K-1K-1K', ...pairs(1_000), pace: { perSecond: 1_000 } },
    { name: 'fanout-1-1K-1-1K', ...fanOut, subscribers: 1_000, pace: { perSecond: 1 } },
    { name: 'sharedsub-1K-5-1K-1K', ...share, publishers: 1_000, pace: { perSecond: 1_000 } },
  ].map(({ name, ...change }) => traffic(name, { ...change, qos: 1, payloadBytes: 16 })),
];

export const GROWTH_PREFIX = 'growth-';

/** The same total rate over ever more connections. */
const growth: readonly TrafficScenario[] = [10, 100, 1_000, 10_000].map(connections =>
  traffic(`${GROWTH_PREFIX}${connections}`, {
    ...pairs(connections / 2),
    pace: { perSecond: 5_000 },
  }),
);

function idle(name: string, connections: number, change: Partial<IdleScenario> = {}): IdleScenario {
  const base = { kind: 'idle', name, version: 4, connections } as const;
  return { ...base, perSecond: 0, subscriptionsEach: 0, ...change };
}

const start: StartScenario = { kind: 'start', name: 'cold-start' };

function connects(name: string, change: Partial<ConnectsScenario>): ConnectsScenario {
  return { kind: 'connects', name, version: 4, atOnce: 64, ...change };
}

/** TLS and WebSocket: handshakes and traffic. */
const doors: readonly Scenario[] = [
  connects('doors-tls-handshakes', { door: 'tls' }),
  connects('doors-tls-resumptions', { door: 'tls', resume: true }),
  connects('doors-ws-upgrades', { door: 'ws' }),
  ...atQos('doors-tls-50-50', { door: 'tls' }, 0, 1),
  ...atQos('doors-ws-50-50', { door: 'ws' }, 0, 1),
  traffic('doors-wss-50-50-qos0', { door: 'wss' }),
  traffic('doors-tls-50-50-qos0-16kB', {
    door: 'tls',
    payloadBytes: 16_384,
    pace: { window: 20 },
  }),
];

/** What it costs to be asked who one is, and whether one may: 200 topics for each publisher, so
 *  that the answer for the last topic does not do for the next. */
const locks: readonly Scenario[] = [
  ...(['open', 'rules-10', 'rules-10K', 'acl-10', 'acl-10K', 'limits'] as const).map(guard =>
    traffic(`locks-${guard}`, {
      guard,
      topic: 'bench/{n}/{i}/value',
      filter: 'bench/{n}/{i}/value',
      spread: 200,
    }),
  ),
  ...(['open', 'token', 'password'] as const).map(guard =>
    connects(`locks-connects-${guard}`, { guard }),
  ),
];

export const scenarios: readonly Scenario[] = [
  ...pipelined,
  storing('persistent-50-50-qos1', {}, persistent),
  ...paced,
  ...growth,
  {
    kind: 'retained',
    name: 'retained-100K',
    version: 4,
    messages: 100_000,
    payloadBytes: 64,
  },
  idle('idle-1000', 1_000, { subscriptionsEach: 100 }),
  idle('idle-10K', 10_000),
  ...doors,
  start,
];

/** Left out where nothing is said: what others tell already. */
const unusual = [
  ...['fan-out-1-50-qos2', 'fan-in-50-1-qos2', 'shared-50-5-qos0', 'steady-20000-qos0'],
  ...['doors-ws-upgrades', 'doors-ws-50-50-qos1', 'doors-wss-50-50-qos0'],
];
export const usual = scenarios.filter(({ name }) => !unusual.includes(name));

const quickNames = [
  ...['p2p-50-50-qos0', 'p2p-50-50-qos1', 'p2p-50-50-qos2', 'fan-out-1-50-qos0'],
  ...['fan-in-50-1-qos0', 'shared-50-5-qos1', 'p2p-50-50-qos0-16kB', 'trickle-1000-qos1'],
  ...['steady-20000-qos1', 'idle-1000', 'cold-start'],
];
export const quick = scenarios.filter(({ name }) => quickNames.includes(name));

/** What durability costs. */
export const storeScenarios: readonly TrafficScenario[] = [
  storing('store-p2p-50-50-qos1-persistent', {}, persistent),
  storing('store-p2p-50-50-qos1-clean', {}, clean),
  storing('store-p2p-1-1-qos1-persistent', pairs(1), persistent),
  storing('store-p2p-1-1-qos1-clean', pairs(1), clean),
  storing('store-fan-in-50-1-qos1-away', fanIn, { session: 'persistent', away: true }),
];

/** What routers and gateways carry, pair by pair, at a steady pace: half of the connections
 *  publish, each to one of the others. What the I/O modes cost. */
export const ioScenarios: readonly Scenario[] = [
  ...[10, 100, 500].flatMap(connections =>
    [1_000, 5_000].map(perSecond =>
      traffic(`io-${connections}-${perSecond}`, {
        ...pairs(connections / 2),
        qos: 1,
        pace: { perSecond },
      }),
    ),
  ),
  idle('io-idle-15000', 15_000),
];

/** What is measured only when it is asked for by name: by how the names begin. */
export const families: Readonly<Record<string, readonly Scenario[]>> = {
  store: storeScenarios,
  io: ioScenarios,
  locks,
  // As slow as its name says: 100 connections each second.
  'conn-tcp': [idle('conn-tcp-10K-100', 10_000, { perSecond: 100 })],
};

/** What is wanted in front of the broker, or null. */
export function entranceOf(scenario: Scenario): EntranceWish | null {
  if (scenario.kind !== 'connects' && scenario.kind !== 'traffic') return null;
  return scenario.door || scenario.guard ? scenario : null;
}

/** Whether something is asked of the broker's store. */
export function isStoring(scenario: Scenario): boolean {
  return scenario.kind === 'traffic' && scenario.store !== null;
}

/** How long a measurement of this scenario takes at least: a message each second is few. */
export function measureMsLeast(scenario: Scenario): number {
  if (scenario.kind !== 'traffic' || 'window' in scenario.pace) return 0;
  return Math.min(5_000, 3_000 / scenario.pace.perSecond);
}

/** What a measurement takes beyond its own time, at the worst. */
export function slackMs(scenario: Scenario): number {
  const CONNECTING_AND_DRAINING_MS = 60_000;
  if (scenario.kind !== 'idle' || scenario.perSecond === 0) return CONNECTING_AND_DRAINING_MS;
  return CONNECTING_AND_DRAINING_MS + (scenario.connections / scenario.perSecond) * 1_500;
}

/** What is wrong with a scenario, one sentence per fault; empty when it can run. */
export function faultsOf(scenario: Scenario): string[] {
  const faults: string[] = [];
  const expect = (holds: boolean, fault: string): void => {
    if (!holds) faults.push(`${scenario.name || 'a scenario without a name'}: ${fault}`);
  };
  const within = (value: number, min: number, max: number, what: string) =>
    expect(
      Number.isInteger(value) && value >= min && value <= max,
      `${what} between ${min.toLocaleString('en-US')} and ${max.toLocaleString('en-US')}`,
    );
  expect(/^[a-z0-9][a-z0-9-]*$/i.test(scenario.name), 'a name is letters, digits and dashes');
  switch (scenario.kind) {
    case 'traffic':
      trafficFaults(scenario, expect);
      if (scenario.shareOf) {
        expect('perSecond' in scenario.pace, 'a share of another scenario is a rate');
        expect(scenario.shareOf.share > 0, 'a share is above 0');
      }
      break;
    case 'idle':
      within(scenario.connections, 10, 28_000, 'connections (ports) lie');
      within(scenario.perSecond, 0, 100_000, 'connections per second lie');
      within(scenario.subscriptionsEach, 0, 1_000, 'subscriptions of each lie');
      break;
    case 'retained':
      within(scenario.messages, 1, 1_000_000, 'retained messages lie');
      within(scenario.payloadBytes, 1, 1_024, 'bytes of a retained payload lie');
      break;
    case 'connects':
      within(scenario.atOnce, 1, 1_000, 'clients on their way in lie');
      break;
    case 'start':
      break;
  }
  return faults;
}
