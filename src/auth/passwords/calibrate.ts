// How much work a new scrypt hash asks for on this machine: as much memory as there is room for,
// then as many passes as fit into the time. Whoever tries passwords pays the same per try.

import { totalmem } from 'node:os';
import { hashScrypt, type ScryptCosts } from './compute.ts';
import { scryptBytes } from './stored-hash.ts';

const MB = 2 ** 20;
const BLOCK_SIZE = 8;
/** Less than this is not worth being called a hash, however slow the machine. */
const LOG_N_MIN = 10;
const PARALLEL_MAX = 16;
const ROUNDS = 3;

export interface Bounds {
  readonly timeMs: number;
  readonly memoryBytes: number;
}

/** A router has little memory, and several logins at once need it several times. */
export function boundsFor(machineBytes: number): Bounds {
  return { timeMs: 100, memoryBytes: machineBytes <= 1024 * MB ? 4 * MB : 16 * MB };
}

export function machineMemory(): number {
  const bound = process.constrainedMemory?.() ?? 0;
  return bound > 0 ? Math.min(bound, totalmem()) : totalmem();
}

/** The costs within `bounds`, and the time they take here. `measure` tells the milliseconds that
 *  one hash takes. */
export async function calibrate(
  bounds: Bounds,
  measure: (costs: ScryptCosts) => Promise<number> = timeOf,
): Promise<{ readonly costs: ScryptCosts; readonly ms: number }> {
  const withLogN = (logN: number): ScryptCosts => ({ logN, blockSize: BLOCK_SIZE, parallel: 1 });
  let costs = withLogN(LOG_N_MIN);
  await measure(costs); // the first one also pays for getting ready
  let ms = await measure(costs);
  for (;;) {
    const next = withLogN(costs.logN + 1);
    // A power of two of blocks fills the bound exactly; the few bytes beside them do not count.
    const fits = 128 * BLOCK_SIZE * 2 ** next.logN <= bounds.memoryBytes;
    if (!fits || 2 * ms > bounds.timeMs) break;
    const nextMs = await measure(next);
    if (nextMs > bounds.timeMs) break;
    [costs, ms] = [next, nextMs];
  }
  // A fifth is left for a machine that is busier than now.
  const passes = Math.floor((0.8 * bounds.timeMs) / Math.max(ms, 0.1));
  const parallel = Math.min(PARALLEL_MAX, Math.max(1, passes));
  if (parallel === 1) return { costs, ms };
  costs = { ...costs, parallel };
  return { costs, ms: await measure(costs) };
}

/** The least of a few: what other programs take meanwhile is not the hash's. */
async function timeOf(costs: ScryptCosts): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    await hashScrypt(new Uint8Array(16), costs);
    least = Math.min(least, performance.now() - start);
  }
  return least;
}

/** "16 MB and 78 ms". */
export function costsText(costs: ScryptCosts, ms: number): string {
  return `${Math.round(scryptBytes(costs) / MB)} MB and ${Math.round(ms)} ms`;
}
