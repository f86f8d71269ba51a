// Whether killing the broker shows anything: each planted bug goes into a copy of the program, and
// the crash suite has to find it with what CI spends on it.

import assert from 'node:assert/strict';
import { describe, test } from '../harness.ts';
import { faultOf, onBenches } from '../mutants/patch.ts';
import { plantedBugs } from './planted-bugs.ts';

/** One bug at a time in a copy of the tree, two copies side by side. */
const WIDTH = 2;
const BUG_MS_MAX = 120_000;

/** What the suite says about the program with a bug in it, or null when it says nothing. */
function verdictOf(output: string): string | null {
  // Only a broker that could be started and was killed has shown anything.
  if (!output.includes('replays its choices') || output.includes('ended without')) return null;
  return /^\+ +['"](.*)['"]/m.exec(output)?.[1] ?? null;
}

describe('planted bugs', () => {
  test('each can be planted', () => {
    const faults = plantedBugs.map(bug => faultOf(bug)).filter(fault => fault !== null);
    assert.deepEqual(faults, []);
  });

  test(
    'killing the broker shows every one of them',
    async () => {
      const missed: string[] = [];
      await onBenches(plantedBugs, WIDTH, async (bug, bench) => {
        bench.apply(bug);
        const suite = ['test', 'test/crash/kill.test.ts'];
        const { output } = await bench.run(suite, BUG_MS_MAX, { MINNOW_ROUNDS: '1' });
        const verdict = verdictOf(output);
        process.stdout.write(`${verdict === null ? 'MISSED' : 'found'}: ${bug.name}\n`);
        if (verdict === null) missed.push(`${bug.name}\n${output.slice(-2_000)}`);
        else process.stdout.write(`    ${verdict.slice(0, 160)}\n`);
      });
      assert.deepEqual(missed, []);
    },
    plantedBugs.length * BUG_MS_MAX,
  );
});
