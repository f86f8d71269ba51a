// What the kernel knows about processes: memory of the broker, and how busy the machine was with
// things that are no part of the measurement.

import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

function statusBytes(status: string, field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status);
  if (!match) throw new Error(`/proc/PID/status has no ${field}`);
  return Number(match[1]) * 1024;
}

export interface MemoryUse {
  readonly rssBytes: number;
  /** The part that is not pages of files, which the kernel shares and can take back. */
  readonly privateBytes: number;
  readonly peakBytes: number;
}

export function memoryOf(pid: number): MemoryUse {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    rssBytes: statusBytes(status, 'VmRSS'),
    privateBytes: statusBytes(status, 'RssAnon'),
    peakBytes: statusBytes(status, 'VmHWM'),
  };
}

/** Bytes a process has caused to be written to a disk: whole pages, each counted when it becomes
 *  dirty. */
export function writtenBytes(pid: number): number {
  const io = readFileSync(`/proc/${pid}/io`, 'utf8');
  return Number(/^write_bytes: (\d+)/m.exec(io)?.[1] ?? Number.NaN);
}

/** How often the threads of a process have given up their processor to wait, so far. */
export function voluntarySwitches(pid: number): number {
  let sum = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
    sum += Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  }
  return sum;
}

/** Processor time of the whole machine spent in processes, in nanoseconds (10 ms steps). */
export function machineCpuNs(): number {
  const [user, nice, system] = readFileSync('/proc/stat', 'utf8').trim().split(/\s+/).slice(1, 4);
  return ((Number(user) + Number(nice) + Number(system)) * 1e9) / TICKS_PER_SECOND;
}

/** The processors this process may use, in order. */
export function allowedCpus(): number[] {
  const status = readFileSync('/proc/self/status', 'utf8');
  const list = /^Cpus_allowed_list:\s+(\S+)/m.exec(status)?.[1] ?? '0';
  return list.split(',').flatMap(range => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last! - first! + 1 }, (_, i) => first! + i);
  });
}
