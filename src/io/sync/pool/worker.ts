// The program of a pool's thread: sockets with the synchronous driver, the core elsewhere. It is
// told to go by a word in shared memory and a ring of its bell.

import { parentPort, workerData } from 'node:worker_threads';
import type { Tell } from '../../driver.ts';
import { Doorbell } from '../doorbell.ts';
import { openLibc } from '../open-libc.ts';
import { type Feed, SyncDriver } from '../sync-driver.ts';
import { Forwarder } from './forwarder.ts';
import type { PoolThreadData } from './records.ts';

/** How long a thread that has failed waits before it looks for room to say so again. */
const FULL_WAIT_MS = 10;

const { options, up, down, stop, bell, coreBell, room } = (workerData as PoolThreadData).minnowPool;
const port = parentPort!;

const libc = await openLibc();
const coreDoor = new Doorbell(libc, coreBell);
const wakeCore = coreBell < 0 ? () => port.postMessage(null) : () => coreDoor.ring();
const forwarder = new Forwarder(up, down, wakeCore);
const tell: Tell = (level, message, fields = {}) => forwarder.tell({ level, message, fields });
const driver = new SyncDriver(libc, forwarder, options, tell, room);
const word = new Int32Array(stop);
const stopWatch: Feed = {
  work: () => {
    if (Atomics.load(word, 0) !== 0) driver.stop();
  },
  settle: () => Atomics.load(word, 0) === 0,
};
forwarder.driver = driver;
driver.feed(stopWatch);
driver.feed(forwarder);
driver.watch(bell, () => {}); // every round looks at everything
port.postMessage('ready');
try {
  driver.run();
} catch (error) {
  const why = String((error as Error).stack ?? error);
  forwarder.fail(why, () => Atomics.wait(word, 0, 0, FULL_WAIT_MS) === 'timed-out');
}
