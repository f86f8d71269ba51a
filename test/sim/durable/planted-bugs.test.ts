// Whether the crashing worlds are worth their time: each planted bug goes into a copy of the
// program, and they have to find it with what CI spends on them.

import { strict as assert } from 'node:assert';
import { describe, test } from '../../harness.ts';
import { faultOf, onBenches } from '../../mutants/patch.ts';
import { durabilityBugs } from './planted-bugs.ts';

/** One bug at a time in a copy of the tree, two copies side by side. */
const WIDTH = 2;
const BUG_MS_MAX = 120_000;
/** What a run spends is CI's budget, luck is not. */
const RUNS_MAX = 4;
const promises = ['test', 'test/sim/durable/durable.test.ts'];

/** What the worlds say about the program with a bug in it, or null when they say nothing. */
function verdictOf(output: string): string | null {
  // Only a world that failed says how it is replayed: a patch that does not compile does not.
  if (!output.includes('replays it')) return null;
  return /error: (.*)/.exec(output)?.[1] ?? 'it failed';
}

describe('planted durability bugs', () => {
  test('there are enough of them, and each can be planted', () => {
    assert.ok(durabilityBugs.length >= 15);
    const faults = durabilityBugs.map(bug => faultOf(bug)).filter(fault => fault !== null);
    assert.deepEqual(faults, []);
  });

  test(
    'the crashing worlds find every one of them',
    async () => {
      const missed: string[] = [];
      await onBenches(durabilityBugs, WIDTH, async (bug, bench) => {
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
    durabilityBugs.length * BUG_MS_MAX * RUNS_MAX,
  );
});
