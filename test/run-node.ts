// Runs test files on Node, which does not read TypeScript: `bun test/run-node.ts FILE...`. They are
// bundled, with node:test as their runner (test/harness.ts), into a folder below node_modules, so
// that what stays outside of a bundle (better-sqlite3) is found; the store's thread lies beside
// them where a bundled program looks for it. Ends in counts as `bun test` does. `MINNOW_NODE` names
// another node to run.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const node = process.env.MINNOW_NODE || 'node';
const paths = process.argv.slice(2);

function bundle(entry: string, outfile: string): string {
  const args = ['build', '--target=node', entry, `--outfile=${outfile}`];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${entry} cannot be bundled:\n${stderr}`);
  return outfile;
}

/** Why the files cannot run here, or null. */
function obstacle(): string | null {
  const load = "try { require('better-sqlite3') } catch { require('node:sqlite') }";
  const { error, status } = spawnSync(node, ['-e', load], { cwd: root });
  if (error) return `there is no ${node} to run`;
  return status === 0 ? null : `this ${node} has no SQLite: better-sqlite3 could not be built`;
}

function runAll(): number {
  const folder = join(root, 'node_modules', '.cache');
  mkdirSync(folder, { recursive: true });
  const out = mkdtempSync(join(folder, 'minnow-node-'));
  try {
    bundle('src/store/thread/worker.ts', join(out, 'store', 'thread', 'worker.js'));
    const files = paths.map((path, index) => bundle(path, join(out, `${index}.test.mjs`)));
    const args = ['--test', '--test-reporter=spec', ...files];
    const { stdout, stderr, status } = spawnSync(node, args, { cwd: root, encoding: 'utf8' });
    process.stdout.write(stdout + stderr);
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
  process.exitCode = runAll();
} else {
  process.stdout.write(`the store on Node (skipped: ${why})\n`);
  summarise(0, 1, 0);
}
