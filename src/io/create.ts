// Makes the driver of a mode. Code of a runtime or of a mode is loaded only where it is used, so
// that nothing of Bun is reached on Node. `room` is what there is for the sockets of the process;
// without one a driver counts for itself.

import type { BlockingDriver, Driver, Hallway, Tell } from './driver.ts';
import type { IoOptions } from './options.ts';
import type { RoomShare } from './room.ts';
import type { Feed } from './sync/sync-driver.ts';

/** The driver that serves `hallway` from the event loop of this thread. */
export async function createAsyncDriver(
  hallway: Hallway,
  options: IoOptions,
  tell: Tell,
  room?: RoomShare,
): Promise<Driver> {
  if ('Bun' in globalThis) {
    const { BunDriver } = await import('./async/bun-driver.ts');
    return new BunDriver(hallway, options, tell, room);
  }
  const { NodeDriver } = await import('./async/node-driver.ts');
  return new NodeDriver(hallway, options, tell, room);
}

/** A driver that also listens to others than sockets. */
export interface WatchingDriver extends BlockingDriver {
  /** Calls `onRing` on the driver's thread after the eventfd of a Doorbell was rung. */
  watch(fd: number, onRing: () => void): void;
  /** Looks after `feed` in every round. */
  feed(feed: Feed): void;
}

/** The driver that serves `hallway` by blocking this thread, with `poolSize` threads in all: this
 *  one alone, or this one for the core and the others for the sockets. */
export async function createSyncDriver(
  poolSize: number,
  hallway: Hallway,
  options: IoOptions,
  tell: Tell,
  room?: RoomShare,
): Promise<WatchingDriver> {
  if (poolSize > 1) {
    const { PoolDriver } = await import('./sync/pool/pool-driver.ts');
    return PoolDriver.create(poolSize - 1, hallway, options, tell, room);
  }
  const { SyncDriver } = await import('./sync/sync-driver.ts');
  return SyncDriver.create(hallway, options, tell, room);
}

/** The driver that serves `hallway` from the event loop of this thread and leaves the sockets to
 *  `threads` others. */
export async function createAsyncPoolDriver(
  threads: number,
  hallway: Hallway,
  options: IoOptions,
  tell: Tell,
  room?: RoomShare,
): Promise<Driver> {
  const { AsyncPoolDriver } = await import('./sync/pool/async-pool-driver.ts');
  return AsyncPoolDriver.create(threads, hallway, options, tell, room);
}
