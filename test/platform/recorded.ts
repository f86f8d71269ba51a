// Recorded machines: the files of test/fixtures/platform as a Root, and what they hold as facts.

import { readFileSync } from 'node:fs';
import { type Facts, type Host, readFacts } from '../../src/platform/facts.ts';
import type { Root } from '../../src/platform/root.ts';

/** Files by path, and links by where they lead. */
export function rootOf(files: Readonly<Record<string, string>>, links = new Map<string, string>()) {
  const root: Root = {
    read: path => files[path] ?? null,
    readStart: path => files[path]?.slice(0, 4_096) ?? null,
    realPath(path) {
      for (const [from, to] of links) {
        if (path === from || path.startsWith(`${from}/`)) return `${to}${path.slice(from.length)}`;
      }
      return path;
    },
  };
  return root;
}

/** Below a first line about the machine: "=== path", its text; "=== path -> target" is a link. */
export function recordedRoot(name: string): Root {
  const url = new URL(`../fixtures/platform/${name}.txt`, import.meta.url);
  const files: Record<string, string> = {};
  const links = new Map<string, string>();
  for (const part of readFileSync(url, 'utf8').split(/^=== /m).slice(1)) {
    const [head = '', ...lines] = part.split('\n');
    const [path = '', target] = head.split(' -> ');
    if (target === undefined) files[path] = lines.join('\n').replaceAll('\\0', '\0');
    else links.set(path, target);
  }
  return rootOf(files, links);
}

const bun = (arch: string): Host => ({
  runtime: { name: 'bun', version: '1.4.5' },
  system: 'linux',
  arch,
});

const hosts = {
  'openwrt-arm64': bun('arm64'),
  'armv7-512m': {
    runtime: { name: 'node', version: '20.11.0' },
    system: 'linux',
    arch: 'arm',
  },
  'gateway-4c8g': bun('x64'),
  'server-64': bun('x64'),
  'container-128m': bun('x64'),
} as const satisfies Record<string, Host>;

export type MachineName = keyof typeof hosts;
export const machineNames = Object.keys(hosts) as MachineName[];

export function factsOf(name: MachineName, dataDirectory = '/var/lib/minnow'): Facts {
  const root = recordedRoot(name);
  return readFacts({ dataDirectory, libcVersion: true, root, host: hosts[name] });
}
