// A store on a thread that is started by the first who wants something: until then the file is its
// owner's, then the thread's, and never nobody's for long.

import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { StoreError } from '../../src/store/store.ts';
import { ThreadStore } from '../../src/store/thread/thread-store.ts';
import { newFolder, openInline, removeFolders, settingsIn } from '../contract/store-kit.ts';
import { sessionPut } from '../contract/store-ops.ts';
import { afterAll, describe, test } from '../harness.ts';

afterAll(removeFolders);

const times = { clock: 1_000, wall: 1_700_000_000_000 };
const isLocked = (error: unknown) => error instanceof StoreError && error.code === 'locked';

/** Gives one batch and waits for what comes of it. */
function commitOne(store: ThreadStore, through: number, after: number): Promise<StoreError | null> {
  return new Promise(resolve => {
    store.onCommitted = () => resolve(null);
    store.onFailed = (_, error) => resolve(error);
    const ops = [sessionPut(through)];
    store.commit({ ops, after, through, sync: true, ...times });
  });
}

describe('a store on a thread, before and after there is one', () => {
  test('the file is locked before and after, and closed either way', async () => {
    const folder = newFolder();
    const first = await ThreadStore.open(settingsIn(folder));
    await first.load();
    assert.throws(() => openInline(folder), isLocked);
    await first.close();

    const second = await ThreadStore.open(settingsIn(folder));
    await second.load();
    assert.equal(await commitOne(second, 1, 0), null);
    assert.throws(() => openInline(folder), isLocked);
    await second.close();

    const third = openInline(folder);
    const { sessions } = await third.load();
    assert.deepEqual(
      sessions.map(({ sid }) => sid),
      [1],
    );
    await third.close();
  });

  test('ids go on where they were when the thread has the file, and so does what it tells', async () => {
    const folder = newFolder();
    const before = await ThreadStore.open(settingsIn(folder));
    await before.load();
    assert.equal(await commitOne(before, 7, 0), null);
    await before.close();

    const store = await ThreadStore.open(settingsIn(folder));
    assert.equal((await store.load()).maxSid, 7);
    const { description } = store;
    assert.equal(await commitOne(store, 3, 0), null);
    assert.deepEqual(store.description, description);
    await store.close();
    const after = openInline(folder);
    assert.equal((await after.load()).maxSid, 7);
    await after.close();
  });

  test('what is wrong with the file then is an error of commits, until it is right again', async () => {
    const folder = newFolder();
    const store = await ThreadStore.open(settingsIn(folder));
    await store.load();
    rmSync(folder, { recursive: true });
    const refused = await commitOne(store, 1, 0);
    assert.ok(refused instanceof StoreError);
    assert.equal(refused.code, 'missing');
    mkdirSync(folder);
    assert.equal(await commitOne(store, 1, 0), null);
    await store.close();
    const again = openInline(folder);
    assert.equal((await again.load()).sessions.length, 1);
    await again.close();
  });
});
