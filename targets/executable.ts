// Targets that are one executable: Bun with the program in it. Whoever wants to change how it is
// compiled does it here for all of them, or in the file of one.
// `bun targets/executable.ts` writes the one for this machine to dist/minnow, with the Bun that is
// installed; `make dist` builds the others.

import { join } from 'node:path';
import { root, run } from './packages.ts';
import { program, threads } from './programs.ts';
import { readStamp, type Stamp, stampText } from './stamp.ts';
import { type ExecutableBuild, nativeTarget, readTarget, targetNames } from './target.ts';

/** The flags of every executable. The bytecode is made for no machine in particular: executables
 *  for other processors and C libraries take it as well (test/targets asks each of them). */
const flags = [
  '--compile',
  '--minify',
  '--bytecode',
  // Said aloud: without it --bytecode means CommonJS, which has no top-level await and fixes the
  // path of this folder into the program.
  '--format=esm',
  // A command loads what it needs and no more.
  '--splitting',
  // Start with a compiler that holds back; src/platform/jit.ts ends that. docs/PERFORMANCE.md
  // ("Cold start") says what both are worth.
  '--compile-jit-policy=100',
  // Nothing in the folder where somebody happens to stand changes what minnow does.
  '--no-compile-autoload-dotenv',
  '--no-compile-autoload-bunfig',
  // Two packages ask for their folders, for files that nobody here asks them for; without this the
  // path of the machine that built it would stand in the executable.
  '--define=__dirname="/minnow"',
];

type Compilation = Pick<ExecutableBuild, 'as' | 'flags'>;

/** Compiles the program to `file` with the Bun in `runtime`; nothing is downloaded. */
export function compile(
  name: string,
  build: Compilation,
  runtime: string,
  stamp: Stamp,
  file: string,
): void {
  run([
    process.execPath,
    'build',
    ...flags,
    ...build.flags,
    `--target=${build.as}`,
    `--compile-executable-path=${runtime}`,
    `--define=minnowBuild=${JSON.stringify(stampText(name, stamp))}`,
    program,
    ...threads(root),
    `--outfile=${file}`,
  ]);
}

if (import.meta.main) {
  const name = nativeTarget();
  // A developer's machine need not be one that is built for, if only Bun knows it.
  let build: Compilation = { as: `bun-${name}`, flags: [] };
  if (targetNames().includes(name)) {
    const own = readTarget(name).build;
    if (own.kind !== 'executable') throw new Error(`${name} is no single executable`);
    build = own;
  }
  compile(name, build, process.execPath, readStamp(), join(root, 'dist', 'minnow'));
}
