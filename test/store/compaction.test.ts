// Room that is given back a slice at a time, while others commit.

import assert from 'node:assert/strict';
import { ThreadStore } from '../../src/store/thread/thread-store.ts';
import { type CompactReport, lookAfter, type StoreStat } from '../../src/store/upkeep/upkeep.ts';
import {
  contentsOf,
  driver,
  newFolder,
  openInline,
  removeFolders,
  StoreUser,
  settingsIn,
} from '../contract/store-kit.ts';
import { backlog, sessionPut } from '../contract/store-ops.ts';
import { afterAll, describe, test } from '../harness.ts';
import { FaultyDriver } from './faulty-driver.ts';
import { damage, dropsOf, faultsOf } from './upkeep-kit.ts';

afterAll(removeFolders);

function upTo(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

describe('room that is given back a slice at a time', () => {
  /** A store with a thousand empty pages and more. */
  async function spacious() {
    const store = openInline(newFolder());
    await store.load();
    const user = new StoreUser(store);
    await user.commit([sessionPut(1), ...backlog(1, 1, 8_000, 500)]);
    await user.commit(dropsOf(await user.backlog(1, 8_000)));
    const { fileBytes, usedBytes } = store.usage;
    assert.ok(fileBytes - usedBytes > 1_000 * 4_096, JSON.stringify(store.usage));
    store.stepwise = true;
    return { store, user };
  }

  test('lets commits through, and none waits for more than a slice', async () => {
    const { store, user } = await spacious();
    const outcomes: unknown[] = [];
    const before = store.usage.fileBytes;
    store.upkeep({ command: 'compact' }, outcome => outcomes.push(outcome));
    store.upkeep({ command: 'compact' }, outcome => outcomes.push(outcome));
    let commits = 0;
    for (let last = before; outcomes.length === 0; last = store.usage.fileBytes) {
      await user.commit(backlog(1, 10_000 + commits++, 1), true);
      const pages = (last - store.usage.fileBytes) / 4_096;
      // With a page of SQLite's own that says which page leads to which.
      assert.ok(pages <= 128 + 1, `a commit waited while ${pages} pages were given up`);
      assert.ok(commits < 100);
    }
    assert.ok(commits >= 8, `${commits} commits`);
    const report = { bytesBefore: before, bytesAfter: store.usage.fileBytes };
    assert.deepEqual(outcomes, [report, report]);
    assert.ok(report.bytesAfter < 100_000, JSON.stringify(report));
    assert.equal(store.usage.walBytes, 0);
    assert.equal((await user.backlog(1)).length, 1 + commits);
    assert.deepEqual(await lookAfter(store, { command: 'check' }), { faults: [] });
    await store.close();
  });

  test('lets commits through on the thread of a store', async () => {
    const store = await ThreadStore.open(settingsIn(newFolder()));
    await store.load();
    const user = new StoreUser(store);
    await user.commit([sessionPut(1)]);
    // This thread may be kept from its processor between its two wishes for as long as the other
    // takes to compact. What would not let commits through lets none through in any round.
    const rounds = 20;
    const order: string[] = [];
    for (let round = 1; round <= rounds && order[0] !== 'committed'; round++) {
      order.length = 0;
      await user.commit(backlog(1, round * 10_000, 8_000, 500));
      await user.commit(dropsOf(await user.backlog(1, 8_000)));
      const compacting = lookAfter(store, { command: 'compact' }).then(() =>
        order.push('compacted'),
      );
      await user.commit(backlog(1, round * 10_000 + 9_000, 1), true);
      order.push('committed');
      await compacting;
    }
    assert.deepEqual(order, ['committed', 'compacted']);
    await store.close();
  });

  test('leaves a copy alone that is made meanwhile', async () => {
    const { store, user } = await spacious();
    const target = newFolder();
    const { path } = settingsIn(target);
    const compacting = lookAfter(store, { command: 'compact' });
    const copying = lookAfter(store, { command: 'backup', path });
    while (store.tend());
    await Promise.all([compacting, copying]);
    const copy = new StoreUser(openInline(target));
    assert.equal((await contentsOf(copy)).backlogs.get(1)?.length, 1);
    assert.deepEqual(await lookAfter(copy.store, { command: 'check' }), { faults: [] });
    await copy.store.close();
    assert.equal((await user.backlog(1)).length, 1);
    await store.close();
  });

  test('ends where it is when the store closes', async () => {
    const { store } = await spacious();
    const compacting = lookAfter(store, { command: 'compact' });
    const before = store.usage.fileBytes;
    while (store.usage.fileBytes === before) assert.ok(store.tend());
    await store.close();
    const { bytesBefore, bytesAfter } = (await compacting) as CompactReport;
    assert.deepEqual([bytesBefore, bytesBefore - bytesAfter], [before, 128 * 4_096]);
  });

  test('removes what nothing leads to, and nothing that comes meanwhile', async () => {
    const folder = newFolder();
    const user = new StoreUser(openInline(folder));
    await user.store.load();
    await user.commit([sessionPut(1), ...backlog(1, 1, 3_000)]);
    await user.commit(backlog(1, 5_000_000, 3_000)); // too far away to be looked at at once
    await user.store.close();
    damage(
      folder,
      `INSERT INTO message_refs SELECT mid, 2 FROM messages WHERE mid % 5 = 1;
      DELETE FROM messages WHERE mid % 5 = 1;
      DELETE FROM queue WHERE rank % 7 = 1;`,
    );
    const store = openInline(folder);
    await store.load();
    store.stepwise = true;
    const again = new StoreUser(store);
    let report: unknown = null;
    store.upkeep({ command: 'compact' }, outcome => {
      report = outcome;
    });
    let came = 0;
    while (report === null) {
      await again.commit(backlog(1, 9_000_000 + 1_000 * came++, 20));
      assert.ok(came < 200);
    }
    assert.ok(came > 20, `${came} commits`);
    assert.deepEqual(await faultsOf(store), []);
    const stat = (await lookAfter(store, { command: 'stat' })) as StoreStat;
    const left = (await again.backlog(1, 200_000)).map(row => row.rank);
    const kept = [...upTo(1, 3_000), ...upTo(5_000_000, 3_000)];
    assert.deepEqual(
      left.filter(rank => rank < 9_000_000),
      kept.filter(rank => rank % 5 !== 1 && rank % 7 !== 1),
    );
    assert.equal(left.filter(rank => rank >= 9_000_000).length, 20 * came);
    assert.equal(stat.messages, left.length);
    await store.close();
  });

  test('ends with an error when the disk fails', async () => {
    const folder = newFolder();
    const disk = new FaultyDriver(driver, settingsIn(folder).path);
    const store = openInline(folder, {}, disk);
    await store.load();
    const user = new StoreUser(store);
    await user.commit([sessionPut(1), ...backlog(1, 1, 8_000, 500)]);
    await user.commit(dropsOf(await user.backlog(1, 8_000)), true);
    store.stepwise = true;
    const compacting = lookAfter(store, { command: 'compact' });
    disk.fault = { code: 'SQLITE_IOERR', sql: /incremental_vacuum/, calls: 1, times: 1 };
    while (store.tend());
    await assert.rejects(compacting, { code: 'io' });
    await store.close();
  });
});
