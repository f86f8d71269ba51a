// Noticing that files have changed.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileWatch } from '../src/file-watch.ts';
import { afterAll, describe, test } from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'minnow-watch-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a changed file', () => {
  test('is noticed although another beside it is written all the time', async () => {
    const [followed, noise] = ['followed', 'noise'].map(name => join(folder, name));
    writeFileSync(followed, 'old');
    let changes = 0;
    const watch = new FileWatch(
      () => changes++,
      (path, why) => assert.fail(`${path}: ${why}`),
    );
    watch.follow([followed]);
    try {
      writeFileSync(followed, 'new, and longer');
      while (changes === 0) await appendFile(noise, 'x');
      assert.equal(changes, 1);
    } finally {
      watch.stop();
    }
  });
});
