// The line of progress, and how a load hears that it is to stop.

import assert from 'node:assert/strict';
import { Progress } from '../../../src/cli/bench/progress.ts';
import { describe, test } from '../../harness.ts';

const silent = { write: () => {} };
const LONG_MS = 3_600_000;

describe('progress', () => {
  test('slices go on until the load is done, and are short', async () => {
    const progress = new Progress(silent, () => '');
    const slices: number[] = [];
    await progress.run(
      ms => slices.push(ms),
      LONG_MS,
      () => slices.length === 3,
    );
    assert.equal(slices.length, 3);
    assert.ok(slices.every(ms => ms > 0 && ms <= 100));
    assert.ok(!progress.wasInterrupted);
  });

  test('SIGINT ends it after the slice at hand, and nobody listens afterwards', async () => {
    const before = process.listenerCount('SIGINT');
    const progress = new Progress(silent, () => '');
    let slices = 0;
    await progress.run(
      () => {
        slices++;
        // What a signal would call; others in this process may listen for it as well.
        process.listeners('SIGINT').at(-1)!('SIGINT');
      },
      LONG_MS,
      () => false,
    );
    assert.equal(slices, 1);
    assert.ok(progress.wasInterrupted);
    assert.equal(process.listenerCount('SIGINT'), before);
  });

  test('a terminal’s line is taken away, another’s output is left alone', () => {
    const written: string[] = [];
    const write = (text: string) => written.push(text);
    new Progress({ isTTY: true, write }, () => '').clear();
    new Progress({ write }, () => '').clear();
    assert.deepEqual(written, ['\r\x1b[K']);
  });
});
