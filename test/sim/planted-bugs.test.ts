// Whether the simulated world is worth its time: each planted bug goes into a copy of the program,
// and the world has to find it.

import assert from 'node:assert/strict';
import { describe, test } from '../harness.ts';
import { replayedVerdict, testHunt } from '../mutants/hunt.ts';
import { plantedBugs } from './planted-bugs.ts';

describe('planted bugs', () => {
  test('there are enough of them', () => {
    assert.ok(plantedBugs.length >= 25);
  });

  testHunt('the simulated world finds every one of them', {
    bugs: plantedBugs,
    suite: ['test', 'test/sim/sim.test.ts', '--test-name-pattern', 'keep every promise'],
    verdictOf: replayedVerdict,
  });
});
