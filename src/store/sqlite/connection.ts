// Opening a database so that it can be relied on: the exclusive lock, the schema brought up to
// date, WAL tried by a real write and given up where that fails; and the two ways of closing it.
// Nothing here is repaired or moved aside: a database that cannot be used is an error with a code.

import { statSync } from 'node:fs';
import { type StoreDescription, StoreError, type StoreUsage } from '../store.ts';
import { type Database, type Driver, faultOf, isSqliteError, type SqlFault } from './driver.ts';
import {
  checkPlace,
  closeWithoutCheckpoint,
  hasWal,
  headerAllowsWriting,
  isMarkedForCheck,
  leaveWal,
  removeEmptyWal,
  restoreName,
  syncDirectory,
  unmarkForCheck,
} from './files.ts';
import {
  applicationId,
  deleteSettings,
  firstSettings,
  migrations,
  newSettings,
  prepareStatements,
  probe,
  quickCheck,
  readHeader,
  type Statements,
  schemaVersion,
  setJournalMode,
  setVersion,
  transaction,
  trim,
  upkeep,
  walSettings,
  writeHeader,
} from './sql.ts';
import { WalFile } from './wal-file.ts';

export interface SqliteSettings {
  readonly path: string;
  /** Of a new database; one that is there keeps its own. */
  readonly pageBytes: number;
  readonly cacheBytes: number;
  /** Length of the log from which on it is written back to the database. */
  readonly walBytes: number;
  /** Databases moved aside as damaged that are kept. */
  readonly badKept: number;
  /** Whether a damaged one is an error instead, and stays where it is. */
  readonly refuseDamaged?: boolean;
}

type JournalMode = Extract<StoreDescription['journalMode'], 'wal' | 'delete'>;

export class Connection {
  readonly path: string;
  readonly database: Database;
  readonly statements: Statements;
  /** Null where every commit is synced by SQLite itself. */
  readonly wal: WalFile | null;
  /** Why it is not in WAL mode, or null. */
  readonly fallbackReason: string | null;
  private readonly pageBytes: number;
  private closed = false;

  constructor(
    path: string,
    pageBytes: number,
    database: Database,
    wal: WalFile | null,
    reason: string,
  ) {
    this.path = path;
    this.pageBytes = pageBytes;
    this.database = database;
    this.wal = wal;
    this.fallbackReason = wal === null ? reason : null;
    this.statements = prepareStatements(database);
  }

  get journalMode(): JournalMode {
    return this.wal === null ? 'delete' : 'wal';
  }

  /** Ends the transaction and gives the bytes that it wrote. */
  commit(): number {
    if (this.wal !== null) {
      this.statements.commit.run();
      return this.wal.count();
    }
    // The journal holds, until the commit, the old content of each page that changes.
    const journal = statSync(`${this.path}-journal`, { throwIfNoEntry: false })?.size ?? 0;
    const before = statSync(this.path).size;
    this.statements.commit.run();
    const grown = Math.max(0, statSync(this.path).size - before);
    const changed = Math.ceil(journal / (this.pageBytes + JOURNAL_RECORD_BYTES));
    return journal === 0 ? 0 : journal + changed * this.pageBytes + grown;
  }

  /** Whether the connection can still be used. */
  rollBack(): boolean {
    try {
      rollBack(this.database);
      return true;
    } catch {
      return false;
    }
  }

  /** Writes the log, which is synced, back to the database and gives the bytes that took. */
  checkpoint(wal: WalFile): number {
    const pages = wal.distinctPages();
    const result = this.statements.checkpoint.get() as { busy: number };
    if (result.busy !== 0) return 0;
    wal.markFlushed();
    return pages * this.pageBytes;
  }

  /** Gives up a slice of the empty pages: the file becomes shorter. */
  trim(): void {
    this.database.exec(trim);
  }

  /** Writes the database anew, without its empty pages, and gives the bytes that took. */
  vacuum(): number {
    this.database.exec(upkeep.compact);
    return this.wal?.count() ?? statSync(this.path).size;
  }

  /** Gives the room of the log back; everything in it has been written back. */
  emptyWal(wal: WalFile): void {
    this.database.prepare(upkeep.emptyWal).get();
    wal.count();
  }

  usage(): Omit<StoreUsage, 'commitMs'> {
    const pages = (this.statements.pageCount.get() as { page_count: number }).page_count;
    return {
      fileBytes: pages * this.pageBytes,
      usedBytes: (pages - this.freePages()) * this.pageBytes,
      walBytes: this.wal?.bytes ?? 0,
    };
  }

  freePages(): number {
    return (this.statements.freePages.get() as { freelist_count: number }).freelist_count;
  }

  /** Writes the log back and closes. */
  close(): void {
    this.closed = true;
    this.wal?.close();
    this.database.close();
  }

  /** Closes after an error of the disk, so that the next opening finds what is known to be on it
   *  and nothing else. */
  abandon(): void {
    if (this.closed) return;
    this.closed = true;
    try {
      if (this.wal === null) this.database.close();
      else closeWithoutCheckpoint(this.path, () => this.database.close());
    } catch {
      // The file may be gone, or the disk; the next opening shows.
    }
    try {
      this.wal?.cutBack();
    } catch {
      // As above.
    }
  }
}

/** Beside the page: its number and a checksum. */
const JOURNAL_RECORD_BYTES = 8;

/** Throws a StoreError. */
export function openConnection(settings: SqliteSettings, driver: Driver): Connection {
  const { path } = settings;
  checkPlace(path);
  restoreName(path);
  const clean = !hasWal(path);
  try {
    return openIn('wal', settings, driver, '');
  } catch (error) {
    if (clean && error instanceof StoreError && error.code === 'newer') removeEmptyWal(path);
    const fault = faultOf(error);
    if (fault === 'not-writable' && !headerAllowsWriting(path)) throw damaged(path);
    const mayBeWal = fault === 'io' || fault === 'cannot-open' || fault === 'not-writable';
    if (!mayBeWal || !clean) throw asOpeningError(error, path);
    try {
      leaveWal(path);
      return openIn('delete', settings, driver, (error as Error).message);
    } catch (second) {
      throw asOpeningError(second, path);
    }
  }
}

function openIn(
  mode: JournalMode,
  settings: SqliteSettings,
  driver: Driver,
  reason: string,
): Connection {
  const { path } = settings;
  const database = driver.open(path);
  let wal: WalFile | null = null;
  try {
    database.exec(firstSettings(settings.cacheBytes));
    const version = readVersion(database, path);
    if (version === 0) database.exec(newSettings(settings.pageBytes));
    const got = database.prepare(setJournalMode[mode]).get() as { journal_mode: string };
    if (got.journal_mode !== mode) {
      throw Object.assign(new Error(`SQLite offers journal mode ${got.journal_mode} only`), {
        code: 'SQLITE_CANTOPEN',
      });
    }
    database.exec(mode === 'wal' ? walSettings : deleteSettings);
    if (isMarkedForCheck(path)) checkQuickly(database, path);
    bringUpToDate(database, version);
    const { page_size } = database.prepare(readHeader.pageSize).get() as { page_size: number };
    if (mode === 'wal') wal = openWal(path, page_size, driver);
    return new Connection(path, page_size, database, wal, reason);
  } catch (error) {
    wal?.close();
    closeQuietly(database, path, error);
    throw error;
  }
}

function openWal(path: string, pageBytes: number, driver: Driver): WalFile {
  const wal = new WalFile(path, pageBytes, driver);
  try {
    wal.count();
    wal.sync();
    syncDirectory(path);
  } catch (error) {
    wal.close();
    throw error;
  }
  return wal;
}

/** A database that made no sense while it was used; it may have been repaired since. */
function checkQuickly(database: Database, path: string): void {
  const row = database.prepare(quickCheck).get() as { quick_check: string };
  if (row.quick_check !== 'ok') throw damaged(path);
  unmarkForCheck(path);
}

/** The version of the schema, 0 for a new file. The header and the state table both tell, so that
 *  a damaged byte in one is not taken for the future. */
function readVersion(database: Database, path: string): number {
  const number = (sql: string, column: string) =>
    (database.prepare(sql).get() as Record<string, number>)[column];
  const header = number(readHeader.version, 'user_version');
  const tables = number(readHeader.tables, 'count');
  const state = stateVersion(database);
  if (tables === 0 && number(readHeader.pages, 'page_count') <= 1) return 0;
  if (state === null) {
    const ours = number(readHeader.application, 'application_id') === applicationId;
    if (ours || tables === 0) throw damaged(path);
    const what = 'this is a database of another program';
    throw new StoreError('foreign', `${path}: ${what}; choose another directory with --data DIR`);
  }
  const known = [header, state].filter(version => version >= 1 && version <= schemaVersion);
  if (known.length === 0 && Math.min(header, state) > schemaVersion) {
    const what = `it was written by a newer minnow (schema ${state}, expected ${schemaVersion})`;
    const act = 'update minnow, or choose another directory with --data DIR';
    throw new StoreError('newer', `${path}: ${what}; ${act}`);
  }
  if (known.length === 0 || known.at(0) !== known.at(-1)) throw damaged(path);
  return known[0];
}

function stateVersion(database: Database): number | null {
  try {
    const row = database.prepare(readHeader.state).get() as { version: unknown } | undefined | null;
    return typeof row?.version === 'number' ? row.version : null;
  } catch (error) {
    if (faultOf(error) !== null) throw error;
    return null; // there is no such table
  }
}

/** Migrates, or else changes one value: either is a real write. */
function bringUpToDate(database: Database, version: number): void {
  try {
    database.exec(transaction.begin);
    for (const migration of migrations.slice(version)) database.exec(migration);
    database.exec(setVersion);
    database.exec(probe);
    database.exec(writeHeader(schemaVersion));
    database.exec(transaction.commit);
  } catch (error) {
    // A full disk says nothing about WAL, and what is there can be read. A database that has to be
    // made or migrated is another matter: there is nothing to go on with.
    if (faultOf(error) !== 'full' || version !== schemaVersion) throw error;
    rollBack(database);
  }
}

function rollBack(database: Database): void {
  try {
    database.exec(transaction.rollback);
  } catch (error) {
    // After some errors SQLite has rolled back by itself.
    if (!/no transaction is active/.test((error as Error).message)) throw error;
  }
}

/** Closes after an error that tells more than one of closing would, and leaves everything as it is:
 *  what was written may not be on the disk. A file that another process has open may not be moved,
 *  not even for a moment. */
function closeQuietly(database: Database, path: string, reason: unknown): void {
  try {
    if (faultOf(reason) === 'locked') database.close();
    else closeWithoutCheckpoint(path, () => database.close());
  } catch {
    // As above.
  }
}

function damaged(path: string): StoreError {
  return new StoreError('damaged', `${path}: the database is damaged`);
}

/** As asStoreError, where SQLite has been given only what it knows if the file is whole. */
export function asOpeningError(error: unknown, path: string): unknown {
  return isSqliteError(error) && faultOf(error) === null
    ? damaged(path)
    : asStoreError(error, path);
}

/** What an error means to whoever runs the broker; a bug is passed on as it is. */
export function asStoreError(error: unknown, path: string): unknown {
  if (error instanceof StoreError) return error;
  const why = (error as Error)?.message;
  switch (faultOf(error) ?? systemFaultOf(error)) {
    case 'locked': {
      const act = 'stop it, or choose another directory with --data DIR';
      return new StoreError('locked', `${path}: another minnow has it open; ${act}`);
    }
    case 'full':
      return new StoreError('full', `${path}: no space is left on the disk; make room`);
    case 'damaged':
      return damaged(path);
    case 'not-writable':
      return new StoreError('not-writable', `${path}: it cannot be written to (${why})`);
    case 'cannot-open':
    case 'io':
      return new StoreError('io', `${path}: the disk refused (${why}); look at the system's log`);
    case null:
      return error;
  }
}

/** The same for errors of the files that are read and synced beside SQLite. */
function systemFaultOf(error: unknown): SqlFault | null {
  const { syscall, code } = (error ?? {}) as { syscall?: unknown; code?: unknown };
  if (typeof syscall !== 'string') return null;
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'full';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'not-writable';
    default:
      return 'io';
  }
}
