// The short look at regressions that `make test` takes: minnow against mosquitto, in one run.
// Ratios are told, with a word where one is below its generous margin, and never fail: the machine
// may be busy. What does fail are messages that minnow loses, repeats or brings out of order.

import { measured } from './bench.ts';
import { peerFor } from './peers.ts';
import { planFrom } from './plan.ts';

/** How many times mosquitto's messages per second are expected at least, by far. */
const margins: Readonly<Record<string, number>> = {
  'p2p-50-50-qos0': 4,
  'p2p-50-50-qos1': 4,
  'fan-out-1-50-qos0': 10,
};

const obstacle = peerFor('mosquitto').missing?.() ?? null;
if (obstacle !== null) {
  process.stdout.write(`ratios (skipped: ${obstacle})\n`);
} else {
  const wanted = Object.keys(margins).flatMap(name => ['--scenario', name]);
  const flags = ['--runs', '1', '--seconds', '0.6', '--peer', 'minnow', '--peer', 'mosquitto'];
  const plan = planFrom([...flags, ...wanted]);
  const scenarios = plan.scenarios.filter(({ name }) => Object.hasOwn(margins, name));
  const { passing } = await measured({ ...plan, scenarios });
  for (const row of passing) {
    const margin = margins[row.scenario];
    if (row.peer !== 'minnow' || margin === undefined) continue;
    const { scenario, perSecondRatio, cpuRatio, remarks } = row;
    const word = perSecondRatio >= margin ? '' : `, below the margin of ${margin}`;
    const told = remarks.length > 0 ? ` (${remarks.join('; ')})` : '';
    const figures = `× ${perSecondRatio.toFixed(1)}, processor time × ${cpuRatio.toFixed(2)}`;
    process.stdout.write(`ratio ${scenario}: ${figures}${word}${told}\n`);
    if (remarks.some(remark => /lost|repeated|out of order/.test(remark))) process.exitCode = 1;
  }
}
