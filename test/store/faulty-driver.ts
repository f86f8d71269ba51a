// A SQLite driver whose disk fails when a test says so: at the n-th call from now on, with an error
// of SQLite's, before or after the call has done its work; or at a sync, and then what was written
// since the last one is lost, as it may be on a real disk.

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import type { Database, Driver, SqlValue, Statement } from '../../src/store/sqlite/driver.ts';

/** Codes as all drivers tell them. */
const errcodes = { SQLITE_IOERR: 10, SQLITE_FULL: 13, SQLITE_CANTOPEN: 14 } as const;

export type FaultCode = keyof typeof errcodes;

function sqliteError(code: FaultCode): Error {
  return Object.assign(new Error(`injected ${code}`), { code, errcode: errcodes[code] });
}

export class FaultyDriver implements Driver {
  readonly name: string;
  /** Which calls fail: those that `sql` matches, once `calls` of them have passed. */
  fault: {
    readonly code: FaultCode;
    readonly sql?: RegExp;
    calls: number;
    /** How many fail then. */
    times: number;
    /** Whether they do their work all the same. */
    readonly after?: boolean;
  } | null = null;
  /** Syncs that still pass, and how many then fail. */
  syncs = Number.POSITIVE_INFINITY;
  syncFaults = 0;
  /** Whether the page cache goes on showing what a failed sync did not bring to the disk, and takes
   *  it for written: as Linux does. Otherwise it is gone at once. */
  cacheStays = false;
  /** What happened, for tests that ask for the order of things. */
  readonly journal: string[] = [];
  injected = 0;
  private readonly driver: Driver;
  private readonly walPath: string;
  private durable: Buffer = Buffer.alloc(0);
  /** Bytes of the log that are in the page cache only. */
  private cachedOnly: { readonly from: number; readonly to: number } | null = null;

  constructor(driver: Driver, path: string) {
    this.driver = driver;
    this.name = driver.name;
    this.walPath = `${path}-wal`;
  }

  open(path: string): Database {
    // What was cut off does not come back when the file grows again.
    const log = statSync(this.walPath, { throwIfNoEntry: false });
    const size = log?.size ?? 0;
    this.durable = this.durable.subarray(0, size);
    if (this.cachedOnly !== null && size <= this.cachedOnly.from) this.cachedOnly = null;
    return this.call('open', () => new FaultyDatabase(this.driver.open(path), this));
  }

  sync(file: number): void {
    if (this.syncs-- <= 0 && this.syncFaults-- > 0) {
      this.injected++;
      if (this.cacheStays) this.forgetUnsynced();
      else this.loseUnsynced();
      throw Object.assign(new Error('EIO: i/o error, fdatasync'), {
        code: 'EIO',
        syscall: 'fdatasync',
      });
    }
    this.driver.sync(file);
    this.durable = readFileSync(this.walPath);
    this.journal.push('sync');
  }

  /** The log keeps its length, and has its old content. */
  private loseUnsynced(): void {
    const written = readFileSync(this.walPath);
    written.fill(0);
    this.durable.copy(written);
    writeFileSync(this.walPath, written);
  }

  private forgetUnsynced(): void {
    this.cachedOnly = { from: this.durable.length, to: statSync(this.walPath).size };
  }

  /** The log as it is on the disk. */
  get logOnDisk(): Buffer {
    const log = readFileSync(this.walPath);
    if (this.cachedOnly !== null) log.fill(0, this.cachedOnly.from, this.cachedOnly.to);
    return log;
  }

  /** Runs `work`, unless it is its turn to fail. */
  call<Result>(sql: string, work: () => Result): Result {
    const { fault } = this;
    const fails =
      fault !== null && (fault.sql?.test(sql) ?? true) && fault.calls-- <= 0 && fault.times-- > 0;
    if (!fails) return work();
    this.injected++;
    if (fault.after) work();
    throw sqliteError(fault.code);
  }
}

class FaultyDatabase implements Database {
  private readonly database: Database;
  private readonly driver: FaultyDriver;

  constructor(database: Database, driver: FaultyDriver) {
    this.database = database;
    this.driver = driver;
  }

  exec(sql: string): void {
    this.driver.call(sql, () => this.database.exec(sql));
  }

  prepare(sql: string): Statement {
    const { driver } = this;
    const statement = driver.call(`prepare ${sql}`, () => this.database.prepare(sql));
    return {
      run: (...values: SqlValue[]) => driver.call(sql, () => statement.run(...values)),
      get: (...values: SqlValue[]) => driver.call(sql, () => statement.get(...values)),
      all: (...values: SqlValue[]) => driver.call(sql, () => statement.all(...values)),
      iterate: (...values: SqlValue[]) => driver.call(sql, () => statement.iterate(...values)),
    };
  }

  close(): void {
    this.database.close();
  }
}
