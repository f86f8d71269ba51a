// Whether the simulated world is worth its time: each planted bug goes into a copy of the program,
// and the world has to find it with what CI spends on it.

import { strict as assert } from 'node:assert';
import { describe, test } from '../harness.ts';
import { faultOf, onBenches } from '../mutants/patch.ts';
import { type PlantedBug, plantedBugs } from './planted-bugs.ts';

/** One bug at a time in a copy of the tree, two copies side by side. */
const WIDTH = 2;
const BUG_MS_MAX = 120_000;
/** The rarest bug hides from one run in five: what a run spends is CI's budget, luck is not. */
const RUNS_MAX = 4;
const promises = ['test', 'test/sim/sim.test.ts', '--test-name-pattern', 'keep every promise'];

/** What the world says about the program with `bug` in it, or null when it says nothing. */
function verdictOf(output: string): string | null {
  // Only a world that failed says how it is replayed: a patch that does not compile does not.
  if (!output.includes('replays it')) return null;
  return /error: (.*)/.exec(output)?.[1] ?? 'it failed';
}

describe('planted bugs', () => {
  test('there are enough of them, and each can be planted', () => {
    assert.ok(plantedBugs.length >= 25);
    const faults = plantedBugs.map(bug => faultOf(bug)).filter(fault => fault !== null);
    assert.deepEqual(faults, []);
  });

  test(
    'the simulated world finds every one of them',
    async () => {
      const missed: string[] = [];
      await onBenches(plantedBugs, WIDTH, async (bug: PlantedBug, bench) => {
        bench.apply(bug);
        let output = '';
        let verdict: string | null = null;
        for (let run = 0; run < RUNS_MAX && verdict === null; run++) {
          ({ output } = await bench.run(promises, BUG_MS_MAX, { MINNOW_ROUNDS: '1' }));
          verdict = verdictOf(output);
        }
        process.stdout.write(`${verdict === null ? 'MISSED' : 'found'}: ${bug.name}\n`);
        if (verdict === null) missed.push(`${bug.name}\n${output.slice(-2_000)}`);
        else process.stdout.write(`    ${verdict.slice(0, 160)}\n`);
      });
      assert.deepEqual(missed, []);
    },
    plantedBugs.length * BUG_MS_MAX * RUNS_MAX,
  );
});
