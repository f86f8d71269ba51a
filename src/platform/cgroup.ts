// What the control groups allow, of both versions: a limit counts wherever it stands between this
// process and the top, and the tightest one wins.

import { isBelow, type Mount } from './mounts.ts';
import type { Root } from './root.ts';

export interface Limits {
  /** Null: no limit below what the machine has. */
  readonly memoryBytes: number | null;
  /** Processors' worth of time, e.g. 0.5; null: no quota. */
  readonly cpus: number | null;
}

interface Group {
  /** Empty in version 2, which has one tree for all controllers. */
  readonly controllers: readonly string[];
  readonly path: string;
}

/** Lines "4:memory:/a/b" (version 1) and "0::/a/b" (version 2). */
function readGroups(root: Root): Group[] {
  const lines = (root.read('/proc/self/cgroup') ?? '').split('\n');
  return lines.flatMap(line => {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    return match === null
      ? []
      : { controllers: match[1].split(',').filter(Boolean), path: match[2] };
  });
}

/** The folders of `path`, innermost first, up to where the tree is mounted. */
function foldersOf(mount: Mount, path: string): string[] {
  // In a container the tree is mounted from the container's own group on, and the path may be told
  // from the host's view or from the container's.
  const own = mount.root !== '/' && isBelow(path, mount.root);
  const parts = (own ? path.slice(mount.root.length) : path).split('/').filter(Boolean);
  // A path that leads out of the mount ("/../x") tells of groups that cannot be seen.
  const seen = parts.includes('..') ? [] : parts;
  return seen
    .map((_, depth) => [mount.point, ...seen.slice(0, seen.length - depth)].join('/'))
    .concat(mount.point);
}

export function readLimits(root: Root, mounts: readonly Mount[], totalBytes: number): Limits {
  const memory: number[] = [];
  const cpus: number[] = [];
  const groups = readGroups(root);
  const unified = mounts.find(mount => mount.type === 'cgroup2');
  for (const { controllers, path } of groups) {
    const version2 = controllers.length === 0;
    for (const controller of version2 ? ['memory', 'cpu'] : controllers) {
      const mount = version2 ? unified : mounts.find(m => holds(m, controller));
      if (mount === undefined) continue;
      for (const folder of foldersOf(mount, path)) {
        if (controller === 'memory') memory.push(...memoryLimits(root, folder, version2));
        if (controller === 'cpu') cpus.push(...quotas(root, folder, version2));
      }
    }
  }
  const least = Math.min(...memory);
  return {
    memoryBytes: least < totalBytes ? least : null,
    cpus: cpus.length > 0 ? Math.min(...cpus) : null,
  };
}

function holds(mount: Mount, controller: string): boolean {
  return mount.type === 'cgroup' && mount.options.includes(controller);
}

/** A number, or nothing for "max", -1 and what is not there. */
function numbers(text: string | null | undefined): number[] {
  const value = Number.parseInt(text ?? '', 10);
  return value > 0 ? [value] : [];
}

function memoryLimits(root: Root, folder: string, version2: boolean): number[] {
  // Past memory.high a group is not ended but throttled until it crawls: for us it is the limit.
  const files = version2 ? ['memory.max', 'memory.high'] : ['memory.limit_in_bytes'];
  return files.flatMap(file => numbers(root.read(`${folder}/${file}`)));
}

function quotas(root: Root, folder: string, version2: boolean): number[] {
  const [quota, period] = version2
    ? (root.read(`${folder}/cpu.max`) ?? '').split(' ')
    : ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map(file => root.read(`${folder}/${file}`));
  const [share] = numbers(quota);
  const [whole = 100_000] = numbers(period);
  return share === undefined ? [] : [share / whole];
}
