// The threads that have the sockets, as whoever drives the core has them: started, told where to
// listen, stopped. Each has a listening socket of its own, and the system shares clients out.

import { Worker } from 'node:worker_threads';
import { threadProgram } from '../../../thread-program.ts';
import type { Bound, Hallway, Tell } from '../../driver.ts';
import { Entrance, listenerName, openTerms, receptionFor } from '../../entrance.ts';
import type { IoOptions } from '../../options.ts';
import type { RoomShare } from '../../room.ts';
import { Doorbell } from '../doorbell.ts';
import { type Libc, SHUT_RDWR } from '../libc.ts';
import { openListeningSockets, resolveHost } from '../listening-socket.ts';
import { createRing } from '../ring.ts';
import type { PoolThreadData } from './records.ts';
import { RemoteLinks } from './remote-links.ts';

/** How the core's thread is woken. */
export interface CoreWaker {
  /** The Doorbell that it watches, or -1. */
  readonly bell: number;
  /** Without one: called on this thread when a pool's thread has posted. */
  onPosted(): void;
}

interface Member {
  readonly worker: Worker;
  readonly links: RemoteLinks;
  readonly bell: Doorbell;
  readonly stop: Int32Array;
  readonly exited: Promise<void>;
}

export class WorkerPool {
  private readonly libc: Libc;
  private readonly hallway: Hallway;
  private readonly options: IoOptions;
  private readonly tell: Tell;
  /** What there is for the sockets of the whole process. */
  private readonly room: RoomShare;
  /** Of all listeners, by name. */
  private readonly entrances = new Map<string, Entrance>();
  private readonly members: Member[] = [];
  /** What the threads listen on. They close it. */
  private listening: number[] = [];

  constructor(libc: Libc, hallway: Hallway, options: IoOptions, tell: Tell, room: RoomShare) {
    this.libc = libc;
    this.hallway = hallway;
    this.options = options;
    this.tell = tell;
    this.room = room;
  }

  /** What their threads feed the core's with. */
  get feeds(): readonly RemoteLinks[] {
    return this.members.map(({ links }) => links);
  }

  /** Starts `count` threads; resolves when they wait for their sockets. */
  async start(count: number, waker: CoreWaker): Promise<void> {
    // Together they let in as many as one would.
    const acceptsPerSecond = this.options.acceptsPerSecond / count;
    const options = { ...this.options, acceptsPerSecond };
    const starts = Array.from({ length: count }, () => this.startOne(options, waker));
    await Promise.all(starts);
  }

  private async startOne(options: IoOptions, waker: CoreWaker): Promise<void> {
    const up = createRing(options.ringBytes);
    const down = createRing(options.ringBytes);
    const stop = new SharedArrayBuffer(4);
    const bell = new Doorbell(this.libc);
    const { hallway, room, tell, entrances } = this;
    const bells = { bell: bell.fd, coreBell: waker.bell };
    const workerData: PoolThreadData = {
      minnowPool: { options, up, down, stop, room, ...bells },
    };
    const worker = new Worker(threadProgram('io/sync/pool/worker'), { workerData });
    const exited = new Promise<void>(resolve => worker.once('exit', () => resolve()));
    const links = new RemoteLinks(hallway, tell, up, down, () => bell.ring(), entrances);
    await new Promise<void>((resolve, reject) => {
      worker.once('message', () => resolve()); // it is ready
      worker.once('error', reject);
    });
    worker.on('message', () => waker.onPosted());
    this.members.push({ worker, links, bell, stop: new Int32Array(stop), exited });
  }

  async listen(host: string, port: number, terms = openTerms): Promise<Bound> {
    try {
      const { libc, hallway, options, members, tell } = this;
      const reception = await receptionFor(hallway, terms, tell);
      const address = await resolveHost(host);
      const sockets = openListeningSockets(libc, address, port, options, members.length);
      const bound = { host, port: sockets[0]!.port };
      const name = listenerName(bound, terms);
      // The threads count for the process, and none of them sees all of this listener's clients.
      this.entrances.set(name, new Entrance(name, terms, reception, null, tell));
      for (const [i, { links }] of members.entries()) links.listenOn(sockets[i]!.fd, name);
      this.listening.push(...sockets.map(({ fd }) => fd));
      return bound;
    } catch (error) {
      throw Object.assign(error as Error, { address: host, port });
    }
  }

  stopListening(): void {
    // At once, whenever the threads get to it.
    for (const fd of this.listening) this.libc.shutdown(fd, SHUT_RDWR);
    this.listening = [];
    for (const { links } of this.members) links.stopListening();
  }

  /** Ends the threads and everything they have; resolves when they are gone. What is still open
   *  counts as gone at once. */
  async stop(): Promise<void> {
    this.stopListening();
    const ends = this.members.splice(0).map(({ links, bell, stop, exited }) => {
      Atomics.store(stop, 0, 1);
      bell.ring();
      links.abandon();
      return exited.then(() => bell.close());
    });
    await Promise.all(ends);
  }
}
