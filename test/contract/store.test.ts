// What every store promises (src/store/store.ts), over all implementations: whatever history of
// operations it is given, what it gives back is what they amount to, in order, also after it was
// closed and opened again.

import assert from 'node:assert/strict';
import { MemoryStore } from '../../src/store/memory.ts';
import { OpKind } from '../../src/store/ops.ts';
import { emptyLoad } from '../../src/store/store.ts';
import { afterAll, describe, freshSeed, rounds, test } from '../harness.ts';
import { Prng } from '../prng.ts';
import { StoreHistory } from './store-history.ts';
import {
  contentsOf,
  type Implementation,
  implementations,
  newFolder,
  removeFolders,
  rowCounts,
  StoreUser,
} from './store-kit.ts';
import { backlog, messagePut, queuePut, retainedPut, sessionPut } from './store-ops.ts';

afterAll(removeFolders);

const seed = freshSeed();

for (const implementation of implementations) {
  describe(implementation.name, () => {
    histories(implementation);
    commits(implementation);
    endOfSessions(implementation);
    windows(implementation);
    openings(implementation);
  });
}

async function open(implementation: Implementation, folder: string): Promise<StoreUser> {
  return new StoreUser(await implementation.open(folder));
}

function histories(implementation: Implementation): void {
  test(`random histories are given back after restarts (MINNOW_SEED=${seed})`, async () => {
    const prng = new Prng(seed);
    for (let round = 0; round < 4 * rounds; round++) {
      const folder = newFolder();
      const history = new StoreHistory(prng);
      for (let restart = 0; restart < 4; restart++) {
        const user = await open(implementation, folder);
        assert.deepEqual(await contentsOf(user), history.model.contents());
        const given: Promise<unknown>[] = [];
        for (let batch = 0; batch < 10; batch++) {
          given.push(user.commit(history.next(prng.between(1, 60)), prng.chance(0.3)));
        }
        await Promise.all(given);
        await user.store.close();
        const rows = rowCounts(folder);
        const shared = [...history.model.messages.values()].filter(({ refs }) => refs > 1);
        assert.equal(rows.messages, history.model.messages.size);
        assert.equal(rows.message_refs, shared.length);
      }
    }
  });
}

function commits(implementation: Implementation): void {
  test('are answered in order, and synced when that was asked', async () => {
    const user = await open(implementation, newFolder());
    await user.store.load();
    const ops = [sessionPut(1)];
    const asked = [false, true, false, false, true];
    const answers = await Promise.all(asked.map(sync => user.commit(ops, sync)));
    assert.deepEqual(
      answers.map(({ through }) => through),
      [1, 2, 3, 4, 5],
    );
    for (const [index, { synced }] of answers.entries()) assert.ok(synced || !asked[index]);
    await user.store.close();
  });

  test('that have no operations write nothing', async () => {
    const user = await open(implementation, newFolder());
    await user.store.load();
    await user.commit([sessionPut(1)], true);
    const { bytesWritten, synced } = await user.commit([], true);
    assert.deepEqual({ bytesWritten, synced }, { bytesWritten: 0, synced: true });
    await user.store.close();
  });

  test('carry the clock, and the highest ids outlive what had them', async () => {
    const folder = newFolder();
    const first = await open(implementation, folder);
    assert.equal((await first.store.load()).clock, null);
    await first.commit([sessionPut(7), messagePut(9), queuePut(7, 1, 9)]);
    first.clock += 500;
    first.wall -= 400 * 86_400_000; // whoever sets the wall clock back does not touch ours
    await first.commit([{ kind: OpKind.SessionDrop, sid: 7 }]);
    await first.store.close();
    const second = await open(implementation, folder);
    const { clock, maxSid, maxMid } = await second.store.load();
    assert.deepEqual(clock, { clock: first.clock, wall: first.wall });
    assert.deepEqual({ maxSid, maxMid }, { maxSid: 7, maxMid: 9 });
    await second.store.close();
  });

  test('leave what was put last, for sessions, subscriptions and retained messages', async () => {
    const folder = newFolder();
    const user = await open(implementation, folder);
    await user.store.load();
    const subscription = {
      kind: OpKind.SubscriptionPut,
      sid: 1,
      filter: 'a/+',
      qos: 0,
      noLocal: false,
      retainAsPublished: false,
      identifier: 0,
    } as const;
    await user.commit([
      sessionPut(1, { connected: true }),
      subscription,
      retainedPut('r', Buffer.from('old')),
      sessionPut(1, { connected: false }),
      { ...subscription, qos: 2 },
      retainedPut('r', new Uint8Array([1, 2])),
    ]);
    await user.store.close();
    const next = await open(implementation, folder);
    const loaded = await next.store.load();
    assert.deepEqual(loaded.sessions, [sessionPut(1, { connected: false })]);
    assert.deepEqual(loaded.subscriptions, [{ ...subscription, qos: 2 }]);
    assert.deepEqual(loaded.retained, [retainedPut('r', new Uint8Array([1, 2]))]);
    await next.store.close();
  });
}

function endOfSessions(implementation: Implementation): void {
  const rowsPerSlice = 1_000;

  for (const restart of [false, true]) {
    const when = restart ? 'also when a restart comes in between' : 'in slices';
    test(`the end of a session with a long queue leaves nothing behind, ${when}`, async () => {
      const folder = newFolder();
      let user = await open(implementation, folder);
      await user.store.load();
      const count = 3 * rowsPerSlice + 5;
      const shared = [
        messagePut(900_000, { refs: 2 }),
        queuePut(1, 900_000, 900_000),
        queuePut(2, 900_000, 900_000),
      ];
      await user.commit([sessionPut(1), sessionPut(2), ...backlog(1, 1, count), ...shared]);
      await user.commit([{ kind: OpKind.SessionDrop, sid: 1 }]);
      if (restart) {
        await user.store.close();
        user = await open(implementation, folder);
        const { sessions, queues } = await user.store.load();
        assert.deepEqual(
          sessions.map(({ sid }) => sid),
          [2],
        );
        assert.deepEqual(
          queues.map(({ sid }) => sid),
          [2],
        );
      }
      for (let slice = 0; slice < 4; slice++) await user.commit([sessionPut(2)]);
      await user.store.close();
      const { queue, messages, message_refs } = rowCounts(folder);
      assert.deepEqual(
        { queue, messages, message_refs },
        { queue: 1, messages: 1, message_refs: 1 },
      );
    });
  }
}

function windows(implementation: Implementation): void {
  test('hold what was given before, however fresh, and go on from a rank', async () => {
    const user = await open(implementation, newFolder());
    await user.store.load();
    void user.commit([sessionPut(1), ...backlog(1, 1, 10)]);
    const first = user.window(1, 0, 4);
    void user.commit(backlog(1, 11, 2));
    const second = user.window(1, 4, 100);
    const ranks = async (window: ReturnType<StoreUser['window']>) =>
      (await window).rows.map(({ rank }) => rank);
    assert.deepEqual(await ranks(first), [1, 2, 3, 4]);
    assert.equal((await first).complete, false);
    assert.deepEqual(await ranks(second), [5, 6, 7, 8, 9, 10, 11, 12]);
    assert.equal((await second).complete, true);
    await user.store.close();
  });

  test('keep to their bytes, but give one row at least', async () => {
    const user = await open(implementation, newFolder());
    await user.store.load();
    void user.commit([sessionPut(1), ...backlog(1, 1, 10, 1_000)]);
    const few = await user.window(1, 0, 100, 2_500);
    assert.equal(few.rows.length, 3);
    assert.equal(few.complete, false);
    assert.equal((await user.window(1, 0, 100, 1)).rows.length, 1);
    await user.store.close();
  });

  test('that end with the last row are complete, and so are those of nobody', async () => {
    const user = await open(implementation, newFolder());
    await user.store.load();
    void user.commit([sessionPut(1), ...backlog(1, 1, 3)]);
    assert.equal((await user.window(1, 0, 3)).complete, true);
    assert.deepEqual(await user.window(2), { sid: 2, rows: [], complete: true });
    await user.store.close();
  });

  test('drain a long queue in order while new rows arrive', async () => {
    const user = await open(implementation, newFolder());
    await user.store.load();
    let last = 500;
    void user.commit([sessionPut(1), ...backlog(1, 1, last)]);
    const seen: number[] = [];
    for (let complete = false; !complete; ) {
      const window = await user.window(1, seen.at(-1) ?? 0, 64);
      complete = window.complete;
      for (const { rank, mid, refs, source } of window.rows) {
        seen.push(rank);
        assert.equal(source[0], mid & 0xff);
        void user.commit([{ kind: OpKind.QueueDrop, sid: 1, rank, mid, refs }]);
      }
      if (last < 1_000) {
        void user.commit(backlog(1, last + 1, 50));
        last += 50;
        complete = false;
      }
    }
    assert.deepEqual(
      seen,
      Array.from({ length: last }, (_, i) => i + 1),
    );
    assert.deepEqual((await user.window(1)).rows, []);
    await user.store.close();
  });
}

function openings(implementation: Implementation): void {
  test('a second opener is told that the database is in use', async () => {
    const folder = newFolder();
    const user = await open(implementation, folder);
    await assert.rejects(implementation.open(folder), {
      name: 'StoreError',
      code: 'locked',
      message: /minnow\.db: another minnow has it open; stop it/,
    });
    await user.store.load();
    await user.commit([sessionPut(1)], true);
    await user.store.close();
    const next = await open(implementation, folder);
    assert.equal((await next.store.load()).sessions.length, 1);
    await next.store.close();
  });

  test('a directory that is not there is named', async () => {
    const folder = `${newFolder()}/nowhere`;
    await assert.rejects(implementation.open(folder), {
      code: 'missing',
      message: `${folder}: there is no such directory; choose another directory with --data DIR`,
    });
  });

  test('the description says what is in force', async () => {
    const folder = newFolder();
    const { store } = await open(implementation, folder);
    await store.load();
    const { kind, journalMode, path, movedAside, fallbackReason } = store.description;
    assert.deepEqual(
      { kind, journalMode, path, movedAside, fallbackReason },
      {
        kind: 'sqlite',
        journalMode: 'wal',
        path: `${folder}/minnow.db`,
        movedAside: null,
        fallbackReason: null,
      },
    );
    assert.ok(store.usage.fileBytes > 0);
    await store.close();
  });
}

describe('memory', () => {
  test('commits at once and has nothing to give back', async () => {
    const user = new StoreUser(new MemoryStore());
    assert.deepEqual(await user.store.load(), emptyLoad);
    const answer = await user.commit([sessionPut(1), ...backlog(1, 1, 2)], true);
    assert.deepEqual(answer, { through: 5, synced: true, bytesWritten: 0 });
    assert.deepEqual(await user.window(1), { sid: 1, rows: [], complete: true });
    await user.store.close();
  });
});
