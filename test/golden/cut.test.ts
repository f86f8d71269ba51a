// The wire corpus through a whole broker: what a faulty packet is answered with, and that it makes
// no difference where the bytes of any packet are cut on their way.

import assert from 'node:assert/strict';
import { describe, test } from '../harness.ts';
import type { WirePacket } from '../wire.ts';
import { World } from '../world.ts';
import { type GoldenCase, loadCorpus } from './corpus.ts';

interface Outcome {
  readonly answers: WirePacket[];
  readonly closed: boolean;
}

/** Sends the pieces one after another to a fresh broker: to one that knows the client already,
 *  unless the case is a CONNECT. */
function outcomeOf(c: GoldenCase, pieces: readonly Uint8Array[]): Outcome {
  const world = new World();
  const client =
    c.file === 'connect'
      ? world.open(c.answer ?? c.version)
      : world.connect(c.version, { clientId: 'golden' });
  for (const piece of pieces) client.send(piece);
  return { answers: client.take(), closed: client.closed };
}

/** What a faulty packet is answered with, before the transport is closed [MQTT-4.13.1-1]. */
function expectedAnswers(c: GoldenCase): object[] {
  if (c.file === 'connect') {
    if (c.answer === null) return [];
    const returnCode = c.fault === 0x84 ? 1 : 2;
    return [{ type: 'connack', reason: c.answer === 5 ? c.fault : returnCode }];
  }
  return c.version === 5 ? [{ type: 'disconnect', reason: c.fault }] : [];
}

const fromClient = loadCorpus().filter(c => c.from === 'client');
const files = [...new Set(fromClient.map(c => c.file))];

describe('a faulty packet is answered with its reason and a close', () => {
  for (const c of fromClient.filter(c => c.fault !== null)) {
    test(c.title, () => {
      const { answers, closed } = outcomeOf(c, [c.bytes]);
      const said = answers.map(answer => ({
        type: answer.type,
        reason: (answer as { reason?: number }).reason,
      }));
      assert.deepEqual(said, expectedAnswers(c));
      assert.ok(closed, 'the transport stays open');
    });
  }
});

describe('cut at every byte', () => {
  for (const file of files) {
    test(file, () => {
      for (const c of fromClient.filter(c => c.file === file)) {
        const whole = outcomeOf(c, [c.bytes]);
        for (let at = 1; at < c.bytes.length; at++) {
          const cut = outcomeOf(c, [c.bytes.subarray(0, at), c.bytes.subarray(at)]);
          assert.deepEqual(cut, whole, `${c.title}, cut at ${at}`);
        }
        const single = outcomeOf(
          c,
          Array.from(c.bytes, byte => Uint8Array.of(byte)),
        );
        assert.deepEqual(single, whole, `${c.title}, byte by byte`);
      }
    });
  }
});
