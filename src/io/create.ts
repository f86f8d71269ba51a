// Makes the driver of a mode. Code of a runtime or of a mode is loaded only where it is used, so
// that nothing of Bun is reached on Node.

import type { Driver, Hallway, Tell } from './driver.ts';
import type { IoOptions } from './options.ts';

/** The driver that serves `hallway` from the event loop of this thread. */
export async function createAsyncDriver(
  hallway: Hallway,
  options: IoOptions,
  tell: Tell,
): Promise<Driver> {
  if ('Bun' in globalThis) {
    const { BunDriver } = await import('./async/bun-driver.ts');
    return new BunDriver(hallway, options, tell);
  }
  const { NodeDriver } = await import('./async/node-driver.ts');
  return new NodeDriver(hallway, options, tell);
}
