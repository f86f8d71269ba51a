// Carries out a plan: every scenario with every broker, run after run. Each measurement gets a
// fresh broker on one processor and a fresh load generator on another; brokers alternate within a
// scenario and change places from run to run.

import { cpus, release } from 'node:os';
import { join } from 'node:path';
import type { Job, Result } from './load/result.ts';
import type { Peer } from './peers.ts';
import { excuse, type Plan, resolved } from './plan.ts';
import { allowedCpus } from './proc.ts';
import { Process } from './processes.ts';
import { type Report, reportOf } from './report/report.ts';
import type { Outcome, Series } from './report/rows.ts';
import { entranceOf, isStoring, measureMsLeast, type Scenario, slackMs } from './scenarios.ts';
import {
  type ColdStart,
  coldStart,
  type Nature,
  natureOf,
  startPeer,
  versionOf,
} from './starting.ts';
import { median } from './statistics.ts';
import { which } from './which.ts';

/** Cold starts in one run, of which the median counts. */
const STARTS = 11;

/** The processors for broker and generator; null where there is only one and pinning is futile. */
function processors(): { broker: number | null; load: number | null } {
  const allowed = allowedCpus();
  if (allowed.length < 2) return { broker: null, load: null };
  return { broker: allowed[0]!, load: allowed[1]! };
}

/** What one broker did in all runs of one scenario. */
interface Kept {
  nature: Nature;
  readonly outcomes: Outcome[];
}

/** Measures; keeps what came out, by scenario and broker. */
class Bench {
  private readonly plan: Plan;
  private readonly records = new Map<string, Kept>();
  /** What each broker took in the last run. */
  private readonly tookMs = new Map<string, number>();
  runs = 0;

  constructor(plan: Plan) {
    this.plan = plan;
  }

  async runAll(): Promise<Series[]> {
    const { plan } = this;
    const end = performance.now() + plan.budgetMs;
    for (; this.runs < plan.runs; this.runs++) {
      const taking = plan.peers.filter(({ name }) => this.runs === 0 || !plan.once.includes(name));
      // As long as these took the last time: those that are missing or offer little took less.
      const expectedMs = taking.reduce((sum, { name }) => sum + (this.tookMs.get(name) ?? 0), 0);
      if (this.runs > 0 && performance.now() + expectedMs > end) break;
      await this.run(taking);
    }
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    return plan.scenarios.flatMap(scenario =>
      plan.peers.map(peer => {
        const { nature, outcomes } = this.recordOf(scenario.name, peer);
        return { scenario: scenario.name, peer: peer.name, ...nature, runs: outcomes };
      }),
    );
  }

  private async run(taking: readonly Peer[]): Promise<void> {
    const { plan, runs } = this;
    const order = runs % 2 === 0 ? taking : taking.toReversed();
    const total = plan.scenarios.length * order.length;
    let done = 0;
    this.tookMs.clear();
    for (const scenario of plan.scenarios) {
      for (const peer of order) {
        const step = `[${++done}/${total}] run ${runs + 1}: ${scenario.name}, ${peer.name}`;
        process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${step}` : `${step}\n`);
        const record = this.recordOf(scenario.name, peer);
        const begun = performance.now();
        record.outcomes.push(await this.measure(peer, scenario, record));
        const tookMs = performance.now() - begun;
        this.tookMs.set(peer.name, (this.tookMs.get(peer.name) ?? 0) + tookMs);
      }
    }
  }

  private recordOf(scenario: string, peer: Peer): Kept {
    const key = `${scenario}\n${peer.name}`;
    const record = this.records.get(key) ?? { nature: natureOf(peer, ''), outcomes: [] };
    this.records.set(key, record);
    return record;
  }

  private async measure(peer: Peer, scenario: Scenario, record: Kept): Promise<Outcome> {
    const skipped = excuse(peer, scenario);
    if (skipped !== null) return { skipped };
    try {
      if (scenario.kind === 'start') return await this.start(peer, record);
      const reached = (name: string) => {
        const last = this.recordOf(name, peer).outcomes.at(-1);
        return last && 'kind' in last && last.kind === 'traffic' ? last.perSecond : Number.NaN;
      };
      return await this.load(peer, resolved(scenario, reached), record);
    } catch (error) {
      return { error: (error as Error).message };
    }
  }

  private async start(peer: Peer, record: Kept): Promise<Outcome> {
    const starts: ColdStart[] = [];
    while (starts.length < STARTS) starts.push(await coldStart(peer));
    record.nature = starts[0]!.nature;
    return {
      kind: 'start',
      connackMs: median(starts.map(start => start.connackMs)),
      rssBytes: median(starts.map(start => start.memory.rssBytes)),
      privateBytes: median(starts.map(start => start.memory.privateBytes)),
    };
  }

  private async load(peer: Peer, scenario: Scenario, record: Kept): Promise<Outcome> {
    const { plan } = this;
    const cpu = processors();
    const broker = await startPeer(peer, cpu.broker, isStoring(scenario), entranceOf(scenario));
    record.nature = broker.nature;
    try {
      const measureMs = Math.max(plan.measureMs, measureMsLeast(scenario));
      const { port, transport, credentials, pid: brokerPid, syncLog } = broker;
      const { warmUpMs, countCalls } = plan;
      const way = { port, transport, credentials };
      const how = { syncLog, warmUpMs, measureMs, countCalls };
      const job: Job = { scenario, ...way, brokerPid, ...how };
      const generator = join(import.meta.dirname, 'load/generator.ts');
      const load = new Process([process.execPath, generator, JSON.stringify(job)], cpu.load);
      const code = await load.endWithin(2 * warmUpMs + measureMs + slackMs(scenario));
      if (code !== 0) return { error: load.stderr.trim() || 'the load generator ran out of time' };
      return JSON.parse(load.stdout) as Result;
    } finally {
      await broker.stop();
    }
  }
}

export async function measured(plan: Plan): Promise<Report> {
  const started = new Date().toISOString();
  const there = (peer: Peer) => (peer.missing?.() ?? null) === null;
  const peers = await Promise.all(
    plan.peers.map(async peer => ({
      name: peer.name,
      version: there(peer) ? await versionOf(peer) : 'not here',
    })),
  );
  const bench = new Bench(plan);
  const series = await bench.runAll();
  const machine = {
    processor: cpus()[0]?.model ?? 'unknown',
    processors: allowedCpus().length,
    kernel: release(),
    pinned: processors().broker !== null && which('taskset') !== null,
  };
  const { measureMs, warmUpMs, baseline } = plan;
  const conditions = { started, machine, peers, runs: bench.runs, measureMs, warmUpMs, baseline };
  return reportOf(conditions, plan.scenarios, series);
}
