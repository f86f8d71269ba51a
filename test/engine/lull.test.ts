// When memory is given back: once after each burst, when it is over, and never without one.

import assert from 'node:assert/strict';
import { allowAll } from '../../src/auth/allow-all.ts';
import { connectFrame, subscribeFrame } from '../../src/bench/wire.ts';
import { Broker } from '../../src/core/broker.ts';
import { defaultOptions } from '../../src/core/options.ts';
import { Lull, movedBytes } from '../../src/engine/lull.ts';
import { limits } from '../../src/limits.ts';
import { describe, test } from '../harness.ts';

const { burstBytes, changeBytes, lullBytes, lullMs } = limits;
const NEVER = Number.POSITIVE_INFINITY;

class Course {
  moved = 0;
  times = 0;
  readonly lull = new Lull(
    () => this.moved,
    () => void this.times++,
  );
}

describe('a lull', () => {
  test('asks for no turn before there was a burst', () => {
    const course = new Course();
    course.moved = burstBytes - 1;
    assert.equal(course.lull.beat(1_000), NEVER);
    assert.equal(course.lull.beat(1_000_000), NEVER);
    assert.equal(course.times, 0);
  });

  test('is found when little more has come, and once', () => {
    const course = new Course();
    course.moved = burstBytes;
    assert.equal(course.lull.beat(1_000), 1_000 + lullMs);
    course.moved += lullBytes - 1;
    assert.equal(course.lull.beat(999 + lullMs), 1_000 + lullMs);
    assert.equal(course.times, 0);
    assert.equal(course.lull.beat(1_000 + lullMs), NEVER);
    assert.equal(course.times, 1);
    course.moved += burstBytes - 1;
    assert.equal(course.lull.beat(1_000_000), NEVER);
    course.moved++;
    assert.equal(course.lull.beat(1_000_000), 1_000_000 + lullMs);
  });

  test('is waited for as long as the burst goes on', () => {
    const course = new Course();
    course.moved = burstBytes;
    let next = course.lull.beat(0);
    for (let round = 0; round < 10; round++) {
      course.moved += lullBytes;
      const after = course.lull.beat(next);
      assert.equal(after, next + lullMs);
      next = after;
    }
    assert.equal(course.times, 0);
    assert.equal(course.lull.beat(next), NEVER);
    assert.equal(course.times, 1);
  });
});

describe('a burst', () => {
  const broker = new Broker({ ...defaultOptions, sysIntervalMs: 0 }, allowAll, () => 0.5, 0);
  const { state, effects } = broker;
  /** How many clients or subscriptions `work` counts for, beyond the bytes that it moved. */
  const changesOf = (work: () => void): number => {
    const { bytesReceived, bytesSent } = state.counters;
    const before = movedBytes(state);
    work();
    const bytes =
      state.counters.bytesReceived - bytesReceived + state.counters.bytesSent - bytesSent;
    return (movedBytes(state) - before - bytes) / changeBytes;
  };

  test('is made of bytes, and of clients and subscriptions that come and go', () => {
    const c = broker.handleOpen('192.0.2.1:1', 0)!;
    assert.equal(
      changesOf(() => broker.handleBytes(c, connectFrame(4, 'c'), 0)),
      0,
    );
    for (const asking of effects.authenticate.splice(0)) {
      broker.handleAuthResult(asking, { reason: 0 }, 0);
    }
    broker.handleTime(0);
    assert.equal(
      changesOf(() => broker.handleOpen('192.0.2.1:2', 0)),
      1,
    );
    assert.equal(
      changesOf(() => broker.handleBytes(c, subscribeFrame(4, ['a', 'b/+', 'c/#'], 0), 0)),
      3,
    );
    // It goes, and with it the three filters of its clean session.
    assert.equal(
      changesOf(() => broker.handleClosed(c, 0)),
      4,
    );
    const before = movedBytes(state);
    state.counters.bytesSent += 7;
    assert.equal(movedBytes(state), before + 7);
  });
});
