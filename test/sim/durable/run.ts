// Runs crashing worlds one after the other from one seed, and says how to replay one that failed.

import { Prng } from '../../prng.ts';
import { DurableWorld } from './world.ts';

const CRASHES_PER_WORLD = 20;

export function runDurableWorld(seed: number, crashes: number): DurableWorld {
  const world = new DurableWorld(seed);
  try {
    world.run(crashes);
    world.finish();
  } catch (error) {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const when = `after ${world.crashes} crashes; MINNOW_SEED=${seed} replays it first`;
    throw new Error(`${what}\n${when}\n${world.trace.join('\n')}`);
  }
  return world;
}

/** So long what is rare is waited for, in short runs as well. */
const PATIENCE_CRASHES = 20_000;

/**
 * Runs worlds from `seed` until `crashes` are survived and all of `expected` has happened in them.
 * Returns what of it has never happened.
 */
export function runDurableWorlds(
  seed: number,
  crashes: number,
  expected: readonly string[],
): string[] {
  let missing = [...expected];
  const seeds = new Prng(seed);
  let next = seed;
  let survived = 0;
  while (survived < crashes || (missing.length > 0 && survived < PATIENCE_CRASHES)) {
    const { met } = runDurableWorld(next, CRASHES_PER_WORLD).oracle;
    missing = missing.filter(what => !met.has(what));
    next = seeds.uint32();
    survived += CRASHES_PER_WORLD;
  }
  return missing;
}
