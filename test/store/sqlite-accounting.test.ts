// The bytes that the store says it wrote are those that the process really wrote, and it knows when
// to write nothing at all.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { type Op, OpKind } from '../../src/store/ops.ts';
import {
  driver,
  newFolder,
  openInline,
  removeFolders,
  StoreUser,
  settingsIn,
} from '../contract/store-kit.ts';
import { backlog, retainedPut, sessionPut } from '../contract/store-ops.ts';
import { afterAll, describe, skipped, test } from '../harness.ts';
import { FaultyDriver } from './faulty-driver.ts';

afterAll(removeFolders);

function written(): Record<'wchar' | 'write_bytes', number> {
  const text = readFileSync('/proc/self/io', 'utf8');
  const value = (name: string) => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(text)?.[1]);
  return { wchar: value('wchar'), write_bytes: value('write_bytes') };
}

/** Commits for a while and gives what was said and what the system saw. */
async function measure(user: StoreUser) {
  await user.store.load();
  await user.commit([sessionPut(1)], true);
  const before = written();
  let accounted = 0;
  for (let round = 0; round < 300; round++) {
    const first = round * 20 + 1;
    const drops = backlog(1, first - 20, 20).flatMap(op =>
      op.kind === OpKind.QueuePut
        ? [{ kind: OpKind.QueueDrop, sid: 1, rank: op.rank, mid: op.mid, refs: 1 } as const]
        : [],
    );
    const ops: Op[] = [...backlog(1, first, 20, 300), ...(round === 0 ? [] : drops)];
    ops.push(retainedPut(`retained/${round % 40}`, new Uint8Array(700)));
    accounted += (await user.commit(ops, round % 3 === 0)).bytesWritten;
  }
  const after = written();
  await user.store.close();
  return {
    accounted,
    wchar: after.wchar - before.wchar,
    written: after.write_bytes - before.write_bytes,
  };
}

function within(actual: number, expected: number, share: number): void {
  const text = `${actual}, expected ${expected} within ${share * 100} %`;
  assert.ok(Math.abs(actual - expected) <= expected * share, text);
}

describe('the bytes written', () => {
  if (!existsSync('/proc/self/io')) {
    skipped('are accounted', 'this system does not tell what a process writes');
    return;
  }

  test('are accounted with a log, write-backs and all', async () => {
    const user = new StoreUser(openInline(newFolder(), { walBytes: 200_000 }));
    const { accounted, wchar, written } = await measure(user);
    within(accounted, wchar, 0.02);
    if (written > 0) within(accounted, written, 0.25); // none on a file system in memory
  });

  test('are accounted in fallback mode, nearly', async () => {
    const folder = newFolder();
    const disk = new FaultyDriver(driver, settingsIn(folder).path);
    disk.fault = { code: 'SQLITE_IOERR', sql: /^UPDATE state/, calls: 0, times: 1 };
    const store = openInline(folder, {}, disk);
    assert.equal(store.description.journalMode, 'delete');
    const { accounted, wchar } = await measure(new StoreUser(store));
    within(accounted, wchar, 0.1);
  });

  test('are none while nothing is committed', async () => {
    const user = new StoreUser(openInline(newFolder()));
    await user.store.load();
    await user.commit([sessionPut(1), ...backlog(1, 1, 50)]);
    const before = written();
    await user.window(1);
    assert.equal(user.store.tend(), false);
    assert.equal(written().wchar, before.wchar);
    await user.store.close();
  });
});

describe('the file', () => {
  test('becomes shorter when most of it is empty, a slice at a time', async () => {
    const folder = newFolder();
    const user = new StoreUser(openInline(folder));
    await user.store.load();
    const count = 12_000;
    await user.commit([sessionPut(1), ...backlog(1, 1, count, 1_000)]);
    const full = user.store.usage.fileBytes;
    assert.ok(full > 12_000_000);
    for (let rank = 1; rank <= count; rank += 1_000) {
      const drops = Array.from({ length: 1_000 }, (_, i) => {
        return { kind: OpKind.QueueDrop, sid: 1, rank: rank + i, mid: rank + i, refs: 1 } as const;
      });
      await user.commit(drops);
    }
    let slices = 0;
    for (; user.store.tend(); slices++) assert.ok(slices < 100);
    assert.ok(slices > 5);
    assert.ok(user.store.usage.fileBytes < full / 10);
    await user.store.close();
    assert.ok(statSync(settingsIn(folder).path).size < full / 10);
  });
});
