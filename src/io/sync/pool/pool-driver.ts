// The synchronous driver with a pool: this thread has the core and waits in epoll_wait, other
// threads have the sockets.

import type { ListenerTerms } from '../../../config/address.ts';
import type { BlockingDriver, Bound, Hallway, Tell } from '../../driver.ts';
import type { IoOptions } from '../../options.ts';
import { createProcessRoom, type RoomShare } from '../../room.ts';
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
    room: RoomShare = createProcessRoom(),
  ): Promise<PoolDriver> {
    const libc = await openLibc();
    const driver = new PoolDriver(
      new SyncDriver(libc, hallway, options, tell, room),
      new Doorbell(libc),
      new WorkerPool(libc, hallway, options, tell, room),
    );
    await driver.start(threads);
    return driver;
  }

  private constructor(base: SyncDriver, bell: Doorbell, pool: WorkerPool) {
    this.base = base;
    this.bell = bell;
    this.pool = pool;
  }

  private async start(threads: number): Promise<void> {
    this.base.watch(this.bell.fd, () => {}); // every round looks at every ring
    await this.pool.start(threads, { bell: this.bell.fd, onPosted: () => {} });
    for (const feed of this.pool.feeds) this.base.feed(feed);
  }

  listen(host: string, port: number, terms?: ListenerTerms): Promise<Bound> {
    return this.pool.listen(host, port, terms);
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
