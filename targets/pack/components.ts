// What is in a built tree that others wrote: the packages that were bundled, by the lockfile; the
// runtime; and what a runner carries beside it, libraries of Debian's among them.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import projectLock from '../../package-lock.json' with { type: 'json' };
import { fetchPackage, locked, root, run } from '../packages.ts';
import { library, runnerPackages } from '../runner.ts';
import type { Target } from '../target.ts';

export interface Component {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression. */
  readonly license: string;
  /** Where it comes from, as a package URL. */
  readonly purl: string;
  /** SHA-512 in hexadecimal of the package as it was fetched, where a lockfile says one. */
  readonly sha512: string | null;
  readonly kind: 'library' | 'platform';
  /** The texts of its licence that it came with. */
  readonly texts: readonly string[];
}

/** How an entry of a lockfile looks. */
interface Entry {
  readonly name?: string;
  readonly version: string;
  readonly license: string;
  readonly integrity: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
}

/** The licences of what Debian packages, by the beginning of the package's name. */
const debianLicences: Readonly<Record<string, string>> = {
  libc6: 'LGPL-2.1-or-later',
  libatomic1: 'GPL-3.0-or-later WITH GCC-exception-3.1',
  'libgcc-s1': 'GPL-3.0-or-later WITH GCC-exception-3.1',
  'libstdc++6': 'GPL-3.0-or-later WITH GCC-exception-3.1',
};

/** Of a target, sorted. What a runner takes from Debian has to be installed. */
export function components({ build }: Target): Component[] {
  const { runtime } = build;
  const found = [...bundled(), fetched(runtime.package, 'platform', runtime.license)];
  if (build.kind === 'runner') {
    found.push(...runnerPackages(build).map(name => fetched(name, 'library')));
    const files = [build.loader, ...build.libraries].map(file => library(build, file));
    found.push(...debianPackages(files));
  }
  return found.sort((a, b) => (a.purl < b.purl ? -1 : 1));
}

/** The packages that the program is made of. */
function bundled(): Component[] {
  const entries = Object.entries(projectLock.packages as unknown as Record<string, Entry>);
  return entries
    .filter(([path, { dev, optional, devOptional }]) => path && !dev && !optional && !devOptional)
    .map(([path, entry]) => {
      const name = entry.name ?? path.slice(path.lastIndexOf('node_modules/') + 13);
      return fromRegistry(name, entry, 'library', join(root, path));
    });
}

function fetched(name: string, kind: Component['kind'], license?: string): Component {
  const entry = locked(name);
  return fromRegistry(name, { ...entry, ...(license && { license }) }, kind, fetchPackage(name));
}

type Described = Pick<Entry, 'version' | 'integrity'> & { readonly license?: string };

function fromRegistry(
  name: string,
  { version, license, integrity }: Described,
  kind: Component['kind'],
  folder: string,
): Component {
  if (license === undefined) throw new Error(`the lockfile says no licence of ${name}`);
  const sha512 = Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex');
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  return { name, version, license, purl, sha512, kind, texts: licenceTexts(folder) };
}

function licenceTexts(folder: string): string[] {
  return readdirSync(folder)
    .filter(name => /^(licen[cs]e|copying|notice)/i.test(name))
    .sort()
    .map(name => readFileSync(join(folder, name), 'utf8'));
}

function debianPackages(files: readonly string[]): Component[] {
  const owners = run(['dpkg-query', '-S', ...files]).matchAll(/^([^:\s]+)[^/]*: /gm);
  return [...new Set([...owners].map(([, owner]) => owner!))].map(name => {
    const version = run(['dpkg-query', '-W', '-f', '$' + '{Version}', name]);
    const [, license] = Object.entries(debianLicences).find(([own]) => name.startsWith(own)) ?? [];
    if (license === undefined) throw new Error(`the licence of Debian's ${name} is not known here`);
    const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}`;
    const texts = [readFileSync(join('/usr/share/doc', name, 'copyright'), 'utf8')];
    return { name, version, license, purl, sha512: null, kind: 'library', texts };
  });
}

/** All licences with their texts, for people; each text stands once. */
export function licences(all: readonly Component[]): string {
  const byText = new Map<string, Component[]>();
  for (const component of all) {
    const text = component.texts.map(part => part.trim()).join('\n\n');
    byText.set(text, [...(byText.get(text) ?? []), component]);
  }
  const parts = [...byText].map(([text, those]) => {
    const names = those.map(({ name, version, license }) => `${name} ${version}: ${license}`);
    return `${names.join('\n')}\n\n${text || '(the package holds no text of its licence)'}\n`;
  });
  const line = `\n${'='.repeat(80)}\n\n`;
  return `minnow contains the following, under these licences.\n${line}${parts.join(line)}`;
}
