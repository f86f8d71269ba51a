// One traffic scenario against one broker: warm up, read all clocks, run, read them again, drain.

import { Engine } from '../../src/bench/engine.ts';
import type { Histogram } from '../../src/bench/histogram.ts';
import { copiesOf, type TrafficScenario } from '../../src/bench/scenario.ts';
import type { System } from '../../src/bench/system.ts';
import { type Audience, Traffic } from '../../src/bench/traffic.ts';
import { Transport } from '../../src/bench/transport/transport.ts';
import { machineCpuNs, memoryOf, voluntarySwitches, writtenBytes } from '../proc.ts';
import { CallCount } from './call-count.ts';
import type { Job, Latencies, TrafficResult } from './result.ts';
import { syncsPerSecond } from './sync-count.ts';

const DRAIN_PATIENCE_MS = 2_000;
const COUNTED_MS = 1_000;

export function audience(system: System, { credentials }: Job): Audience {
  return { system, credentials, prefix: 'bench-' };
}

export async function engineFor(system: System, { port, transport }: Job): Promise<Engine> {
  const target = { address: '127.0.0.1', port };
  return new Engine(system, target, await Transport.open(system, transport));
}

export function latencies(histogram: Histogram): Latencies {
  const at = (share: number) => (histogram.count === 0 ? Number.NaN : histogram.percentile(share));
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) };
}

/** Processor time so far. */
export function clocks(system: System, { brokerPid }: Job) {
  return {
    atMs: performance.now(),
    broker: system.processCpuNs(brokerPid),
    load: system.processCpuNs(process.pid),
    machine: machineCpuNs(),
  };
}

type Clocks = ReturnType<typeof clocks>;

/** Between two readings: processor time of the broker, and who used how much of a processor. */
export function usage(before: Clocks, after: Clocks) {
  const elapsedNs = (after.atMs - before.atMs) * 1e6;
  const brokerNs = after.broker - before.broker;
  const loadNs = after.load - before.load;
  const foreignNs = Math.max(0, after.machine - before.machine - brokerNs - loadNs);
  const shares = {
    brokerCpuShare: brokerNs / elapsedNs,
    loadCpuShare: loadNs / elapsedNs,
    foreignCpuShare: foreignNs / elapsedNs,
  };
  return { elapsedNs, brokerNs, shares };
}

function readings(system: System, job: Job, scenario: TrafficScenario, traffic: Traffic) {
  return {
    ...clocks(system, job),
    wallMs: Date.now(),
    messages: traffic.progress,
    written: scenario.store ? writtenBytes(job.brokerPid) : 0,
    switches: voluntarySwitches(job.brokerPid),
  };
}

export async function measureTraffic(
  system: System,
  job: Job,
  scenario: TrafficScenario,
): Promise<TrafficResult> {
  const engine = await engineFor(system, job);
  const traffic = new Traffic(engine, audience(system, job), scenario);
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

  const messages = after.messages - before.messages;
  const { elapsedNs, brokerNs, shares } = usage(before, after);
  return {
    kind: 'traffic',
    ...shares,
    wantedPerSecond:
      'window' in scenario.pace ? null : scenario.pace.perSecond * copiesOf(scenario),
    rssBytes,
    privateBytes,
    peakBytes,
    perSecond: (messages * 1e9) / elapsedNs,
    latencyUs: latencies(traffic.latency),
    lateP99Us: 'window' in scenario.pace ? null : latencies(traffic.lateness).p99,
    cpuUsPerMessage: brokerNs / 1000 / messages,
    switchesPerMessage: (after.switches - before.switches) / messages,
    callsPerMessage,
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
