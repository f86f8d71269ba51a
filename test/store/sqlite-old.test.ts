// Databases of every version that there was, as a crash left them, with what is in them as lines:
// every later version opens them. Made once, when the version was new, and never again.

import assert from 'node:assert/strict';
import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { schemaVersion } from '../../src/store/sqlite/sql.ts';
import { exportLines } from '../../src/store/upkeep/transfer.ts';
import { lookAfter } from '../../src/store/upkeep/upkeep.ts';
import { newFolder, openInline, removeFolders } from '../contract/store-kit.ts';
import { afterAll, describe, test } from '../harness.ts';

afterAll(removeFolders);

const samples = join(import.meta.dirname, 'old');

describe('an old database', () => {
  for (let version = 1; version <= schemaVersion; version++) {
    test(`of version ${version} is opened, with all that is in it`, async () => {
      const folder = newFolder();
      for (const end of ['', '-wal']) {
        const name = `version-${version}.db${end}`;
        assert.ok(readdirSync(samples).includes(name), `${name} was never made`);
        copyFileSync(join(samples, name), join(folder, `minnow.db${end}`));
      }
      const store = openInline(folder);
      const { clock, skippedRows } = await store.load();
      assert.equal(skippedRows, 0);
      assert.equal(store.description.movedAside, null);
      const lines = [...exportLines(store.readOps(), clock)];
      const expected = readFileSync(join(samples, `version-${version}.ndjson`), 'utf8');
      assert.deepEqual(lines, expected.trimEnd().split('\n'));
      assert.deepEqual(await lookAfter(store, { command: 'check' }), { faults: [] });
      await store.close();
    });
  }
});
