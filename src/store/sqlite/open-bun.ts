// SQLite as Bun brings it along.

import type { Database as BunDatabase, Statement as BunStatement } from 'bun:sqlite';
import { fdatasyncSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Database, Driver, Statement } from './driver.ts';

// Not an import: a bundle for Node would hoist it to its top and not start.
const require = createRequire(import.meta.url);

export const bunDriver: Driver = {
  name: 'bun:sqlite',
  open(path) {
    const library = require('bun:sqlite') as typeof import('bun:sqlite');
    return new Opened(new library.Database(path, { create: true, readwrite: true }));
  },
  sync: fdatasyncSync,
};

class Opened implements Database {
  private readonly database: BunDatabase;
  /** By their text: the same one is prepared once. */
  private readonly statements = new Map<string, BunStatement>();

  constructor(database: BunDatabase) {
    this.database = database;
  }

  exec(sql: string): void {
    this.database.run(sql);
  }

  prepare(sql: string): Statement {
    let statement = this.statements.get(sql);
    if (statement === undefined) {
      statement = this.database.prepare(sql);
      this.statements.set(sql, statement);
    }
    return statement as unknown as Statement;
  }

  close(): void {
    for (const statement of this.statements.values()) statement.finalize();
    this.statements.clear();
    this.database.close();
  }
}
