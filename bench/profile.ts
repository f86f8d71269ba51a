// `make profile`: where minnow's time goes in one scenario. Writes the processor profile (for the
// developer tools of a browser) and a flame graph to dist/bench/profile, and prints the functions
// that took most. Bun samples the main thread alone, so minnow runs in its asynchronous mode unless
// asked otherwise; Node samples its threads as well.

import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import type { Job } from './load/result.ts';
import { type Peer, peerFor } from './peers.ts';
import { chosenScenarios } from './plan.ts';
import { allowedCpus } from './proc.ts';
import { makeDirectory, Process } from './processes.ts';
import { flameGraph, frameTree, heaviest, type Profile } from './report/flame.ts';
import { entranceOf, isStoring, type Scenario, slackMs } from './scenarios.ts';
import { startPeer } from './starting.ts';

const USAGE = `usage: bun bench/profile.ts --scenario NAME [flags]
  --runtime NAME   bun, or node (make build-node)
  --mode MODE      async or sync; with sync see what Node says
  --seconds S      how long (5), after a warm-up of half as long`;

const root = join(import.meta.dirname, '..');
const folder = join(root, 'dist/bench/profile');
const LISTED = 25;

interface Wish {
  readonly scenario: Scenario;
  readonly runtime: string;
  readonly mode: string;
  readonly measureMs: number;
}

function wishFrom(args: readonly string[]): Wish {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scenario: { type: 'string', default: 'p2p-50-50-qos1' },
      runtime: { type: 'string', default: 'bun' },
      mode: { type: 'string', default: 'async' },
      seconds: { type: 'string', default: '5' },
    },
  });
  const { runtime, mode } = values;
  if (!['bun', 'node'].includes(runtime)) throw new Error(`--runtime ${runtime}: bun or node`);
  if (!['async', 'sync'].includes(mode)) throw new Error(`--mode ${mode}: async or sync`);
  const measureMs = Number(values.seconds) * 1_000;
  if (!(measureMs > 0 && measureMs <= 60_000)) throw new Error('--seconds: above 0, up to 60');
  const found = chosenScenarios([values.scenario], false);
  const scenario = found.find(({ name }) => name === values.scenario) ?? found[0]!;
  if (scenario.kind === 'start') throw new Error('a cold start is over before it can be sampled');
  return { scenario, runtime, mode, measureMs };
}

/** The peer with its runtime told to sample into that folder. */
function sampled(peer: Peer, into: string): Peer {
  const command: Peer['command'] = (...where) => {
    const [runtime, ...rest] = peer.command(...where);
    return [runtime!, '--cpu-prof', `--cpu-prof-dir=${into}`, ...rest];
  };
  return { ...peer, command };
}

async function record({ scenario, runtime, mode, measureMs }: Wish): Promise<string[]> {
  const into = makeDirectory();
  const peer = peerFor(`${runtime === 'node' ? 'node' : 'minnow'}-${mode}`);
  const missing = peer.missing?.() ?? null;
  if (missing !== null) throw new Error(missing);
  const [cpu = null, loadCpu = null] = allowedCpus().slice(0, 2);
  const broker = await startPeer(
    sampled(peer, into),
    cpu,
    isStoring(scenario),
    entranceOf(scenario),
  );
  try {
    const { port, transport, credentials, pid: brokerPid, syncLog } = broker;
    const way = { port, transport, credentials };
    const warmUpMs = measureMs / 2;
    const counting = { syncLog, countCalls: false };
    const job: Job = { scenario, ...way, brokerPid, warmUpMs, measureMs, ...counting };
    const generator = join(import.meta.dirname, 'load/generator.ts');
    const load = new Process([process.execPath, generator, JSON.stringify(job)], loadCpu);
    const code = await load.endWithin(2 * warmUpMs + measureMs + slackMs(scenario));
    if (code !== 0) throw new Error(load.stderr.trim() || 'the load generator ran out of time');
  } finally {
    await broker.stop(); // it writes its profile when it ends
  }
  return readdirSync(into)
    .filter(name => name.endsWith('.cpuprofile'))
    .map(name => join(into, name));
}

function show(wish: Wish, path: string, index: number): void {
  const { scenario, runtime, mode } = wish;
  const name = `${scenario.name}-${runtime}-${mode}${index === 0 ? '' : `-${index + 1}`}`;
  const tree = frameTree(JSON.parse(readFileSync(path, 'utf8')) as Profile);
  const svg = join(folder, `${name}.svg`);
  copyFileSync(path, join(folder, `${name}.cpuprofile`));
  writeFileSync(svg, flameGraph(`${name}: ${(tree.totalUs / 1e6).toFixed(2)} s`, tree));
  const lines = heaviest(tree, LISTED).map(({ name: what, place, selfUs }) => {
    const share = ((selfUs / (tree.totalUs || 1)) * 100).toFixed(1).padStart(5);
    return `${share} %  ${what.padEnd(28)} ${place}`;
  });
  process.stdout.write(`${relative('', svg)}\n${lines.join('\n')}\n\n`);
}

try {
  const wish = wishFrom(process.argv.slice(2));
  mkdirSync(folder, { recursive: true });
  const profiles = await record(wish);
  if (profiles.length === 0) throw new Error('the broker ended without writing its profile');
  profiles.forEach((path, i) => void show(wish, path, i));
} catch (error) {
  process.stderr.write(`profile: ${(error as Error).message}\n${USAGE}\n`);
  process.exitCode = 64;
}
