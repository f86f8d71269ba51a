// How often a broker tells the disk to keep what it was given: strace(1) notes its fsync and
// fdatasync calls with their times, and a seccomp filter keeps it away from all other calls, which
// thereby cost a little more. The broker stays its own process: the tracer is a grandchild.

import { existsSync, readFileSync } from 'node:fs';
import { which } from '../which.ts';

/** What to put in front of a broker's command; nothing where there is no strace. */
export function syncTracing(path: string): string[] {
  if (which('strace') === null) return [];
  const detached = ['strace', '-D', '-f', '--seccomp-bpf', '-qq', '-e', 'signal=none'];
  return [...detached, '-e', 'trace=fsync,fdatasync', '-ttt', '-o', path];
}

/** Null where they were not noted. Times are milliseconds since the epoch. */
export function syncsPerSecond(path: string, fromMs: number, toMs: number): number | null {
  if (!existsSync(path)) return null;
  const syncs = countSyncs(readFileSync(path, 'utf8'), fromMs, toMs);
  return (syncs * 1000) / (toMs - fromMs);
}

/** A call that another thread's interrupts is noted twice; it counts where it began. */
export function countSyncs(noted: string, fromMs: number, toMs: number): number {
  let syncs = 0;
  for (const [, seconds] of noted.matchAll(/^\d+ +(\d+\.\d+) f(?:data)?sync\(/gm)) {
    const ms = Number(seconds) * 1000;
    if (ms >= fromMs && ms < toMs) syncs++;
  }
  return syncs;
}
