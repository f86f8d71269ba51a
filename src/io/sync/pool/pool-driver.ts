// The synchronous driver with a pool: this thread has the core and waits in epoll_wait, other
// threads have the sockets.

import type { BlockingDriver, Hallway, Tell } from '../../driver.ts';
import type { IoOptions } from '../../options.ts';
import { Doorbell } from '../doorbell.ts';
import { openLibc } from '../open-libc.ts';
import { type Feed, SyncDriver } from '../sync-driver.ts';
import { WorkerPool } from './worker-pool.ts';

export class PoolDriver implements BlockingDriver {
  private readonly base: SyncDriver;
  private readonly bell: Doorbell;
  private readonly pool: WorkerPool;
  private stopped = false;

  /** `threads` besides this one. */
  static async create(
    threads: number,
    hallway: Hallway,
    options: IoOptions,
    tell: Tell,
  ): Promise<PoolDriver> {
    const libc = await openLibc();
    const driver = new PoolDriver(
      new SyncDriver(libc, hallway, options, tell),
      new Doorbell(libc),
      new WorkerPool(libc, options),
    );
    await driver.start(threads, hallway, tell);
    return driver;
  }

  private constructor(base: SyncDriver, bell: Doorbell, pool: WorkerPool) {
    this.base = base;
    this.bell = bell;
    this.pool = pool;
  }

  private async start(threads: number, hallway: Hallway, tell: Tell): Promise<void> {
    this.base.watch(this.bell.fd, () => {}); // every round looks at every ring
    await this.pool.start(threads, hallway, tell, { bell: this.bell.fd, onPosted: () => {} });
    for (const feed of this.pool.feeds) this.base.feed(feed);
  }

  listen(host: string, port: number): Promise<{ host: string; port: number }> {
    return this.pool.listen(host, port);
  }

  /** As SyncDriver.watch. */
  watch(fd: number, onRing: () => void): void {
    this.base.watch(fd, onRing);
  }

  /** As SyncDriver.feed. */
  feed(feed: Feed): void {
    this.base.feed(feed);
  }

  wake(): void {
    this.base.wake();
  }

  stopListening(): void {
    this.pool.stopListening();
  }

  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    void this.pool.stop();
    this.base.stop();
  }

  run(): void {
    this.base.run();
  }
}
