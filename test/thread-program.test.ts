// Every thread's program is known by name and found from wherever a thread is started.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { threadProgram, threadPrograms } from '../src/thread-program.ts';
import { threads } from '../targets/programs.ts';
import { describe, test } from './harness.ts';

describe('the programs of threads', () => {
  test('are those that the targets are built with', () => {
    const root = join(import.meta.dirname, '..');
    const built = threads(root).map(path => path.slice('src/'.length, -'.ts'.length));
    assert.deepEqual([...threadPrograms], built);
  });

  test('are files among the sources', () => {
    for (const program of threadPrograms) assert.ok(existsSync(threadProgram(program)), program);
  });

  test('stand below the program in a bundle, whichever part of it looks for them', () => {
    for (const part of ['minnow', 'main-4x.js', 'engine/thread/worker.js']) {
      const found = threadProgram('store/thread/worker', `file:///$bunfs/root/${part}`);
      assert.equal(found.href, 'file:///$bunfs/root/store/thread/worker.js', part);
    }
  });
});
