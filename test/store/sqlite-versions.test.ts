// Databases that this minnow did not write: of a newer version, of another program, of no version
// at all; and headers of which a byte is wrong.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  driver,
  newFolder,
  openInline,
  removeFolders,
  StoreUser,
  settingsIn,
} from '../contract/store-kit.ts';
import { sessionPut } from '../contract/store-ops.ts';
import { afterAll, describe, test } from '../harness.ts';

afterAll(removeFolders);

/** A folder with a database that holds one session, changed by `sql`. */
async function changedBy(sql: string): Promise<string> {
  const folder = newFolder();
  const user = new StoreUser(openInline(folder));
  await user.store.load();
  await user.commit([sessionPut(1)]);
  await user.store.close();
  change(folder, sql);
  return folder;
}

function change(folder: string, sql: string): void {
  const database = driver.open(settingsIn(folder).path);
  database.exec(sql);
  database.close();
}

function readPragma(folder: string, name: string): unknown {
  const database = driver.open(settingsIn(folder).path);
  const row = database.prepare(`PRAGMA ${name}`).get() as Record<string, unknown>;
  database.close();
  return row[name];
}

describe('a database that is there', () => {
  test('keeps its page size, and is accounted by it', async () => {
    const folder = newFolder();
    await openInline(folder, { pageBytes: 1024 }).close();
    const user = new StoreUser(openInline(folder, { pageBytes: 4096 }));
    await user.store.load();
    const { bytesWritten } = await user.commit([sessionPut(1)], true);
    assert.equal(bytesWritten % (1024 + 24), 0);
    assert.ok(bytesWritten > 0);
    assert.equal(user.store.usage.fileBytes % 1024, 0);
    await user.store.close();
    assert.equal(readPragma(folder, 'page_size'), 1024);
  });
});

describe('the version of a database', () => {
  test('from a newer minnow is refused, named, and left where it is', async () => {
    const folder = await changedBy('PRAGMA user_version = 7; UPDATE state SET version = 7');
    const before = readFileSync(join(folder, 'minnow.db'));
    assert.throws(() => openInline(folder), {
      name: 'StoreError',
      code: 'newer',
      message:
        `${folder}/minnow.db: it was written by a newer minnow (schema 7, expected 3); ` +
        'update minnow, or choose another directory with --data DIR',
    });
    assert.deepEqual(readdirSync(folder), ['minnow.db']);
    assert.deepEqual(readFileSync(join(folder, 'minnow.db')), before);
  });

  test('is believed when only one of its two places is wrong', async () => {
    for (const sql of ['PRAGMA user_version = 257', 'UPDATE state SET version = 65537']) {
      const folder = await changedBy(sql);
      const store = openInline(folder);
      assert.equal((await store.load()).sessions.length, 1);
      assert.equal(store.description.movedAside, null);
      await store.close();
      assert.equal(readPragma(folder, 'user_version'), 3);
    }
  });

  test('stands in the header, with whose file it is', async () => {
    const folder = await changedBy('SELECT 1');
    assert.equal(readPragma(folder, 'user_version'), 3);
    assert.equal(readPragma(folder, 'application_id'), 0x6d69_6e77);
  });

  test('of another program is refused and left where it is', () => {
    const folder = newFolder();
    change(folder, 'CREATE TABLE recipes (name TEXT)');
    assert.throws(() => openInline(folder), { code: 'foreign', message: /another program/ });
    change(folder, "INSERT INTO recipes VALUES ('soup')");
  });

  test('that was lost along with the tables moves the file aside', async () => {
    for (const table of ['state', 'queue', 'retained']) {
      const folder = await changedBy(`DROP TABLE ${table}`);
      const store = openInline(folder);
      assert.match(store.description.movedAside ?? 'not moved', /\.bad-/, table);
      assert.deepEqual((await store.load()).sessions, []);
      await store.close();
    }
  });
});
