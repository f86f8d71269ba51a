// The fuzzer for the core: packets that are right, nearly right and quite wrong, on several
// connections of one broker. What has to hold is said in victim.ts.

import { describe, freshSeed, rounds, test } from '../harness.ts';
import { Prng } from '../prng.ts';
import { attack } from './attack.ts';
import { Victim } from './victim.ts';

const CASES = 6_000 * rounds;

function replayable(seed: number): void {
  try {
    const prng = new Prng(seed);
    attack(new Victim(prng), prng);
  } catch (error) {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    throw new Error(`${what}\nMINNOW_SEED=${seed} replays it first`);
  }
}

describe('the core under fire', () => {
  const seed = freshSeed();
  process.stdout.write(`core fuzzer: ${CASES} cases, MINNOW_SEED=${seed}\n`);

  test(
    `${CASES} cases leave nothing behind (MINNOW_SEED=${seed})`,
    () => {
      const seeds = new Prng(seed);
      replayable(seed);
      for (let i = 1; i < CASES; i++) replayable(seeds.uint32());
    },
    rounds * 600_000,
  );
});
