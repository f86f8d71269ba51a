// When memory is given back: once after each burst, when it is over, and never without one.

import assert from 'node:assert/strict';
import { Lull } from '../../src/engine/lull.ts';
import { limits } from '../../src/limits.ts';
import { describe, test } from '../harness.ts';

const { burstBytes, lullBytes, lullMs } = limits;
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
