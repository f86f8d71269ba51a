// Packages for apk (OpenWrt 25.12 and newer). Their format is apk's own business: `apk mkpkg`
// writes them, and where that tool is not, everything it needs is laid out beside the place of the
// package, with the command to call.

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
  packageVersion,
  put,
  requiredUser,
  scripts,
} from './payload.ts';

export interface Apk {
  /** Where the package is, or would be. */
  readonly path: string;
  /** Why it was not made, and what would make it; null when it was. */
  readonly missing: string | null;
}

const NAME = 'minnow';

/** Lays out the package in `folder`, and makes it where `apk` can. */
export function buildApk(
  architecture: Architecture,
  tree: string,
  folder: string,
  stamp: Stamp,
): Apk {
  const version = packageVersion(stamp);
  const layout = join(folder, `${NAME}-${version}_${architecture.name}.apk.d`);
  const files = join(layout, 'files');
  rmSync(layout, { recursive: true, force: true });
  mkdirSync(files, { recursive: true });
  installPayload(architecture, tree, files);
  const texts = apkScripts(kilobytesOf(files));
  for (const [name, text] of texts) put(layout, name, text, 0o755);
  addDatabase(files);
  const path = join(folder, `${NAME}-${version}_${architecture.name}.apk`);
  const command = ['mkpkg', ...flagsOf(architecture, version), '--files', files];
  for (const name of texts.keys()) command.push('--script', `${name}:${join(layout, name)}`);
  command.push('--output', path);
  const { status, error, stderr } = spawnSync('apk', command, {
    encoding: 'utf8',
    env: { ...process.env, SOURCE_DATE_EPOCH: String(stamp.epoch) },
  });
  if (status === 0) {
    rmSync(layout, { recursive: true, force: true });
    return { path, missing: null };
  }
  const what = error === undefined ? `apk mkpkg failed: ${stderr.trim()}` : 'no apk (3.0 or newer)';
  const words = ['apk', ...command].map(word => (/[^\w./:=-]/.test(word) ? `'${word}'` : word));
  return { path, missing: `${what}; where it is: ${words.join(' ')}` };
}

function flagsOf(architecture: Architecture, version: string): string[] {
  const info = {
    name: NAME,
    version,
    description,
    arch: architecture.name,
    license: 'Apache-2.0',
    origin: 'openwrt/feed/minnow',
    maintainer: 'the minnow authors',
    depends: dependsOf(architecture).join(' '),
  };
  return Object.entries(info).flatMap(([key, value]) => ['--info', `${key}:${value}`]);
}

/** The scripts of an ipk under apk's names; in an upgrade the service stays enabled as it was. */
function apkScripts(kilobytes: number): ReadonlyMap<string, string> {
  const said = scripts(kilobytes);
  const body = (name: string) => said.get(name)!.replace(/^#!.*\n/, '');
  const calls = (name: string, more: string) =>
    `#!/bin/sh\n${more}export root="$IPKG_INSTROOT"\nexport pkgname="${NAME}"\n${body(name)}`;
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
function addDatabase(files: string): void {
  const place = 'lib/apk/packages';
  put(files, `${place}/${NAME}.rusers`, `${requiredUser}\n`);
  const paths = readdirSync(files, { recursive: true, encoding: 'utf8' });
  const plain = paths.filter(path => statSync(join(files, path)).isFile()).sort();
  put(files, `${place}/${NAME}.list`, plain.map(path => `/${path}\n`).join(''));
  const sums = conffiles.map(path => {
    const bytes = readFileSync(join(files, path));
    return `${path} ${createHash('sha256').update(bytes).digest('hex')}\n`;
  });
  put(files, `${place}/${NAME}.conffiles`, `${conffiles.join('\n')}\n`);
  put(files, `${place}/${NAME}.conffiles_static`, sums.join(''));
}
