// `minnow store`: looks after what the broker keeps. Where a broker runs it is asked over its
// control socket, for the database is its own; otherwise the file is opened here.

import { createReadStream, createWriteStream, existsSync, openSync, statfsSync } from 'node:fs';
import { connect } from 'node:net';
import { constants } from 'node:os';
import { dirname, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Config } from '../config/config.ts';
import { limits } from '../limits.ts';
import { passingCopy, removePassingCopies } from '../store/sqlite/files.ts';
import { runtimeDriver } from '../store/sqlite/runtime-driver.ts';
import { SqliteStore } from '../store/sqlite/sqlite-store.ts';
import { type Loaded, StoreError } from '../store/store.ts';
import { LineFault } from '../store/upkeep/lines.ts';
import { exportLines, importLines } from '../store/upkeep/transfer.ts';
import {
  lookAfter,
  type StoreStat,
  type UpkeepRequest,
  type UpkeepResult,
} from '../store/upkeep/upkeep.ts';
import { ask } from './ask.ts';
import { type Flag, type Flags, UsageError } from './client/flags.ts';
import { runCommand, usageText } from './client/run-command.ts';
import { print } from './command.ts';
import { Exit, type ExitCode, errorCode, Failure } from './exit.ts';
import { configFlagsOf, load } from './load.ts';

const flagTable: readonly Flag[] = [
  { long: 'json', help: 'print the answer as JSON' },
  { long: 'data', value: 'DIR', help: 'the data directory' },
  { long: 'config', short: 'c', value: 'FILE', help: 'the configuration, which names it' },
  { long: 'uci', value: 'FILE', help: "the same, OpenWrt's" },
  { long: 'set', value: 'KEY=VALUE', help: 'as given to the broker' },
  { long: 'help', short: 'h', help: 'this text' },
];

/** How many times what a copy takes has to be free: the log grows while it is made. */
const COPY_ROOM = 2;

interface Action {
  readonly operand?: 'FILE';
  readonly help: string;
  run(place: Place, operand: string): Promise<Outcome>;
}

/** What a command came to: as a value (null where that went to standard output already), as a
 *  text, and whether all is well. */
interface Outcome {
  readonly result: unknown;
  readonly text: string;
  readonly good?: boolean;
}

const actions: Readonly<Record<string, Action>> = {
  stat: { help: 'how much of what there is, and in which mode', run: stat },
  check: { help: 'whether the database is whole; a running broker makes a copy', run: check },
  export: {
    operand: 'FILE',
    help: 'everything as lines of JSON; "-" is standard output',
    run: exportTo,
  },
  import: {
    operand: 'FILE',
    help: 'such lines into an empty store, with no broker running',
    run: importFrom,
  },
  backup: { operand: 'FILE', help: 'a consistent copy of the database', run: backUp },
  compact: { help: 'give back the room that is not needed', run: compact },
};

function usage(): string {
  const heads = Object.entries(actions).map(
    ([name, { operand, help }]) => `  ${`${name} ${operand ?? ''}`.padEnd(16)}${help}`,
  );
  return usageText(`minnow store [flags] COMMAND\n\n${heads.join('\n')}`, flagTable);
}

export function run(args: string[]): Promise<number> {
  return runCommand({ name: 'store', usage: usage(), flags: flagTable, run: lookAfterStore }, args);
}

async function lookAfterStore(flags: Flags): Promise<number> {
  const [name, operand] = readOperands(flags.operands);
  const place = await findPlace(flags);
  process.umask(process.umask() | 0o027); // as the broker's own
  try {
    const { result, text, good = true } = await actions[name].run(place, operand);
    if (flags.has('json') && result !== null) await print(JSON.stringify(result));
    else if (text !== '') await print(text);
    return good ? Exit.ok : 1;
  } catch (error) {
    throw asFailure(error, operand);
  }
}

function readOperands(operands: readonly string[]): [name: string, operand: string] {
  const [name, operand, ...rest] = operands;
  if (name === undefined || !Object.hasOwn(actions, name)) {
    const found = name === undefined ? 'a command is missing' : `unknown command "${name}"`;
    const names = Object.keys(actions).join(', ');
    throw new UsageError(`${found}; there are ${names}`);
  }
  const expected = actions[name].operand === undefined ? 0 : 1;
  const given = operand === undefined ? 0 : 1 + rest.length;
  if (given !== expected) {
    const wanted = expected === 0 ? 'no operand' : 'one FILE';
    throw new UsageError(`${name} takes ${wanted}, found ${given}`);
  }
  return [name, operand ?? ''];
}

/** Where the database is, and who may have it open. */
class Place {
  readonly path: string;
  private readonly socket: string;

  constructor({ store, control }: Config) {
    this.path = store.path;
    this.socket = control.path;
  }

  /** Whether a broker answers for it. */
  get running(): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path: this.socket }, () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', error => {
        const code = errorCode(error);
        if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTSOCK') resolve(false);
        else reject(new Failure(Exit.noPermission, `${this.socket}: ${error.message}`));
      });
    });
  }

  /** Asks the broker, or else does it here. */
  async upkeep(request: UpkeepRequest): Promise<UpkeepResult> {
    if (!(await this.running)) {
      return withStore(this.existing(), store => lookAfter(store, request));
    }
    const { command, ...rest } = request;
    const answer = await ask(this.socket, { command: `store-${command}`, ...rest }, 0);
    if (answer.ok) return answer.result as UpkeepResult;
    throw new Failure(Exit.unavailable, answer.error ?? 'no answer');
  }

  /** The database, which is there. */
  existing(): string {
    if (existsSync(this.path)) return this.path;
    throw new Failure(Exit.noInput, `${this.path}: there is no database; see --data DIR`);
  }
}

async function findPlace(flags: Flags): Promise<Place> {
  return new Place((await load(configFlagsOf(flags))).config);
}

type Work<Result> = (store: SqliteStore, loaded: Loaded) => Promise<Result>;

/** Opens the database here, lets `work` have it, and closes it. A damaged one stays as it is. */
async function withStore<Result>(path: string, work: Work<Result>): Promise<Result> {
  const settings = {
    path,
    pageBytes: limits.storePageBytes,
    cacheBytes: limits.storeCacheBytes,
    walBytes: limits.storeWalBytes,
    badKept: limits.storeBadKept,
    refuseDamaged: true,
  };
  const store = new SqliteStore(settings, await runtimeDriver());
  try {
    return await work(store, await store.load());
  } finally {
    await store.close();
  }
}

async function stat(place: Place): Promise<Outcome> {
  const result = await place.upkeep({ command: 'stat' });
  const rows = Object.entries(result).filter(([, value]) => value !== null);
  const width = Math.max(...rows.map(([name]) => name.length));
  return { result, text: rows.map(([name, v]) => `${name.padEnd(width)}  ${v}`).join('\n') };
}

async function check(place: Place): Promise<Outcome> {
  const result = (await checked(place)) as { faults: readonly string[] };
  const { faults } = result;
  return { result, text: faults.join('\n') || 'the database is whole', good: faults.length === 0 };
}

/** Where a broker runs a copy is checked, so that nobody there waits. Where there is no room for it
 *  it would take what the broker needs, and without a log it would hold that up as well and write
 *  the database anew: then the broker checks its own. */
async function checked(place: Place): Promise<UpkeepResult> {
  const request = { command: 'check' } as const;
  if (!(await place.running)) return place.upkeep(request);
  const { journalMode, fileBytes } = (await place.upkeep({ command: 'stat' })) as StoreStat;
  const mayCopy = journalMode === 'wal' && COPY_ROOM * fileBytes < freeBytes(place.path);
  return mayCopy ? withCopy(place, store => lookAfter(store, request)) : place.upkeep(request);
}

/** What the owner of `path` may still write beside it. */
function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize;
}

async function compact(place: Place): Promise<Outcome> {
  const result = await place.upkeep({ command: 'compact' });
  const { bytesBefore, bytesAfter } = result as { bytesBefore: number; bytesAfter: number };
  return { result, text: `${bytesBefore} bytes before, ${bytesAfter} bytes after` };
}

async function backUp(place: Place, file: string): Promise<Outcome> {
  const result = await place.upkeep({ command: 'backup', path: resolve(file) });
  const { path, bytes } = result as { path: string; bytes: number };
  return { result, text: `${path}: ${bytes} bytes` };
}

/** A running broker writes a copy, which is quick, and the lines are made from that. */
async function exportTo(place: Place, file: string): Promise<Outcome> {
  const work: Work<Outcome> = (store, { clock }) => writeLines(store, clock, file);
  return (await place.running) ? withCopy(place, work) : withStore(place.existing(), work);
}

/** Lets `work` have a copy that the running broker writes beside its database. Once it is open it
 *  has no name any more, so nothing is left of it, however this process ends. */
async function withCopy<Result>(place: Place, work: Work<Result>): Promise<Result> {
  const path = resolve(place.path); // the broker may be in another directory
  const copy = passingCopy(path, process.pid);
  const remove = () => removePassingCopies(path, process.pid);
  const stopHeeding = onSignals(remove);
  try {
    await place.upkeep({ command: 'backup', path: copy });
    if (!existsSync(copy)) {
      const why = 'the broker wrote it, and it is not here; run this where the broker runs';
      throw new Failure(Exit.unavailable, `${copy}: ${why}`);
    }
    return await withStore(copy, (store, loaded) => {
      remove();
      stopHeeding();
      return work(store, loaded);
    });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new StoreError(error.code, error.message.replaceAll(copy, place.path));
  } finally {
    remove();
    stopHeeding();
  }
}

/** Does `work` before a signal ends this process; gives how to let signals be. */
function onSignals(work: () => void): () => void {
  const listeners = (['SIGHUP', 'SIGINT', 'SIGTERM'] as const).map(signal => {
    const listener = () => {
      work();
      process.exit(128 + constants.signals[signal]);
    };
    process.once(signal, listener);
    return () => process.off(signal, listener);
  });
  return () => {
    for (const remove of listeners) remove();
  };
}

async function writeLines(
  store: SqliteStore,
  clock: Loaded['clock'],
  file: string,
): Promise<Outcome> {
  let lines = -1;
  const text = function* () {
    for (const line of exportLines(store.readOps(), clock)) {
      lines++;
      yield `${line}\n`;
    }
  };
  if (file === '-') {
    await pipeline(Readable.from(text()), process.stdout, { end: false });
    return { result: null, text: '' };
  }
  await pipeline(text(), createWriteStream(file, { flags: 'wx', mode: 0o600 }));
  return { result: { records: lines }, text: `${file}: ${lines} records` };
}

async function importFrom(place: Place, file: string): Promise<Outcome> {
  if (await place.running) {
    const why = 'a broker runs here, and it would not notice; stop it first';
    throw new Failure(Exit.unavailable, `${place.path}: ${why}`);
  }
  const descriptor = file === '-' ? 0 : openSync(file, 'r');
  const records = await withStore(place.path, async (store, loaded) => {
    const { sessions, retained } = loaded;
    if (sessions.length > 0 || retained.length > 0) {
      const why = 'it is not empty, and importing does not merge';
      throw new Failure(Exit.config, `${place.path}: ${why}; choose another with --data DIR`);
    }
    const input = createReadStream('', { fd: descriptor });
    // A stream that fails does not end the interface that reads it: whoever waits is told so here.
    const failed = new Promise<never>((_, reject) => input.once('error', reject));
    return Promise.race([importLines(createInterface({ input }), store), failed]);
  });
  return { result: { records }, text: `${records} records imported` };
}

const storeExits: Partial<Record<StoreError['code'], ExitCode>> = {
  locked: Exit.unavailable,
  damaged: 1 as ExitCode,
};

function asFailure(error: unknown, file: string): unknown {
  if (error instanceof Failure) return error;
  if (error instanceof LineFault) return new Failure(Exit.noInput, `${file}: ${error.message}`);
  if (error instanceof StoreError) {
    return new Failure(storeExits[error.code] ?? Exit.cannotCreate, error.message);
  }
  switch (errorCode(error)) {
    case 'EEXIST':
      return new Failure(Exit.cannotCreate, `${file}: there is a file already`);
    case 'ENOENT':
      return new Failure(Exit.noInput, `${file}: there is no such file or directory`);
    case 'EACCES':
      return new Failure(Exit.noPermission, `${file}: no permission`);
    case 'EPIPE':
      return new Failure(Exit.ok); // whoever read the lines has left
    case '':
      return error;
    default:
      return new Failure(Exit.system, `${file}: ${(error as Error).message}`);
  }
}
