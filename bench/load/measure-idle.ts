// What connections cost that say nothing, and how fast they come.

import type { Engine } from '../../src/bench/engine.ts';
import { Arrivals, connectClients, subscribeClients } from '../../src/bench/handshake.ts';
import { Listener } from '../../src/bench/listener.ts';
import { namesOf } from '../../src/bench/scenario.ts';
import type { System } from '../../src/bench/system.ts';
import { memoryOf } from '../proc.ts';
import type { IdleScenario } from '../scenarios.ts';
import { audience, engineFor, latencies } from './measure-traffic.ts';
import type { IdleResult, Job } from './result.ts';

const SETTLE_MS = 1_000;
const FILTERS_PER_PACKET = 50;

/** Lets a broker come to rest. */
export function settle(engine: Engine, listener: Listener, durationMs = SETTLE_MS): void {
  const end = performance.now() + durationMs;
  while (performance.now() < end) engine.turn(listener, 100);
}

/** The first tenth of the connections shows a broker what its work will be and lets its memory take
 *  shape; what a connection costs is told by the others. */
export async function measureIdle(
  system: System,
  job: Job,
  scenario: IdleScenario,
): Promise<IdleResult> {
  const { version, connections, perSecond, subscriptionsEach } = scenario;
  const { prefix } = audience(system, job);
  const engine = await engineFor(system, job);
  const listener = new Listener(engine, version);
  const residentNow = () => {
    settle(engine, listener);
    return memoryOf(job.brokerPid);
  };
  const empty = residentNow();
  const first = Math.ceil(connections / 10);
  connectClients(engine, { version, prefix: `${prefix}first-` }, first);
  const shaped = residentNow();
  const started = performance.now();
  const identity = { version, prefix: `${prefix}idle-` };
  const arrivals = new Arrivals(engine, identity, connections - first, perSecond);
  while (!arrivals.complete) arrivals.step(100);
  const elapsedMs = performance.now() - started;
  const connected = residentNow();
  for (let from = 0; from < subscriptionsEach; from += FILTERS_PER_PACKET) {
    const filters = (n: number) =>
      namesOf('idle/{n}/{i}', n, subscriptionsEach).slice(from, from + FILTERS_PER_PACKET);
    subscribeClients(engine, engine.clients, version, 0, filters);
  }
  const memory = subscriptionsEach > 0 ? residentNow() : connected;
  engine.close();
  return {
    kind: 'idle',
    ...memory,
    emptyBytes: empty.rssBytes,
    emptyPrivateBytes: empty.privateBytes,
    bytesPerConnection: (connected.rssBytes - shaped.rssBytes) / (connections - first),
    bytesPerSubscription:
      (memory.rssBytes - connected.rssBytes) / (connections * subscriptionsEach),
    connectsPerSecond: ((connections - first) * 1000) / elapsedMs,
    latencyUs: latencies(arrivals.latency),
  };
}
