// Packages for apk (OpenWrt 25.12 and newer). Their format is apk's own business: `apk mkpkg`
// writes them. Everything it needs is laid out beside the place of the package, with a script that
// calls it; where the tool is not, that folder stays, to be packed on a machine that has it.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Stamp } from '../targets/stamp.ts';
import type { Architecture } from './architectures.ts';
import {
  conffiles,
  dependsOf,
  description,
  installPayload,
  kilobytesOf,
  put,
  requiredUser,
  scripts,
} from './payload.ts';

/** What a package says of itself. */
export interface Apk {
  readonly name: string;
  readonly architecture: string;
  readonly description: string;
  readonly depends: readonly string[];
  readonly conffiles: readonly string[];
  /** Whom OpenWrt makes for it; null: nobody. */
  readonly user: string | null;
}

export interface Made {
  /** Where the package is, or would be. */
  readonly path: string;
  /** Why it was not made, and what would make it; null when it was. */
  readonly missing: string | null;
}

/** The version as apk writes it: 0.2.0-rc.1 is 0.2.0_rc1. */
export function apkVersion({ version }: Stamp): string {
  return `${version.replace(/-([a-z]+)\.?(\d*)/, '_$1$2')}-r1`;
}

/** Lays out the package of the broker in `folder`, and makes it where `apk` can. */
export function buildApk(
  architecture: Architecture,
  tree: string,
  folder: string,
  stamp: Stamp,
): Made {
  const apk: Apk = {
    name: 'minnow',
    architecture: architecture.name,
    description,
    depends: dependsOf(architecture),
    conffiles,
    user: requiredUser,
  };
  const install = (files: string) => {
    installPayload(architecture, tree, files);
    return brokerScripts(kilobytesOf(files));
  };
  return packApk(apk, install, folder, stamp);
}

/** `install` puts the files where it is told, and gives the scripts by apk's names. */
export function packApk(
  apk: Apk,
  install: (files: string) => ReadonlyMap<string, string>,
  folder: string,
  stamp: Stamp,
): Made {
  const file = `${apk.name}-${apkVersion(stamp)}_${apk.architecture}.apk`;
  const layout = join(folder, `${file}.d`);
  const files = join(layout, 'files');
  rmSync(layout, { recursive: true, force: true });
  mkdirSync(files, { recursive: true });
  const texts = install(files);
  for (const [name, text] of texts) put(layout, name, text, 0o755);
  addDatabase(apk, files);
  put(layout, 'mkpkg', mkpkg(apk, [...texts.keys()], file, stamp), 0o755);
  const path = join(folder, file);
  const { status, stderr } = spawnSync('sh', [join(layout, 'mkpkg')], {
    encoding: 'utf8',
    env: { ...process.env },
  });
  if (status === 0) {
    rmSync(layout, { recursive: true, force: true });
    return { path, missing: null };
  }
  const why = status === 127 ? 'no apk (3.0 or newer) here' : `apk mkpkg: ${stderr.trim()}`;
  return { path, missing: `${why}; where it is: sh ${layout}/mkpkg` };
}

/** The script that packs the folder it lies in. Files belong to whoever packs: that is root. */
function mkpkg(apk: Apk, names: readonly string[], file: string, stamp: Stamp): string {
  const info = {
    name: apk.name,
    version: apkVersion(stamp),
    description: apk.description,
    arch: apk.architecture,
    license: 'Apache-2.0',
    origin: `openwrt/feed/${apk.name}`,
    maintainer: 'the minnow authors',
    ...(apk.depends.length > 0 ? { depends: apk.depends.join(' ') } : {}),
  };
  const flags = [
    ...Object.entries(info).map(([key, value]) => `--info '${key}:${value}'`),
    '--files files',
    ...names.map(name => `--script ${name}:${name}`),
    `--output ../${file}`,
  ];
  return `#!/bin/sh
cd "$(dirname "$0")" || exit 1
export SOURCE_DATE_EPOCH=${stamp.epoch}
as_root=
[ "$(id -u)" = 0 ] || as_root=fakeroot
exec $as_root apk mkpkg \\
${flags.map(flag => `\t${flag}`).join(' \\\n')}
`;
}

/** The scripts of an ipk under apk's names; in an upgrade the service stays enabled as it was. */
function brokerScripts(kilobytes: number): ReadonlyMap<string, string> {
  const said = scripts(kilobytes);
  const body = (name: string) => said.get(name)!.replace(/^#!.*\n/, '');
  const calls = (name: string, more: string) =>
    `#!/bin/sh\n${more}export root="$IPKG_INSTROOT"\nexport pkgname="minnow"\n${body(name)}`;
  const upgrade = 'export PKG_UPGRADE=1\n';
  const install = calls('postinst', '').replace(
    'default_postinst',
    'add_group_and_user\ndefault_postinst',
  );
  return new Map([
    ['pre-install', `#!/bin/sh\n${body('preinst')}`],
    ['pre-upgrade', `#!/bin/sh\n${upgrade}${body('preinst')}`],
    ['post-install', install],
    ['post-upgrade', install.replace('#!/bin/sh\n', `#!/bin/sh\n${upgrade}`)],
    ['pre-deinstall', calls('prerm', '')],
  ]);
}

/** What OpenWrt keeps about a package in the package itself. */
function addDatabase({ name, user, conffiles: kept }: Apk, files: string): void {
  const place = 'lib/apk/packages';
  if (user !== null) put(files, `${place}/${name}.rusers`, `${user}\n`);
  const paths = readdirSync(files, { recursive: true, encoding: 'utf8' });
  const plain = paths.filter(path => statSync(join(files, path)).isFile()).sort();
  put(files, `${place}/${name}.list`, plain.map(path => `/${path}\n`).join(''));
  if (kept.length === 0) return;
  const sums = kept.map(path => {
    const bytes = readFileSync(join(files, path));
    return `${path} ${createHash('sha256').update(bytes).digest('hex')}\n`;
  });
  put(files, `${place}/${name}.conffiles`, `${kept.join('\n')}\n`);
  put(files, `${place}/${name}.conffiles_static`, sums.join(''));
}
