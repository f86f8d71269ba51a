// The other side of the contract suite for drivers: a process with the driver under test and a
// scripted hallway. A synchronous driver keeps its thread, so everything it is to do is asked for
// by the peers' own bytes. The first line of a peer is a number of its own choice and a role:
//   1 echo       everything that follows comes back
//   2 sink       it is counted
//   3 flood N    N bytes of the pattern are written
//   4 work       it is counted, and takes time as if something were done with it
//   5 control    each line is a command (below), each answer a line of JSON
// What happens outside of links is told on standard output, a line of JSON each. A driver that
// breaks its contract towards the hallway is noted under `violations`.

import { writeSync } from 'node:fs';
import type { ListenerTerms } from '../../src/config/address.ts';
import type { Connection } from '../../src/core/session/connection.ts';
import { createAsyncDriver } from '../../src/io/create.ts';
import type { BlockingDriver, Driver, Hallway, Link, Tell } from '../../src/io/driver.ts';
import { defaultIoOptions, type IoOptions } from '../../src/io/options.ts';
import { openLibc } from '../../src/io/sync/open-libc.ts';
import { AsyncPoolDriver } from '../../src/io/sync/pool/async-pool-driver.ts';
import { PoolDriver } from '../../src/io/sync/pool/pool-driver.ts';
import { SyncDriver } from '../../src/io/sync/sync-driver.ts';

/** A listener of the host's; terms travel as JSON, where there is no Infinity. */
export interface Wanted {
  readonly host: string;
  readonly port: number;
  readonly terms?: ListenerTerms;
}

export interface HostScript {
  readonly mode: string;
  readonly listen: readonly Wanted[];
  readonly options?: Partial<IoOptions>;
  /** Give up root before listening, so that low ports are refused. */
  readonly unprivileged?: boolean;
}

/** What is said on standard output. */
export type HostLine =
  | { readonly listening: { readonly host: string; readonly port: number } }
  | { readonly refused: { code?: string; address?: string; port?: number } }
  | { readonly ready: true }
  | { readonly told: string; readonly message: string; readonly fields: object }
  | { readonly ended: readonly string[] };

export interface Stats {
  readonly opened: number;
  readonly open: number;
  readonly turns: number;
  readonly drained: number;
  /** The most that were let in within one turn. */
  readonly openedInTurnMax: number;
  /** How often somebody at work had the turn after somebody else. */
  readonly workSwitches: number;
  readonly cpuMs: number;
  readonly violations: readonly string[];
}

export interface GuestState {
  /** Bytes that came, without the first line. */
  readonly got: number;
  readonly owed: number;
  readonly blocked: boolean;
  readonly state: 'unheard' | 'open' | 'closing' | 'gone';
}

/** In its arguments: this process is such a host. The script follows as JSON. */
export const hostFlag = '--driver-host';
export const hosting = process.argv.includes(hostFlag);

type Make = (hallway: Hallway, options: IoOptions, tell: Tell) => Promise<Driver>;

/** The drivers under contract, by mode. */
export const drivers: Readonly<Record<string, Make>> = {
  async: createAsyncDriver,
  sync: (hallway, options, tell) => SyncDriver.create(hallway, options, tell),
  'sync pool': (hallway, options, tell) => PoolDriver.create(1, hallway, options, tell),
  'async pool': (hallway, options, tell) => AsyncPoolDriver.create(2, hallway, options, tell),
};

const PATTERN_PERIOD = 251;
const SCRATCH_BYTES = 300_000;
/** What a hallway can do in a millisecond. */
const WORK_BYTES_PER_MS = 256 * 1024;

/** Bytes [from, from + length) of the pattern; the period is no divisor of any buffer's size. */
export function fillPattern(into: Uint8Array, from: number, length: number): void {
  for (let i = 0; i < length; i++) into[i] = (from + i) % PATTERN_PERIOD;
}

class Guest {
  readonly link: Link;
  role: 'new' | 'echo' | 'sink' | 'flood' | 'work' | 'control' = 'new';
  line = '';
  got = 0;
  waiting = Buffer.alloc(0);
  /** Bytes of the pattern that are still to be written, and how many were. */
  owed = 0;
  flooded = 0;
  gone = false;
  /** Goodbye when everything is written. */
  finishing = false;
  closed = false;

  constructor(link: Link) {
    this.link = link;
  }

  get pending(): number {
    return this.waiting.length + this.owed;
  }
}

/** A turn that is wanted at some time. */
interface Alarm {
  readonly asker: Guest;
  readonly at: number;
  /** How many turns there had been when it was set. */
  readonly turns: number;
}

class ScriptedHallway implements Hallway {
  driver!: Driver;
  private readonly guests = new Map<Link, Guest>();
  /** By the number that the peer has chosen; those that are gone, too. */
  private readonly byNumber = new Map<number, Guest>();
  private readonly dirty = new Set<Guest>();
  private readonly scratch = new Uint8Array(SCRATCH_BYTES);
  private readonly violations: string[] = [];
  private limit = Number.POSITIVE_INFINITY;
  private opens = 0;
  private openedInTurn = 0;
  private openedInTurnMax = 0;
  private turns = 0;
  private drains = 0;
  private worker: Guest | null = null;
  private workSwitches = 0;
  private alarm: Alarm | null = null;
  private wakeAsked: Guest | null = null;
  private shuttingDown = false;

  opened(link: Link): boolean {
    this.opens++;
    this.openedInTurnMax = Math.max(this.openedInTurnMax, ++this.openedInTurn);
    if (this.guests.size >= this.limit) return false;
    const guest = new Guest(link);
    link.connection = {} as Connection; // what it is, is the hallway's own business
    this.guests.set(link, guest);
    return true;
  }

  bytes(link: Link, chunk: Uint8Array): void {
    const guest = this.known(link, 'bytes');
    if (guest === undefined) return;
    if (guest.closed) this.violations.push('bytes after close');
    if (chunk.length === 0) this.violations.push('an empty chunk');
    if (guest.role !== 'new') {
      this.take(guest, chunk);
      return;
    }
    const end = chunk.indexOf(10);
    guest.line += Buffer.from(end < 0 ? chunk : chunk.subarray(0, end)).toString();
    if (end < 0) return;
    const [number, role, count] = guest.line.split(' ') as [string, Guest['role'], string?];
    guest.line = '';
    this.byNumber.set(Number(number), guest);
    guest.role = role;
    guest.owed = Number(count ?? 0);
    this.dirty.add(guest);
    this.take(guest, chunk.subarray(end + 1));
  }

  drained(link: Link): void {
    const guest = this.known(link, 'drained');
    if (guest === undefined) return;
    if (!link.blocked) this.violations.push('drained, though nothing was refused');
    this.drains++;
    link.blocked = false;
    this.write(guest);
  }

  parted(link: Link): void {
    const guest = this.known(link, 'parted');
    if (guest === undefined) return;
    guest.finishing = true;
    this.dirty.add(guest);
  }

  closed(link: Link): void {
    const guest = this.guests.get(link);
    // One that was refused is nobody's.
    if (guest === undefined && link.connection !== null) this.violations.push('closed twice');
    if (guest === undefined) return;
    guest.gone = true;
    this.guests.delete(link);
    this.dirty.delete(guest);
    if (!this.shuttingDown || this.guests.size > 0) return;
    say({ ended: this.violations });
    this.driver.stop();
  }

  turn(): number {
    this.turns++;
    this.openedInTurn = 0;
    this.ringAlarm();
    const woken = this.wakeAsked;
    if (woken !== null) {
      this.wakeAsked = null;
      this.answer(woken, { woken: true });
    }
    for (const guest of this.dirty) {
      this.dirty.delete(guest);
      if (!guest.gone && !guest.link.blocked) this.write(guest);
    }
    if (this.alarm === null) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.alarm.at - performance.now());
  }

  private known(link: Link, call: string): Guest | undefined {
    const guest = this.guests.get(link);
    if (guest === undefined) this.violations.push(`${call} for a link that is not open`);
    return guest;
  }

  private take(guest: Guest, chunk: Uint8Array): void {
    if (guest.role === 'control') {
      this.listenTo(guest, chunk);
      return;
    }
    guest.got += chunk.length;
    if (guest.role === 'work') this.work(guest, chunk.length);
    if (guest.role !== 'echo') return;
    guest.waiting = Buffer.concat([guest.waiting, chunk]);
    this.dirty.add(guest);
  }

  private work(guest: Guest, bytes: number): void {
    if (guest !== this.worker) this.workSwitches++;
    this.worker = guest;
    for (const end = performance.now() + bytes / WORK_BYTES_PER_MS; performance.now() < end; );
  }

  private write(guest: Guest): void {
    const { link } = guest;
    while (!link.blocked && guest.pending > 0) {
      const size = Math.min(
        SCRATCH_BYTES - 1,
        guest.pending,
        guest.waiting.length || SCRATCH_BYTES,
      );
      // Not from its start, so that the bounds are seen to count.
      const { scratch } = this;
      if (guest.waiting.length > 0) scratch.set(guest.waiting.subarray(0, size), 1);
      else fillPattern(scratch.subarray(1), guest.flooded, size);
      const taken = link.write(scratch, 1, 1 + size);
      scratch.fill(0xee); // what was taken is ours again
      if (guest.waiting.length > 0) guest.waiting = guest.waiting.subarray(taken);
      else {
        guest.flooded += taken;
        guest.owed -= taken;
      }
      if (taken < size) link.blocked = true;
    }
    if (guest.finishing && guest.pending === 0) this.close(guest);
  }

  private close(guest: Guest): void {
    guest.closed = true;
    guest.link.close();
  }

  private listenTo(guest: Guest, chunk: Uint8Array): void {
    const lines = (guest.line + Buffer.from(chunk).toString()).split('\n');
    guest.line = lines.pop()!;
    for (const line of lines) {
      const [command, ...words] = line.split(' ') as [string, ...string[]];
      const answer = this.obey(guest, command, words.map(Number));
      if (answer !== null) this.answer(guest, answer);
    }
  }

  private answer(guest: Guest, answer: object): void {
    guest.waiting = Buffer.concat([guest.waiting, Buffer.from(`${JSON.stringify(answer)}\n`)]);
    this.dirty.add(guest);
  }

  /** Commands speak about a guest by its number. Null: the answer comes later. */
  private obey(asker: Guest, command: string, [first = 0, second = 0]: number[]): object | null {
    const guest = this.byNumber.get(first)!;
    switch (command) {
      case 'stats':
        return this.stats();
      case 'guest':
        return this.describe(guest);
      case 'origin':
        return guest.link.origin ?? {};
      case 'pause':
        guest.link.pause(true);
        guest.link.pause(true);
        break;
      case 'resume':
        guest.link.pause(false);
        break;
      case 'close':
        this.close(guest);
        break;
      case 'abort':
        guest.closed = true;
        guest.link.abort();
        break;
      case 'finish':
        guest.finishing = true;
        this.dirty.add(guest);
        break;
      case 'owe':
        guest.owed += second;
        this.dirty.add(guest);
        break;
      case 'poke':
        return this.poke(guest);
      case 'limit':
        this.limit = first;
        break;
      case 'alarm': // an earlier one is forgotten
        this.alarm = { asker, at: performance.now() + first, turns: this.turns };
        return null;
      case 'stall':
        for (const end = performance.now() + first; performance.now() < end; );
        return null;
      case 'wake':
        this.wakeAsked = asker;
        this.driver.wake();
        return null;
      case 'shutdown':
        this.shutDown();
        return null;
      default:
        throw new Error(`no command is called ${command}`);
    }
    return {};
  }

  /** Does to a link whose goodbye was said, or that is gone, what one does with living ones. */
  private poke({ link }: Guest): object {
    const taken = link.write(new Uint8Array(100), 0, 100);
    link.pause(true);
    link.pause(false);
    link.close();
    return { taken };
  }

  private ringAlarm(): void {
    const { alarm } = this;
    if (alarm === null || alarm.at > performance.now()) return;
    this.alarm = null;
    const late = performance.now() - alarm.at;
    this.answer(alarm.asker, { late, turns: this.turns - alarm.turns });
  }

  /** Everybody gets what is still owed to them, then goodbye. */
  private shutDown(): void {
    this.shuttingDown = true;
    this.driver.stopListening();
    for (const guest of this.guests.values()) {
      guest.finishing = true;
      this.dirty.add(guest);
    }
  }

  private stats(): Stats {
    const { user, system } = process.cpuUsage();
    const { opens, turns, drains, openedInTurnMax, workSwitches, violations } = this;
    return {
      opened: opens,
      open: this.guests.size,
      turns,
      drained: drains,
      openedInTurnMax,
      workSwitches,
      cpuMs: (user + system) / 1000,
      violations,
    };
  }

  private describe(guest: Guest | undefined): GuestState {
    if (guest === undefined) return { got: 0, owed: 0, blocked: false, state: 'unheard' };
    const { got, pending, link, gone, closed } = guest;
    const state = gone ? 'gone' : closed ? 'closing' : 'open';
    return { got, owed: pending, blocked: link.blocked, state };
  }
}

function say(line: HostLine): void {
  writeSync(1, `${JSON.stringify(line)}\n`); // a thread in a system call flushes nothing
}

async function host(script: HostScript): Promise<void> {
  const hallway = new ScriptedHallway();
  const options = { ...defaultIoOptions, ...script.options };
  const tell: Tell = (level, message, fields = {}) => say({ told: level, message, fields });
  const driver = await drivers[script.mode]!(hallway, options, tell);
  hallway.driver = driver;
  if (script.unprivileged && process.getuid?.() === 0) process.setuid?.(65_534);
  for (const { host, port, terms } of script.listen) {
    try {
      say({ listening: await driver.listen(host, port, terms) });
    } catch (error) {
      const { code, address, port } = error as { code: string; address: string; port: number };
      say({ refused: { code, address, port } });
    }
  }
  say({ ready: true });
  driver.wake();
  if ('run' in driver) (driver as BlockingDriver).run();
}

if (hosting) {
  const libc = await openLibc();
  const fail = (error: unknown) => {
    writeSync(2, String(error));
    libc._exit(1); // Node would wait for threads that wait in system calls
  };
  process.on('uncaughtException', fail);
  await host(JSON.parse(process.argv.at(-1)!) as HostScript).catch(fail);
}
