// Debian packages: `bun targets/debian/build.ts [ARCHITECTURE...]` makes dist/debian/*.deb of what
// `make dist` has built for that architecture, or what --tree names. Nothing is compiled here, and
// nothing of what was built is touched: an executable of Bun is destroyed by stripping it.
// The same trees give the same bytes: every file gets the time that the stamp says.

import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { missingPrograms, root, run } from '../packages.ts';
import { readStamp, type Stamp } from '../stamp.ts';
import { readTarget } from '../target.ts';
import { type Architecture, architectures, changelog, control, debianVersion } from './control.ts';

const here = import.meta.dirname;
const systemd = join(here, '..', 'systemd');

/** Where things go, from where: a name below targets/systemd or this folder. */
const files: Readonly<Record<string, string>> = {
  'etc/minnow/minnow.toml': join(systemd, 'minnow.toml'),
  'usr/lib/systemd/system/minnow.service': join(systemd, 'minnow.service'),
  'usr/lib/systemd/system/minnow.socket': join(systemd, 'minnow.socket'),
  'usr/lib/sysusers.d/minnow.conf': join(systemd, 'minnow.sysusers'),
  'usr/share/doc/minnow/copyright': join(here, 'copyright'),
  'usr/share/doc/minnow/README.md': join(root, 'README.md'),
  'usr/share/lintian/overrides/minnow': join(here, 'lintian-overrides'),
};
const scripts = ['postinst', 'prerm', 'postrm'];

/** Why packages cannot be made on this machine, or null. */
export function debObstacle(): string | null {
  const missing = missingPrograms(['dpkg-deb', 'readelf']);
  return missing.length === 0 ? null : `no ${missing.join(', ')} here`;
}

/** The tree that `make dist` has built for `architecture`. */
export function treeOf(architecture: Architecture): string {
  return join(root, 'dist', architectures[architecture].target);
}

/** Packs `tree`, which holds the program, into a package in `folder`; gives its path. `revision` is
 *  the last part of the version. */
export function buildDeb(
  architecture: Architecture,
  tree: string,
  folder: string,
  stamp: Stamp,
  revision = '1',
): string {
  const version = debianVersion(stamp, revision);
  const staging = mkdtempSync(join(tmpdir(), 'minnow-deb-'));
  try {
    chmodSync(staging, 0o755);
    installProgram(architecture, tree, staging);
    for (const [to, from] of Object.entries(files)) put(staging, to, readFileSync(from));
    const docs = 'usr/share/doc/minnow';
    const page = readFileSync(join(here, 'minnow.1'));
    put(staging, 'usr/share/man/man1/minnow.1.gz', compressed(page));
    put(staging, `${docs}/changelog.gz`, compressed(readFileSync(join(root, 'CHANGELOG.md'))));
    put(staging, `${docs}/changelog.Debian.gz`, compressed(changelog(version, stamp)));
    const sums = md5sums(staging);
    const kilobytes = installedKilobytes(staging);
    const glibc = glibcOf(architecture, tree);
    put(staging, 'DEBIAN/control', control({ architecture, version, kilobytes, glibc }));
    put(staging, 'DEBIAN/md5sums', sums);
    put(staging, 'DEBIAN/conffiles', '/etc/minnow/minnow.toml\n');
    for (const name of scripts) {
      put(staging, `DEBIAN/${name}`, readFileSync(join(here, name)), 0o755);
    }
    mkdirSync(folder, { recursive: true });
    const made = join(folder, `minnow_${version}_${architecture}.deb`);
    run(['dpkg-deb', '--root-owner-group', '-Zxz', '--build', staging, made], {
      env: { SOURCE_DATE_EPOCH: String(stamp.epoch) },
    });
    return made;
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** One file goes to /usr/bin; a folder to /usr/lib, and a link to its launcher to /usr/bin. */
function installProgram(architecture: Architecture, tree: string, staging: string): void {
  const { program, build } = readTarget(architectures[architecture].target);
  const bin = join(staging, 'usr', 'bin');
  mkdirSync(bin, { recursive: true });
  if (build.kind === 'executable') {
    cpSync(join(tree, program), join(bin, 'minnow'));
    chmodSync(join(bin, 'minnow'), 0o755);
    return;
  }
  const lib = join(staging, 'usr', 'lib', 'minnow');
  cpSync(tree, lib, { recursive: true, verbatimSymlinks: true });
  symlinkSync(`../lib/minnow/${program}`, join(bin, 'minnow'));
  for (const path of below(lib)) {
    const { mode } = lstatSync(path);
    if (!lstatSync(path).isSymbolicLink()) chmodSync(path, mode & 0o100 ? 0o755 : 0o644);
  }
}

function put(staging: string, path: string, content: string | Uint8Array, mode = 0o644): void {
  const to = join(staging, path);
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, content);
  chmodSync(to, mode); // whatever this process' mask is
  for (let folder = dirname(to); folder !== staging; folder = dirname(folder)) {
    chmodSync(folder, 0o755);
  }
}

/** As `gzip -9n`: no name, no time. */
function compressed(content: string | Uint8Array): Uint8Array {
  return gzipSync(content, { level: 9 });
}

/** Everything in a folder, sorted. */
function below(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map(name => join(folder, name));
}

function md5sums(staging: string): string {
  const plain = below(staging).filter(path => lstatSync(path).isFile());
  return run(['md5sum', ...plain.map(path => relative(staging, path))], { cwd: staging });
}

/** As dpkg-gencontrol counts: files in whole kilobytes, everything else as one. */
function installedKilobytes(staging: string): number {
  return below(staging)
    .map(path => lstatSync(path))
    .map(stat => (stat.isFile() ? Math.ceil(stat.size / 1024) : 1))
    .reduce((sum, size) => sum + size, 0);
}

/** The oldest C library that the program runs with, or null: it brings its own. */
function glibcOf(architecture: Architecture, tree: string): string | null {
  const { machine, program } = readTarget(architectures[architecture].target);
  if (machine.libc !== 'glibc') return null;
  const needs = run(['readelf', '--version-info', '--wide', join(tree, program)]);
  const versions = [...needs.matchAll(/\bGLIBC_(\d+)\.(\d+)/g)].map(
    ([, major, minor]) => Number(major) * 1_000 + Number(minor),
  );
  const newest = Math.max(...versions);
  return `${Math.floor(newest / 1_000)}.${newest % 1_000}`;
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: { tree: { type: 'string' }, out: { type: 'string' } },
    allowPositionals: true,
  });
  const obstacle = debObstacle();
  if (obstacle !== null) throw new Error(obstacle);
  const known = Object.keys(architectures);
  const wanted = positionals.length === 0 ? known : positionals;
  for (const name of wanted) {
    if (!known.includes(name)) throw new Error(`"${name}" is none of ${known.join(', ')}`);
    const architecture = name as Architecture;
    const tree = values.tree ?? treeOf(architecture);
    const { target } = architectures[architecture];
    if (!existsSync(tree)) throw new Error(`build it first: make dist TARGET=${target}`);
    const folder = values.out ?? join(root, 'dist', 'debian');
    const made = buildDeb(architecture, tree, folder, readStamp());
    process.stdout.write(`${relative('', made)}\n`);
  }
}
