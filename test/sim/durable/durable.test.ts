// The broker crashes, thousands of times, in simulated worlds with a slow and failing disk: what
// was promised is there afterwards, and nothing comes twice that must not. From a fresh seed
// each time; MINNOW_SEED replays a failure, MINNOW_ROUNDS goes on for longer.

import { strict as assert } from 'node:assert';
import { describe, freshSeed, rounds, test } from '../../harness.ts';
import { runDurableWorlds } from './run.ts';

const CRASHES = 3_000 * rounds;

/** What a run has to have met, so that its silence means something. */
const expected = [
  ...['a session is resumed', 'a session expires', 'a QoS 2 message is received twice'],
  ...['a will is published', 'a delayed will comes due', 'a crash leaves a will'],
  ...['a retained message expires', 'the disk fails', 'the disk cannot be read'],
  ...['a message is refused while the store fails', 'a message is too large for its client'],
  ...['a client refuses a QoS 2 message', 'a member of a share leaves messages to another'],
  'a crash interrupts the division of what a member left',
  'a QoS 2 identifier had been released before the crash',
  'a QoS 2 identifier stands for another topic after the crash',
];

describe('crashes in the simulated world', () => {
  const seed = freshSeed();
  process.stdout.write(`simulation: ${CRASHES} crashes, MINNOW_SEED=${seed}\n`);

  test(
    `${CRASHES} crashes keep every promise (MINNOW_SEED=${seed})`,
    () => {
      assert.deepEqual(runDurableWorlds(seed, CRASHES, expected), []);
    },
    rounds * 600_000,
  );
});
