// How `minnow pub -l` cuts standard input into messages.

import assert from 'node:assert/strict';
import { lines } from '../../../src/cli/client/pub.ts';
import { describe, test } from '../../harness.ts';

async function split(...chunks: string[]): Promise<string[]> {
  async function* source() {
    for (const chunk of chunks) yield Buffer.from(chunk, 'latin1');
  }
  const found: string[] = [];
  for await (const line of lines(source())) found.push(line.toString('latin1'));
  return found;
}

describe('lines', () => {
  test('a newline ends a message and belongs to none', async () => {
    assert.deepEqual(await split('a\nb\n'), ['a', 'b']);
    assert.deepEqual(await split('a\n\nb'), ['a', '', 'b']);
    assert.deepEqual(await split('\n'), ['']);
    assert.deepEqual(await split(''), []);
    assert.deepEqual(await split('a\r\n\xff\0\n'), ['a\r', '\xff\0']);
  });

  test('however the bytes are cut', async () => {
    const text = 'one\ntwo\n\nthree';
    for (let cut = 0; cut <= text.length; cut++) {
      const expected = ['one', 'two', '', 'three'];
      assert.deepEqual(await split(text.slice(0, cut), text.slice(cut)), expected, `at ${cut}`);
    }
    assert.deepEqual(await split(...text), ['one', 'two', '', 'three']);
  });
});
