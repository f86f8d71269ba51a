// The loads themselves: each brings its clients up, works for its time under a line of progress,
// and says what came of it.

import { Engine } from '../../bench/engine.ts';
import { Arrivals, connectClients, subscribeClients } from '../../bench/handshake.ts';
import { Listener } from '../../bench/listener.ts';
import type { TrafficScenario } from '../../bench/scenario.ts';
import type { System, Target } from '../../bench/system.ts';
import { Traffic } from '../../bench/traffic.ts';
import type { Transport } from '../../bench/transport/transport.ts';
import { disconnectFrame } from '../../bench/wire.ts';
import { grouped, latencyMs, type Outcome } from './outcome.ts';
import { Progress, type Screen } from './progress.ts';
import type { Settings } from './settings.ts';

const DRAIN_PATIENCE_MS = 2_000;

export interface Stage {
  readonly system: System;
  readonly target: Target;
  readonly transport: Transport | null;
  readonly settings: Settings;
  readonly screen: Screen;
}

export function load(stage: Stage): Promise<Outcome> {
  const { kind, scenario } = stage.settings;
  if (scenario) return traffic(stage, scenario);
  return kind === 'conn' ? connections(stage) : subscribers(stage);
}

function prefix(kind: string): string {
  return `bench-${process.pid}-${kind}-`;
}

/** Processor time of this program since it was made, as a share of one processor. */
class Usage {
  private readonly before = process.cpuUsage();
  private readonly startedMs = performance.now();

  share(): number {
    const { user, system } = process.cpuUsage(this.before);
    return (user + system) / 1000 / (performance.now() - this.startedMs);
  }
}

/** How much more there is than at the last look. */
function sinceLast(current: () => number): (elapsedMs: number) => number {
  let seen = 0;
  let seenMs = 0;
  return elapsedMs => {
    const now = current();
    const perSecond = ((now - seen) * 1000) / (elapsedMs - seenMs);
    seen = now;
    seenMs = elapsedMs;
    return perSecond;
  };
}

function clock(elapsedMs: number): string {
  return `${Math.round(elapsedMs / 1000)} s`.padStart(6);
}

async function connections({
  system,
  target,
  transport,
  settings,
  screen,
}: Stage): Promise<Outcome> {
  const { version, credentials, clients, connectRate, seconds, kind } = settings;
  const engine = new Engine(system, target, transport);
  const usage = new Usage();
  const identity = { version, credentials, prefix: prefix('conn') };
  const arrivals = new Arrivals(engine, identity, clients, connectRate);
  const progress = new Progress(
    screen,
    elapsedMs => `${clock(elapsedMs)}  ${grouped(arrivals.arrived)} of ${grouped(clients)} clients`,
  );
  const patienceMs = connectRate > 0 ? (clients / connectRate) * 2_000 : 0;
  const limitMs = 600_000 + patienceMs;
  await progress.run(
    ms => arrivals.step(ms),
    limitMs,
    () => arrivals.complete,
  );
  const elapsedMs = progress.elapsedMs;
  const loadCpuShare = usage.share();
  if (!progress.wasInterrupted) await hold(engine, settings, progress, seconds);
  progress.clear();
  goodbye(engine);
  return {
    ...{ kind, clients, counted: 'connected', count: arrivals.arrived },
    seconds: elapsedMs / 1000,
    perSecond: (arrivals.arrived * 1000) / elapsedMs,
    latencyMs: latencyMs(arrivals.latency),
    faults: null,
    payloadBytesPerSecond: null,
    tls: handshakes(transport),
    loadCpuShare,
  };
}

/** Keeps connections open; one that the broker closes is an error. */
async function hold(
  engine: Engine,
  { version }: Settings,
  progress: Progress,
  seconds: number,
): Promise<void> {
  const listener = new Listener(engine, version);
  await progress.run(
    ms => engine.turn(listener, ms),
    seconds * 1000,
    () => false,
  );
}

async function subscribers({
  system,
  target,
  transport,
  settings,
  screen,
}: Stage): Promise<Outcome> {
  const { version, credentials, clients, filter, qos, seconds, kind } = settings;
  const engine = new Engine(system, target, transport);
  const listening = connectClients(
    engine,
    { version, credentials, prefix: prefix('sub') },
    clients,
  );
  const listener = new Listener(engine, version);
  subscribeClients(engine, listening, version, qos, () => [filter], listener);
  const usage = new Usage();
  const rate = sinceLast(() => listener.messages);
  const progress = new Progress(
    screen,
    elapsedMs => `${clock(elapsedMs)}  ${grouped(rate(elapsedMs))} messages/s`,
  );
  await progress.run(
    ms => engine.turn(listener, ms),
    seconds * 1000,
    () => false,
  );
  const elapsedMs = progress.elapsedMs;
  progress.clear();
  goodbye(engine);
  return {
    ...{ kind, clients, counted: 'received', count: listener.messages },
    seconds: elapsedMs / 1000,
    perSecond: (listener.messages * 1000) / elapsedMs,
    latencyMs: null,
    faults: null,
    payloadBytesPerSecond: (listener.payloadBytes * 1000) / elapsedMs,
    tls: handshakes(transport),
    loadCpuShare: usage.share(),
  };
}

async function traffic(stage: Stage, scenario: TrafficScenario): Promise<Outcome> {
  const { system, target, transport, settings, screen } = stage;
  const { credentials, seconds, kind } = settings;
  const engine = new Engine(system, target, transport);
  const audience = { system, credentials, prefix: prefix('') };
  const traffic = new Traffic(engine, audience, scenario);
  const clients = engine.clients.length;
  const usage = new Usage();
  traffic.measuring = true;
  traffic.start();
  const rate = sinceLast(() => traffic.progress);
  const progress = new Progress(screen, elapsedMs => {
    const latency = latencyMs(traffic.latency);
    const slow = latency === null ? '' : `  p99 ${latency.p99.toFixed(2)} ms`;
    return `${clock(elapsedMs)}  ${grouped(rate(elapsedMs))} messages/s${slow}`;
  });
  await progress.run(
    ms => traffic.run(ms),
    seconds * 1000,
    () => false,
  );
  const elapsedMs = progress.elapsedMs;
  const count = traffic.progress;
  const loadCpuShare = usage.share();
  traffic.measuring = false;
  traffic.settle(DRAIN_PATIENCE_MS);
  progress.clear();
  goodbye(engine);
  const { repeated, skipped: outOfOrder } = traffic.ledger;
  const heard = scenario.subscribers > 0;
  return {
    ...{ kind, clients, count },
    counted: heard ? 'received' : scenario.qos > 0 ? 'acknowledged' : 'sent',
    seconds: elapsedMs / 1000,
    perSecond: (count * 1000) / elapsedMs,
    latencyMs: latencyMs(traffic.latency),
    faults: heard ? { lost: traffic.missing, repeated, outOfOrder } : null,
    payloadBytesPerSecond: (count * scenario.payloadBytes * 1000) / elapsedMs,
    tls: handshakes(transport),
    loadCpuShare,
  };
}

function handshakes(transport: Transport | null): Outcome['tls'] {
  const { tls = null } = transport ?? {};
  return tls && { handshakes: tls.handshakes, resumed: tls.resumed };
}

function goodbye(engine: Engine): void {
  for (const client of engine.clients) engine.sendFrame(client, disconnectFrame());
  engine.close();
}
