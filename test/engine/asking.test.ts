// Who gets an answer from an engine, and when.

import assert from 'node:assert/strict';
import { type Asked, Asking } from '../../src/engine/asking.ts';
import type { Answer } from '../../src/engine/questions.ts';
import { describe, test } from '../harness.ts';

const stats = { about: 'stats' } as const;

/** An engine that keeps whoever asks. */
function patient() {
  const asked: ((answer: Answer) => void)[] = [];
  const engine: Asked = { ask: (_question, done) => asked.push(done) };
  return { engine, asked };
}

describe('asking an engine', () => {
  test('gives its answer', async () => {
    const { engine, asked } = patient();
    const { ask } = new Asking(engine);
    const answer = ask(stats);
    asked[0]!({ ok: true, result: true });
    assert.deepEqual(await answer, { ok: true, result: true });
  });

  test('ends when the engine has stopped, for those who wait and those who come', async () => {
    const { engine, asked } = patient();
    const asking = new Asking(engine);
    const early = [asking.ask(stats), asking.ask(stats)];
    asking.end();
    const late = asking.ask(stats);
    for (const answer of await Promise.all([...early, late])) {
      assert.ok(!answer.ok && answer.message === 'the broker is stopping');
    }
    assert.equal(asked.length, 2, 'whoever comes later is not even asked for');
    asked[0]!({ ok: true, result: true }); // too late, and no harm
  });
});
