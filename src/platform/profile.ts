// From facts to one frozen profile: which class of machine this is and, for every option that
// depends on that, a value and the reason in words. A pure function; what somebody wishes by name
// and the machine cannot do is refused, what it merely would have chosen falls back with a note.

import { MB } from '../limits.ts';
import type { Facts } from './facts.ts';
import {
  type ChoicePath,
  type ClassValues,
  type IoMode,
  type ProfileName,
  reasonFor,
  table,
  type Values,
} from './table.ts';

/** What an operator said about choices that others depend on. */
export interface Wishes {
  readonly profile: ProfileName | 'auto';
  readonly mode: IoMode | 'auto';
}

export const noWishes: Wishes = { profile: 'auto', mode: 'auto' };

export interface Choice<T> {
  readonly value: T;
  readonly why: string;
}

export type Choices = { readonly [Path in ChoicePath]: Choice<Values[Path]> };

export interface Profile {
  readonly name: ProfileName;
  readonly choices: Choices;
  /** What somebody should hear at the start: a fallback, a limit of the machine. */
  readonly notes: readonly string[];
}

/** What was wished cannot be had here. */
export interface Refusal {
  readonly refused: string;
}

/** Descriptors kept for everything that is no client: listeners, the store, the control socket. */
const DESCRIPTORS_RESERVED = 64;
/** A connection with its session, idle: a million in 4 GB. */
const CONNECTION_BYTES = 4 * 1024;

const choose = <T>(value: T, why: string): Choice<T> => ({ value, why });

/** What there is of memory for this process; Infinity where nobody could say. */
export function memoryOf({ memoryBytes, memoryLimitBytes }: Facts): number {
  return memoryLimitBytes ?? (memoryBytes || Number.POSITIVE_INFINITY);
}

/** Processors' worth of time for this process. */
export function cpusOf({ cpu, cpuQuota }: Facts): number {
  return Math.min(cpu.allowed, cpuQuota ?? cpu.allowed);
}

export function chooseProfile(facts: Facts, wishes: Wishes): Profile | Refusal {
  const notes: string[] = [];
  const profile = chooseClass(facts, wishes.profile);
  const name = profile.value;
  const mode = chooseMode(facts, name, wishes.mode, notes);
  if ('refused' in mode) return mode;
  const choices: Choices = {
    profile,
    'io.mode': mode,
    'io.poolSize': choosePoolSize(),
    ...ofClass(name),
    ...bounded(facts, name),
    'store.thread': chooseThread(facts),
    'store.flashBytesPerDay': chooseFlashBudget(facts),
  };
  notes.push(...notesAbout(facts));
  for (const choice of Object.values(choices)) Object.freeze(choice);
  return Object.freeze({ name, choices: Object.freeze(choices), notes: Object.freeze(notes) });
}

function chooseClass(facts: Facts, wish: Wishes['profile']): Choice<ProfileName> {
  if (wish !== 'auto') return choose(wish, 'asked for by name');
  const memory = memoryOf(facts);
  const cpus = cpusOf(facts);
  const processors = cpus === 1 ? 'processor' : 'processors';
  const has = `${megabytes(memory)} of memory and ${cpus} ${processors}`;
  // Half a gigabyte and a whole one, less what the kernel and the graphics keep for themselves.
  if (memory < 640 * MB) return choose('constrained', `only ${megabytes(memory)} of memory`);
  if (facts.openwrt !== null && memory < 1_536 * MB) {
    return choose('constrained', `OpenWrt with ${megabytes(memory)} of memory: a router`);
  }
  if (cpus < 1) return choose('constrained', `only ${cpus} of a processor's time`);
  if (cpus >= 8 && memory >= 12 * 1024 * MB) return choose('server', has);
  return choose('gateway', has);
}

/** The rule behind `auto`: detection follows measurement, and the measurements stand in
 *  docs/PERFORMANCE.md. Blocking calls spare a tenth to a third of the processor's time per message
 *  on both runtimes. On Bun their thread costs 15 to 20 MB, which a router has not, nearly half of
 *  a start again, which a gateway counts, and a kilobyte per connection, which a server counts; on
 *  Node, with a small heap, they take less memory as well. Where there is memory, many connections
 *  matter more than the last microsecond. */
function measuredMode(facts: Facts, name: ProfileName): Choice<IoMode> {
  if (facts.runtime.name === 'bun') {
    return choose('async', "Bun's own sockets take less memory than a thread that blocks");
  }
  if (name === 'constrained') {
    return choose('sync', 'on Node, blocking calls take less time per message and less memory');
  }
  return choose('async', `on Node, for the many connections of a ${name}`);
}

function chooseMode(
  facts: Facts,
  name: ProfileName,
  wish: Wishes['mode'],
  notes: string[],
): Choice<IoMode> | Refusal {
  const obstacle = syncObstacle(facts);
  if (wish === 'sync' && obstacle !== null) {
    return { refused: `the synchronous I/O mode cannot work here: ${obstacle}` };
  }
  if (wish !== 'auto') return choose(wish, 'asked for by name');
  const measured = measuredMode(facts, name);
  if (measured.value === 'async' || obstacle === null) return measured;
  const why = `synchronous would be better here, but ${obstacle}`;
  notes.push(`asynchronous I/O: ${why}`);
  return choose('async', why);
}

/** Why the synchronous mode cannot work, or null. */
function syncObstacle({ system, kernel, epoll, eventfd, ffi }: Facts): string | null {
  if (system !== 'linux') return `it needs Linux, and this is ${system}`;
  if (!epoll || !eventfd) return `Linux ${kernel} has no epoll or eventfd`;
  if (ffi.works !== false) return null;
  return `libc cannot be reached through ${ffi.by} (${ffi.fault})`;
}

function choosePoolSize(): Choice<number> {
  return choose(1, 'with one worker the core lives in it, and no byte crosses a thread');
}

function ofClass(name: ProfileName) {
  const values = Object.entries(table[name]) as [keyof ClassValues, unknown][];
  const choices = values.map(([path, value]) => [path, choose(value, reasonFor(name, path))]);
  return Object.fromEntries(choices) as Pick<Choices, keyof ClassValues>;
}

/** What the machine may have less of than its class. */
function bounded(facts: Facts, name: ProfileName) {
  const { soft } = facts.descriptors;
  const memory = memoryOf(facts);
  const share = (part: number) => Math.floor(memory / part / MB) * MB;
  const least = (path: BoundedPath, bounds: readonly Choice<number>[]) =>
    bounds.reduce((low, next) => (next.value < low.value ? next : low), {
      value: table[name][path],
      why: reasonFor(name, path),
    });
  const eighth = choose(Math.max(share(8), MB), `an eighth of ${megabytes(memory)} of memory`);
  const half = Math.floor(memory / 2 / CONNECTION_BYTES);
  const connections = least('limits.connectionsMax', [
    choose(
      Math.max(soft - DESCRIPTORS_RESERVED, 1),
      `${soft} descriptors, less ${DESCRIPTORS_RESERVED} for other things`,
    ),
    choose(half, `half of ${megabytes(memory)} of memory, 4 kB for each`),
  ]);
  return {
    'limits.connectionsMax': connections,
    'limits.retainedBytesMax': least('limits.retainedBytesMax', [eighth]),
    'queue.totalBytesMax': least('queue.totalBytesMax', [
      { ...eighth, value: Math.max(eighth.value, table[name]['queue.bytesMax']) },
    ]),
  };
}

type BoundedPath = 'limits.connectionsMax' | 'limits.retainedBytesMax' | 'queue.totalBytesMax';

function chooseThread(facts: Facts): Choice<'own' | 'inline'> {
  const cpus = cpusOf(facts);
  if (cpus < 2) {
    const what = cpus === 1 ? 'one processor' : `${cpus} processors' time`;
    return choose('inline', `${what}: a thread of its own would only cost memory`);
  }
  return choose('own', 'a slow disk stalls only those who wait for it');
}

/** 256 MB of raw flash whose cells bear 3,000 writes last for ten years of 64 MB a day, when the
 *  file system writes each byte three times; a card or an eMMC of 8 GB does so for a gigabyte. */
function chooseFlashBudget({ storage }: Facts): Choice<number> {
  const { medium, fileSystem, device } = storage;
  const on = `${fileSystem} on ${device}`;
  switch (medium) {
    case 'raw-flash':
      return choose(64 * MB, `${on} is raw flash: it wears out by writing`);
    case 'flash':
      return choose(1024 * MB, `${on} is flash: it wears out by writing`);
    default:
      return choose(0, 'the data directory is not on flash that wears out early');
  }
}

function notesAbout({ storage, descriptors, cpu }: Facts): string[] {
  const notes: string[] = [];
  const { directory, medium, fileSystem, readOnly } = storage;
  if (medium === 'memory') {
    notes.push(
      `the data directory ${directory} is in memory (${fileSystem}): nothing in it survives a ` +
        'restart of the machine; choose another with --data DIR',
    );
  }
  if (readOnly) notes.push(`the data directory ${directory} is on a file system that is read-only`);
  const { soft, hard, notRaised } = descriptors;
  if (notRaised !== null) {
    notes.push(`only ${soft} of ${hard} file descriptors may be used: ${notRaised}`);
  } else if (soft <= DESCRIPTORS_RESERVED) {
    notes.push(`only ${soft} file descriptors may be used, fewer than a broker needs`);
  }
  if (cpu.float === 'soft') notes.push('this processor has no floating point of its own');
  return notes;
}

function megabytes(bytes: number): string {
  if (bytes === Number.POSITIVE_INFINITY) return 'an unknown amount';
  return bytes >= 10_240 * MB
    ? `${Math.round(bytes / 1024 / MB)} GB`
    : `${Math.round(bytes / MB)} MB`;
}
