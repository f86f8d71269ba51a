// Buffers are not quite Uint8Arrays: what comes in as one, and what is kept of it.

import assert from 'node:assert/strict';
import { copyOf, plain } from '../../src/mqtt/bytes.ts';
import { describe, test } from '../harness.ts';

describe('bytes', () => {
  const middle = () => Buffer.from('0123456789').subarray(2, 6);

  test('a Buffer becomes a plain view of the same memory', () => {
    const buffer = middle();
    const bytes = plain(buffer);
    assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype);
    assert.deepEqual([...bytes], [...buffer]);
    buffer[1] = 1;
    assert.equal(bytes[1], 1);
  });

  test('what is plain already stays what it is', () => {
    const bytes = new Uint8Array(3);
    assert.equal(plain(bytes), bytes);
  });

  test('a copy does not change with the chunk it was taken of', () => {
    for (const chunk of [middle(), plain(middle())]) {
      const copy = copyOf(chunk, 1, 3);
      chunk.fill(0);
      assert.deepEqual([...copy], [0x33, 0x34]);
    }
  });
});
