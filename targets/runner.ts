// Targets for which there is no Bun: a folder with the bundle of targets/node.ts, a Node, the
// compiled packages, the loader and the libraries that these need, and a launcher. It needs nothing
// of the machine that it runs on but its kernel. Besides npm it takes Python and make for node-gyp,
// and Debian's cross compiler, whose libraries it carries.

import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { buildNode } from './node.ts';
import { cache, fetchPackage, locked, missingPrograms, run } from './packages.ts';

import { type Stamp, stampText } from './stamp.ts';
import type { RunnerBuild } from './target.ts';

/** The package that has to be compiled, and what comes out. */
const compiled = 'better-sqlite3';
const compiledFile = 'build/Release/better_sqlite3.node';

/** What is carried of each package. */
const carried: Readonly<Record<string, readonly string[]>> = {
  [compiled]: ['package.json', 'LICENSE', 'lib'],
  bindings: ['package.json', 'LICENSE.md', 'bindings.js'],
  'file-uri-to-path': ['package.json', 'LICENSE', 'index.js'],
  koffi: ['package.json', 'LICENSE.txt', 'index.cjs', 'index.js', 'src/koffi'],
};
/** Sources in the folders of these, which nothing reads. */
const unread = /\.(cc|hh|asm|S|inc|def|md)$|CMakeLists/;

/** Packages of the registry that a runner has beside the program's own. */
export function runnerPackages({ prebuilt }: RunnerBuild): string[] {
  return [...Object.keys(carried), ...prebuilt];
}

/** Why it cannot be built on this machine, or null. */
export function runnerObstacle({ toolchain }: RunnerBuild): string | null {
  const compilers = ['gcc', 'g++', 'strip'].map(tool => `${toolchain}-${tool}`);
  const missing = missingPrograms(['npm', 'python3', 'make', ...compilers]);
  return missing.length === 0 ? null : `no ${missing.join(', ')} here`;
}

/** Builds the runner in `folder`, which is emptied. Rejects with Unobtainable, or for a fault. */
export async function buildRunner(
  name: string,
  build: RunnerBuild,
  stamp: Stamp,
  folder: string,
): Promise<void> {
  const program = join(folder, 'program');
  const modules = join(program, 'node_modules');
  const lib = join(folder, 'lib');
  rmSync(folder, { recursive: true, force: true });
  await buildNode(program, stampText(name, stamp));
  for (const [pkg, parts] of Object.entries(carried)) {
    for (const part of parts) copy(join(fetchPackage(pkg), part), join(modules, pkg, part));
  }
  for (const pkg of build.prebuilt) copy(fetchPackage(pkg), join(modules, pkg));
  copy(compileAddon(build), join(modules, compiled, compiledFile));
  copy(join(fetchPackage(build.runtime.package), build.runtime.file), join(lib, 'node'));
  for (const file of [build.loader, ...build.libraries])
    copy(library(build, file), join(lib, file));
  compileLauncher(build, join(folder, 'minnow'));
}

/** Where the cross compiler has a library. */
export function library({ toolchain }: RunnerBuild, file: string): string {
  return realpathSync(join('/usr', toolchain, 'lib', file));
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to, { recursive: true, filter: path => !unread.test(path) });
}

function compileLauncher({ toolchain, compile, loader, flags }: RunnerBuild, to: string): void {
  const quoted = flags.map(flag => `${JSON.stringify(flag)}, `).join('');
  const defined = [`-DLOADER="${loader}"`, `-DFLAGS=${quoted}`];
  const source = join('targets', 'payload', 'launcher.c');
  const sane = ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-Os', '-static', '-s'];
  run([`${toolchain}-gcc`, ...sane, ...compile, ...defined, source, '-o', to]);
}

/** better-sqlite3 for the target; made once for these versions, this compiler and these flags. */
function compileAddon({ toolchain, gyp, compile, runtime }: RunnerBuild): string {
  const versions = [compiled, runtime.package].map(name => `${name}@${locked(name).version}`);
  const compiler = run([`${toolchain}-gcc`, '-dumpfullversion']).trim();
  const made = join(cache, [...versions, toolchain, compiler, ...compile].join('_'));
  const addon = join(made, compiledFile);
  if (existsSync(addon)) return addon;
  const making = `${made}.${process.pid}`;
  const source = join(making, 'node_modules', compiled);
  mkdirSync(dirname(source), { recursive: true });
  cpSync(fetchPackage(compiled), source, { recursive: true });
  // The headers are those of the Node that it is for, so none are fetched.
  const headers = `--nodedir=${fetchPackage(runtime.package)}`;
  // npm brings its own node-gyp, and has it on the path of what it runs.
  run(
    [
      'npm',
      'explore',
      compiled,
      '--',
      'node-gyp',
      'rebuild',
      '--release',
      `--arch=${gyp}`,
      headers,
    ],
    {
      cwd: making,
      env: {
        CC: `${toolchain}-gcc`,
        CXX: `${toolchain}-g++`,
        LINK: `${toolchain}-g++`,
        CFLAGS: [...compile, `-ffile-prefix-map=${making}=.`].join(' '),
        CXXFLAGS: [...compile, `-ffile-prefix-map=${making}=.`].join(' '),
        JOBS: 'max',
      },
    },
  );
  run([`${toolchain}-strip`, join(source, compiledFile)]);
  mkdirSync(dirname(addon), { recursive: true });
  copyFileSync(join(source, compiledFile), `${addon}.${process.pid}`);
  renameSync(`${addon}.${process.pid}`, addon);
  rmSync(making, { recursive: true });
  return addon;
}
