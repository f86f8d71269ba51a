// Runs test files on Node, which does not read TypeScript: `bun test/run-node.ts FILE...`. They are
// bundled, with node:test as their runner (test/harness.ts), into a folder below node_modules, so
// that what stays outside of the bundle (better-sqlite3) is found; the store's thread lies beside
// them where a bundled program looks for it. `MINNOW_NODE` names another node to run.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'node_modules', '.cache');
mkdirSync(folder, { recursive: true });
const out = mkdtempSync(join(folder, 'minnow-node-'));
process.once('exit', () => rmSync(out, { recursive: true, force: true }));

function bundle(entry: string, outfile: string): string {
  const args = ['build', '--target=node', '--external=bun:*', entry, `--outfile=${outfile}`];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${entry} cannot be bundled:\n${stderr}`);
  return outfile;
}

bundle('src/store/thread/worker.ts', join(out, 'store', 'thread', 'worker.js'));
const files = process.argv
  .slice(2)
  .map(path =>
    bundle(
      path,
      join(out, relative(root, join(root, path)).replaceAll('/', '-').replace(/\.ts$/, '.mjs')),
    ),
  );
const node = process.env.MINNOW_NODE || 'node';
const { status } = spawnSync(node, ['--test', '--test-reporter=spec', ...files], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
