// The files of one database, by name: the database itself and what SQLite lays beside it. They
// belong together: a database without its log is an old one, a log without its database is nothing.

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { StoreError } from '../store.ts';

const companions = ['', '-wal', '-shm', '-journal'];

/** Throws a StoreError that says why `path` cannot be opened or created, if that can be seen. */
export function checkPlace(path: string): void {
  const directory = dirname(path);
  const choose = 'choose another directory with --data DIR';
  const found = statSync(directory, { throwIfNoEntry: false });
  if (found === undefined) {
    throw new StoreError('missing', `${directory}: there is no such directory; ${choose}`);
  }
  if (!found.isDirectory()) {
    throw new StoreError('missing', `${directory}: this is not a directory; ${choose}`);
  }
  const permissions = constants.R_OK | constants.W_OK;
  if (!allows(directory, permissions | constants.X_OK)) {
    const what = 'the data directory cannot be written to';
    throw new StoreError('not-writable', `${directory}: ${what}; change its owner, or ${choose}`);
  }
  if (existsSync(path) && !allows(path, permissions)) {
    const what = 'the database cannot be read and written';
    throw new StoreError('not-writable', `${path}: ${what}; change its owner, or ${choose}`);
  }
}

function allows(path: string, permissions: number): boolean {
  try {
    accessSync(path, permissions);
    return true;
  } catch {
    return false;
  }
}

/**
 * Moves a damaged database aside, all its files together, as `<path>.bad-<time>`, and gives that
 * name. Of those moved aside the `keptMax` youngest stay.
 */
export function moveAside(path: string, wall: number, keptMax: number): string {
  const time = new Date(wall).toISOString().replace(/[-:]|\.\d+/g, '');
  let target = `${path}.bad-${time}`;
  for (let copy = 2; existsSync(target); copy++) target = `${path}.bad-${time}-${copy}`;
  for (const end of companions) {
    if (existsSync(path + end)) renameSync(path + end, target + end);
  }
  unmarkForCheck(path);
  const old = movedAside(path).slice(0, -keptMax);
  for (const name of old) removeDatabase(name);
  syncDirectory(path);
  return target;
}

/** What was moved aside earlier, oldest first. */
function movedAside(path: string): string[] {
  const start = `${basename(path)}.bad-`;
  return readdirSync(dirname(path))
    .filter(name => name.startsWith(start) && !/-(wal|shm|journal)$/.test(name))
    .map(name => join(dirname(path), name))
    .map(name => ({ name, time: statSync(name).mtimeMs }))
    .sort((a, b) => a.time - b.time || a.name.localeCompare(b.name))
    .map(({ name }) => name);
}

export function removeDatabase(path: string): void {
  for (const end of companions) rmSync(path + end, { force: true });
}

/** The name of a copy that process `pid` looks into and that nobody keeps. */
export function passingCopy(path: string, pid: number): string {
  return `${path}.copy-${pid}`;
}

/** Removes such copies, of one process or of all, finished or not, with what lies beside them. */
export function removePassingCopies(path: string, pid?: number): void {
  const name = basename(path);
  const rest = new RegExp(`^\\.copy-${pid ?? '\\d+'}(?!\\d)`);
  for (const found of readdirSync(dirname(path))) {
    const isOne = found.startsWith(name) && rest.test(found.slice(name.length));
    if (isOne) rmSync(join(dirname(path), found), { force: true });
  }
}

const MARK = '.check';

/** Has the database looked at closely at the next opening. */
export function markForCheck(path: string): void {
  try {
    closeSync(openSync(path + MARK, 'w'));
  } catch {
    // Without the mark the damage has to show by itself.
  }
}

export function isMarkedForCheck(path: string): boolean {
  return existsSync(path + MARK);
}

export function unmarkForCheck(path: string): void {
  rmSync(path + MARK, { force: true });
}

/** Makes what was created, renamed or removed beside `path` survive a power cut. */
export function syncDirectory(path: string): void {
  const directory = openSync(dirname(path), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/**
 * Runs `close`, which closes the database at `path`, so that SQLite does not write its log back:
 * it does not do that to a file that is no longer where it was opened.
 */
export function closeWithoutCheckpoint(path: string, close: () => void): void {
  const away = path + AWAY;
  try {
    renameSync(path, away);
  } catch {
    close(); // it is gone already, or the directory cannot be changed
    return;
  }
  try {
    close();
  } finally {
    renameSync(away, path);
  }
}

const AWAY = '.closing';

/** Puts back a file that a crash within `closeWithoutCheckpoint` left under its other name. */
export function restoreName(path: string): void {
  if (!existsSync(path) && existsSync(path + AWAY)) renameSync(path + AWAY, path);
}

/** Whether SQLite could write to the file by what its header says; else it takes it for read-only,
 *  which no minnow ever made it. */
export function headerAllowsWriting(path: string): boolean {
  const versions = Buffer.alloc(2);
  const file = openSync(path, 'r');
  try {
    return readSync(file, versions, 0, 2, VERSIONS_AT) < 2 || versions.every(byte => byte <= 2);
  } finally {
    closeSync(file);
  }
}

const VERSIONS_AT = 18;

/** Whether there is something in the log. */
export function hasWal(path: string): boolean {
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false });
  return log?.isFile() === true && log.size > 0;
}

/** Removes the log that SQLite began for a database that was only looked at. */
export function removeEmptyWal(path: string): void {
  if (!hasWal(path)) rmSync(`${path}-wal`, { force: true });
}

/** Takes a database out of WAL mode, by its header, for a place where SQLite cannot even open it to
 *  do so. Only right when its log was empty before that was tried. */
export function leaveWal(path: string): void {
  rmSync(`${path}-wal`, { force: true });
  const file = openSync(path, 'r+');
  try {
    const versions = Buffer.alloc(2);
    if (readSync(file, versions, 0, 2, VERSIONS_AT) < 2) return; // an empty file is in no mode
    writeSync(file, Uint8Array.of(1, 1), 0, 2, VERSIONS_AT);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
