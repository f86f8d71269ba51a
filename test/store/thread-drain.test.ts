// The store's thread and an owner that is blocked: no event runs, yet every answer rings the bell
// and is there to be fetched.

import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from '../../src/store/store.ts';
import { ThreadStore } from '../../src/store/thread/thread-store.ts';
import { lookAfter } from '../../src/store/upkeep/upkeep.ts';
import { newFolder, openInline, removeFolders, settingsIn } from '../contract/store-kit.ts';
import { backlog, sessionPut } from '../contract/store-ops.ts';
import { afterAll, describe, test } from '../harness.ts';

afterAll(removeFolders);

const isLocked = (error: unknown) => error instanceof StoreError && error.code === 'locked';
const RING_BYTES = 8;
const BLOCKED_MS_MAX = 20_000;

/** A bell that counts: a file stands for the eventfd, and what is in it for its counter. */
class Bell {
  readonly fd: number;
  #heard = 0;

  constructor(folder: string) {
    this.fd = openSync(join(folder, 'bell'), 'a');
  }

  get rung(): number {
    return fstatSync(this.fd).size / RING_BYTES;
  }

  /** Blocks this thread, events and all, until it has rung so many times more. */
  wait(times: number): void {
    this.#heard += times;
    const until = performance.now() + BLOCKED_MS_MAX;
    while (this.rung < this.#heard) {
      assert.ok(performance.now() < until, 'the bell rings in time');
    }
  }
}

describe('a store on a thread whose owner is blocked', () => {
  test('answers are fetched when the bell rings, in order, and only once', async () => {
    const folder = newFolder();
    const bell = new Bell(folder);
    const store = await ThreadStore.open(settingsIn(folder), bell.fd);
    const said: string[] = [];
    store.onCommitted = (through, synced) => said.push(`committed ${through} ${synced}`);
    store.onWindow = (sid, rows, complete) =>
      said.push(`window ${sid} ${rows.map(({ rank }) => rank)} ${complete}`);
    await store.load();
    bell.wait(1);
    store.drain(); // the thread is up: the file will be left to it
    assert.throws(() => openInline(folder), isLocked, 'before anything is wanted, too');
    const times = { clock: 1_000, wall: 1_700_000_000_000 };

    store.commit({ ops: [sessionPut(1)], after: 0, through: 1, sync: true, ...times });
    bell.wait(2); // that, and how the database was opened
    assert.deepEqual(said, [], 'no event has run');
    store.drain();
    assert.deepEqual(said, ['committed 1 true']);

    store.commit({ ops: backlog(1, 1, 3), after: 1, through: 7, sync: false, ...times });
    store.requestWindow(1, 0, 2, 1_000_000);
    bell.wait(2);
    store.drain();
    assert.deepEqual(said.slice(1), ['committed 7 false', 'window 1 1,2 false']);
    store.drain();
    assert.equal(said.length, 3);

    const stat = await lookAfter(store, { command: 'stat' }); // by events again
    assert.ok('queued' in stat && stat.queued === 3);
    assert.equal(said.length, 3);
    await store.close();
    closeSync(bell.fd);
  });

  test('a bug on the thread is thrown at the owner', async () => {
    const folder = newFolder();
    const bell = new Bell(folder);
    const store = await ThreadStore.open(settingsIn(folder), bell.fd);
    await store.load();
    bell.wait(1);
    store.drain();
    store.upkeep(null as never, () => {});
    bell.wait(1);
    assert.throws(() => store.drain(), /the store's thread has failed: TypeError/);
    closeSync(bell.fd);
  });
});
