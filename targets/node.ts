// The target `node`: the same sources as a program for Node >= 20. `bun targets/node.ts [FOLDER]`
// writes it to dist/node: minnow.mjs, what it loads when it needs it, the programs of its threads,
// and a package.json, so that `npm install` there brings the compiled packages. Nothing of Bun is
// in it: what is named after Bun is left out, and a static import of such a file ends the build.

import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import type { BunPlugin } from 'bun';
import manifest from '../package.json' with { type: 'json' };
import { root } from './packages.ts';
import { program, threads } from './programs.ts';
import { readStamp, stampText } from './stamp.ts';

/** Compiled packages: found in a node_modules beside or above the program, or done without. */
const external = Object.keys(manifest.optionalDependencies);

/** Whether a source is named after Bun, as everything is that only Bun can run: open-bun.ts. */
function isForBun(path: string): boolean {
  return /(^|-)bun(-|\.)/.test(basename(path));
}

/** Stands in for what is left out: nobody gets there, and who does is told. */
const withoutBun: BunPlugin = {
  name: 'without Bun',
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      if (!isForBun(path)) return undefined;
      const what = JSON.stringify(`${relative(root, path)} is not for Node`);
      return { contents: `throw new Error(${what});`, loader: 'js' };
    });
  },
};

/** Bundles minnow for Node into `folder`, which is emptied; returns the path of the program. */
export async function buildNode(
  folder: string,
  stamp = stampText('node', readStamp()),
): Promise<string> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await Bun.build({
    entrypoints: [program, ...threads(root)].map(path => join(root, path)),
    root: join(root, 'src'),
    outdir: folder,
    target: 'node',
    format: 'esm',
    splitting: true, // a command loads what it needs and no more
    minify: { syntax: true, whitespace: true }, // identifiers stay: they are what a stack shows
    external,
    // No path of this machine: two packages ask for their folders, for files that nobody asks for.
    define: { minnowBuild: JSON.stringify(stamp), __dirname: '"."' },
    plugins: [withoutBun],
    naming: { entry: '[dir]/[name].[ext]', chunk: '[name]-[hash].[ext]' },
  });
  const main = join(folder, 'minnow.mjs');
  renameSync(join(folder, basename(program).replace('.ts', '.js')), main);
  const { name, version, license, engines, optionalDependencies } = manifest;
  const described = { name, version, license, type: 'module', private: true, engines };
  const text = JSON.stringify({ ...described, bin: 'minnow.mjs', optionalDependencies }, null, 2);
  writeFileSync(join(folder, 'package.json'), `${text}\n`);
  return main;
}

if (import.meta.main) {
  const main = await buildNode(process.argv[2] ?? join(root, 'dist', 'node'));
  process.stdout.write(`${relative('', main)}\n`);
}
