// The load process: one job in (JSON, first argument), one result out (JSON, standard output). It
// runs alone on its processor, is bounded in time by the job, and ends by itself.

import {
  type MemoryUse,
  machineCpuNs,
  memoryOf,
  voluntarySwitches,
  writtenBytes,
} from '../proc.ts';
import type { IdleScenario, Scenario, TrafficScenario } from '../scenarios.ts';
import { Engine } from './engine.ts';
import { connectClients } from './handshake.ts';
import { processCpuNs } from './libc.ts';
import { syncsPerSecond } from './sync-count.ts';
import { Traffic } from './traffic.ts';

export interface Job {
  readonly scenario: Scenario;
  readonly port: number;
  readonly brokerPid: number;
  /** Where the broker's syncs are noted, if they are. */
  readonly syncLog: string;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface Latencies {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface TrafficResult extends MemoryUse {
  readonly kind: 'traffic';
  readonly closedLoop: boolean;
  /** Messages received by all subscribers per second, or acknowledged where they are away. */
  readonly perSecond: number;
  readonly latencyUs: Latencies;
  /** The broker's processor time, all threads, per such message. */
  readonly cpuUsPerMessage: number;
  /** How often a thread of the broker went to sleep, per such message. */
  readonly switchesPerMessage: number;
  readonly brokerCpuShare: number;
  readonly loadCpuShare: number;
  /** Processor time that neither the broker nor the generator used, in processors. */
  readonly foreignCpuShare: number;
  readonly sent: number;
  readonly lost: number;
  readonly repeated: number;
  readonly reordered: number;
  /** What reached the disk, where the scenario asks for it. */
  readonly disk: DiskUse | null;
}

export interface DiskUse {
  readonly bytesPerMessage: number;
  /** fsync and fdatasync by the broker; null where they cannot be counted. */
  readonly syncsPerSecond: number | null;
  /** Messages per second received by subscribers who come back; null when nobody was away. */
  readonly drainedPerSecond: number | null;
}

export interface IdleResult extends MemoryUse {
  readonly kind: 'idle';
  /** Resident memory before the first connection. */
  readonly emptyBytes: number;
  readonly emptyPrivateBytes: number;
  readonly bytesPerConnection: number;
  readonly connectsPerSecond: number;
}

export type Result = TrafficResult | IdleResult;

const SETTLE_MS = 1_000;
const DRAIN_PATIENCE_MS = 2_000;
const ignoreFrames = { onRead: () => {}, onFrame: () => {} };

function settle(engine: Engine): void {
  const end = performance.now() + SETTLE_MS;
  while (performance.now() < end) engine.turn(ignoreFrames, 100);
}

/** The first tenth of the connections shows a broker what its work will be and lets its memory take
 *  shape; what a connection costs is told by the others. */
function measureIdle(job: Job, scenario: IdleScenario): IdleResult {
  const { version, connections } = scenario;
  const engine = new Engine();
  const residentNow = () => {
    settle(engine);
    return memoryOf(job.brokerPid);
  };
  const empty = residentNow();
  const first = Math.ceil(connections / 10);
  connectClients(engine, job.port, version, 'bench-first-', first);
  const shaped = residentNow();
  const started = performance.now();
  connectClients(engine, job.port, version, 'bench-idle-', connections - first);
  const elapsedMs = performance.now() - started;
  const memory = residentNow();
  engine.close();
  return {
    kind: 'idle',
    ...memory,
    emptyBytes: empty.rssBytes,
    emptyPrivateBytes: empty.privateBytes,
    bytesPerConnection: (memory.rssBytes - shaped.rssBytes) / (connections - first),
    connectsPerSecond: ((connections - first) * 1000) / elapsedMs,
  };
}

function readings(job: Job, traffic: Traffic) {
  return {
    atMs: performance.now(),
    wallMs: Date.now(),
    messages: traffic.progress,
    written:
      job.scenario.kind === 'traffic' && job.scenario.store ? writtenBytes(job.brokerPid) : 0,
    broker: processCpuNs(job.brokerPid),
    load: processCpuNs(process.pid),
    machine: machineCpuNs(),
    switches: voluntarySwitches(job.brokerPid),
  };
}

function measureTraffic(job: Job, scenario: TrafficScenario): TrafficResult {
  const engine = new Engine();
  const traffic = new Traffic(engine, job.port, scenario);
  traffic.warmUp(job.warmUpMs);
  const before = readings(job, traffic);
  traffic.measuring = true;
  traffic.run(job.measureMs);
  traffic.measuring = false;
  const after = readings(job, traffic);
  const { rssBytes, privateBytes } = memoryOf(job.brokerPid);
  const drainedPerSecond = traffic.drain(DRAIN_PATIENCE_MS);
  const { peakBytes } = memoryOf(job.brokerPid);
  engine.close();

  const elapsedNs = (after.atMs - before.atMs) * 1e6;
  const messages = after.messages - before.messages;
  const brokerNs = after.broker - before.broker;
  const loadNs = after.load - before.load;
  const foreignNs = Math.max(0, after.machine - before.machine - brokerNs - loadNs);
  const at = (share: number) => traffic.latency.percentile(share);
  return {
    kind: 'traffic',
    closedLoop: 'window' in scenario.pace,
    rssBytes,
    privateBytes,
    peakBytes,
    perSecond: (messages * 1e9) / elapsedNs,
    latencyUs: { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) },
    cpuUsPerMessage: brokerNs / 1000 / messages,
    switchesPerMessage: (after.switches - before.switches) / messages,
    brokerCpuShare: brokerNs / elapsedNs,
    loadCpuShare: loadNs / elapsedNs,
    foreignCpuShare: foreignNs / elapsedNs,
    sent: traffic.sent,
    lost: traffic.underWay,
    repeated: traffic.ledger.repeated,
    reordered: traffic.ledger.skipped,
    disk: scenario.store && {
      bytesPerMessage: (after.written - before.written) / messages,
      syncsPerSecond: syncsPerSecond(job.syncLog, before.wallMs, after.wallMs),
      drainedPerSecond: Number.isNaN(drainedPerSecond) ? null : drainedPerSecond,
    },
  };
}

if (import.meta.main) {
  const job = JSON.parse(process.argv[2]!) as Job;
  const { scenario } = job;
  try {
    const result =
      scenario.kind === 'idle' ? measureIdle(job, scenario) : measureTraffic(job, scenario);
    process.stdout.write(`${JSON.stringify(result)}\n`);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
