// `make bench`: brokers side by side on this machine, in the same run, one at a time. Each
// measurement gets a fresh broker on one processor and a fresh load generator on another; brokers
// alternate within a scenario and change places from run to run. What is measured: scenarios.ts.

import { writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Job, Result } from './load/generator.ts';
import { ioPeerNames, type Peer, peerFor, startPeer, storePeerNames, versionOf } from './peers.ts';
import { allowedCpus } from './proc.ts';
import { Process } from './processes.ts';
import { idleRow, idleTable, type Series, storeTable, trafficRow, trafficTable } from './report.ts';
import { families, faultsOf, type Scenario, scenarios } from './scenarios.ts';

const USAGE = `usage: bun bench/main.ts [flags]
  --runs N            runs of everything; medians are shown (3)
  --seconds S         length of one measurement (2), after a warm-up of half as long
  --scenario TEXT     only scenarios whose name contains TEXT; repeatable. Those that begin with
                      "store" (what durability costs) or "io" (what the I/O modes cost) run
                      only when TEXT does
  --peer NAME         minnow, minnow-dist, mosquitto, relay, or name='command … {port} … {dir}';
                      repeatable (minnow and mosquitto). With store scenarios by default
                      ${storePeerNames.join(', ')};
                      with io scenarios ${ioPeerNames.join(', ')}
                      (build the bundle for Node first)
  --baseline NAME     the peer that ratios refer to (mosquitto, minnow-none, else the last)
  --quick             one run of one second
  --json FILE         write every result to FILE
  --list              print the scenarios and end`;

/** What a job may take beyond its warm-up and measurement: connecting, settling, draining. */
const JOB_SLACK_MS = 30_000;

interface Plan {
  readonly runs: number;
  readonly measureMs: number;
  readonly warmUpMs: number;
  readonly scenarios: readonly Scenario[];
  readonly peers: readonly Peer[];
  readonly baseline: string;
  readonly json: string | null;
}

function positive(flag: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (value > 0 && value <= 600) return value;
  throw new Error(`--${flag} ${text}: expected a number above 0 and up to 600`);
}

function planFrom(args: readonly string[]): Plan | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string' },
      seconds: { type: 'string' },
      scenario: { type: 'string', multiple: true },
      peer: { type: 'string', multiple: true },
      baseline: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      list: { type: 'boolean', default: false },
    },
  });
  const faults = [scenarios, ...Object.values(families)].flat().flatMap(faultsOf);
  if (faults.length > 0) throw new Error(faults.join('\n'));
  const wanted = values.scenario ?? [''];
  const chosen = scenarios.filter(({ name }) => wanted.some(text => name.includes(text)));
  for (const [family, members] of Object.entries(families)) {
    const named = wanted.filter(text => text.startsWith(family));
    chosen.push(...members.filter(({ name }) => named.some(text => name.includes(text))));
  }
  if (chosen.length === 0) throw new Error(`--scenario ${wanted.join(' ')}: none has such a name`);
  if (values.list) {
    process.stdout.write(chosen.map(scenario => `${JSON.stringify(scenario)}\n`).join(''));
    return null;
  }
  const peers = (values.peer ?? usualPeers(chosen)).map(peerFor);
  const references = ['mosquitto', 'minnow-none'];
  const reference = references.find(name => peers.some(peer => peer.name === name));
  const baseline = values.baseline ?? reference ?? peers.at(-1)!.name;
  if (!peers.some(({ name }) => name === baseline)) {
    throw new Error(`--baseline ${baseline}: expected one of the peers`);
  }
  const measureMs = positive('seconds', values.seconds, values.quick ? 1 : 2) * 1000;
  return {
    runs: Math.ceil(positive('runs', values.runs, values.quick ? 1 : 3)),
    measureMs,
    warmUpMs: measureMs / 2,
    scenarios: chosen,
    peers,
    baseline,
    json: values.json ?? null,
  };
}

function usualPeers(chosen: readonly Scenario[]): readonly string[] {
  if (chosen.every(isStoring)) return storePeerNames;
  if (chosen.every(({ name }) => name.startsWith('io'))) return ioPeerNames;
  return ['minnow', 'mosquitto'];
}

function isStoring(scenario: Scenario): boolean {
  return scenario.kind === 'traffic' && scenario.store !== null;
}

/** The processors for broker and generator; null where there is only one and pinning is futile. */
function processors(): { broker: number | null; load: number | null } {
  const allowed = allowedCpus();
  if (allowed.length < 2) return { broker: null, load: null };
  return { broker: allowed[0]!, load: allowed[1]! };
}

type Outcome = Result | { readonly error: string };

async function measure(peer: Peer, scenario: Scenario, plan: Plan): Promise<Outcome> {
  const cpu = processors();
  try {
    const broker = await startPeer(peer, cpu.broker, isStoring(scenario));
    try {
      const { warmUpMs, measureMs } = plan;
      const { port, pid: brokerPid, syncLog } = broker;
      const job: Job = { scenario, port, brokerPid, syncLog, warmUpMs, measureMs };
      const generator = join(import.meta.dir, 'load/generator.ts');
      const load = new Process([process.execPath, generator, JSON.stringify(job)], cpu.load);
      const code = await load.endWithin(warmUpMs + measureMs + JOB_SLACK_MS);
      if (code !== 0) return { error: load.stderr.trim() || 'the load generator ran out of time' };
      return JSON.parse(load.stdout) as Result;
    } finally {
      await broker.stop();
    }
  } catch (error) {
    return { error: (error as Error).message };
  }
}

async function runAll(plan: Plan): Promise<Series[]> {
  const runs = new Map<string, Outcome[]>();
  const key = (scenario: Scenario, peer: Peer) => `${scenario.name}\n${peer.name}`;
  const total = plan.runs * plan.scenarios.length * plan.peers.length;
  let done = 0;
  for (let run = 0; run < plan.runs; run++) {
    const order = run % 2 === 0 ? plan.peers : plan.peers.toReversed();
    for (const scenario of plan.scenarios) {
      for (const peer of order) {
        const step = `[${++done}/${total}] run ${run + 1}: ${scenario.name}, ${peer.name}`;
        process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${step}` : `${step}\n`);
        const outcomes = runs.get(key(scenario, peer)) ?? [];
        outcomes.push(await measure(peer, scenario, plan));
        runs.set(key(scenario, peer), outcomes);
      }
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  return plan.scenarios.flatMap(scenario =>
    plan.peers.map(peer => ({
      scenario: scenario.name,
      peer: peer.name,
      runs: runs.get(key(scenario, peer))!,
    })),
  );
}

async function main(): Promise<void> {
  const plan = planFrom(process.argv.slice(2));
  if (!plan) return;
  const versions = await Promise.all(plan.peers.map(versionOf));
  const machine = {
    processor: cpus()[0]?.model ?? 'unknown',
    processors: allowedCpus().length,
    kernel: release(),
    pinned: processors().broker !== null && Bun.which('taskset') !== null,
  };
  const peers = plan.peers.map((peer, i) => ({ name: peer.name, version: versions[i]! }));
  const started = new Date();
  const series = await runAll(plan);
  const byName = new Map(plan.scenarios.map(scenario => [scenario.name, scenario]));
  const baselineOf = (one: Series) =>
    series.find(other => other.scenario === one.scenario && other.peer === plan.baseline);
  const traffic = series
    .filter(one => byName.get(one.scenario)!.kind === 'traffic')
    .map(one => trafficRow(one, baselineOf(one)));
  const idle = series.filter(one => byName.get(one.scenario)!.kind === 'idle').map(idleRow);

  const lines = [
    `${started.toISOString()}  ${machine.processor}, Linux ${machine.kernel}`,
    ...peers.map(({ name, version }) => `${name}: ${version || 'version unknown'}`),
    `${plan.runs} × ${plan.measureMs / 1000} s; × against ${plan.baseline} in the same run`,
  ];
  if (!machine.pinned) lines.push('Broker and generator share processors: figures are rough.');
  const storing = traffic.filter(row => isStoring(byName.get(row.scenario)!));
  const passing = traffic.filter(row => !storing.includes(row));
  if (passing.length > 0) lines.push('', trafficTable(passing));
  if (storing.length > 0) lines.push('', storeTable(storing));
  if (idle.length > 0) lines.push('', idleTable(idle));
  process.stdout.write(`${lines.join('\n')}\n`);
  if (series.some(({ runs }) => runs.some(run => 'error' in run))) process.exitCode = 1;
  if (plan.json === null) return;
  const { runs, measureMs, warmUpMs, baseline } = plan;
  const report = { started, machine, peers, runs, measureMs, warmUpMs, baseline };
  const everything = { ...report, scenarios: plan.scenarios, traffic, idle, series };
  writeFileSync(plan.json, `${JSON.stringify(everything, null, 2)}\n`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n${USAGE}\n`);
  process.exitCode = 64;
}
