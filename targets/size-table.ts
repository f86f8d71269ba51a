// `make size-table`: measures what dist/ holds and writes the table into README.md, between its
// markers. The time of a start is taken of those that this machine runs by itself: what an emulator
// takes would say nothing, and neither would the time of entering another root.

import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { coldStart } from '../bench/starting.ts';
import { distName } from './dist.ts';
import { everythingIn } from './pack/tar.ts';
import { root, run } from './packages.ts';
import { readStamp } from './stamp.ts';
import { nativeTarget, readTarget, type Target, targetNames } from './target.ts';
import { distFolder } from './tree.ts';

const starts = 25;
const readme = join(root, 'README.md');
const marks = ['<!-- sizes: written by make size-table -->', '<!-- end of sizes -->'] as const;

export interface Row {
  readonly target: Target;
  /** Bytes to download and to keep. */
  readonly archive: number;
  readonly unpacked: number;
  /** Median milliseconds from starting it to its first CONNACK, or why that was not measured. */
  readonly startMs: number | string;
}

/** The table, in Markdown, and below it `build`: of which program, as it says itself. */
export function sizeTable(rows: readonly Row[], build: string): string {
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  const lines = rows.map(({ target, archive, unpacked, startMs }) => {
    const start = typeof startMs === 'string' ? startMs : `${startMs.toFixed(1)} ms`;
    const { name, summary } = target;
    return `| \`${name}\` | ${summary} | ${mb(archive)} | ${mb(unpacked)} | ${start} |`;
  });
  const head = '| target | runs on | archive | unpacked | start to first CONNACK |';
  const table = [head, '| --- | --- | --- | --- | --- |', ...lines].join('\n');
  return `${table}\n\nMeasured by \`make size-table\` of ${build}.`;
}

/** A text with something else between the marks; throws where they are missing. */
export function between(text: string, table: string): string {
  const [from, to] = marks.map(mark => text.indexOf(mark));
  if (from! < 0 || to! < from!) throw new Error(`README.md lacks "${marks[0]}" or "${marks[1]}"`);
  return `${text.slice(0, from! + marks[0].length)}\n${table}\n${text.slice(to!)}`;
}

/** What stands between the marks now. */
export function currentTable(text: string): string {
  return text.slice(text.indexOf(marks[0]) + marks[0].length, text.indexOf(marks[1])).trim();
}

async function measure(name: string): Promise<Row> {
  const target = readTarget(name);
  const archive = join(distFolder, `${distName(name, readStamp())}.tar.xz`);
  const folder = join(distFolder, name);
  if (!existsSync(archive)) throw new Error(`there is no ${archive}: make dist comes first`);
  const sizes = everythingIn(folder).map(path => statSync(join(folder, path)));
  const unpacked = sizes.reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);
  const startMs = whyUnmeasured(target) ?? (await medianStart(join(folder, target.program)));
  return { target, archive: statSync(archive).size, unpacked, startMs };
}

/** Why the start of a target cannot be measured on this machine, or null. */
export function whyUnmeasured({ name, machine, trial }: Target): string | null {
  if (trial === null) return 'not measured (never run)';
  if (name.startsWith(nativeTarget()) && trial.root === 'here') return null;
  const isOurs = machine.os === process.platform && machine.arch === process.arch;
  return isOurs ? `not measured (run in a root of ${machine.libc})` : 'not measured (emulated)';
}

/** The version and the commit of a program in dist/, which may be older than the sources. */
function buildOf(name: string): string {
  const said = run([join(distFolder, name, readTarget(name).program), 'version']).split('\n');
  const commit = said.find(line => line.startsWith('commit '));
  return `${said[0]!.split(' (')[0]}, ${commit}`;
}

async function medianStart(program: string): Promise<number> {
  const peer = {
    name: 'minnow',
    store: '–',
    io: null,
    versionCommand: [],
    command: (port: number, directory: string) => [
      program,
      'serve',
      ...['--listen', `127.0.0.1:${port}`, '--data', directory, '--set', 'log.format=json'],
    ],
  };
  const times: number[] = [];
  while (times.length < starts) times.push((await coldStart(peer)).connackMs);
  return times.sort((a, b) => a - b)[starts >> 1]!;
}

if (import.meta.main) {
  const rows: Row[] = [];
  for (const name of targetNames()) rows.push(await measure(name));
  const table = sizeTable(rows, buildOf(nativeTarget()));
  writeFileSync(readme, between(readFileSync(readme, 'utf8'), table));
  process.stdout.write(`${table}\n`);
}
