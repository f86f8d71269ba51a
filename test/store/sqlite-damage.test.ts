// A damaged database: whatever byte of it is wrong, the store opens. What cannot be read is moved
// aside whole; from the log only what comes after the damage is lost.

import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Op, OpKind } from '../../src/store/ops.ts';
import {
  type Contents,
  contentsOf,
  newFolder,
  openInline,
  removeFolders,
  StoreUser,
} from '../contract/store-kit.ts';
import { StoreModel } from '../contract/store-model.ts';
import { backlog, messagePut, queuePut, retainedPut, sessionPut } from '../contract/store-ops.ts';
import { afterAll, describe, test } from '../harness.ts';

afterAll(removeFolders);

const NAME = 'minnow.db';

/** A batch of everything a store keeps; no two are the same. */
function batch(n: number): Op[] {
  const first = n * 100;
  return [
    sessionPut(n, { clientId: `client ${n}`, username: 'somebody' }),
    retainedPut(`retained/${n}`, new Uint8Array(n * 90).fill(n)),
    ...backlog(n, first, 10, 60),
    messagePut(first + 50, { refs: 2, source: new Uint8Array(5_000).fill(n) }),
    queuePut(n, first + 50, first + 50),
    queuePut(Math.max(1, n - 1), first + 51, first + 50, { state: 1, packetId: n }),
    { kind: OpKind.ReceivedPut, sid: n, packetId: n, topicHash: -n },
  ];
}

interface Sample {
  readonly folder: string;
  /** What is in it after each of its batches; the first is before any. */
  readonly states: readonly Contents[];
}

/** A folder with the files as a crash leaves them: everything is in the log. */
async function crashed(batches: number): Promise<Sample> {
  const running = newFolder();
  const user = new StoreUser(openInline(running, { walBytes: 1e9 }));
  await user.store.load();
  const model = new StoreModel();
  const states = [model.contents()];
  for (let n = 1; n <= batches; n++) {
    const ops = batch(n);
    await user.commit(ops);
    model.apply(ops);
    states.push(model.contents());
  }
  const folder = newFolder();
  for (const name of readdirSync(running)) copyFileSync(join(running, name), join(folder, name));
  await user.store.close();
  return { folder, states };
}

/** The same, written back and closed. */
async function closed(batches: number): Promise<Sample> {
  const sample = await crashed(batches);
  const user = new StoreUser(openInline(sample.folder));
  assert.deepEqual(await contentsOf(user), sample.states.at(-1));
  await user.store.close();
  return sample;
}

/** Opens a copy of which one byte is another, and gives back what is in it. */
async function openDamaged(sample: Sample, name: string, at: number, flip: number) {
  const folder = newFolder();
  for (const file of readdirSync(sample.folder)) {
    copyFileSync(join(sample.folder, file), join(folder, file));
  }
  const bytes = readFileSync(join(folder, name));
  bytes[at]! ^= flip;
  writeFileSync(join(folder, name), bytes);
  const user = new StoreUser(openInline(folder));
  const contents = await contentsOf(user);
  return { folder, user, contents };
}

/** `count` positions in a file of `length` bytes, spread evenly and over all remainders. */
function positions(length: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor((i * length) / count + ((i * 7) % 64)));
}

async function worksOn(user: StoreUser, folder: string): Promise<void> {
  await user.commit([retainedPut('after/the/damage', Uint8Array.of(1))], true);
  await user.store.close();
  const again = openInline(folder);
  const { retained } = await again.load();
  assert.ok(retained.some(({ topic }) => topic === 'after/the/damage'));
  await again.close();
}

describe('a damaged database', () => {
  test('opens whichever of 120 bytes of its log is wrong, and has what comes before', async () => {
    const sample = await crashed(12);
    const { length } = readFileSync(join(sample.folder, `${NAME}-wal`));
    const kept: number[] = [];
    for (const at of [...positions(length, 90), ...positions(64, 30)]) {
      const { user, folder, contents } = await openDamaged(sample, `${NAME}-wal`, at, 0x41);
      assert.equal(user.store.description.movedAside, null);
      const state = sample.states.findIndex(known => isDeepStrictEqual(known, contents));
      assert.notEqual(state, -1, `byte ${at} leaves something that never was`);
      kept.push(state);
      if (at % 5 === 0) await worksOn(user, folder);
      else await user.store.close();
    }
    // The later the damage, the more is left.
    const spread = kept.slice(0, 90);
    assert.deepEqual(
      spread,
      spread.toSorted((a, b) => a - b),
    );
    assert.ok(new Set(spread).size > 8);
  }, 120_000);

  test('opens whichever of 260 of its own bytes is wrong', async () => {
    const sample = await closed(12);
    const { length } = readFileSync(join(sample.folder, NAME));
    const outcomes = { whole: 0, aside: 0, less: 0 };
    const header = Array.from({ length: 100 }, (_, i) => i);
    for (const at of [...header, ...positions(length, 160)]) {
      const flip = at % 2 === 0 ? 0xff : 0x01;
      const { user, folder, contents } = await openDamaged(sample, NAME, at, flip);
      const { movedAside } = user.store.description;
      if (movedAside !== null) {
        outcomes.aside++;
        assert.equal(
          readFileSync(movedAside)[at],
          readFileSync(join(sample.folder, NAME))[at]! ^ flip,
        );
        assert.deepEqual(contents, sample.states[0]);
      } else if (isDeepStrictEqual(contents, sample.states.at(-1))) outcomes.whole++;
      else outcomes.less++;
      if (movedAside !== null || at % 5 === 0) await worksOn(user, folder);
      else await user.store.close();
    }
    for (const [what, count] of Object.entries(outcomes)) assert.ok(count > 5, `${what}: ${count}`);
  }, 240_000);

  test('is moved aside with all its files, of which a bounded number stays', async () => {
    const folder = newFolder();
    const files = ['', '-wal', '-shm'];
    const garbage = Buffer.alloc(10_000, 'no database at all ');
    for (let round = 0; round < 4; round++) {
      for (const end of files) {
        writeFileSync(join(folder, NAME + end), garbage.fill(round, 5_000));
      }
      const store = openInline(folder, { badKept: 2 });
      const { movedAside } = store.description;
      assert.match(movedAside ?? '', /minnow\.db\.bad-\d{8}T\d{6}Z(-\d+)?$/);
      for (const end of files) {
        assert.equal(readFileSync(movedAside + end)[9_000], round);
      }
      assert.deepEqual((await store.load()).sessions, []);
      await store.close();
    }
    const bad = readdirSync(folder).filter(name => name.includes('.bad-'));
    assert.equal(bad.length, 2 * files.length);
  });

  test('that shows while it is used fails what touches it, and is moved aside at the next start', async () => {
    const folder = newFolder();
    const user = new StoreUser(openInline(folder));
    await user.store.load();
    await user.commit([sessionPut(1), ...backlog(1, 1, 3_000, 100)]);
    await user.store.close();
    const bytes = readFileSync(join(folder, NAME));
    const page = bytes.indexOf(Buffer.alloc(100, 2_900)) >> 12; // a leaf of the messages' table
    bytes.fill(0xee, page << 12, (page + 1) << 12);
    writeFileSync(join(folder, NAME), bytes);

    const damaged = new StoreUser(openInline(folder));
    assert.equal((await damaged.store.load()).sessions.length, 1);
    assert.equal(damaged.store.description.movedAside, null);
    await assert.rejects(damaged.backlog(1, 500), {
      code: 'damaged',
      message:
        `${join(folder, NAME)}: the database is damaged; ` +
        'when minnow starts again it is checked and moved aside',
    });
    await damaged.commit([sessionPut(2)], true); // what does not touch it goes on
    await damaged.store.close();

    const fresh = openInline(folder);
    assert.deepEqual((await fresh.load()).sessions, []);
    assert.ok(existsSync(fresh.description.movedAside ?? ''));
    await fresh.close();
    const next = openInline(folder);
    assert.equal(next.description.movedAside, null);
    await next.close();
  });
});
