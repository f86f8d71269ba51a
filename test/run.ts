// Runs every suite and adds up what they really counted: `bun test/run.ts [SUITE...]`,
// where `node` means every suite on Node.
// Suites are found in the tree, so that none can be forgotten: a folder of test/ that mirrors one
// of src/, and every file beside them, is `unit`; tidy.test.ts is `tidy`; any other folder is the
// suite of its own name. Types, lint and ratios (minnow against mosquitto) count as one check each.
// A suite that crashes, runs no test, outlives its bound or leaves a process behind has failed. The
// last line is the sum.

import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { rounds } from './harness.ts';

interface Suite {
  readonly name: string;
  readonly command: readonly string[];
  /** The bound of one round; a suite that takes longer is ended and has failed. */
  readonly minutes: number;
  /** Whether the output ends in counts; a command that has none is one check. */
  readonly counts: boolean;
  readonly alone: boolean;
  /** How much of its random rounds it does. */
  readonly share: number;
}

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

interface Outcome extends Counts {
  readonly suite: Suite;
  readonly seconds: number;
  readonly output: string;
  /** What went wrong with the suite as a whole, in words. */
  readonly faults: readonly string[];
}

/** Suites that come first, in this order; the others follow by name, and `last` ends the run. */
const first = ['types', 'lint', 'tidy', 'unit', 'golden', 'conformance', 'contract', 'sim', 'fuzz'];
const last = ['integration'];
/** Every suite runs on Node as well, as `NAME-node`, but for what is said here, and why. */
const onBunOnly: Readonly<Record<string, string>> = {
  'tidy.test.ts': 'reads the sources',
  'conformance/spec-table.test.ts': 'reads the sources of the tests',
  mutants: 'asks whether the tests find what is broken: once is enough',
  'sim/planted-bugs.test.ts': 'likewise',
  'sim/durable/planted-bugs.test.ts': 'likewise',
  'crash/planted-bugs.test.ts': 'likewise',
  'security/comparisons.test.ts': 'reads the sources',
  'power/slow-fsync.test.ts': 'measures times, and traps cost more where all I/O is read and write',
  deploy: 'reads YAML, which Bun alone can',
  install: 'runs a script for the shell: who calls it makes no difference',
  openwrt: 'packages an executable of Bun and runs that',
  packages: 'makes packages with Bun, and installs what it has made',
  targets: 'builds for Node and runs what it has built there',
};
/** Suites that compute all the time, which Node does two to three times slower. */
const shortOnNode = ['sim', 'fuzz'];
const nodeSuffix = '-node';
/** Bounds for what hangs: four times and more what a machine with two processors takes that does
 *  nothing else. */
const runBoundMinutes = 40;
const suiteBoundMinutes = 12;
const checkBoundMinutes = 8;
/** How many suites run at once; those with real sockets and clients run alone. */
const lanes = 2;
const alone = ['contract', 'crash', 'integration', 'power', 'ratios', 'security'];
/** How long what a suite has ended itself may take to be gone. */
const graceMs = 20_000;
/** Every process of a suite inherits this variable, which is how those left behind are found. */
const mark = 'MINNOW_TEST_SUITE';

const root = join(import.meta.dirname, '..');
/** Also where the suites put what they need for a while: it goes when the run is over. */
const scratch = mkdtempSync(join(tmpdir(), 'minnow-test-'));
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
/** Ends what is running; set while something is. */
const running = new Set<() => void>();

function discover(): Suite[] {
  const bin = (name: string) => join('node_modules', '.bin', name);
  const suites: Suite[] = [
    check('types', [bin('tsc'), '-p', '.', '--noEmit']),
    check('lint', [bin('biome'), 'check', '--error-on-warnings']),
    check('ratios', [process.execPath, join('bench', 'ratios.ts')]),
  ];
  const files = new Map<string, string[]>();
  for (const path of readdirSync(join(root, 'test'), {
    recursive: true,
    encoding: 'utf8',
  }).sort()) {
    if (!path.endsWith('.test.ts')) continue;
    const name = suiteOf(path);
    files.set(name, [...(files.get(name) ?? []), `./test/${path}`]);
  }
  for (const [name, paths] of files) suites.push(onBun(name, paths), ...onNode(name, paths));
  for (const where of Object.keys(onBunOnly)) {
    if (!existsSync(join(root, 'test', where))) throw new Error(`there is no test/${where}`);
  }
  return suites.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

function check(name: string, command: readonly string[]): Suite {
  const isAlone = alone.includes(name);
  return { name, command, minutes: checkBoundMinutes, counts: false, alone: isAlone, share: 1 };
}

function onBun(name: string, paths: readonly string[]): Suite {
  const command = [process.execPath, 'test', ...paths];
  const isAlone = alone.includes(name);
  return { name, command, minutes: suiteBoundMinutes, counts: true, alone: isAlone, share: 1 };
}

/** The same suite on Node, if anything of it runs there. */
function onNode(name: string, paths: readonly string[]): Suite[] {
  const runs = paths.filter(
    path => !Object.keys(onBunOnly).some(where => `${path}/`.startsWith(`./test/${where}/`)),
  );
  if (runs.length === 0) return [];
  const isAlone = alone.includes(name);
  const files = isAlone ? 1 : lanes;
  const command = [process.execPath, join('test', 'run-node.ts'), `--at-once=${files}`, ...runs];
  const share = shortOnNode.includes(name) ? 0.25 : 1;
  const minutes = suiteBoundMinutes;
  return [{ name: `${name}${nodeSuffix}`, command, minutes, counts: true, alone: isAlone, share }];
}

/** A suite on Node comes right after the same on Bun. */
function rank({ name }: Suite): number {
  const base = name.replace(nodeSuffix, '');
  const place = first.includes(base) ? first.indexOf(base) : first.length;
  return (last.includes(base) ? first.length + 1 : place) * 2 + Number(base !== name);
}

function suiteOf(path: string): string {
  if (path === 'tidy.test.ts') return 'tidy';
  const [folder, ...rest] = path.split('/');
  return rest.length === 0 || mirrors(folder!) ? 'unit' : folder!;
}

/** Whether a folder of test/ stands for one of the sources. */
function mirrors(folder: string): boolean {
  return folder === 'bench' || existsSync(join(root, 'src', folder));
}

async function run(suite: Suite, minutes: number): Promise<Outcome> {
  const started = performance.now();
  const path = join(scratch, `${suite.name}.log`);
  const label = `${process.pid}-${suite.name}`;
  const log = openSync(path, 'a');
  const [program, ...args] = suite.command;
  const child = spawn(program!, args, {
    cwd: root,
    detached: true, // its own process group, to be ended as one
    stdio: ['ignore', log, log],
    env: {
      ...process.env,
      ...{ NO_COLOR: '1', FORCE_COLOR: '0', [mark]: label, TMPDIR: scratch },
      MINNOW_ROUNDS: String(rounds * suite.share),
    },
  });
  closeSync(log);
  const faults: string[] = [];
  const stop = () => end(child.pid, label);
  const bound = setTimeout(() => {
    faults.push(`was ended after ${minutes.toFixed(1)} min, which is its bound`);
    stop();
  }, minutes * 60_000);
  running.add(stop);
  const how = await new Promise<string>(resolve => {
    child.once('error', error => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  clearTimeout(bound);
  running.delete(stop);
  const left = await endLeftovers(child.pid, label);
  if (left.length > 0) faults.push(`left processes behind: ${left.join(', ')}`);

  const output = readFileSync(path, 'utf8');
  const good = how === 'exit code 0';
  const counts = suite.counts
    ? read(output)
    : { passed: Number(good), failed: Number(!good), skipped: 0 };
  if (!good && counts.failed === 0) faults.push(`crashed: ${how}`);
  if (counts.passed + counts.failed + counts.skipped === 0) faults.push('ran no test');
  if (faults.length > 0 && counts.failed === 0) counts.failed = 1;
  return { suite, seconds: (performance.now() - started) / 1000, output, faults, ...counts };
}

/** The counts at the end of what `bun test` prints. */
function read(output: string): Counts {
  const summary = output.slice(output.lastIndexOf('\n\n', output.lastIndexOf('\nRan ')));
  const count = (what: string) =>
    Number(new RegExp(`^ *(\\d+) ${what}$`, 'm').exec(summary)?.[1] ?? 0);
  return { passed: count('pass'), failed: count('fail'), skipped: count('skip') };
}

/** Ends what a suite started and did not end itself; says what that was. */
async function endLeftovers(group: number | undefined, label: string): Promise<string[]> {
  const deadline = performance.now() + graceMs;
  while (performance.now() < deadline && marked(label).length > 0) await delay(20);
  const names = marked(label).map(commandOf);
  end(group, label);
  return names;
}

function end(group: number | undefined, label: string): void {
  if (group !== undefined) kill(-group);
  for (const pid of marked(label)) kill(pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself, as it should.
  }
}

/** The processes that inherited `label`; where there is no /proc only the group is known. */
function marked(label: string): number[] {
  if (!existsSync('/proc/self/environ')) return [];
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(pid => procFile(pid, 'environ').split('\0').includes(`${mark}=${label}`))
    .map(Number);
}

function commandOf(pid: number): string {
  return procFile(String(pid), 'cmdline').split('\0').join(' ').trim() || `process ${pid}`;
}

function procFile(pid: string, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return ''; // gone, or another user's
  }
}

function report({ suite, seconds, output, faults, passed, failed, skipped }: Outcome): void {
  const verdict = failed === 0 ? 'ok' : 'FAILED';
  const numbers = `${passed} passed, ${failed} failed, ${skipped} skipped`;
  const [program, ...args] = suite.command;
  const command = [basename(program!, '.exe'), ...args].join(' ');
  if (failed > 0) say(`\n──── ${suite.name}: ${command}\n${withoutPasses(output)}\n────`);
  for (const fault of faults) say(`${suite.name} ${fault}`);
  const took = `${seconds.toFixed(1)} s`;
  say(`${verdict.padEnd(6)} ${suite.name.padEnd(12)} ${numbers.padEnd(36)} ${took}`);
  if (failed === 0) for (const line of worthTelling(output)) say(`       ${line}`);
}

function withoutPasses(output: string): string {
  return output.replace(/^\(pass\) .*\n/gm, '').trimEnd();
}

/** What a reader wants of a suite that passed: seeds that replay it, what it left out, ratios. */
function worthTelling(output: string): string[] {
  const lines = output
    .split('\n')
    .filter(line => /^(?!\(pass\)).*(seed|\(skipped: |^ratio )/i.test(line));
  const told = lines.map(line => line.trim()).map(line => line.slice(0, 160));
  return [...new Set(told)].slice(0, 20);
}

function quit(): never {
  for (const stop of running) stop();
  process.exit(1);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Runs `suites` in order, two at a time unless one asks to be alone. */
async function runAll(suites: readonly Suite[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const stop = performance.now() + runBoundMinutes * rounds * 60_000;
  const active = new Set<Promise<void>>();
  for (const suite of suites) {
    while (active.size >= (suite.alone ? 1 : lanes)) await Promise.race(active);
    const minutes = Math.min(suite.minutes * rounds, (stop - performance.now()) / 60_000);
    const one = run(suite, minutes).then(outcome => {
      outcomes.push(outcome);
      report(outcome);
    });
    const settled: Promise<void> = one.finally(() => active.delete(settled));
    active.add(settled);
    if (suite.alone) await settled;
  }
  await Promise.all(active);
  return outcomes;
}

/** The suites that a word of the command line means. */
function called(name: string): Suite[] {
  if (name === 'node') return suites.filter(suite => suite.name.endsWith(nodeSuffix));
  return suites.filter(suite => suite.name === name);
}

const suites = discover();
const wanted = process.argv.slice(2);
const unknown = wanted.filter(name => called(name).length === 0);
if (unknown.length > 0) {
  const names = suites.map(suite => suite.name).join(', ');
  say(`no suite is called ${unknown.join(', ')}; there are: ${names}`);
  process.exit(2);
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, quit);
process.stdout.on('error', quit); // whoever read this has left
const chosen = wanted.length === 0 ? suites : [...new Set(wanted.flatMap(called))];
const started = performance.now();
const outcomes = await runAll(chosen);

const total = (key: keyof Counts) => outcomes.reduce((sum, outcome) => sum + outcome[key], 0);
const seconds = (performance.now() - started) / 1000;
say(`\n${outcomes.length} suites in ${seconds.toFixed(1)} s`);
const sum = [`${total('passed')} passed`, `${total('failed')} failed`];
if (total('skipped') > 0) sum.push(`${total('skipped')} skipped`);
process.exitCode = total('failed') === 0 ? 0 : 1;
say(sum.join(', '));
