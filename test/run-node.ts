// Runs test files on Node, which does not read TypeScript: `bun test/run-node.ts [--at-once=N]
// FILE...`. The tree is copied without its types into a folder below node_modules (where packages
// are found), every file under its own name, so that they find each other, their samples and their
// programs; a hook tells Node that .ts is JavaScript there. Whoever starts minnow itself starts the
// bundle that targets/node.ts makes. Ends in counts as `bun test` does. `MINNOW_NODE` names another
// node to run.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { buildNode } from '../targets/node.ts';

const root = join(import.meta.dirname, '..');
const node = process.env.MINNOW_NODE || 'node';
const { values, positionals: paths } = parseArgs({
  options: { 'at-once': { type: 'string', default: '1' } },
  allowPositionals: true,
});

/** What tests read besides sources. */
const alsoThere = ['package.json', 'docs'];

const hook = `
  import { readFile } from 'node:fs/promises';

  export async function load(url, context, next) {
    const format = url.endsWith('.ts') ? 'module' : url.endsWith('.json') ? 'json' : null;
    if (format === null) return next(url, context);
    return { format, source: await readFile(new URL(url)), shortCircuit: true };
  }
`;

/** Copies the sources and the tests to `out`, readable for Node. */
function copyTree(out: string): void {
  const transpiler = new Bun.Transpiler({ loader: 'ts', target: 'node' });
  for (const folder of ['src', 'test', 'bench', 'targets']) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const from = join(entry.parentPath, entry.name);
      const to = join(out, from.slice(root.length));
      mkdirSync(dirname(to), { recursive: true });
      if (!entry.name.endsWith('.ts')) copyFileSync(from, to);
      else writeFileSync(to, transpiler.transformSync(readFileSync(from, 'utf8')));
    }
  }
  for (const name of alsoThere) symlinkSync(join(root, name), join(out, name));
}

/** Why the files cannot run here, or null. */
function obstacle(): string | null {
  const load = "try { require('better-sqlite3') } catch { require('node:sqlite') }";
  const { error, status } = spawnSync(node, ['-e', load], { cwd: root });
  if (error) return `there is no ${node} to run`;
  return status === 0 ? null : `this ${node} has no SQLite: better-sqlite3 could not be built`;
}

/** Removes what runs that were killed have left behind. */
function sweep(cache: string): void {
  for (const name of readdirSync(cache)) {
    try {
      process.kill(Number.parseInt(name, 10), 0);
    } catch {
      rmSync(join(cache, name), { recursive: true, force: true });
    }
  }
}

async function runAll(): Promise<number> {
  const cache = join(root, 'node_modules', '.cache', 'minnow-node');
  mkdirSync(cache, { recursive: true });
  sweep(cache);
  const out = mkdtempSync(join(cache, `${process.pid}-`));
  try {
    copyTree(out);
    writeFileSync(join(out, 'hook.mjs'), hook);
    const register = join(out, 'register.mjs');
    const url = JSON.stringify(pathToFileURL(join(out, 'hook.mjs')));
    writeFileSync(register, `import { register } from 'node:module'; register(${url});`);
    const program = await buildNode(join(out, 'dist', 'node'));
    const args = [`--import=${pathToFileURL(register)}`, '--test', '--test-reporter=spec'];
    args.push(`--test-concurrency=${values['at-once']}`);
    const child = spawn(node, [...args, ...paths.map(path => join(out, path))], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, MINNOW_PROGRAM: program },
    });
    const exited = once(child, 'exit');
    let stdout = '';
    for await (const chunk of child.stdout.setEncoding('utf8')) {
      process.stdout.write(chunk);
      stdout += chunk;
    }
    const [status] = (await exited) as [number | null];
    const count = (what: string) =>
      Number(new RegExp(`^ℹ ${what} (\\d+)$`, 'm').exec(stdout)?.[1] ?? 0);
    summarise(count('pass'), count('skipped'), count('fail') + count('cancelled'));
    return status ?? 1;
  } finally {
    rmSync(out, { recursive: true });
  }
}

function summarise(passed: number, skipped: number, failed: number): void {
  const counts = `\n\n ${passed} pass\n ${skipped} skip\n ${failed} fail\n`;
  const tests = passed + skipped + failed;
  process.stdout.write(`${counts}Ran ${tests} tests across ${paths.length} files.\n`);
}

const why = obstacle();
if (why === null) {
  process.exitCode = await runAll();
} else {
  process.stdout.write(`on Node (skipped: ${why})\n`);
  summarise(0, 1, 0);
}
