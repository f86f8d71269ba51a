// Debian packages: `bun targets/debian/build.ts [ARCHITECTURE...]` builds the trees of their
// targets and makes dist/minnow_*.deb of them. Nothing of what was built is touched: an executable
// of Bun is destroyed by stripping it. The same trees give the same bytes: every file gets the
// stamp's time.

import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { missingPrograms, root, run } from '../packages.ts';
import type { Stamp } from '../stamp.ts';
import { readTarget } from '../target.ts';
import { buildTree, distFolder, obstacle } from '../tree.ts';
import {
  type Architecture,
  architectures,
  changelog,
  control,
  debianVersion,
  debName,
} from './control.ts';

const here = import.meta.dirname;
const docs = 'usr/share/doc/minnow';

/** Where files of the tree go. */
const fromTree: Readonly<Record<string, string>> = {
  'systemd/minnow.toml': 'etc/minnow/minnow.toml',
  'systemd/minnow.service': 'usr/lib/systemd/system/minnow.service',
  'systemd/minnow.socket': 'usr/lib/systemd/system/minnow.socket',
  'systemd/minnow.sysusers': 'usr/lib/sysusers.d/minnow.conf',
  'README.md': `${docs}/README.md`,
  'THIRD-PARTY.txt': `${docs}/THIRD-PARTY.txt`,
  'sbom.cdx.json': `${docs}/sbom.cdx.json`,
  'minnow.sample.toml': `${docs}/examples/minnow.sample.toml`,
};
/** What of a runner's tree belongs to its program. */
const runnerParts = ['lib', 'program'];
const scripts = ['preinst', 'postinst', 'prerm', 'postrm'];

/** Why packages cannot be made on this machine, or null. */
export function debObstacle(): string | null {
  const missing = missingPrograms(['dpkg-deb', 'readelf']);
  return missing.length === 0 ? null : `no ${missing.join(', ')} here`;
}

/** Packs the tree of the architecture's target into a package in `folder`; gives its path. */
export function buildDeb(
  architecture: Architecture,
  tree: string,
  folder: string,
  stamp: Stamp,
): string {
  const version = debianVersion(stamp);
  const staging = mkdtempSync(join(tmpdir(), 'minnow-deb-'));
  try {
    installProgram(architecture, tree, staging);
    for (const [from, to] of Object.entries(fromTree)) {
      put(staging, to, readFileSync(join(tree, from)));
    }
    put(staging, `${docs}/copyright`, own('copyright'));
    put(staging, 'usr/share/lintian/overrides/minnow', own('lintian-overrides'));
    put(staging, 'usr/share/man/man1/minnow.1.gz', compressed(own('minnow.1')));
    put(staging, `${docs}/changelog.gz`, compressed(readFileSync(join(root, 'CHANGELOG.md'))));
    put(staging, `${docs}/changelog.Debian.gz`, compressed(changelog(version, stamp)));
    const sums = md5sums(staging);
    const kilobytes = installedKilobytes(staging);
    const glibc = glibcOf(architecture, tree);
    put(staging, 'DEBIAN/control', control({ architecture, version, kilobytes, glibc }));
    put(staging, 'DEBIAN/md5sums', sums);
    put(staging, 'DEBIAN/conffiles', '/etc/minnow/minnow.toml\n');
    for (const name of scripts) put(staging, `DEBIAN/${name}`, own(name), 0o755);
    openFolders(staging);
    mkdirSync(folder, { recursive: true });
    const made = join(folder, debName(architecture, stamp));
    const making = `${made}.${process.pid}`; // it takes a minute, and half of it is no package
    run(['dpkg-deb', '--root-owner-group', '-Zxz', '--build', staging, making], {
      env: { SOURCE_DATE_EPOCH: String(stamp.epoch) },
    });
    renameSync(making, made);
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
  for (const part of [program, ...runnerParts]) {
    cpSync(join(tree, part), join(lib, part), { recursive: true, verbatimSymlinks: true });
  }
  symlinkSync(`../lib/minnow/${program}`, join(bin, 'minnow'));
  for (const path of below(lib)) {
    const stat = lstatSync(path);
    if (!stat.isFile()) continue;
    const runs = (stat.mode & 0o100) !== 0 && !path.endsWith('.node'); // a library is only loaded
    chmodSync(path, runs ? 0o755 : 0o644);
  }
}

/** Whatever this process' mask made of them. */
function openFolders(staging: string): void {
  for (const path of [staging, ...below(staging)]) {
    if (lstatSync(path).isDirectory()) chmodSync(path, 0o755);
  }
}

/** A file of this folder. */
function own(name: string): Buffer {
  return readFileSync(join(here, name));
}

function put(staging: string, path: string, content: string | Uint8Array, mode = 0o644): void {
  const to = join(staging, path);
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, content);
  chmodSync(to, mode); // whatever this process' mask is
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
  const missing = debObstacle();
  if (missing !== null) throw new Error(missing);
  const known = Object.keys(architectures);
  const wanted = process.argv.length > 2 ? process.argv.slice(2) : known;
  for (const name of wanted) {
    if (!known.includes(name)) throw new Error(`"${name}" is none of ${known.join(', ')}`);
    const architecture = name as Architecture;
    const { target } = architectures[architecture];
    const why = obstacle(readTarget(target));
    if (why === null) {
      const { folder, stamp } = await buildTree(target);
      const made = buildDeb(architecture, folder, distFolder, stamp);
      process.stdout.write(`${relative(root, made)}\n`);
    } else {
      process.stderr.write(`${name} is left out: ${why}\n`);
      process.exitCode = 1;
    }
  }
}
