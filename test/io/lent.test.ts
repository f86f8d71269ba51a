// Giving back the memory of a chunk: only what is large, and only what is the chunk's alone.

import assert from 'node:assert/strict';
import { RELEASED_BYTES, release } from '../../src/io/lent.ts';
import { describe, skipped, test } from '../harness.ts';

describe('a chunk that is given back', () => {
  const detachable = 'transfer' in ArrayBuffer.prototype;

  if (detachable) {
    test('is empty, and so is every view of it', () => {
      const chunk = Buffer.from(new ArrayBuffer(RELEASED_BYTES)).fill(1);
      const view = chunk.subarray(10, 20);
      release(chunk);
      assert.deepEqual([chunk.length, view.length, chunk.buffer.byteLength], [0, 0, 0]);
    });
  } else {
    skipped('is empty, and so is every view of it', 'this runtime cannot detach memory');
  }

  test('keeps its bytes if it is small', () => {
    const chunk = new Uint8Array(RELEASED_BYTES - 1).fill(1);
    release(chunk);
    assert.deepEqual([chunk.length, chunk.at(-1)], [RELEASED_BYTES - 1, 1]);
  });

  test('keeps its bytes if others lie in the same memory, or other threads see it', () => {
    const whole = new Uint8Array(2 * RELEASED_BYTES).fill(1);
    release(whole.subarray(0, RELEASED_BYTES));
    assert.equal(whole.length, 2 * RELEASED_BYTES);
    const ring = new Uint8Array(new SharedArrayBuffer(RELEASED_BYTES));
    release(ring);
    assert.equal(ring.length, RELEASED_BYTES);
  });
});
