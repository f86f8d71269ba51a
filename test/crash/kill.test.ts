// `kill -9` at random moments, again and again, under a mixed load on one data directory: whatever
// the broker has acknowledged in a class that survives its process has to be there afterwards.

import assert from 'node:assert/strict';
import { afterAll, describe, freshSeed, rounds, test } from '../harness.ts';
import { endChildren } from '../integration/process.ts';
import { Prng } from '../prng.ts';
import { BrokerProcess } from './broker-process.ts';
import { Crowd } from './crowd.ts';
import { retainedAt } from './raw.ts';
import { moment } from './watch.ts';

const ROUNDS = 50 * rounds;
/** Packets that the clients get in a round before the broker dies, or after such a silence. */
const PACKETS_MAX = 1_500;
const SILENCE_MS = 400;
const seed = freshSeed();

/** Small bounds, so that what is big in the field happens in a short run too. */
const flags = [
  ['store.rules', JSON.stringify(['written', 'batched', 'none'].map(rule))],
  ['sys.intervalMs', '0'],
  ['store.batchMs', '20'],
  ['store.windowMessages', '10'],
  ['store.walBytes', '64kB'],
  ['queue.messagesMax', '100000'],
].flatMap(([key, value]) => ['--set', `${key}=${value}`]);

function rule(durability: string) {
  return { filter: `${durability}/#`, durability };
}

afterAll(endChildren);

describe('kill -9', () => {
  test(
    `${ROUNDS} times: nothing acknowledged is lost`,
    async () => {
      process.stdout.write(`crash seed ${seed}: MINNOW_SEED=${seed} replays its choices\n`);
      const prng = new Prng(seed);
      const broker = new BrokerProcess(flags);
      const crowd = new Crowd(prng);
      const moments = { recovering: 0, loaded: 0 };
      try {
        for (let round = 1; round <= ROUNDS; round++) {
          await broker.start();
          const when = await oneRound(broker, crowd, prng, round === ROUNDS);
          moments[when]++;
          assert.deepEqual(crowd.oracle.faults.slice(0, 10), [], `round ${round}, seed ${seed}`);
        }
      } finally {
        await broker.remove();
      }
      const { counts } = crowd.oracle;
      process.stdout.write(`crash: ${JSON.stringify({ ...moments, ...counts })}\n`);
      for (const [what, count] of Object.entries(counts)) assert.ok(count > ROUNDS / 5, what);
      assert.ok(moments.recovering > 0 && moments.loaded > moments.recovering);
    },
    ROUNDS * 10_000,
  );
});

/** From a start of the broker to its end; the last round ends when everything has arrived. */
async function oneRound(broker: BrokerProcess, crowd: Crowd, prng: Prng, last: boolean) {
  // Before anybody is here, what is retained is what outlived the process.
  crowd.oracle.judgeRetained(await retainedAt(broker.port));
  crowd.begin(broker.port, last);
  const recovering = !last && prng.oneIn(4);
  if (!recovering) {
    await crowd.settle();
    crowd.load();
  }
  await crowd.packets(prng.below(recovering ? 300 : PACKETS_MAX), SILENCE_MS);
  if (last) {
    crowd.rest();
    await crowd.settle();
  } else if (prng.oneIn(2)) {
    // Not only where a packet has just come.
    await moment(prng.fraction() * 4);
  }
  const gone = broker.kill();
  await Promise.all([gone, crowd.end()]);
  return recovering ? ('recovering' as const) : ('loaded' as const);
}
