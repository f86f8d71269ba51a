// SQLite on Node: better-sqlite3 where it could be built, else the one in Node itself (from 22.5).

import { fdatasyncSync } from 'node:fs';
import { createRequire } from 'node:module';
import { StoreError } from '../store.ts';
import type { Database, Driver, Statement } from './driver.ts';

// What is asked of the two libraries; neither brings its types along everywhere.
interface Library extends Database {
  prepare(sql: string): Statement & { finalize?(): void };
}
type Constructor = new (path: string, options: Record<string, unknown>) => Library;

// Not an import: an executable for Bun must not try to bundle it.
const require = createRequire(import.meta.url);

export const betterSqlite3: Driver = {
  name: 'better-sqlite3',
  open(path) {
    const Library = require('better-sqlite3') as Constructor;
    return new Library(path, { timeout: 0 });
  },
  sync: fdatasyncSync,
};

export const nodeSqlite: Driver = {
  name: 'node:sqlite',
  open(path) {
    const { DatabaseSync } = require('node:sqlite') as { DatabaseSync: Constructor };
    return new DatabaseSync(path, { timeout: 0 });
  },
  sync: fdatasyncSync,
};

/** The first that works here. */
export function nodeDriver(): Driver {
  for (const driver of [betterSqlite3, nodeSqlite]) {
    if (loads(driver)) return driver;
  }
  const what = `neither better-sqlite3 nor node:sqlite (Node 22.5 or later) can be loaded`;
  throw new StoreError('no-driver', `${what}; install one, or set store.kind to "memory"`);
}

function loads(driver: Driver): boolean {
  try {
    driver.open(':memory:').close();
    return true;
  } catch {
    return false;
  }
}
