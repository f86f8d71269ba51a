// Looking after a store: figures, checks, copies, compaction, and the way out and in as lines.

import assert from 'node:assert/strict';
import {
  fstatSync,
  fsyncSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { OpKind } from '../../src/store/ops.ts';
import type { SqliteStore } from '../../src/store/sqlite/sqlite-store.ts';
import type { Store } from '../../src/store/store.ts';
import { Backup } from '../../src/store/upkeep/backup.ts';
import { LineFault, lineOf, opOf } from '../../src/store/upkeep/lines.ts';
import { exportLines, importLines } from '../../src/store/upkeep/transfer.ts';
import {
  type BackupReport,
  lookAfter,
  type StoreStat,
  type Upkeeper,
} from '../../src/store/upkeep/upkeep.ts';
import { StoreHistory } from '../contract/store-history.ts';
import {
  contentsOf,
  driver,
  implementations,
  newFolder,
  openInline,
  removeFolders,
  StoreUser,
  settingsIn,
} from '../contract/store-kit.ts';
import { backlog, retainedPut, sessionPut } from '../contract/store-ops.ts';
import { afterAll, describe, freshSeed, test } from '../harness.ts';
import { Prng } from '../prng.ts';
import { FaultyDriver } from './faulty-driver.ts';
import { damage, dropsOf, faultsOf } from './upkeep-kit.ts';

afterAll(removeFolders);

const seed = freshSeed();

for (const implementation of implementations) {
  describe(`upkeep of ${implementation.name}`, () => {
    const open = async (folder: string) => {
      const store = (await implementation.open(folder)) as Store & Upkeeper;
      await store.load();
      return new StoreUser(store);
    };

    test('tells what is in it', async () => {
      const folder = newFolder();
      const user = await open(folder);
      await user.commit([
        sessionPut(1),
        retainedPut('r', new Uint8Array(30)),
        ...backlog(1, 1, 3, 100),
      ]);
      const stat = (await lookAfter(user.store, { command: 'stat' })) as StoreStat;
      const { sessions, retained, retainedBytes, messages, messageBytes, queued, inflight } = stat;
      assert.deepEqual(
        { sessions, retained, retainedBytes, messages, messageBytes, queued, inflight },
        {
          sessions: 1,
          retained: 1,
          retainedBytes: 30,
          messages: 3,
          messageBytes: 300,
          queued: 3,
          inflight: 0,
        },
      );
      assert.equal(stat.path, `${folder}/minnow.db`);
      assert.equal(stat.journalMode, 'wal');
      assert.ok(stat.fileBytes >= stat.usedBytes);
      await user.store.close();
    });

    test('copies all that was committed, while it goes on', async () => {
      const folder = newFolder();
      const user = await open(folder);
      void user.commit([sessionPut(1), ...backlog(1, 1, 50)]);
      const target = newFolder();
      const path = settingsIn(target).path;
      const copying = lookAfter(user.store, { command: 'backup', path });
      void user.commit(backlog(1, 51, 50));
      const { bytes } = (await copying) as BackupReport;
      assert.ok(bytes > 4096);
      await assert.rejects(lookAfter(user.store, { command: 'backup', path }), {
        code: 'exists',
        message: `${path}: there is a file already; choose another name`,
      });
      const nowhere = join(target, 'none');
      await assert.rejects(
        lookAfter(user.store, { command: 'backup', path: join(nowhere, 'copy') }),
        {
          code: 'not-writable',
          message: `${join(nowhere, 'copy')}: there is no folder ${nowhere}; make it first`,
        },
      );
      assert.equal((await user.backlog(1)).length, 100);
      await user.store.close();
      const copy = new StoreUser(openInline(target));
      assert.equal((await contentsOf(copy)).backlogs.get(1)?.length, 50);
      await copy.store.close();
    });

    test('gives back the room of what is gone, and goes on', async () => {
      const user = await open(newFolder());
      await user.commit([sessionPut(1), ...backlog(1, 1, 3_000, 500)]);
      await user.commit(dropsOf(await user.backlog(1, 3_000)));
      const report = await lookAfter(user.store, { command: 'compact' });
      const { bytesBefore, bytesAfter } = report as { bytesBefore: number; bytesAfter: number };
      assert.ok(bytesAfter < 100_000 && bytesBefore > bytesAfter, JSON.stringify(report));
      await user.commit(backlog(1, 5_000, 1), true);
      assert.equal((await user.backlog(1)).length, 2);
      assert.deepEqual(await lookAfter(user.store, { command: 'check' }), { faults: [] });
      await user.store.close();
    });
  });
}

describe('a copy that is made a slice at a time', () => {
  test('lets commits through, and has nothing of them', async () => {
    const folder = newFolder();
    const store = openInline(folder, { walBytes: 100_000 });
    store.stepwise = true;
    const user = new StoreUser(store);
    await store.load();
    await user.commit([sessionPut(1), ...backlog(1, 1, 5_000, 1_000)]);
    const target = newFolder();
    const path = settingsIn(target).path;
    let report: unknown = null;
    store.upkeep({ command: 'backup', path }, outcome => {
      report = outcome;
    });
    let commits = 0;
    const rows = await user.backlog(1, 5_000);
    while (report === null) {
      const drops = rows.slice(commits * 100, commits * 100 + 100).map(({ rank, mid, refs }) => {
        return { kind: OpKind.QueueDrop, sid: 1, rank, mid, refs } as const;
      });
      await user.commit([...drops, ...backlog(1, 6_000 + commits * 10, 10, 900)]);
      commits++;
      assert.ok(commits < 100);
    }
    assert.ok(commits >= 4, `${commits} commits`);
    assert.deepEqual(report, { path, bytes: statSync(path).size });
    const copy = new StoreUser(openInline(target));
    await copy.store.load();
    assert.equal((await copy.backlog(1)).length, 5_000);
    assert.deepEqual(await lookAfter(copy.store, { command: 'check' }), { faults: [] });
    await copy.store.close();
    assert.equal((await user.backlog(1)).length, 5_000 - commits * 90);
    await store.close();
  });

  /** A store on a disk that may fail, with a copy of some slices ahead of it. */
  async function filled() {
    const folder = newFolder();
    const disk = new FaultyDriver(driver, settingsIn(folder).path);
    const store = openInline(folder, {}, disk);
    store.stepwise = true;
    const user = new StoreUser(store);
    await store.load();
    await user.commit([sessionPut(1), ...backlog(1, 1, 3_000, 1_000)]);
    return { disk, store, user, target: newFolder() };
  }

  test('leaves nothing when the disk fails', async () => {
    const { disk, store, user, target } = await filled();
    const failing = lookAfter(store, { command: 'backup', path: join(target, 'first') });
    disk.fault = { code: 'SQLITE_IOERR', sql: /^COMMIT/, calls: 0, times: 1 };
    await assert.rejects(user.commit(backlog(1, 5_000, 1)), { code: 'io' });
    await assert.rejects(failing, { code: 'io' });
    assert.deepEqual(readdirSync(target), []);
    await store.close();
  });

  test('leaves nothing when the store closes, which waits for no copy', async () => {
    const { store, target } = await filled();
    const copying = lookAfter(store, { command: 'backup', path: join(target, 'copy') });
    store.tend();
    assert.deepEqual(readdirSync(target), ['copy.part']);
    await store.close();
    await assert.rejects(copying, /the store was closed before the copy was complete/);
    assert.deepEqual(readdirSync(target), []);
  });

  test('is on the disk slice by slice: all of it at the end would take its time', () => {
    const folder = newFolder();
    const [database, path] = [join(folder, 'a'), join(folder, 'b')];
    writeFileSync(database, Buffer.alloc(5_000_000, 'x'));
    let synced = 0;
    const copy = new Backup(database, path, file => {
      const { size } = fstatSync(file);
      assert.ok(size - synced <= 1024 * 1024, `${size - synced} bytes at once`);
      synced = size;
      fsyncSync(file);
    });
    while (copy.step() === null);
    assert.equal(synced, 5_000_000);
    assert.deepEqual(readFileSync(path), readFileSync(database));
  });

  test('of a process that looks into it and has gone is taken away at the next start', async () => {
    const folder = newFolder();
    const others = ['minnow.db.copy-x', 'minnow.db.copy', 'other.db.copy-1'];
    const names = ['minnow.db.copy-1', 'minnow.db.copy-1-wal', 'minnow.db.copy-234.part'];
    for (const name of [...others, ...names]) writeFileSync(join(folder, name), '');
    const store = openInline(folder);
    const found = readdirSync(folder).filter(name => name.includes('copy'));
    assert.deepEqual(found.sort(), [...others].sort());
    await store.close();
  });

  test('is an error, and no more than that, when its place is taken away', async () => {
    const { store, user, target } = await filled();
    const copying = lookAfter(store, { command: 'backup', path: join(target, 'copy') });
    store.tend();
    rmSync(target, { recursive: true });
    while (store.tend());
    await assert.rejects(copying, { code: 'io', message: /^\/.*\/copy: the disk refused / });
    await user.commit(backlog(1, 5_000, 1), true);
    assert.equal((await user.backlog(1, 5_000)).length, 3_001);
    await store.close();
  });
});

describe('a check', () => {
  test(`finds nothing after random histories (MINNOW_SEED=${seed})`, async () => {
    const user = new StoreUser(openInline(newFolder()));
    await user.store.load();
    const history = new StoreHistory(new Prng(seed));
    for (let batch = 0; batch < 30; batch++) await user.commit(history.next(40));
    assert.deepEqual(await lookAfter(user.store, { command: 'check' }), { faults: [] });
    await user.store.close();
  });

  test('names what does not hang together, and compaction removes it', async () => {
    const folder = newFolder();
    const user = new StoreUser(openInline(folder));
    await user.store.load();
    await user.commit([sessionPut(1), ...backlog(1, 1, 4)]);
    await user.store.close();
    damage(folder, 'DELETE FROM messages WHERE mid = 1; DELETE FROM queue WHERE rank IN (2, 3)');
    const store: SqliteStore = openInline(folder);
    await store.load();
    assert.deepEqual(await faultsOf(store), [
      '1 deliveries whose message is missing',
      '2 messages that no delivery names',
    ]);
    await lookAfter(store, { command: 'compact' });
    assert.deepEqual(await faultsOf(store), []);
    await store.close();
  });
});

async function* each(lines: Iterable<string>): AsyncGenerator<string> {
  yield* lines;
}

describe('lines', () => {
  test(`carry a store to another machine (MINNOW_SEED=${seed})`, async () => {
    const from = newFolder();
    const user = new StoreUser(openInline(from));
    await user.store.load();
    const history = new StoreHistory(new Prng(seed));
    for (let batch = 0; batch < 60; batch++) await user.commit(history.next(40));
    const clock = { clock: user.clock, wall: user.wall };
    const lines = [...exportLines(user.store.readOps(), clock)];
    await user.store.close();

    const target = newFolder();
    const store = openInline(target);
    await store.load();
    assert.equal(await importLines(each(lines), store), lines.length - 1);
    assert.deepEqual(await lookAfter(store, { command: 'check' }), { faults: [] });
    await store.close();

    const copy = new StoreUser(openInline(target));
    assert.deepEqual((await copy.store.load()).clock, clock);
    assert.deepEqual([...exportLines(copy.store.readOps(), clock)], lines);
    const contents = await contentsOf(new StoreUser(copy.store));
    const expected = history.model.contents();
    const withoutRefs = (of: typeof expected) => ({
      ...of,
      inflight: of.inflight.map(row => ({ ...row, refs: 0 })),
      backlogs: [...of.backlogs].map(([sid, rows]) => [sid, rows.map(r => ({ ...r, refs: 0 }))]),
    });
    assert.deepEqual(withoutRefs(contents), withoutRefs(expected));
    await copy.store.close();
  });

  test('say which of them is wrong, and how', async () => {
    const header = '{"kind":"minnow store","format":1}';
    const retained = lineOf(retainedPut('a', Uint8Array.of(1)));
    const session = lineOf(sessionPut(1));
    const cases: [lines: string[], message: string][] = [
      [[], 'line 1: there is nothing to import'],
      [['{}'], 'line 1: this is no export of a minnow store'],
      [[header.replace('1', '2')], 'line 1: found format 2, expected 1'],
      [[header, retained, '{"kind":'], 'line 3: this is not JSON'],
      [[header, '7'], 'line 2: line: found 7, expected an object'],
      [
        [header, '{"kind":"song"}'],
        'line 2: found kind "song", expected one of session, subscription, retained, received, ' +
          'message, delivery',
      ],
      [[header, retained.replace('"a"', '7')], 'line 2: topic: found 7, expected a string'],
      [
        [header, retained.replace('AQ==', '?')],
        'line 2: source: found "?", expected a string in base64',
      ],
      [
        [header, retained.replace('"qos":1', '"qos":3')],
        'line 2: qos: found 3, expected 0, 1 or 2',
      ],
      [
        [header, '{"kind":"received","sid":1,"packetId":2,"topicHash":4294967296}'],
        'line 2: topicHash: found 4294967296, expected an integer of 32 bits, or null',
      ],
      [
        [header, session.replace('"will":null', '"will":{"topic":"w"}')],
        'line 2: will.payload: found nothing, expected a string in base64',
      ],
    ];
    for (const [lines, message] of cases) {
      const store = openInline(newFolder());
      await store.load();
      await assert.rejects(importLines(each(lines), store), error => {
        assert.ok(error instanceof LineFault);
        assert.equal(error.message, message);
        return true;
      });
      await store.close();
    }
  });

  test('are the same again when they are read and written', () => {
    const will = {
      topic: 'w',
      payload: Uint8Array.of(0, 255),
      qos: 1,
      retain: true,
      delaySeconds: 5,
      expirySeconds: null,
      properties: new Uint8Array(0),
    } as const;
    const op = sessionPut(1, { will, endsAt: 12.5 });
    assert.deepEqual(opOf(JSON.parse(lineOf(op))), op);
  });

  test('know nothing of a topic where an older minnow wrote them', () => {
    const op = { kind: OpKind.ReceivedPut, sid: 1, packetId: 2 } as const;
    const old = '{"kind":"received","sid":1,"packetId":2}';
    assert.deepEqual(opOf(JSON.parse(old)), { ...op, topicHash: null });
    assert.equal(lineOf({ ...op, topicHash: null }), old);
    const line = lineOf({ ...op, topicHash: -7 });
    assert.equal(line, '{"kind":"received","sid":1,"packetId":2,"topicHash":-7}');
    assert.deepEqual(opOf(JSON.parse(line)), { ...op, topicHash: -7 });
  });
});
