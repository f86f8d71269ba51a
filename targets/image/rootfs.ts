// What is in the container image of a platform: the program, the C library it needs, a user, a
// configuration and a place for data. No shell, no package manager.

import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Special } from '../pack/tar.ts';
import { readTarget } from '../target.ts';

export interface Platform {
  /** As container engines write it. */
  readonly architecture: 'amd64' | 'arm64' | 'arm';
  readonly variant?: string;
  readonly target: string;
  /** Where Debian has the C library for it, and in which package; none: the target carries one. */
  readonly libraries?: { readonly folder: string; readonly package: string };
}

export const platforms: readonly Platform[] = [
  {
    architecture: 'amd64',
    target: 'linux-x64-baseline',
    libraries: { folder: '/lib/x86_64-linux-gnu', package: 'libc6' },
  },
  {
    architecture: 'arm64',
    target: 'linux-arm64',
    libraries: { folder: '/usr/aarch64-linux-gnu/lib', package: 'libc6-arm64-cross' },
  },
  { architecture: 'arm', variant: 'v7', target: 'linux-armv7' },
];

/** Not root's, and not a number that a host is likely to give to somebody else. */
export const USER = 1883;
export const DATA = '/data';

/** Everything else in the layers is root's. */
export const special: ReadonlyMap<string, Special> = new Map([
  ['data', { mode: 0o750, owner: USER }],
  ['tmp', { mode: 0o1777, owner: 0 }],
]);

/** Why the image for a platform cannot be made here, or null. */
export function platformObstacle({ libraries }: Platform): string | null {
  if (libraries === undefined || existsSync(libraries.folder)) return null;
  return `no ${libraries.folder} here: install ${libraries.package}`;
}

export interface Layer {
  readonly what: string;
  readonly folder: string;
}

/** Lays out the layers, what changes least first, and calls `work` with them. */
export function withLayers<T>(
  platform: Platform,
  tree: string,
  work: (layers: readonly Layer[]) => T,
): T {
  const staging = mkdtempSync(join(tmpdir(), 'minnow-image-'));
  try {
    const base = join(staging, 'base');
    const program = join(staging, 'program');
    layBase(platform, base);
    layProgram(platform, tree, program);
    return work([
      { what: 'the C library, a user, and places for data', folder: base },
      { what: 'minnow', folder: program },
    ]);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

function layBase({ target, libraries }: Platform, folder: string): void {
  for (const path of ['data', 'etc', 'proc', 'tmp', 'usr/bin']) {
    mkdirSync(join(folder, path), { recursive: true });
  }
  const users = ['root:x:0:0:root:/:/', `minnow:x:${USER}:${USER}:minnow:${DATA}:/`];
  const groups = ['root:x:0:', `minnow:x:${USER}:`];
  writeFileSync(join(folder, 'etc/passwd'), `${users.join('\n')}\n`);
  writeFileSync(join(folder, 'etc/group'), `${groups.join('\n')}\n`);
  if (libraries === undefined) return;
  const { images, program } = readTarget(target);
  const { interpreter, needed } = images[program]!;
  const loader = basename(interpreter!);
  put(join(libraries.folder, loader), join(folder, interpreter!), 0o755);
  mkdirSync(join(folder, 'lib'), { recursive: true });
  for (const name of needed) {
    if (name !== loader) put(join(libraries.folder, name), join(folder, 'lib', name), 0o644);
  }
}

function layProgram({ target }: Platform, tree: string, folder: string): void {
  const { build, program } = readTarget(target);
  const called = join(folder, 'usr/bin/minnow');
  if (build.kind === 'executable') {
    put(join(tree, program), called, 0o755);
  } else {
    const lib = join(folder, 'usr/lib/minnow');
    for (const part of [program, 'lib', 'program']) {
      cpSync(join(tree, part), join(lib, part), { recursive: true });
    }
    mkdirSync(dirname(called), { recursive: true });
    symlinkSync(`../lib/minnow/${program}`, called);
  }
  put(join(import.meta.dirname, 'minnow.toml'), join(folder, 'etc/minnow/minnow.toml'), 0o644);
  const papers = join(folder, 'usr/share/doc/minnow');
  for (const paper of ['LICENSE', 'THIRD-PARTY.txt', 'sbom.cdx.json']) {
    put(join(tree, paper), join(papers, paper), 0o644);
  }
}

function put(from: string, to: string, mode: number): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to, { dereference: true });
  chmodSync(to, mode);
}
