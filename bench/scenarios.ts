// What is measured, as data. A traffic scenario says who talks to whom and at which pace; an idle
// scenario only holds connections. `{n}` in a topic or filter is the client's own number.

import type { ProtocolVersion, QoS } from '../src/mqtt/packet.ts';
import { type SessionKind, STAMP_BYTES } from './load/wire.ts';

export interface TrafficScenario {
  readonly kind: 'traffic';
  readonly name: string;
  readonly version: ProtocolVersion;
  readonly qos: QoS;
  readonly publishers: number;
  readonly subscribers: number;
  /** Where publisher n publishes. */
  readonly topic: string;
  /** What subscriber n subscribes to: with `{n}` publisher n's topic alone, without it everybody's;
   *  with `$share/…` every message goes to one subscriber. */
  readonly filter: string;
  readonly payloadBytes: number;
  readonly pace: Pace;
  /** What is asked of the broker's store; null: sessions are clean, and the disk is not looked at.
   * */
  readonly store: StoreDemand | null;
}

export interface StoreDemand {
  /** Of the subscribers; publishers' sessions are always clean. */
  readonly session: SessionKind;
  /** Subscribers subscribe and leave, and come back when the measurement is over: what is measured
   *  is how fast messages are acknowledged that wait in the broker. */
  readonly away: boolean;
}

/** A closed loop: each publisher keeps that many messages under way. An open loop: all publishers
 *  together send at a fixed rate, and latency counts from when a message was due. */
export type Pace = { readonly window: number } | { readonly perSecond: number };

export interface IdleScenario {
  readonly kind: 'idle';
  readonly name: string;
  readonly version: ProtocolVersion;
  readonly connections: number;
}

export type Scenario = TrafficScenario | IdleScenario;

/** Two-byte packet identifiers must not come round again while they are in use. */
const WINDOW_MAX = 32_768;

interface Shape {
  readonly name: string;
  readonly publishers: number;
  readonly subscribers: number;
  readonly topic: string;
  readonly filter: string;
  readonly pace: Pace;
}

/** Windows: deep enough that a fast broker always has work while the generator pauses, and 10,000
 *  messages under way at most, which is what brokers let wait for one client. */
const pipelined: readonly Shape[] = [
  {
    name: 'p2p-50-50',
    publishers: 50,
    subscribers: 50,
    topic: 'bench/{n}',
    filter: 'bench/{n}',
    pace: { window: 200 },
  },
  {
    name: 'fan-out-1-50',
    publishers: 1,
    subscribers: 50,
    topic: 'bench/all',
    filter: 'bench/all',
    pace: { window: 250 },
  },
  {
    name: 'fan-in-50-1',
    publishers: 50,
    subscribers: 1,
    topic: 'bench/{n}',
    filter: 'bench/+',
    pace: { window: 200 },
  },
];

const trickle: Shape = {
  name: 'trickle-1000',
  publishers: 50,
  subscribers: 50,
  topic: 'bench/{n}',
  filter: 'bench/{n}',
  pace: { perSecond: 1_000 },
};

function atQos(shape: Shape, qos: QoS): TrafficScenario {
  const name = `${shape.name}-qos${qos}`;
  return { kind: 'traffic', version: 4, payloadBytes: 64, ...shape, qos, name, store: null };
}

export const scenarios: readonly Scenario[] = [
  ...pipelined.flatMap(shape => [atQos(shape, 0), atQos(shape, 1), atQos(shape, 2)]),
  atQos(trickle, 0),
  atQos(trickle, 1),
  { kind: 'idle', name: 'idle-5000', version: 4, connections: 5_000 },
];

const single: Shape = {
  name: 'p2p-1-1',
  publishers: 1,
  subscribers: 1,
  topic: 'bench/{n}',
  filter: 'bench/{n}',
  pace: { window: 200 },
};

function storing(shape: Shape, session: SessionKind, away = false): TrafficScenario {
  const scenario = atQos(shape, 1);
  const suffix = away ? 'away' : session;
  return { ...scenario, name: `store-${scenario.name}-${suffix}`, store: { session, away } };
}

/** Measured when they are asked for by name: what durability costs. */
export const storeScenarios: readonly TrafficScenario[] = [
  storing(pipelined[0]!, 'persistent'),
  storing(pipelined[0]!, 'clean'),
  storing(single, 'persistent'),
  storing(single, 'clean'),
  storing(pipelined[2]!, 'persistent', true),
];

/** What routers and gateways carry, pair by pair, at a steady pace: half of the connections publish,
 *  each to one of the others. Measured when asked for by name: what the I/O modes cost. */
export const ioScenarios: readonly Scenario[] = [
  ...[10, 100, 500].flatMap(connections =>
    [1_000, 5_000].map(perSecond => {
      const pairs = connections / 2;
      const shape = { ...trickle, publishers: pairs, subscribers: pairs, pace: { perSecond } };
      const name = `io-${connections}-${perSecond}`;
      return { ...atQos(shape, 1), name };
    }),
  ),
  { kind: 'idle', name: 'io-idle-15000', version: 4, connections: 15_000 },
];

/** What is measured only when it is asked for by name: by how the names begin. */
export const families: Readonly<Record<string, readonly Scenario[]>> = {
  store: storeScenarios,
  io: ioScenarios,
};

export function isShared(scenario: TrafficScenario): boolean {
  return scenario.filter.startsWith('$share/');
}

/** Whether subscriber n hears publisher n alone. */
export function isPaired(scenario: TrafficScenario): boolean {
  return scenario.filter.includes('{n}');
}

/** How many subscribers each message reaches. */
export function copiesOf(scenario: TrafficScenario): number {
  return isPaired(scenario) || isShared(scenario) ? 1 : scenario.subscribers;
}

export function named(pattern: string, n: number): string {
  return pattern.replaceAll('{n}', String(n));
}

/** What is wrong with a scenario, one sentence per fault; empty when it can run. */
export function faultsOf(scenario: Scenario): string[] {
  const faults: string[] = [];
  const expect = (holds: boolean, fault: string): void => {
    if (!holds) faults.push(`${scenario.name || 'a scenario without a name'}: ${fault}`);
  };
  const counted = (value: number, max: number) =>
    Number.isInteger(value) && value >= 1 && value <= max;
  expect(/^[a-z0-9][a-z0-9-]*$/i.test(scenario.name), 'a name is letters, digits and dashes');
  if (scenario.kind === 'idle') {
    expect(
      counted(scenario.connections, 28_000) && scenario.connections >= 10,
      'connections lie between 10 and 28,000 (ports)',
    );
    return faults;
  }
  const { publishers, subscribers, payloadBytes, pace, qos, store } = scenario;
  expect(counted(publishers, 10_000), 'publishers lie between 1 and 10,000');
  expect(counted(subscribers, 10_000), 'subscribers lie between 1 and 10,000');
  expect(
    Number.isInteger(payloadBytes) && payloadBytes >= STAMP_BYTES,
    `the payload carries a stamp of ${STAMP_BYTES} bytes and cannot be shorter`,
  );
  if (isPaired(scenario)) {
    expect(publishers === subscribers, 'pairs need as many publishers as subscribers');
    expect(scenario.topic.includes('{n}'), 'pairs need a topic of their own: {n}');
    expect(!isShared(scenario), 'a shared subscription is one filter for all its members');
  }
  if (isShared(scenario)) {
    expect(/^\$share\/[^/+#]+\/./.test(scenario.filter), 'a share is $share/group/filter');
  }
  if (store?.away) {
    expect(store.session === 'persistent', 'only a persistent session can be away');
    expect(qos === 1 && 'window' in pace, 'acknowledgements of QoS 1 are what sets the pace');
  }
  if ('window' in pace) expect(counted(pace.window, WINDOW_MAX), `window is 1 to ${WINDOW_MAX}`);
  else expect(pace.perSecond > 0 && pace.perSecond <= 1e7, 'the rate lies between 0 and 10M/s');
  return faults;
}
