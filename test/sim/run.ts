// Runs worlds one after the other from one seed until enough steps are taken, and says how to
// replay the one that failed.

import { Prng } from '../prng.ts';
import { World } from './world.ts';

const STEPS_PER_WORLD = 1_000;

/** Runs the world of `seed`; a failure tells its seed, its kind and what happened last. */
export function runWorld(seed: number, steps: number = STEPS_PER_WORLD): World {
  const world = new World(seed);
  try {
    world.run(steps);
    world.finish();
  } catch (error) {
    const { config, trace, clock } = world;
    const when = `at ${clock.now.toFixed(1)} ms, in a world that is ${config.kind}`;
    const how = `MINNOW_SEED=${seed} replays it first`;
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    throw new Error(`${what}\n${when}; ${how}\n${trace.join('\n')}`);
  }
  return world;
}

/** So long what is rare is waited for, in short runs as well. */
const PATIENCE_STEPS = 600_000;

/**
 * Runs worlds from `seed` until `steps` steps are taken and all of `expected` has happened in them;
 * the first world has that very seed. Returns what of it has never happened.
 */
export function runWorlds(seed: number, steps: number, expected: readonly string[]): string[] {
  let missing = [...expected];
  const seeds = new Prng(seed);
  let next = seed;
  let taken = 0;
  while (taken < steps || (missing.length > 0 && taken < PATIENCE_STEPS)) {
    const { met } = runWorld(next, STEPS_PER_WORLD).oracle;
    missing = missing.filter(what => !met.includes(what));
    next = seeds.uint32();
    taken += STEPS_PER_WORLD;
  }
  return missing;
}
