// Whether killing the broker shows anything: each planted bug goes into a copy of the program, and
// the crash suite has to find it.

import { describe } from '../harness.ts';
import { testHunt } from '../mutants/hunt.ts';
import { plantedBugs } from './planted-bugs.ts';

/** What the suite says about the program with a bug in it, or null when it says nothing. */
function verdictOf(output: string): string | null {
  // Only a broker that could be started and was killed has shown anything.
  if (!output.includes('replays its choices') || output.includes('ended without')) return null;
  return /^\+ +['"](.*)['"]/m.exec(output)?.[1] ?? null;
}

describe('planted bugs', () => {
  testHunt('killing the broker shows every one of them', {
    bugs: plantedBugs,
    suite: ['test', 'test/crash/kill.test.ts'],
    verdictOf,
  });
});
