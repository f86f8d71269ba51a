// How long publishers are held up by a consumer that does not keep up: not at all by one that takes
// nothing of what it may lose, and never longer than allowed.

import assert from 'node:assert/strict';
import { limits } from '../../../src/limits.ts';
import { describe, test } from '../../harness.ts';
import { World } from '../../world.ts';

const HIGH_WATER = 5_000;
const PAUSE_MAX_MS = 2_000;
const { stallMs } = limits;

/** A publisher that is held up by a consumer who takes so many bytes each turn. */
function heldUp(budget: number, qos: 0 | 1) {
  const world = new World({
    outputHighWater: HIGH_WATER,
    publisherPauseMaxMs: PAUSE_MAX_MS,
    queueMessagesMax: 10,
  });
  const slow = world.connect(4, { clientId: 'slow' });
  slow.send({ type: 'subscribe', packetId: 1, filters: [{ filter: 'a', qos }] });
  slow.take();
  slow.budget = budget;
  const publisher = world.connect(4, { clientId: 'publisher' });
  const publish = (packetId: number) =>
    publisher.send({
      type: 'publish',
      topic: 'a',
      qos,
      ...(qos > 0 && { packetId }),
      payload: 'x'.repeat(HIGH_WATER + 1),
    });
  publish(1);
  for (let id = 2; qos > 0 && id <= 8; id++) publish(id);
  assert.equal(publisher.stopped, true);
  return { world, publisher };
}

describe('a publisher', () => {
  test('waits only a moment for a consumer that takes nothing', () => {
    const { world, publisher } = heldUp(0, 0);
    world.advance(stallMs - 1);
    assert.equal(publisher.stopped, true);
    world.advance(1);
    assert.equal(publisher.stopped, false);
  });

  test('waits for one that takes something, but not for ever', () => {
    const { world, publisher } = heldUp(1, 0);
    for (let ms = 1; ms < PAUSE_MAX_MS; ms++) {
      world.advance(1);
      assert.equal(publisher.stopped, true, `after ${ms} ms`);
    }
    world.advance(1);
    assert.equal(publisher.stopped, false);
  });

  test('waits as long as allowed where messages would be lost', () => {
    const { world, publisher } = heldUp(0, 1);
    world.advance(PAUSE_MAX_MS - 1);
    assert.equal(publisher.stopped, true);
    world.advance(1);
    assert.equal(publisher.stopped, false);
  });
});
