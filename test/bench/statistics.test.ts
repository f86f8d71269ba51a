// The numbers behind the tables: percentiles, medians, spreads and ratios within a run.

import assert from 'node:assert/strict';
import { median, ratio, spread } from '../../bench/statistics.ts';
import { Histogram } from '../../src/bench/histogram.ts';
import { describe, freshSeed, test } from '../harness.ts';

describe('histogram', () => {
  test('is exact for small values', () => {
    const histogram = new Histogram();
    for (let value = 1; value <= 200; value++) histogram.record(value);
    assert.equal(histogram.percentile(0.5), 100);
    assert.equal(histogram.percentile(0.99), 198);
    assert.equal(histogram.percentile(1), 200);
    assert.equal(histogram.count, 200);
  });

  test('stays within 0.8 % of the true percentile at every magnitude', () => {
    const seed = freshSeed();
    let state = seed || 1;
    const random = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
    const values = Array.from({ length: 20_000 }, () => Math.floor(2 ** (random() * 31)));
    const histogram = new Histogram();
    for (const value of values) histogram.record(value);
    values.sort((a, b) => a - b);
    for (const share of [0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1]) {
      const exact = values[Math.max(0, Math.ceil(values.length * share) - 1)]!;
      const found = histogram.percentile(share);
      const error = Math.abs(found - exact);
      assert.ok(error <= exact * 0.008, `seed ${seed}, ${share}: ${found} for ${exact}`);
    }
  });

  test('never reports more than the largest value, and holds what it cannot place', () => {
    const histogram = new Histogram();
    histogram.record(1_000_003);
    assert.equal(histogram.percentile(0.999), 1_000_003);
    histogram.record(2 ** 40);
    assert.equal(histogram.percentile(1), 2 ** 31 - 1);
    histogram.record(-5);
    assert.equal(histogram.percentile(0.01), 0);
  });

  test('is empty after clear', () => {
    const histogram = new Histogram();
    histogram.record(7);
    histogram.clear();
    assert.equal(histogram.count, 0);
    assert.equal(histogram.percentile(0.5), 0);
  });
});

describe('statistics', () => {
  test('the median is the middle, or between the two middles', () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 3]), 2.5);
    assert.ok(Number.isNaN(median([])));
  });

  test('the spread is the range as a share of the median', () => {
    assert.equal(spread([90, 100, 120]), 0.3);
    assert.equal(spread([100]), 0);
  });

  test('ratios are taken within each run, and only where both sides finished', () => {
    // The machine was twice as fast in the last run: the medians' ratio would be 4.
    assert.equal(ratio([100, 200, 800], [50, 100, 400]), 2);
    assert.equal(ratio([100, null, 800], [50, 100, null]), 2);
    assert.ok(Number.isNaN(ratio([1, 2], [])));
  });
});
