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

/**
 * Runs worlds from `seed` until `steps` steps are taken; the first world has that very seed.
 * Returns what has happened in them, by name.
 */
export function runWorlds(seed: number, steps: number): Set<string> {
  const met = new Set<string>();
  const seeds = new Prng(seed);
  let next = seed;
  for (let taken = 0; taken < steps; taken += STEPS_PER_WORLD) {
    const world = runWorld(next, Math.min(STEPS_PER_WORLD, steps - taken));
    for (const what of world.oracle.met) met.add(what);
    next = seeds.uint32();
  }
  return met;
}
