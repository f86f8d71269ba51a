// The simulated world: clients, faults and an oracle (world.ts, oracle.ts) around the broker's
// core. 100,000 steps from a fresh seed each time; MINNOW_SEED replays a failure, MINNOW_ROUNDS
// goes on for longer.

import { strict as assert } from 'node:assert';
import { describe, freshSeed, rounds, test } from '../harness.ts';
import { runWorld, runWorlds } from './run.ts';

const STEPS = 100_000 * rounds;

/** What a run has to have met, so that its silence means something. */
const expected = [
  ...['a CONNECT is too late', 'a client is refused', 'a client is silent'],
  ...['a connection is taken over', 'a PUBLISH is sent again', 'a PUBREL is sent again'],
  ...['a QoS 2 message is received twice', 'a QoS 2 message of a share is lost'],
  ...['a message goes to another member of a share', 'a client is back before its will'],
  ...['a delayed will comes due', 'a will is published', 'a session expires'],
  ...['a retained message is cleared', 'a retained message expires'],
  ...['a topic alias is used by a client', 'a topic alias is used by the broker'],
  ...['counter droppedExpired', 'counter droppedNotAuthorized', 'counter droppedOffline'],
  ...['counter droppedQueueFull', 'counter droppedSlowConsumer', 'counter droppedTooLarge'],
  ...['counter publishersPaused', 'counter rejectedByClient'],
];

describe('the simulated world', () => {
  const seed = freshSeed();
  process.stdout.write(`simulation: ${STEPS} steps, MINNOW_SEED=${seed}\n`);

  test(
    `${STEPS} steps with faults keep every promise (MINNOW_SEED=${seed})`,
    () => {
      assert.deepEqual(runWorlds(seed, STEPS, expected), []);
    },
    rounds * 600_000,
  );

  test('the same seed gives the same world, byte for byte', () => {
    assert.equal(runWorld(seed, 300).digest, runWorld(seed, 300).digest);
    assert.notEqual(runWorld(seed, 300).digest, runWorld(seed + 1, 300).digest);
  });
});
