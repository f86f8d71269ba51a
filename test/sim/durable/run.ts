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

/** Runs worlds from `seed` until `crashes` are survived; returns what has happened in them. */
export function runDurableWorlds(seed: number, crashes: number): Set<string> {
  const met = new Set<string>();
  const seeds = new Prng(seed);
  let next = seed;
  for (let survived = 0; survived < crashes; survived += CRASHES_PER_WORLD) {
    for (const what of runDurableWorld(next, CRASHES_PER_WORLD).oracle.met) met.add(what);
    next = seeds.uint32();
  }
  return met;
}
