// How fast clients come and go: a fixed number of them is always on its way in, and each leaves
// when it has its CONNACK.

import { Churn } from '../../src/bench/churn.ts';
import type { System } from '../../src/bench/system.ts';
import type { ConnectsScenario } from '../scenarios.ts';
import { audience, clocks, engineFor, latencies, usage } from './measure-traffic.ts';
import type { ConnectsResult, Job } from './result.ts';

/** By then a just-in-time compiler has most of the code that a client takes; whoever is too slow
 *  for that does not get there. */
const WARM_UP_CLIENTS = 3_000;
const WARM_UP_MS_MAX = 3_000;

export async function measureConnects(
  system: System,
  job: Job,
  { version, atOnce }: ConnectsScenario,
): Promise<ConnectsResult> {
  const engine = await engineFor(system, job);
  const tls = engine.transport?.tls ?? null;
  const { credentials, prefix } = audience(system, job);
  const churn = new Churn(engine, { version, credentials, prefix }, atOnce);
  const warmBy = performance.now() + WARM_UP_MS_MAX;
  do churn.run(job.warmUpMs);
  while (churn.answered < WARM_UP_CLIENTS && performance.now() < warmBy);
  const read = () => ({
    ...clocks(system, job),
    answered: churn.answered,
    handshakes: tls?.handshakes ?? 0,
    resumed: tls?.resumed ?? 0,
  });
  const before = read();
  churn.measuring = true;
  churn.run(job.measureMs);
  const after = read();
  engine.close();
  const answered = after.answered - before.answered;
  const { elapsedNs, brokerNs, shares } = usage(before, after);
  return {
    kind: 'connects',
    ...shares,
    perSecond: (answered * 1e9) / elapsedNs,
    latencyUs: latencies(churn.latency),
    cpuUsPerConnect: brokerNs / 1000 / answered,
    resumedShare: (after.resumed - before.resumed) / (after.handshakes - before.handshakes),
  };
}
