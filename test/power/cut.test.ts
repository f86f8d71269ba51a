// Power cuts: a real broker's run is recorded, its disk rebuilt as a cut at any point could have
// left it, and the database opened and held against what had been acknowledged by then. In WAL mode
// and in the fallback. The recording of a failure is kept and named: MINNOW_SEED and
// MINNOW_RECORDING replay it.

import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runtimeDriver } from '../../src/store/sqlite/runtime-driver.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite-store.ts';
import { afterAll, describe, freshSeed, rounds, skipped, test } from '../harness.ts';
import { Prng } from '../prng.ts';
import { Disk, type Fate, fates } from './disk.ts';
import { History } from './history.ts';
import { runLoad, settings } from './load.ts';
import { Oracle } from './oracle.ts';
import { type Faults, type Recorded, Workshop } from './recorded-broker.ts';
import { type Event, Kind, readRecording } from './recording.ts';

const CUTS = 600;
const MESSAGES = 1_200;
/** Of those that are cut a second time while the database is opened, and how often each. */
const FIRST_CUTS = 12;
const SECOND_CUTS = 25;
const reopen = fileURLToPath(new URL('./reopen.ts', import.meta.url));

const driver = await runtimeDriver();
const workshop = new Workshop();
const missing = workshop.prepare();
/** Rebuilt disks are synced by those who open them: in memory that costs nothing. */
const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const place = mkdtempSync(join(memory, 'minnow-power-'));
afterAll(async () => {
  await workshop.remove();
  rmSync(place, { recursive: true, force: true });
});

/** Moments to cut at: half of them anywhere, half right behind something that was sent. */
function chooseCuts(events: readonly Event[], count: number, random: Prng): number[] {
  const sent = events.filter(({ kind }) => kind === Kind.Sent);
  const chosen = Array.from({ length: count }, (_, n) => random.pick(n % 2 ? events : sent));
  return chosen.map(({ sequence }) => sequence + 0.5).sort((a, b) => a - b);
}

function write(files: ReadonlyMap<string, Buffer>): string {
  const folder = mkdtempSync(join(place, 'cut-'));
  for (const [name, content] of files) writeFileSync(join(folder, name), content);
  return folder;
}

/** Opens what a cut left, twice, and looks at it. */
async function examine(folder: string, at: number, oracle: Oracle): Promise<void> {
  const path = join(folder, 'minnow.db');
  const options = { pageBytes: 4096, cacheBytes: 1 << 20, walBytes: 1 << 22, badKept: 3 };
  const store = new SqliteStore({ path, ...options }, driver);
  const loaded = await store.load();
  oracle.check(at, store, loaded);
  await store.close();
  const database = driver.open(path);
  const row = database.prepare('PRAGMA integrity_check').get() as { integrity_check: string };
  database.close();
  assert.equal(row.integrity_check, 'ok');
}

/** Every file as it really was in the end: nothing that was written has escaped the recording. */
function checkComplete(events: readonly Event[], data: string): void {
  const disk = new Disk(new Prng(0));
  for (const event of events) disk.apply(event);
  const files = disk.cut('kept', new Prng(0));
  const names = readdirSync(data).filter(name => name !== 'control.sock');
  assert.deepEqual([...files.keys()].sort(), names.sort());
  for (const [name, content] of files) {
    assert.ok(content.equals(readFileSync(join(data, name))), `${name} was not recorded whole`);
  }
}

interface Outcome {
  readonly cuts: number;
  readonly checks: number;
  readonly fates: Readonly<Record<Fate, number>>;
}

async function cutEverywhere(events: readonly Event[], random: Prng): Promise<Outcome> {
  const oracle = new Oracle(new History(events));
  const cuts = chooseCuts(events, CUTS, random);
  const disk = new Disk(random.fork());
  const count = Object.fromEntries(fates.map(fate => [fate, 0])) as Record<Fate, number>;
  let next = 0;
  for (const event of events) {
    while (next < cuts.length && cuts[next]! < event.sequence) {
      const at = cuts[next++]!;
      const fate = random.pick(fates);
      const seed = random.uint32();
      count[fate]++;
      const folder = write(disk.cut(fate, new Prng(seed)));
      try {
        await examine(folder, at, oracle);
      } catch (error) {
        const where = `cut behind ${Math.floor(at)}, unsynced ${fate}, seed ${seed}`;
        throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
      }
      rmSync(folder, { recursive: true });
    }
    disk.apply(event);
  }
  return { cuts: next, checks: oracle.checks, fates: count };
}

async function record(faults: Faults, random: Prng): Promise<Recorded> {
  const signal = random.oneIn(2) ? 'SIGTERM' : 'SIGKILL';
  const broker = await workshop.start(settings, faults);
  await runLoad(broker.port, MESSAGES, random);
  const { events, path } = await broker.stop(signal);
  // A broker that was killed may have written what it could not note any more.
  if (faults.failSync === undefined && signal === 'SIGTERM') checkComplete(events, broker.data);
  return { events, path };
}

/** How often the database itself was synced, which with a log is when that was written back. */
function countCheckpoints(events: readonly Event[]): number {
  const names = new Map<number, string>();
  let count = 0;
  for (const { kind, fd, data } of events) {
    if (kind === Kind.Open) names.set(fd, data.toString());
    else if (kind === Kind.SyncEnd && names.get(fd) === 'minnow.db') count++;
  }
  return count;
}

/** A recording that made a test fail outlives it, so that it can be looked at and replayed. */
function keep(path: string, seed: number): string {
  const folder = fileURLToPath(new URL('../../dist/power', import.meta.url));
  mkdirSync(folder, { recursive: true });
  const kept = join(folder, `${seed}.recording`);
  cpSync(path, kept);
  return kept;
}

async function cutMode({ name, faults, sign }: Mode): Promise<void> {
  const seed = freshSeed();
  const random = new Prng(seed);
  const said = process.env.MINNOW_RECORDING;
  const load = random.fork();
  const { events, path } = said
    ? { events: readRecording(said), path: said }
    : await record(faults(random), load);
  const opened = events.filter(({ kind }) => kind === Kind.Open);
  assert.ok(opened.some(({ data }) => data.toString() === sign));
  const checkpoints = countCheckpoints(events);
  assert.ok(checkpoints >= 10 || sign.endsWith('-journal'), `${checkpoints} checkpoints`);
  const syncs = events.filter(({ kind }) => kind === Kind.SyncEnd).length;
  try {
    const { cuts, checks } = await cutEverywhere(events, random);
    const what = `${cuts} cuts among ${events.length} events, ${syncs} syncs`;
    process.stdout.write(
      `power ${name}: ${what}, ${checkpoints} of the database, ${checks} promises, MINNOW_SEED=${seed}\n`,
    );
    assert.ok(checks > cuts * 20, 'hardly anything had been promised');
  } catch (error) {
    const again = `MINNOW_SEED=${seed} MINNOW_RECORDING=${said ?? keep(path, seed)}`;
    throw new Error(`${(error as Error).message}\n${again} replays it`, { cause: error });
  }
}

/** Cuts the power, lets the database be opened again, and cuts it once more meanwhile. */
async function cutTwice({ faults, sign }: Mode): Promise<void> {
  const seed = freshSeed();
  const random = new Prng(seed);
  const { events } = await record(faults(random), random.fork());
  const oracle = new Oracle(new History(events));
  const cuts = chooseCuts(events, FIRST_CUTS, random);
  const disk = new Disk(random.fork());
  let second = 0;
  let writes = 0;
  for (const event of events) {
    while (cuts.length > 0 && cuts[0]! < event.sequence) {
      const at = cuts.shift()!;
      const files = disk.cut(random.pick(fates), random.fork());
      const folder = write(files);
      const recovery = workshop.record(reopen, folder);
      rmSync(folder, { recursive: true });
      writes += recovery.filter(({ kind }) => kind === Kind.Write).length;
      const recovering = new Disk(random.fork(), files);
      for (const step of recovery) {
        recovering.apply(step);
        if (!random.chance(SECOND_CUTS / recovery.length)) continue;
        const left = write(recovering.cut(random.pick(fates), random.fork()));
        await examine(left, at, oracle).catch(error => {
          const where = `cut behind ${Math.floor(at)} and at ${step.sequence} of the recovery`;
          throw new Error(`${where}, MINNOW_SEED=${seed}: ${error.message}`, { cause: error });
        });
        rmSync(left, { recursive: true });
        second++;
      }
    }
    disk.apply(event);
  }
  assert.ok(events.some(({ kind, data }) => kind === Kind.Open && data.toString() === sign));
  assert.ok(second > FIRST_CUTS * 5, `${second} cuts while it was opened`);
  assert.ok(writes > FIRST_CUTS * 3, `${writes} writes while it was opened`);
  process.stdout.write(`power, twice: ${second} cuts in ${FIRST_CUTS} recoveries\n`);
}

interface Mode {
  readonly name: string;
  readonly faults: (random: Prng) => Faults;
  /** The file that shows that it was this mode. */
  readonly sign: string;
}

const failing = (random: Prng) => ({ failSync: random.between(30, 150) });

const modes: readonly Mode[] = [
  { name: 'with a write-ahead log', faults: () => ({}), sign: 'minnow.db-wal' },
  { name: 'with a log and a sync that failed', faults: failing, sign: 'minnow.db-wal' },
  {
    name: 'with a rollback journal',
    faults: () => ({ noWal: true }),
    sign: 'minnow.db-journal',
  },
  {
    name: 'with a journal and a sync that failed',
    faults: random => ({ noWal: true, ...failing(random) }),
    sign: 'minnow.db-journal',
  },
];

describe('after a power cut nothing strict is lost and every database opens', () => {
  for (const mode of modes) {
    if (missing !== null) skipped(mode.name, missing);
    else {
      test(
        mode.name,
        async () => {
          for (let round = 0; round < rounds; round++) await cutMode(mode);
        },
        240_000 * rounds,
      );
    }
  }
});

describe('after a second cut while the database was opened, too', () => {
  for (const mode of modes.filter(({ name }) => !name.endsWith('failed'))) {
    if (missing !== null) skipped(mode.name, missing);
    else test(mode.name, () => cutTwice(mode), 240_000);
  }
});

describe('the oracle', () => {
  const title = 'finds out a disk that ignores syncs';
  if (missing !== null) skipped(title, missing);
  else {
    test(title, async () => {
      const { events } = await record({}, new Prng(freshSeed()));
      // Up to the load the database is made: that it is there nobody could do without.
      const started = events.find(({ kind }) => kind === Kind.Received)!.sequence;
      const ignored = events.filter(
        ({ kind, sequence }) => kind !== Kind.SyncEnd || sequence < started,
      );
      await assert.rejects(cutEverywhere(ignored, new Prng(freshSeed())));
    });
  }
});
