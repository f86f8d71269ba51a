// The flash budget by itself: a day's worth of writing against a day's allowance, in virtual time.

import assert from 'node:assert/strict';
import { FlashBudget } from '../../src/store/budget.ts';
import { describe, test } from '../harness.ts';

const DAY_MS = 86_400_000;
const KB = 1024;

describe('the flash budget', () => {
  test('without one batches are as wished', () => {
    const budget = new FlashBudget(0);
    budget.spend(1e12, 0);
    assert.equal(budget.batchMs(1_000, 0), 1_000);
    assert.equal(budget.batchBytes(64 * KB, 0), 64 * KB);
  });

  test('within it batches are as wished, beyond it they widen, and time heals', () => {
    const budget = new FlashBudget(24 * KB * KB);
    budget.spend(KB * KB, 0); // an hour's worth, which may be written ahead
    assert.equal(budget.batchMs(1_000, 0), 1_000);
    budget.spend(10 * KB, 0);
    assert.ok(budget.batchMs(1_000, 0) > 30_000);
    assert.equal(budget.batchBytes(64 * KB, 0), 1024 * KB);
    assert.equal(budget.batchMs(1_000, 3_600_000), 1_000);
  });

  test('a steady load of small batches stays within a day and what may be ahead', () => {
    const bytesPerDay = 50 * KB * KB;
    const budget = new FlashBudget(bytesPerDay);
    let written = 0;
    for (let now = 0; now < DAY_MS; now += budget.batchMs(1_000, now)) {
      written += 12 * KB; // a few pages of a write-ahead log
      budget.spend(12 * KB, now);
    }
    assert.ok(written <= bytesPerDay * (1 + 1 / 24) + 12 * KB, `${written} bytes`);
    assert.ok(written > bytesPerDay * 0.9, 'and uses what it has');
  });
});
