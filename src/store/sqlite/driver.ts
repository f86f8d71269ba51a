// The seam to the SQLite library of the runtime: the few calls that the store needs, and what a
// library's errors mean. The SQL and the logic stand once, above it.

export type SqlValue = number | string | Uint8Array | null;

/** Rows are objects, keyed by column. */
export interface Statement {
  run(...values: SqlValue[]): { readonly changes: number | bigint };
  get(...values: SqlValue[]): unknown;
  all(...values: SqlValue[]): unknown[];
  iterate(...values: SqlValue[]): Iterable<unknown>;
}

export interface Database {
  /** One or more statements that give nothing back. */
  exec(sql: string): void;
  prepare(sql: string): Statement;
  /** Finalises every statement first: what nobody finalised would keep the file open. */
  close(): void;
}

export interface Driver {
  /** Of the library, for people. */
  readonly name: string;
  /** Opens or creates the file; it does not wait for others to let go of it. */
  open(path: string): Database;
  /** Returns when what was written to the file survives a power cut. */
  sync(file: number): void;
}

/** What went wrong, as far as anybody can act on it. */
export type SqlFault = 'locked' | 'full' | 'damaged' | 'not-writable' | 'cannot-open' | 'io';

const faults: Readonly<Record<number, SqlFault>> = {
  3: 'not-writable', // SQLITE_PERM
  5: 'locked', // SQLITE_BUSY
  6: 'locked', // SQLITE_LOCKED
  8: 'not-writable', // SQLITE_READONLY
  10: 'io', // SQLITE_IOERR
  11: 'damaged', // SQLITE_CORRUPT
  13: 'full', // SQLITE_FULL
  14: 'cannot-open', // SQLITE_CANTOPEN
  15: 'locked', // SQLITE_PROTOCOL
  26: 'damaged', // SQLITE_NOTADB
};

/** better-sqlite3 tells the code by its name only. */
const numbers: Readonly<Record<string, number>> = {
  PERM: 3,
  BUSY: 5,
  LOCKED: 6,
  READONLY: 8,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  PROTOCOL: 15,
  NOTADB: 26,
};

/** Null for what is no fault of the file or the disk: a bug, then, or wrong SQL. */
export function faultOf(error: unknown): SqlFault | null {
  const number = sqliteNumber(error);
  return number === null ? null : (faults[number & 0xff] ?? null);
}

/** Whether the error comes from SQLite at all. */
export function isSqliteError(error: unknown): boolean {
  return sqliteNumber(error) !== null;
}

function sqliteNumber(error: unknown): number | null {
  if (error === null || typeof error !== 'object') return null;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  if (typeof errcode === 'number') return errcode;
  if (typeof code !== 'string' || !code.startsWith('SQLITE_')) return null;
  return numbers[code.split('_')[1]] ?? 1;
}
