// A disk that fails: nothing that was committed is lost, a batch that failed is given again and is
// there once, and the store recovers by itself.

import assert from 'node:assert/strict';
import { copyFileSync, existsSync, symlinkSync, writeFileSync } from 'node:fs';
import type { SqliteStore } from '../../src/store/sqlite/sqlite-store.ts';
import { StoreError } from '../../src/store/store.ts';
import { StoreHistory } from '../contract/store-history.ts';
import {
  contentsOf,
  driver,
  newFolder,
  openInline,
  removeFolders,
  rowCounts,
  StoreUser,
  settingsIn,
} from '../contract/store-kit.ts';
import { backlog, sessionPut } from '../contract/store-ops.ts';
import { afterAll, describe, freshSeed, rounds, test } from '../harness.ts';
import { Prng } from '../prng.ts';
import { type FaultCode, FaultyDriver } from './faulty-driver.ts';

afterAll(removeFolders);

const seed = freshSeed();

interface Setting {
  readonly folder: string;
  readonly disk: FaultyDriver;
  readonly user: StoreUser;
}

/** A store on a disk that does not fail yet. */
async function open(walBytes = 1 << 20, wal = true): Promise<Setting> {
  const folder = newFolder();
  const { path } = settingsIn(folder);
  // A log that cannot be created: its name leads to a place that is not there.
  if (!wal) symlinkSync(`${folder}/nowhere/log`, `${path}-wal`);
  const disk = new FaultyDriver(driver, path);
  const store = openInline(folder, { walBytes }, disk);
  assert.equal(store.description.journalMode, wal ? 'wal' : 'delete');
  await store.load();
  return { folder, disk, user: new StoreUser(store) };
}

/** Gives random batches, each again until it is committed; then looks at what is there. */
async function survive({ folder, user, disk }: Setting, prng: Prng, batches: number) {
  const history = new StoreHistory(prng);
  const before = disk.injected;
  let failed = 0;
  let lastError = '';
  for (let batch = 0; batch < batches; batch++) {
    const ops = history.next(prng.between(1, 30));
    const sync = prng.chance(0.3);
    for (let tries = 0; ; tries++) {
      assert.ok(tries < 10, `does not recover: ${lastError}`);
      try {
        const { synced } = await user.commit(ops, sync);
        assert.ok(synced || !sync);
        break;
      } catch (error) {
        assert.ok(error instanceof StoreError, String(error));
        lastError = error.message;
        failed++;
        user.goBack();
      }
    }
  }
  const injected = disk.injected - before;
  disk.fault = null;
  disk.syncFaults = 0;
  await user.store.close();
  const reader = new StoreUser(openInline(folder));
  assert.deepEqual(await contentsOf(reader), history.model.contents());
  await reader.store.close();
  assert.equal(rowCounts(folder).messages, history.model.messages.size);
  return { injected, failed };
}

/** The n-th call fails, for each n of a spread, `times` in a row. */
async function failEverywhere(code: FaultCode, after: boolean, wal: boolean): Promise<void> {
  const prng = new Prng(seed);
  let failed = 0;
  for (let round = 0; round < 5 * rounds; round++) {
    const setting = await open(100_000, wal);
    setting.disk.fault = { code, calls: prng.below(900), times: prng.between(1, 3), after };
    failed += (await survive(setting, prng, 25)).injected;
  }
  assert.ok(failed > 0);
}

describe('a disk that fails', () => {
  for (const wal of [true, false]) {
    const mode = wal ? 'with a log' : 'in fallback mode';
    for (const code of ['SQLITE_IOERR', 'SQLITE_FULL'] as const) {
      for (const after of [false, true]) {
        const when = after ? 'after' : 'instead of';
        test(`${mode}: ${code} ${when} any call (MINNOW_SEED=${seed})`, () =>
          failEverywhere(code, after, wal));
      }
    }

    test(`${mode}: SQLITE_IOERR though the commit came through (MINNOW_SEED=${seed})`, async () => {
      const prng = new Prng(seed);
      const setting = await open(100_000, wal);
      const fault = {
        code: 'SQLITE_IOERR',
        sql: /^COMMIT/,
        calls: 5,
        times: 3,
        after: true,
      } as const;
      setting.disk.fault = { ...fault };
      const { failed, injected } = await survive(setting, prng, 30);
      assert.equal(injected, 3);
      assert.ok(failed > 0);
    });
  }

  test(`a sync that fails loses nothing, whatever became of what was unsynced (MINNOW_SEED=${seed})`, async () => {
    const prng = new Prng(seed);
    let failed = 0;
    for (let round = 0; round < 6 * rounds; round++) {
      const setting = await open(prng.pick([50_000, 1 << 20]));
      setting.disk.syncs = prng.below(12);
      setting.disk.syncFaults = prng.between(1, 3);
      failed += (await survive(setting, prng, 40)).injected;
    }
    assert.ok(failed > 0, 'no sync failed');
  });

  test('what was committed before a failed sync is written again before anything else', async () => {
    const { folder, disk, user } = await open();
    await user.commit([sessionPut(1)], true);
    await user.commit(backlog(1, 1, 5));
    disk.syncs = 0;
    disk.syncFaults = 1;
    await assert.rejects(user.commit(backlog(1, 6, 5), true), { code: 'io' });
    user.goBack();
    const { rows } = await user.window(1);
    assert.equal(rows.length, 5);
    await user.commit(backlog(1, 6, 5), true);
    assert.equal((await user.window(1)).rows.length, 10);
    await user.store.close();
    assert.equal(rowCounts(folder).queue, 10);
  });

  test('what only the page cache has after a failed sync is brought to the disk anew', async () => {
    const { folder, disk, user } = await open();
    await user.commit([sessionPut(1)], true);
    await user.commit(backlog(1, 1, 5));
    disk.cacheStays = true;
    disk.syncs = 0;
    disk.syncFaults = 1;
    await assert.rejects(user.commit(backlog(1, 6, 5), true), { code: 'io' });
    user.goBack();
    const { synced } = await user.commit(backlog(1, 6, 5), true);
    assert.ok(synced);
    const after = newFolder(); // the power goes
    copyFileSync(`${folder}/minnow.db`, `${after}/minnow.db`);
    writeFileSync(`${after}/minnow.db-wal`, disk.logOnDisk);
    await user.store.close();
    const reader = new StoreUser(openInline(after));
    await reader.store.load();
    assert.equal((await reader.window(1)).rows.length, 10);
    await reader.store.close();
  });

  test('a batch after one that failed fails too, until the log goes on from the last committed', async () => {
    const { disk, user } = await open();
    await user.commit([sessionPut(1)]);
    disk.fault = { code: 'SQLITE_FULL', sql: /^COMMIT/, calls: 0, times: 1 };
    const answers = await Promise.allSettled([1, 2, 3].map(n => user.commit(backlog(1, n, 1))));
    const codes = answers.map(answer => (answer as PromiseRejectedResult).reason.code);
    assert.deepEqual(codes, ['full', 'full', 'full']);
    user.goBack();
    await user.commit([1, 2, 3].flatMap(n => backlog(1, n, 1)));
    assert.equal((await user.window(1)).rows.length, 3);
    await user.store.close();
  });

  test('strict commits are reported after a sync of their own, others without', async () => {
    const { disk, user } = await open();
    const { journal } = disk;
    journal.length = 0;
    for (const sync of [false, true, true, false]) {
      await user.commit(backlog(1, user.given + 1, 1), sync);
      journal.push(sync ? 'strict' : 'written');
    }
    assert.deepEqual(journal, ['written', 'sync', 'strict', 'sync', 'strict', 'written']);
    await user.store.close();
  });

  test('errors say what happened, where, and what to do', async () => {
    const { folder, disk, user } = await open();
    const path = `${folder}/minnow.db`;
    disk.fault = { code: 'SQLITE_FULL', sql: /^COMMIT/, calls: 0, times: 1 };
    await assert.rejects(user.commit([sessionPut(1)]), {
      message: `${path}: no space is left on the disk; make room`,
    });
    user.goBack();
    disk.fault = { code: 'SQLITE_IOERR', sql: /^COMMIT/, calls: 0, times: 1 };
    await assert.rejects(user.commit([sessionPut(1)]), {
      message: `${path}: the disk refused (injected SQLITE_IOERR); look at the system's log`,
    });
    await user.store.close();
  });
});

describe('a place where WAL cannot work', () => {
  test('is noticed at the first write, of a new database and of one from elsewhere', async () => {
    for (const existing of [false, true]) {
      const folder = newFolder();
      if (existing) {
        const user = new StoreUser(openInline(folder));
        await user.store.load();
        await user.commit([sessionPut(1)]);
        await user.store.close();
      }
      const disk = new FaultyDriver(driver, settingsIn(folder).path);
      // The PRAGMA succeeds; what is written afterwards does not.
      const fault = { code: 'SQLITE_IOERR', sql: /^UPDATE state/, calls: 0, times: 1 } as const;
      disk.fault = { ...fault };
      const store = openInline(folder, {}, disk);
      assert.equal(store.description.journalMode, 'delete');
      assert.equal(store.description.fallbackReason, 'injected SQLITE_IOERR');
      const user = new StoreUser(store);
      assert.equal((await store.load()).sessions.length, existing ? 1 : 0);
      const { synced, bytesWritten } = await user.commit([sessionPut(2)]);
      assert.ok(synced, 'every commit is synced');
      assert.ok(bytesWritten >= 2 * 4096);
      await store.close();
      await backToWal(folder);
    }
  });

  async function backToWal(folder: string): Promise<void> {
    const store: SqliteStore = openInline(folder);
    assert.equal(store.description.journalMode, 'wal');
    assert.ok((await store.load()).sessions.some(({ sid }) => sid === 2));
    await store.close();
  }

  test('is really one when the log cannot be created', async () => {
    const { folder, user } = await open(1 << 20, false);
    await user.commit([sessionPut(2), ...backlog(2, 1, 50)]);
    assert.ok(!existsSync(`${folder}/minnow.db-wal`));
    await user.store.close();
    assert.equal(rowCounts(folder).queue, 50);
  });
});
