// What the core's tables cost, measured in one process without any network: time to match, to
// subscribe and to unsubscribe as there are ever more subscriptions and levels; how long a turn
// takes while somebody is sent 100,000 retained messages; bytes of the heap per subscription and
// per client. `bun bench/matching.ts [--clients N] [--rounds N]`; figures are medians of rounds.

import { heapStats } from 'bun:jsc';
import { parseArgs } from 'node:util';
import { connectFrame, publishTemplate, subscribeFrame } from '../src/bench/wire.ts';
import { Broker } from '../src/core/broker.ts';
import { defaultOptions } from '../src/core/options.ts';
import { Router } from '../src/core/routing/router.ts';
import { Subscription } from '../src/core/routing/subscription.ts';
import type { Connection } from '../src/core/session/connection.ts';
import { Session } from '../src/core/session/session.ts';
import { median } from './statistics.ts';

const PROBES = 2_000;

/** A broker whose clients take everything at once. */
class Bench {
  readonly broker = new Broker(
    { ...defaultOptions, sysIntervalMs: 0 },
    { mayPublish: () => true, maySubscribe: () => true },
    Math.random,
    0,
  );
  private clients = 0;

  connect(): Connection {
    const c = this.broker.handleOpen(`192.0.2.1:${this.clients}`, 0)!;
    this.broker.handleBytes(c, connectFrame(4, `client-${this.clients++}`), 0);
    for (const asking of this.broker.effects.authenticate.splice(0)) {
      this.broker.handleAuthResult(asking, { reason: 0 }, 0);
    }
    this.turn();
    return c;
  }

  say(c: Connection, frame: Uint8Array): void {
    this.broker.handleBytes(c, frame, 0);
    this.turn();
  }

  /** As the hallway's: what is due, then everything written. */
  turn(): void {
    const { broker } = this;
    const { effects } = broker;
    if (broker.nextDeadline() <= 0) broker.handleTime(0);
    for (const c of effects.takeDirty()) {
      c.out.consume(c.out.length);
      broker.handleDrained(c, 0);
    }
    effects.log.length = 0;
    effects.paused.length = 0;
    effects.closing.length = 0;
  }
}

/** Processor microseconds of this process; the machine may be shared. */
function microseconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function medianOf(rounds: number, measure: () => number): number {
  return median(Array.from({ length: rounds }, measure));
}

function row(cells: readonly (string | number)[]): void {
  const text = cells.map((cell, i) =>
    typeof cell === 'number'
      ? cell.toLocaleString('en-US', { maximumFractionDigits: cell < 100 ? 2 : 0 }).padStart(14)
      : i === 0
        ? cell.padEnd(44)
        : cell.padStart(14),
  );
  process.stdout.write(`${text.join('')}\n`);
}

// ---- Time
// --------------------------------------------------------------------------------------

function subscriptionTo(filter: string, session: Session): Subscription {
  return new Subscription(session, filter, 0, false, false, null, null);
}

/** Shapes of filters with wildcards, and a topic that only the i-th of them matches. */
const shapes: Readonly<Record<string, { filter(i: number): string; topic(i: number): string }>> = {
  'site/+/device-i/value': {
    filter: i => `site/+/device-${i}/value`,
    topic: i => `site/7/device-${i}/value`,
  },
  'site/i/#': { filter: i => `site/${i}/#`, topic: i => `site/${i}/a/b` },
  '+/i/+/temperature': { filter: i => `+/${i}/+/temperature`, topic: i => `a/${i}/b/temperature` },
  'a/b/c/d/e/f/g/i/+': { filter: i => `a/b/c/d/e/f/g/${i}/+`, topic: i => `a/b/c/d/e/f/g/${i}/h` },
};

/** The order in which probes come: far from one another, as topics are. */
const probes = (count: number): number[] =>
  Array.from({ length: PROBES }, (_, i) => (i * 7_919) % count);

function timeOfTables(rounds: number): void {
  row(['µs each, by filters there are', 'subscriptions', 'match', 'subscribe', 'unsubscribe']);
  for (const [name, { filter, topic }] of Object.entries(shapes)) {
    for (const count of [1_000, 10_000, 100_000]) {
      const router = new Router();
      const session = new Session(1, 'c');
      const held = Array.from({ length: count }, (_, i) => subscriptionTo(filter(i), session));
      for (const subscription of held) router.add(subscription);
      const some = probes(count);
      const topics = some.map(topic);
      const added = some.map(i => subscriptionTo(filter(count + i), session));
      let hits = 0;
      const match = medianOf(rounds, () =>
        microseconds(() => {
          for (const one of topics) {
            const found: Subscription[] = [];
            router.match(one, found, []);
            hits += found.length;
          }
        }),
      );
      if (hits !== rounds * PROBES) throw new Error(`${name}: ${hits} hits`);
      const times = Array.from({ length: rounds }, () => [
        microseconds(() => added.forEach(one => void router.add(one))),
        microseconds(() => added.forEach(one => void router.remove(one))),
      ]);
      const column = (at: number) => median(times.map(each => each[at]!)) / PROBES;
      row([name, count, match / PROBES, column(0), column(1)]);
    }
  }
}

/** A whole PUBLISH with one hit, bytes in to bytes out, when the topic's recipients are known and
 *  when they are not because somebody has just subscribed. */
function timeOfPublish(rounds: number): void {
  row(['µs per PUBLISH, 64 bytes, 1 hit', 'subscriptions', 'known', 'worked out']);
  const { filter, topic } = shapes['site/+/device-i/value']!;
  for (const count of [1_000, 10_000, 100_000]) {
    const bench = new Bench();
    for (let from = 0; from < count; from += 1_000) {
      const filters = Array.from({ length: 1_000 }, (_, i) => filter(from + i));
      bench.say(bench.connect(), subscribeFrame(4, filters, 0));
    }
    const publisher = bench.connect();
    const frames = probes(count).map(i => {
      return publishTemplate(topic(i), { version: 4, qos: 0, payloadBytes: 64 }).bytes;
    });
    const time = (before: () => void) =>
      medianOf(rounds, () =>
        microseconds(() => {
          for (const frame of frames) {
            before();
            bench.say(publisher, frame);
          }
        }),
      ) / PROBES;
    time(() => {});
    row(['', count, time(() => {}), time(() => bench.broker.state.router.changed())]);
  }
}

/** Somebody asks for all retained messages: how long others wait, which is the longest turn. */
function timeOfRetained(rounds: number): void {
  row(['ms of turns, # over retained messages', 'messages', 'turns', 'median', 'longest']);
  for (const count of [10_000, 100_000]) {
    const bench = new Bench();
    const publisher = bench.connect();
    for (let i = 0; i < count; i++) {
      const options = { version: 4, qos: 0, payloadBytes: 64, retain: true } as const;
      bench.say(publisher, publishTemplate(`site/${i % 100}/device-${i}/value`, options).bytes);
    }
    for (let round = 0; round < rounds; round++) {
      const collector = bench.connect();
      const turns: number[] = [];
      const timed = (work: () => void) => {
        const before = performance.now();
        work();
        turns.push(performance.now() - before);
      };
      timed(() => bench.say(collector, subscribeFrame(4, ['#'], 0)));
      while (collector.session!.walks !== null) timed(() => bench.turn());
      if (round === rounds - 1) row(['', count, turns.length, median(turns), Math.max(...turns)]);
    }
  }
}

// ---- Space
// -------------------------------------------------------------------------------------

function heapBytes(): number {
  Bun.gc(true);
  Bun.gc(true);
  return heapStats().heapSize;
}

/** Everything that was made: what a collector finds dead only later would count against others. */
const kept: unknown[] = [];

/** Bytes that `count` of what `make` makes take, each. */
function bytesEach(count: number, make: () => unknown): number {
  const before = heapBytes();
  kept.push(make());
  return (heapBytes() - before) / count;
}

/** `clients` sessions with so many filters each. */
function bytesPerSubscription(
  clients: number,
  each: number,
  filter: (client: number, i: number) => string,
): number {
  const bench = new Bench();
  const sessions = Array.from({ length: clients }, () => bench.connect());
  return bytesEach(clients * each, () => {
    sessions.forEach((session, client) => {
      const filters = Array.from({ length: each }, (_, i) => filter(client, i));
      bench.say(session, subscribeFrame(4, filters, 0));
    });
    return bench;
  });
}

function space(clients: number): void {
  row([`bytes of the heap, ${clients.toLocaleString('en-US')} in all`, 'each', 'strings']);
  const one = bytesEach(clients, () => {
    const bench = new Bench();
    for (let i = 0; i < clients; i++) bench.connect();
    return bench;
  });
  row(['client: connection and session', one]);
  const name = (client: number, i: number) => `site/${client}/device-${i}`;
  const strings = bytesEach(clients, () => {
    const decoder = new TextDecoder();
    const encoder = new TextEncoder();
    return Array.from({ length: clients }, (_, i) => decoder.decode(encoder.encode(name(0, i))));
  });
  const few = Math.ceil(clients / 100);
  const kinds: [string, number][] = [
    ['exact, 100 for each client', bytesPerSubscription(few, 100, name)],
    ['exact, 1 for each client', bytesPerSubscription(clients, 1, name)],
    ['exact, the same for all clients', bytesPerSubscription(clients, 1, () => 'news')],
    ['site/i/+/value', bytesPerSubscription(few, 100, (c, i) => `site/${c}-${i}/+/value`)],
    ['site/client/i/#', bytesPerSubscription(few, 100, (c, i) => `site/${c}/${i}/#`)],
  ];
  for (const [kind, bytes] of kinds) row([`subscription: ${kind}`, bytes, strings]);
}

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '9' },
  },
});
const rounds = Number(values.rounds);
timeOfTables(rounds);
timeOfPublish(rounds);
timeOfRetained(rounds);
space(Number(values.clients));
