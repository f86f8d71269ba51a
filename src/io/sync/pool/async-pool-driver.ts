// The core on an event loop, the sockets with other threads: for a server whose one core is kept
// busy by system calls. The threads post an empty message when this one has taken all there was.

import type { ListenerTerms } from '../../../config/address.ts';
import { Turns } from '../../async/turns.ts';
import type { Bound, Driver, Hallway, Tell } from '../../driver.ts';
import type { IoOptions } from '../../options.ts';
import { createProcessRoom, type RoomShare } from '../../room.ts';
import { leaveThreadsBehind, openLibc } from '../open-libc.ts';
import { WorkerPool } from './worker-pool.ts';

export class AsyncPoolDriver implements Driver {
  private readonly hallway: Hallway;
  private readonly pool: WorkerPool;
  private readonly threadsGone: () => void;
  private readonly turns = new Turns(() => this.turn());

  static async create(
    threads: number,
    hallway: Hallway,
    options: IoOptions,
    tell: Tell,
    room: RoomShare = createProcessRoom(),
  ): Promise<AsyncPoolDriver> {
    const libc = await openLibc();
    const pool = new WorkerPool(libc, hallway, options, tell, room);
    const driver = new AsyncPoolDriver(hallway, pool, leaveThreadsBehind(libc));
    const onPosted = () => driver.turns.plan();
    await driver.pool.start(threads, { bell: -1, onPosted });
    driver.wake();
    return driver;
  }

  private constructor(hallway: Hallway, pool: WorkerPool, threadsGone: () => void) {
    this.hallway = hallway;
    this.pool = pool;
    this.threadsGone = threadsGone;
  }

  listen(host: string, port: number, terms?: ListenerTerms): Promise<Bound> {
    return this.pool.listen(host, port, terms);
  }

  wake(): void {
    this.turns.plan();
  }

  stopListening(): void {
    this.pool.stopListening();
  }

  stop(): void {
    this.turns.stop();
    void this.pool.stop().then(this.threadsGone);
  }

  private turn(): number {
    const { feeds } = this.pool;
    for (const feed of feeds) feed.work();
    const delay = this.hallway.turn();
    let idle = true;
    for (const feed of feeds) if (!feed.settle()) idle = false;
    return idle ? delay : 0;
  }
}
