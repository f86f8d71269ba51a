// What can be asked of the load engine, as data. A traffic scenario says who talks to whom and at
// which pace. In a topic or filter `{n}` is the client's own number and `{i}` one of several.

import type { ProtocolVersion, QoS } from '../mqtt/packet.ts';
import { type SessionKind, STAMP_BYTES } from './wire.ts';

export interface TrafficScenario {
  readonly kind: 'traffic';
  readonly name: string;
  readonly version: ProtocolVersion;
  readonly qos: QoS;
  /** Whether messages carry properties, as MQTT 5 has them. */
  readonly properties: boolean;
  readonly publishers: number;
  /** 0: nobody listens, and what counts is what the broker takes. */
  readonly subscribers: number;
  /** Where publisher n publishes. */
  readonly topic: string;
  /** What subscriber n subscribes to: with `{n}` publisher n's topics alone, without it all of
   *  them; with `$share/…` every message goes to one subscriber. */
  readonly filter: string;
  /** How many values `{i}` takes: topics per publisher, filters per subscriber. */
  readonly spread: number;
  /** Further subscribers to the same filter who never read what they get. */
  readonly stalled: number;
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
 *  together send at a fixed rate, each so many at once (1) when its turn comes, and latency counts
 *  from when a message was due. */
export type Pace =
  | { readonly window: number }
  | { readonly perSecond: number; readonly burst?: number };

/** Two-byte packet identifiers must not come round again while they are in use. */
const WINDOW_MAX = 32_768;
/** What one publisher prepares: its messages, one for each of its topics at least. */
export const BATCH_BYTES_MAX = 64 * 1024;
const CLIENTS_MAX = 28_000;
const FRAME_HEAD_BYTES_MAX = 128;

export function isShared(scenario: TrafficScenario): boolean {
  return scenario.filter.startsWith('$share/');
}

/** Whether subscriber n hears publisher n alone. */
export function isPaired(scenario: TrafficScenario): boolean {
  return scenario.filter.includes('{n}');
}

/** Whether subscribers are there to receive while messages are sent. */
export function isHeard(scenario: TrafficScenario): boolean {
  return scenario.subscribers > 0 && !scenario.store?.away;
}

/** How many subscribers each message reaches. */
export function copiesOf(scenario: TrafficScenario): number {
  if (scenario.subscribers === 0) return 0;
  return isPaired(scenario) || isShared(scenario) ? 1 : scenario.subscribers;
}

/** All values of `{i}` are of one length, and so are the frames that carry them. */
export function named(pattern: string, n: number, i = 0): string {
  return pattern.replaceAll('{n}', String(n)).replaceAll('{i}', String(i).padStart(3, '0'));
}

/** Every topic or filter of client n. */
export function namesOf(pattern: string, n: number, spread: number): string[] {
  return Array.from({ length: spread }, (_, i) => named(pattern, n, i));
}

type Expect = (holds: boolean, fault: string) => void;

function counted(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}

/** What is wrong with a scenario, one sentence per fault; empty when it can run. */
export function trafficFaults(scenario: TrafficScenario, expect: Expect): void {
  const { version, publishers, subscribers, payloadBytes, pace, qos, store, stalled } = scenario;
  const clients = `${CLIENTS_MAX.toLocaleString('en-US')} (ports)`;
  expect(counted(publishers, 1, CLIENTS_MAX), `publishers lie between 1 and ${clients}`);
  expect(counted(subscribers, 0, CLIENTS_MAX), `subscribers lie between 0 and ${clients}`);
  expect(counted(stalled, 0, 1_000), 'stalled subscribers lie between 0 and 1,000');
  expect(
    Number.isInteger(payloadBytes) && payloadBytes >= STAMP_BYTES && payloadBytes <= 128 * 1024,
    `the payload carries a stamp of ${STAMP_BYTES} bytes and cannot be shorter, nor above 128 kB`,
  );
  expect(!scenario.properties || version === 5, 'only MQTT 5 has properties');
  spreadFaults(scenario, expect);
  if (isPaired(scenario)) {
    expect(publishers === subscribers, 'pairs need as many publishers as subscribers');
    expect(scenario.topic.includes('{n}'), 'pairs need a topic of their own: {n}');
    expect(!isShared(scenario), 'a shared subscription is one filter for all its members');
  }
  if (isShared(scenario)) {
    expect(/^\$share\/[^/+#]+\/./.test(scenario.filter), 'a share is $share/group/filter');
    expect(stalled === 0, 'a stalled member would keep its share of the messages');
  }
  if (store?.away) {
    expect(store.session === 'persistent', 'only a persistent session can be away');
    expect(qos === 1 && 'window' in pace, 'acknowledgements of QoS 1 are what sets the pace');
  }
  if ('window' in pace) {
    expect(counted(pace.window, 1, WINDOW_MAX), `window is 1 to ${WINDOW_MAX}`);
  } else {
    expect(pace.perSecond > 0 && pace.perSecond <= 1e7, 'the rate lies between 0 and 10M/s');
    expect(counted(pace.burst ?? 1, 1, 1_000), 'a burst lies between 1 and 1,000');
  }
}

function spreadFaults({ spread, payloadBytes, topic, filter }: TrafficScenario, expect: Expect) {
  expect(counted(spread, 1, 1_000), 'a spread lies between 1 and 1,000');
  const each = [topic, filter].some(pattern => pattern.includes('{i}'));
  expect(spread === 1 || each, 'several topics or filters differ by {i}');
  const bytes = spread * (payloadBytes + FRAME_HEAD_BYTES_MAX);
  expect(spread === 1 || bytes <= BATCH_BYTES_MAX, 'the messages of a publisher exceed 64 kB');
}
