// What a package puts onto a router, as a folder: both kinds of packages are made of the same.

import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../targets/packages.ts';
import type { Stamp } from '../targets/stamp.ts';
import { readTarget } from '../targets/target.ts';
import type { Architecture } from './architectures.ts';

const here = import.meta.dirname;

/** Who the broker runs as; numbers that OpenWrt's own packages do not use. */
export const requiredUser = 'minnow=1883:minnow=1883';

export const conffiles = ['/etc/config/minnow'];

/** What has to be there before: a runner brings all it needs. */
export function dependsOf({ target }: Architecture): readonly string[] {
  return readTarget(target).build.kind === 'runner' ? [] : ['libc', 'libgcc', 'libstdcpp'];
}

export const description =
  'MQTT broker for the edge: MQTT 3.1, 3.1.1 and 5.0 over TCP, TLS and WebSocket, keeps what it ' +
  'acknowledged, reads UCI and the UCI of the mosquitto package.';

/** The version of a package for opkg: "-r1" is the release of the packaging, as OpenWrt writes it,
 *  and 0.2.0~rc.1 sorts before 0.2.0. */
export function packageVersion({ version }: Stamp): string {
  return `${version.replace('-', '~')}-r1`;
}

/** Installs the tree of the architecture's target, and the files of OpenWrt, below `to`. */
export function installPayload({ target }: Architecture, tree: string, to: string): void {
  const { build, program } = readTarget(target);
  cpSync(join(here, 'files'), to, { recursive: true });
  mkdirSync(join(to, 'etc', 'minnow'), { recursive: true });
  mkdirSync(join(to, 'usr', 'bin'), { recursive: true });
  const called = join(to, 'usr', 'bin', 'minnow');
  if (build.kind === 'executable') {
    cpSync(join(tree, program), called);
  } else {
    const lib = join(to, 'usr', 'lib', 'minnow');
    for (const part of [program, 'lib', 'program']) {
      cpSync(join(tree, part), join(lib, part), { recursive: true });
    }
    writeFileSync(called, `#!/bin/sh\nexec /usr/lib/minnow/${program} "$@"\n`);
  }
  chmodSync(called, 0o755);
  chmodSync(join(to, 'etc', 'init.d', 'minnow'), 0o755);
  const docs = join(to, 'usr', 'share', 'licenses', 'minnow');
  mkdirSync(docs, { recursive: true });
  for (const paper of ['LICENSE', 'THIRD-PARTY.txt']) cpSync(join(tree, paper), join(docs, paper));
}

/** The scripts of a package, with what they have to know filled in. */
export function scripts(kilobytes: number): ReadonlyMap<string, string> {
  const names = ['preinst', 'postinst', 'prerm'];
  const read = (name: string) => readFileSync(join(here, 'control', name), 'utf8');
  return new Map(names.map(name => [name, read(name).replace('@KILOBYTES@', `${kilobytes}`)]));
}

/** What the files take up on a file system of 4 kB blocks. */
export function kilobytesOf(folder: string): number {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const sizes = paths.map(path => lstatSync(join(folder, path)));
  return sizes.reduce(
    (sum, stat) => sum + (stat.isFile() ? Math.ceil(stat.size / 4096) * 4 : 4),
    0,
  );
}

/** Writes a file with the folders above it. */
export function put(folder: string, path: string, text: string, mode = 0o644): void {
  const to = join(folder, path);
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, text);
  chmodSync(to, mode);
}

/** The tree that `make dist` has built. */
export function treeOf({ target }: Architecture): string {
  return join(root, 'dist', target);
}
