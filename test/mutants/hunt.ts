// The hunt for planted bugs: each goes into a copy of the program, and a randomised suite runs
// there again and again, each time from another seed, until it has found the bug or what a bug may
// cost is spent. So what is asked is whether the suite can find it, and not whether one seed did.

import assert from 'node:assert/strict';
import { freshSeed, test } from '../harness.ts';
import { Prng } from '../prng.ts';
import { faultOf, onBenches, type Patch, type Workbench } from './patch.ts';

export interface PlantedBug extends Patch {
  readonly name: string;
}

export interface Hunt {
  readonly bugs: readonly PlantedBug[];
  /** What runs the suite, for Bun. */
  readonly suite: readonly string[];
  /** What the suite says about the program with a bug in it, or null when it says nothing. */
  readonly verdictOf: (output: string) => string | null;
}

/** One bug at a time in a copy of the tree, two copies side by side. */
const WIDTH = 2;
/** What a bug may cost: many times what the rarest takes; a slow machine has fewer runs. */
const RUNS_MAX = 10;
const BUG_MS_MAX = 240_000;

/** Runs the suite with `bug` in the program; says how it was missed, or null when it was found. */
async function missed({ suite, verdictOf }: Hunt, bug: PlantedBug, bench: Workbench, prng: Prng) {
  bench.apply(bug);
  const until = performance.now() + BUG_MS_MAX;
  let last = '';
  for (let run = 1; run <= RUNS_MAX && performance.now() < until; run++) {
    const env = { MINNOW_ROUNDS: '1', MINNOW_SEED: String(prng.uint32()) };
    const { output } = await bench.run(suite, until - performance.now(), env);
    const verdict = verdictOf(output);
    if (verdict !== null) {
      process.stdout.write(`found in run ${run}: ${bug.name}\n    ${verdict.slice(0, 160)}\n`);
      return null;
    }
    last = output.slice(-2_000);
  }
  process.stdout.write(`MISSED: ${bug.name}\n`);
  return `${bug.name}\n${last}`;
}

/** Two tests: that every bug has its place in the program as it is, and that each is found. */
export function testHunt(name: string, hunt: Hunt): void {
  const { bugs } = hunt;
  test('each can be planted', () => {
    assert.deepEqual(
      bugs.map(bug => faultOf(bug)).filter(fault => fault !== null),
      [],
    );
  });

  const seed = freshSeed();
  test(
    `${name} (MINNOW_SEED=${seed})`,
    async () => {
      const prng = new Prng(seed);
      const jobs = bugs.map(bug => ({ bug, prng: prng.fork() }));
      const outcomes = await onBenches(jobs, WIDTH, ({ bug, prng }, bench) =>
        missed(hunt, bug, bench, prng),
      );
      assert.deepEqual(
        outcomes.filter(outcome => outcome !== null),
        [],
      );
    },
    bugs.length * BUG_MS_MAX,
  );
}

/** The verdict of suites that say how what failed is replayed: a patch that does not even compile
 *  does not make them say so. */
export function replayedVerdict(output: string): string | null {
  if (!output.includes('replays it')) return null;
  return /error: (.*)/.exec(output)?.[1] ?? 'it failed';
}
