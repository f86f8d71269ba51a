// The simulated world: clients, faults and an oracle (world.ts, oracle.ts) around the broker's
// core. 100,000 steps from a fresh seed each time; MINNOW_SEED replays a failure, MINNOW_ROUNDS
// goes on for longer.

import { strict as assert } from 'node:assert';
import { describe, freshSeed, rounds, test } from '../harness.ts';
import { runWorld, runWorlds } from './run.ts';

const STEPS = 100_000 * rounds;

describe('the simulated world', () => {
  const seed = freshSeed();
  process.stdout.write(`simulation: ${STEPS} steps, MINNOW_SEED=${seed}\n`);

  test(
    `${STEPS} steps with faults keep every promise (MINNOW_SEED=${seed})`,
    () => runWorlds(seed, STEPS),
    rounds * 300_000,
  );

  test('the same seed gives the same world, byte for byte', () => {
    assert.equal(runWorld(seed, 300).digest, runWorld(seed, 300).digest);
    assert.notEqual(runWorld(seed, 300).digest, runWorld(seed + 1, 300).digest);
  });

  // Worlds that once found something: in the broker, or in the oracle itself.
  const pinned = [3, 22, 30, 1053, 1094, 1440];
  for (const past of pinned) {
    test(`seed ${past}`, () => {
      runWorld(past, 500);
    });
  }
});
