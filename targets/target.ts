// What a target is: one file, NAME.json beside this one, holds every flag and default that is that
// target's alone, so nothing of one target reaches another. What all have in common stands in the
// code that builds them. A file that says something else than it may ends the build, with a line
// per fault.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const folder = import.meta.dirname;

/** What the headers of a built file have to say, and no more. */
const image = z.strictObject({
  format: z.enum(['elf', 'pe']).default('elf'),
  machine: z.enum(['x86-64', 'aarch64', 'arm']),
  bits: z.union([z.literal(32), z.literal(64)]),
  /** Where floating point numbers are passed; only ARM's headers say so. */
  floatAbi: z.enum(['hard', 'soft']).nullable().default(null),
  /** The loader; null for a library and for a program that needs none. */
  interpreter: z.string().nullable().default(null),
  /** Shared libraries, in any order. */
  needed: z.array(z.string()).default([]),
});

/** A runtime from targets/packages, and the file in it. Its licence is said here, as an SPDX
 *  expression, because a runtime is more than the package says (Bun has JavaScriptCore in it). */
const runtime = z.strictObject({ package: z.string(), file: z.string(), license: z.string() });

/** One executable: Bun with the program in it. */
const executable = z.strictObject({
  kind: z.literal('executable'),
  runtime,
  /** What Bun calls this target. */
  as: z.string().regex(/^bun-/),
  /** Flags of `bun build` beside those of every target. */
  flags: z.array(z.string()),
});

/** A folder: a launcher, a loader and a C library of its own, Node, and the program for Node. */
const runner = z.strictObject({
  kind: z.literal('runner'),
  runtime,
  /** The cross compiler, by the name that its tools begin with. */
  toolchain: z.string(),
  /** What node-gyp calls the processor. */
  gyp: z.string(),
  /** Flags of the cross compiler for whatever is compiled. */
  compile: z.array(z.string()),
  /** The loader and the libraries that it carries, from the cross compiler's. */
  loader: z.string(),
  libraries: z.array(z.string()),
  /** Compiled packages that are fetched as they are, beside those of the project. */
  prebuilt: z.array(z.string()),
  /** Flags of Node that the launcher passes. */
  flags: z.array(z.string()),
});

/** How it is tried on an x86-64 machine. */
const trial = z.strictObject({
  /** What stands before the program: an emulator and its flags. */
  emulator: z.array(z.string()),
  /** Where it runs: as this machine's own program, or in a root that holds nothing but libraries
   *  (from the fixtures, or of a Debian package for cross compilation), or nothing but itself. */
  root: z.union([
    z.literal('here'),
    z.literal('empty'),
    z.strictObject({ fixture: z.string() }),
    z.strictObject({ libraries: z.string(), into: z.string(), package: z.string() }),
  ]),
  /** Flags of the broker: what it sees is the machine that emulates. */
  flags: z.array(z.string()).default([]),
  /** The I/O mode that it has to choose with them. */
  io: z.enum(['async', 'sync']),
  /** Longest time for anything it does. */
  waitMs: z.int().positive(),
});

const schema = z.strictObject({
  name: z.string(),
  summary: z.string().max(60),
  machine: z.strictObject({
    os: z.enum(['linux', 'windows']),
    arch: z.enum(['x64', 'arm64', 'arm']),
    libc: z.enum(['glibc', 'musl', 'own']).nullable(),
    /** The least processor. */
    cpu: z.string(),
  }),
  /** The file in the tree that people call. */
  program: z.string(),
  build: z.discriminatedUnion('kind', [executable, runner]),
  /** By their paths in the tree. */
  images: z.record(z.string(), image),
  /** null: it cannot be run on Linux. */
  trial: trial.nullable(),
});

export type Target = Readonly<z.infer<typeof schema>>;
export type Image = Readonly<z.infer<typeof image>>;
export type ExecutableBuild = Readonly<z.infer<typeof executable>>;
export type RunnerBuild = Readonly<z.infer<typeof runner>>;
export type Trial = Readonly<z.infer<typeof trial>>;

/** The names of all targets, sorted. */
export function targetNames(): string[] {
  return readdirSync(folder)
    .filter(name => name.endsWith('.json'))
    .map(name => name.slice(0, -'.json'.length))
    .sort();
}

/** Reads a target; throws with every fault of its file. */
export function readTarget(name: string): Target {
  const names = targetNames();
  if (!names.includes(name)) {
    throw new Error(`there is no target "${name}"; there are ${names.join(', ')}`);
  }
  return parseTarget(name, readFileSync(join(folder, `${name}.json`), 'utf8'));
}

/** The target that the text of NAME.json describes. */
export function parseTarget(name: string, text: string): Target {
  const where = `targets/${name}.json`;
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    throw new Error(`${where}: ${(error as Error).message}`);
  }
  const { success, data, error } = schema.safeParse(raw);
  if (!success) {
    const faults = error.issues.map(
      ({ path, message }) => `${path.join('.') || 'all'}: ${message}`,
    );
    throw new Error(faults.map(fault => `${where}: ${fault}`).join('\n'));
  }
  if (data.name !== name) throw new Error(`${where}: name: is "${data.name}", not "${name}"`);
  if (data.images[data.program] === undefined) {
    throw new Error(`${where}: images: says nothing about the program "${data.program}"`);
  }
  return data;
}

/** The target that this machine runs by itself, if there is one of this name. */
export function nativeTarget(): string {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  const isMusl = process.platform === 'linux' && header.glibcVersionRuntime === undefined;
  return `${process.platform}-${process.arch}${isMusl ? '-musl' : ''}`;
}
