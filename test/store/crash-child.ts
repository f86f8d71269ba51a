// The process that sqlite-crash.test.ts kills: commits one message after the other to the store in
// the folder it is given, in class `written` or `strict`, and says which are committed.

import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { runtimeDriver } from '../../src/store/sqlite/runtime-driver.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite-store.ts';
import { backlog, sessionPut } from '../contract/store-ops.ts';

const [folder, kind] = process.argv.slice(2);
const sync = kind === 'strict';
const settings = {
  path: join(folder, 'minnow.db'),
  pageBytes: 4096,
  cacheBytes: 1 << 20,
  walBytes: 200_000,
  badKept: 1,
};
const store = new SqliteStore(settings, await runtimeDriver());
await store.load();

let through = 0;
store.onCommitted = reached => {
  through = reached;
};
store.onFailed = (_through, error) => {
  throw error;
};
store.commit({ ops: [sessionPut(1)], after: 0, through: 1, sync, clock: 0, wall: 0 });
for (let rank = 1; ; rank++) {
  const ops = backlog(1, rank, 1, 500);
  store.commit({ ops, after: through, through: through + 1, sync, clock: rank, wall: 0 });
  writeSync(1, `${rank}\n`);
}
