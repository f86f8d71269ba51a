// Packages for opkg (OpenWrt 24.10 and older): a gzipped tar of debian-binary, control.tar.gz and
// data.tar.gz. The same tree gives the same bytes.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { writeTar } from '../targets/pack/tar.ts';
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

export interface Ipk {
  readonly name: string;
  readonly architecture: string;
  readonly version: string;
  readonly depends: readonly string[];
  readonly description: string;
  readonly section: string;
  readonly conffiles: readonly string[];
  readonly scripts: ReadonlyMap<string, string>;
  /** Further lines of the control file. */
  readonly extra: readonly string[];
}

/** The file of a package. */
export function ipkName(ipk: Pick<Ipk, 'name' | 'version' | 'architecture'>): string {
  return `${ipk.name}_${ipk.version}_${ipk.architecture}.ipk`;
}

/** Packs the broker for an architecture into `folder`; gives the package's path. */
export function buildIpk(
  architecture: Architecture,
  tree: string,
  folder: string,
  stamp: Stamp,
): string {
  return withStaging(data => {
    installPayload(architecture, tree, data);
    const ipk: Ipk = {
      name: 'minnow',
      architecture: architecture.name,
      version: packageVersion(stamp),
      depends: dependsOf(architecture),
      description,
      section: 'net',
      conffiles,
      scripts: scripts(kilobytesOf(data)),
      extra: [`Require-User: ${requiredUser}`],
    };
    return packIpk(ipk, data, folder, stamp);
  });
}

/** Packs what lies in `data`. */
export function packIpk(ipk: Ipk, data: string, folder: string, { epoch }: Stamp): string {
  return withStaging(staging => {
    const control = join(staging, 'control');
    mkdirSync(control);
    put(control, 'control', controlText(ipk, kilobytesOf(data) * 1024, epoch));
    if (ipk.conffiles.length > 0) put(control, 'conffiles', `${ipk.conffiles.join('\n')}\n`);
    for (const [name, text] of ipk.scripts) put(control, name, text, 0o755);
    const whole = join(staging, 'whole');
    mkdirSync(whole);
    put(whole, 'debian-binary', '2.0\n');
    zippedTar(control, join(whole, 'control.tar.gz'), epoch);
    zippedTar(data, join(whole, 'data.tar.gz'), epoch);
    mkdirSync(folder, { recursive: true });
    const made = join(folder, ipkName(ipk));
    zippedTar(whole, made, epoch);
    return made;
  });
}

function controlText(ipk: Ipk, bytes: number, epoch: number): string {
  const lines = [
    `Package: ${ipk.name}`,
    `Version: ${ipk.version}`,
    ...(ipk.depends.length > 0 ? [`Depends: ${ipk.depends.join(', ')}`] : []),
    `Source: openwrt/feed/${ipk.name}`,
    `SourceName: ${ipk.name}`,
    'License: Apache-2.0',
    `Section: ${ipk.section}`,
    `SourceDateEpoch: ${epoch}`,
    'Maintainer: the minnow authors',
    `Architecture: ${ipk.architecture}`,
    `Installed-Size: ${bytes}`,
    ...ipk.extra,
    `Description: ${ipk.description}`,
  ];
  return `${lines.join('\n')}\n`;
}

function zippedTar(folder: string, to: string, epoch: number): void {
  const plain = `${to}.tar`;
  writeTar(folder, plain, { top: '.', epoch });
  writeFileSync(to, gzipSync(readFileSync(plain), { level: 9 }));
  rmSync(plain);
}

function withStaging<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'minnow-ipk-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
