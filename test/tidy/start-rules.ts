// A tidy rule about what `minnow serve` loads when nothing is configured: each module of the
// runtime costs half a millisecond up to two of every start, and memory as long as the broker runs.

import { importsOf } from './import-rules.ts';
import { type Fault, file, type Rule } from './shape-rules.ts';
import type { Tree } from './tree.ts';

/** What the program loads by itself, one after the other, on Bun and with a store. */
const started = [
  'src/main.ts',
  'src/cli/serve.ts',
  'src/engine/engine.ts',
  'src/io/async/bun-driver.ts',
  'src/store/thread/thread-store.ts',
  'src/store/sqlite/open-bun.ts',
];

/** What it may need of the runtime and of packages. */
const needed = new Set([
  'bun:sqlite',
  'node:events',
  'node:fs',
  'node:module',
  'node:net',
  'node:os',
  'node:path',
  'node:util',
  'node:v8',
  'node:vm',
  'node:worker_threads',
  'smol-toml',
  'zod/mini',
]);

/** Ours that has its time later, or never: other commands, other modes, what is configured. */
const later = [
  /^src\/(bench|bridge|http)\//,
  /^src\/cli\/(?!(command|exit|load|serve)\.ts)/,
  /^src\/auth\/(passwords\/|scram\/|(http|jwt)-step|standing)/,
  /^src\/config\/(mosquitto\/|uci\/|reference)/,
  /^src\/engine\/thread\//,
  /^src\/log(\.ts|\/(writer|text|bursts)\.ts)/,
  /^src\/io\/(doors\/(?!side)|sync\/(pool\/|sync-driver|ring|mailbox|ffi-))/,
  /^src\/store\/upkeep\/transfer/,
];

function loadedAtOnce(tree: Tree): Fault[] {
  const sources = new Map(tree.sources.map(source => [source.path, source]));
  const seen = new Set<string>();
  const faults: Fault[] = [];
  const visit = (path: string): void => {
    const source = sources.get(path);
    if (source === undefined || seen.has(path)) return;
    seen.add(path);
    for (const { specifier, path: next, typeOnly, dynamic, line } of importsOf(source)) {
      if (typeOnly || dynamic) continue;
      const fine = next === null ? needed.has(specifier) : !later.some(place => place.test(next));
      if (!fine) faults.push({ where: path, line, what: `loads ${specifier} at every start` });
      else if (next !== null) visit(next);
    }
  };
  for (const path of started) visit(path);
  return faults;
}

export const startRules: readonly Rule[] = [
  {
    name: 'a start loads what it needs and no more',
    check: loadedAtOnce,
    breaks: [
      file('src/main.ts', "import { createHmac } from 'node:crypto';\n"),
      file('src/cli/serve.ts', "import { Doors } from '../io/doors/doors.ts';\n"),
      [
        ...file('src/engine/engine.ts', "import { a } from '../auth/a.ts';\n"),
        ...file('src/auth/a.ts', "import { jwtVerify } from 'jose';\n"),
      ],
    ],
  },
];
