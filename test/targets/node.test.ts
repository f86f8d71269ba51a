// The program for Node holds nothing of Bun, and everything else that it needs.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import {
  isCallExpression,
  isIdentifier,
  isPropertyAccessExpression,
  isStringLiteral,
} from 'typescript/unstable/ast/is';
import manifest from '../../package.json' with { type: 'json' };
import { buildNode } from '../../targets/node.ts';
import { threads } from '../../targets/programs.ts';
import { afterAll, beforeAll, describe, test } from '../harness.ts';
import { parseTrees, type Source, walk } from '../tidy/tree.ts';

describe('the bundle for Node', () => {
  let folder = '';
  let program = '';
  let files: { path: string; text: string }[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'minnow-node-'));
    program = await buildNode(folder);
    files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter(path => /\.m?js$/.test(path))
      .map(path => ({ path, text: readFileSync(join(folder, path), 'utf8') }));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('uses nothing of Bun', async () => {
    const sample = { path: 'sample.ts', text: 'if ("Bun" in a) Bun.listen(); require("bun:ffi");' };
    const sources = files.map(({ path, text }) => ({ path: `${path}.ts`, text }));
    const [bundle, broken] = await parseTrees([sources, [sample]]);
    assert.equal(bundle!.sources.length, files.length);
    assert.deepEqual(bundle!.sources.flatMap(usesOfBun), []);
    assert.equal(usesOfBun(broken!.sources[0]!).length, 2);
  });

  test('imports Node, packages that are compiled, and its own files', () => {
    const transpiler = new Bun.Transpiler({ loader: 'js' });
    const compiled = Object.keys(manifest.optionalDependencies);
    const strange: string[] = [];
    for (const { path, text } of files) {
      for (const { path: wanted } of transpiler.scanImports(text)) {
        const own = wanted.startsWith('.') && existsSync(join(folder, dirname(path), wanted));
        if (own || isBuiltin(wanted) || compiled.includes(wanted)) continue;
        strange.push(`${path} imports ${wanted}`);
      }
    }
    assert.deepEqual(strange, []);
  });

  test('has the program of every thread where it is looked for', () => {
    const root = join(import.meta.dirname, '../..');
    const programs = threads(root);
    assert.ok(programs.includes('src/store/thread/worker.ts'));
    for (const path of programs) {
      const bundled = join(folder, relative('src', path).replace(/\.ts$/, '.js'));
      assert.ok(existsSync(bundled), bundled);
    }
  });

  test('is a package that runs', () => {
    const described = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    assert.deepEqual(described.optionalDependencies, manifest.optionalDependencies);
    const run = spawnSync('node', [program, 'version'], { encoding: 'utf8' });
    assert.match(run.stdout, new RegExp(`^minnow ${manifest.version} \\(node \\d+`), run.stderr);
  });
});

/** References to the global, and its modules where one is loaded. */
function usesOfBun({ path, ast }: Source): string[] {
  const found: string[] = [];
  walk(ast, (node, parent) => {
    const isGlobal = isIdentifier(node) && node.text === 'Bun';
    const isMember = isPropertyAccessExpression(parent) && parent.name === node;
    const isLoaded = isStringLiteral(node) && isCallExpression(parent) && /^bun\b/.test(node.text);
    if ((isGlobal && !isMember) || isLoaded) found.push(`${path}: ${parent.getText(ast)}`);
  });
  return found;
}
