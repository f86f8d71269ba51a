// A start that fails leaves nothing behind that keeps the next one from succeeding.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { allowAll } from '../../src/auth/allow-all.ts';
import { loadConfig } from '../../src/config/config.ts';
import { Engine } from '../../src/engine/engine.ts';
import { createAsyncDriver } from '../../src/io/create.ts';
import type { Driver, Hallway } from '../../src/io/driver.ts';
import { defaultIoOptions } from '../../src/io/options.ts';
import { createLogger } from '../../src/log.ts';
import { afterAll, describe, test } from '../harness.ts';

const data = mkdtempSync(join(tmpdir(), 'minnow-start-'));
afterAll(() => rmSync(data, { recursive: true, force: true }));

describe('an engine that cannot start', () => {
  for (const thread of ['own', 'inline']) {
    test(`closes its store, where that has the thread "${thread}"`, async () => {
      const set = ['log.level=silent', `store.thread=${thread}`, 'store.kind=sqlite'];
      const flags = { listen: ['127.0.0.1:0'], data, set };
      const loaded = loadConfig({ flags }, { env: {}, isRoot: false, version: '0' });
      assert.ok('config' in loaded);
      const start = (createDriver: (hallway: Hallway) => Promise<Driver>) =>
        Engine.start(loaded.config, {
          log: createLogger(loaded.config.log),
          authenticator: allowAll,
          access: null,
          makeAccess: null,
          storeBell: null,
          watchdog: null,
          createDriver,
        });
      const why = new Error('no driver today');
      await assert.rejects(
        start(() => Promise.reject(why)),
        why,
      );
      const tell = () => {};
      const engine = await start(hallway => createAsyncDriver(hallway, defaultIoOptions, tell));
      await engine.close();
    });
  }
});
