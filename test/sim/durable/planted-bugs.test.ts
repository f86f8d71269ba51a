// Whether the crashing worlds are worth their time: each planted bug goes into a copy of the
// program, and they have to find it.

import assert from 'node:assert/strict';
import { describe, test } from '../../harness.ts';
import { replayedVerdict, testHunt } from '../../mutants/hunt.ts';
import { durabilityBugs } from './planted-bugs.ts';

describe('planted durability bugs', () => {
  test('there are enough of them', () => {
    assert.ok(durabilityBugs.length >= 15);
  });

  testHunt('the crashing worlds find every one of them', {
    bugs: durabilityBugs,
    suite: ['test', 'test/sim/durable/durable.test.ts'],
    verdictOf: replayedVerdict,
  });
});
