// A small disk that is really full: what is there can be read, commits fail without harm, and go
// through again when there is room.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from '../../src/store/store.ts';
import {
  contentsOf,
  newFolder,
  openInline,
  removeFolders,
  StoreUser,
} from '../contract/store-kit.ts';
import { StoreModel } from '../contract/store-model.ts';
import { backlog, sessionPut } from '../contract/store-ops.ts';
import { afterAll, describe, skipped, test } from '../harness.ts';

afterAll(removeFolders);

const SIZE = 4 << 20;

/** A file system of its own, or why there can be none. */
function mountSmall(): { folder: string } | { reason: string } {
  const folder = newFolder();
  const args = ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', folder];
  const { status, stderr, error } = spawnSync('mount', args, { encoding: 'utf8' });
  if (status === 0) return { folder };
  return { reason: `no small disk can be mounted: ${(error?.message ?? stderr).trim()}` };
}

/** Fills what is left of the disk, but for `left` bytes. */
function fill(folder: string, left: number): void {
  const { bavail, bsize } = statfsSync(folder);
  writeFileSync(join(folder, 'ballast'), new Uint8Array(Math.max(0, bavail * bsize - left)));
}

function makeRoom(folder: string): void {
  rmSync(join(folder, 'ballast'), { force: true });
}

describe('a disk that is full', () => {
  const disk = mountSmall();
  if ('reason' in disk) {
    skipped('fails commits without harm', disk.reason);
    return;
  }
  const { folder } = disk;
  afterAll(() => void spawnSync('umount', [folder]));

  for (const sync of [false, true]) {
    test(`fails commits without harm, ${sync ? 'strict' : 'written'}`, async () => {
      const model = new StoreModel();
      let user = new StoreUser(openInline(folder, { walBytes: 300_000 }));
      assert.deepEqual((await user.store.load()).sessions, []);
      const first = [sessionPut(1)];
      await user.commit(first, sync);
      model.apply(first);
      fill(folder, 200_000);
      let next = 1;
      const given = () => backlog(1, next, 20, 500);
      for (;;) {
        const ops = given();
        try {
          await user.commit(ops, sync);
        } catch (error) {
          assert.ok(error instanceof StoreError && error.code === 'full', String(error));
          break;
        }
        model.apply(ops);
        next += 20;
      }
      user.goBack();
      assert.ok(next > 20);
      assert.equal((await user.backlog(1, 100)).length, next - 1, 'what is there can be read');
      await assert.rejects(user.commit(given(), sync), { code: 'full' });
      user.goBack();

      makeRoom(folder);
      for (let more = 0; more < 20; more++) {
        const ops = given();
        await user.commit(ops, sync);
        model.apply(ops);
        next += 20;
      }
      await user.store.close();
      user = new StoreUser(openInline(folder));
      assert.deepEqual(await contentsOf(user), model.contents());
      await user.store.close();
      rmSync(join(folder, 'minnow.db'));
    });
  }

  test('does not keep a database that is there from being read', async () => {
    let user = new StoreUser(openInline(folder));
    await user.store.load();
    await user.commit([sessionPut(1), ...backlog(1, 1, 100)]);
    await user.store.close();
    fill(folder, 0);
    user = new StoreUser(openInline(folder));
    assert.equal((await user.store.load()).queues[0]?.queued, 100);
    await assert.rejects(user.commit(backlog(1, 101, 100)), { code: 'full' });
    makeRoom(folder);
    user.goBack();
    await user.commit(backlog(1, 101, 100), true);
    assert.equal((await user.backlog(1, 500)).length, 200);
    await user.store.close();
    rmSync(join(folder, 'minnow.db'));
  });

  test('is told when there is no room for a new database', () => {
    fill(folder, 0);
    assert.throws(() => openInline(folder), {
      code: 'full',
      message: `${folder}/minnow.db: no space is left on the disk; make room`,
    });
    makeRoom(folder);
    rmSync(join(folder, 'minnow.db'), { force: true });
  });
});
