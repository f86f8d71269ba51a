// SQLite as Bun brings it along.

import { Database as BunDatabase, type Statement as BunStatement } from 'bun:sqlite';
import type { Database, Driver, Statement } from './driver.ts';

export const bunDriver: Driver = {
  name: 'bun:sqlite',
  open(path) {
    const database = new BunDatabase(path, { create: true, readwrite: true });
    return new Opened(database);
  },
};

class Opened implements Database {
  private readonly database: BunDatabase;
  private readonly statements: BunStatement[] = [];

  constructor(database: BunDatabase) {
    this.database = database;
  }

  exec(sql: string): void {
    this.database.run(sql);
  }

  prepare(sql: string): Statement {
    const statement = this.database.prepare(sql);
    this.statements.push(statement);
    return statement as unknown as Statement;
  }

  close(): void {
    for (const statement of this.statements) statement.finalize();
    this.statements.length = 0;
    this.database.close();
  }
}
