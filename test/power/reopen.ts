// The program of a recorded recovery: opens the database below the directory that it is given,
// reads it, writes to it as a broker does at its start, and closes it.

import { join } from 'node:path';
import { runtimeDriver } from '../../src/store/sqlite/runtime-driver.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite-store.ts';

const path = join(process.argv[2]!, 'minnow.db');
const settings = { path, pageBytes: 4096, cacheBytes: 1 << 20, walBytes: 1 << 16, badKept: 3 };
const store = new SqliteStore(settings, await runtimeDriver());
const { clock } = await store.load();
const { clock: now, wall } = clock ?? { clock: 0, wall: 0 };
store.onFailed = (_through, error) => {
  throw error;
};
store.commit({ ops: [], after: 0, through: 0, sync: true, clock: now, wall });
await store.close();
