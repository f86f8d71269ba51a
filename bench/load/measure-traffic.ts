// One traffic scenario against one broker: warm up, read all clocks, run, read them again, drain.

import { Engine } from '../../src/bench/engine.ts';
import type { Histogram } from '../../src/bench/histogram.ts';
import { copiesOf, type TrafficScenario } from '../../src/bench/scenario.ts';
import type { System } from '../../src/bench/system.ts';
import { type Audience, Traffic } from '../../src/bench/traffic.ts';
import { machineCpuNs, memoryOf, voluntarySwitches, writtenBytes } from '../proc.ts';
import { CallCount } from './call-count.ts';
import type { Job, Latencies, TrafficResult } from './result.ts';
import { syncsPerSecond } from './sync-count.ts';

const DRAIN_PATIENCE_MS = 2_000;
const COUNTED_MS = 1_000;

export function audience(system: System, port: number): Audience {
  const target = { address: '127.0.0.1', port };
  return { system, target, credentials: null, prefix: 'bench-' };
}

export function latencies(histogram: Histogram): Latencies {
  const at = (share: number) => (histogram.count === 0 ? Number.NaN : histogram.percentile(share));
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) };
}

function readings(system: System, { brokerPid }: Job, scenario: TrafficScenario, traffic: Traffic) {
  return {
    atMs: performance.now(),
    wallMs: Date.now(),
    messages: traffic.progress,
    written: scenario.store ? writtenBytes(brokerPid) : 0,
    broker: system.processCpuNs(brokerPid),
    load: system.processCpuNs(process.pid),
    machine: machineCpuNs(),
    switches: voluntarySwitches(brokerPid),
  };
}

export async function measureTraffic(
  system: System,
  job: Job,
  scenario: TrafficScenario,
): Promise<TrafficResult> {
  const all = audience(system, job.port);
  const engine = new Engine(system, all.target);
  const traffic = new Traffic(engine, all, scenario);
  traffic.warmUp(job.warmUpMs);
  const before = readings(system, job, scenario, traffic);
  traffic.measuring = true;
  traffic.run(job.measureMs);
  traffic.measuring = false;
  const after = readings(system, job, scenario, traffic);
  const { rssBytes, privateBytes } = memoryOf(job.brokerPid);
  const callsPerMessage = job.countCalls ? await countCalls(job, traffic) : null;
  const drainedPerSecond = traffic.drain(DRAIN_PATIENCE_MS);
  const { peakBytes } = memoryOf(job.brokerPid);
  traffic.leave();
  engine.close();

  const elapsedNs = (after.atMs - before.atMs) * 1e6;
  const messages = after.messages - before.messages;
  const brokerNs = after.broker - before.broker;
  const loadNs = after.load - before.load;
  const foreignNs = Math.max(0, after.machine - before.machine - brokerNs - loadNs);
  return {
    kind: 'traffic',
    wantedPerSecond:
      'window' in scenario.pace ? null : scenario.pace.perSecond * copiesOf(scenario),
    rssBytes,
    privateBytes,
    peakBytes,
    perSecond: (messages * 1e9) / elapsedNs,
    latencyUs: latencies(traffic.latency),
    cpuUsPerMessage: brokerNs / 1000 / messages,
    switchesPerMessage: (after.switches - before.switches) / messages,
    callsPerMessage,
    brokerCpuShare: brokerNs / elapsedNs,
    loadCpuShare: loadNs / elapsedNs,
    foreignCpuShare: foreignNs / elapsedNs,
    sent: traffic.sent,
    lost: traffic.missing,
    repeated: traffic.ledger.repeated,
    reordered: traffic.ledger.skipped,
    disk: scenario.store && {
      bytesPerMessage: (after.written - before.written) / messages,
      syncsPerSecond: syncsPerSecond(job.syncLog, before.wallMs, after.wallMs),
      drainedPerSecond: Number.isNaN(drainedPerSecond) ? null : drainedPerSecond,
    },
  };
}

/** Attached and let go while nothing is under way: the calls are those of the messages between. */
async function countCalls(job: Job, traffic: Traffic): Promise<number | null> {
  traffic.settle(DRAIN_PATIENCE_MS);
  const count = new CallCount(job.brokerPid);
  if (!(await count.ready())) return null;
  const before = traffic.progress;
  traffic.start();
  traffic.run(COUNTED_MS);
  traffic.settle(DRAIN_PATIENCE_MS);
  const calls = await count.end();
  return calls === null ? null : calls / (traffic.progress - before);
}
