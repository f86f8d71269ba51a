// What is written as bytes comes back the same, whatever stands in it.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Op } from '../../src/store/ops.ts';
import { decodeOps, encodeOps } from '../../src/store/thread/ops-codec.ts';
import { describe, freshSeed, rounds, test } from '../harness.ts';
import { arbitraryOp } from './arbitrary-ops.ts';

const parameters = { seed: freshSeed(), numRuns: 200 * rounds };

describe(`operations as bytes (seed ${parameters.seed})`, () => {
  test('come back as they were, views or copies', () => {
    fc.assert(
      fc.property(fc.array(arbitraryOp, { maxLength: 40 }), fc.boolean(), (ops, copies) => {
        assert.deepEqual(decodeOps(encodeOps(ops), copies), ops);
      }),
      parameters,
    );
  });

  test('a byte order mark at the start of a string stays [MQTT-1.5.4-3]', () => {
    const topics = ['\ufeffa', `\ufeff${'long'.repeat(40)}`];
    const ops: Op[] = topics.map(topic => ({ kind: 6, topic }));
    assert.deepEqual(decodeOps(encodeOps(ops), false), ops);
  });

  test('copies leave nothing of the buffer alive, views share it', () => {
    const source = Uint8Array.of(1, 2, 3);
    const op: Op = { kind: 5, topic: 'a', source, payloadStart: 0, qos: 0, expiresAt: 5 };
    const bytes = encodeOps([op]);
    const [view] = decodeOps(bytes, false) as [typeof op];
    const [copy] = decodeOps(bytes, true) as [typeof op];
    assert.equal(view.source.buffer, bytes);
    assert.equal(copy.source.buffer.byteLength, 3);
  });
});
