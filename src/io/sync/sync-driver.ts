// The synchronous driver: one thread that waits in epoll_wait, reads each ready socket once into
// one buffer, ends the turn, and waits again. It runs no promise, timer or message: what is to
// reach its thread rings a bell that it watches.
// Everything is edge-triggered. So a connection costs one epoll_ctl in its life, and what could not
// be read or written yet is remembered here instead of asked for again.
// Descriptors are closed between turns only: none can be taken for its successor within one.

import { formatAddress, type ListenerTerms } from '../../config/address.ts';
import type { Origin } from '../../core/access.ts';
import type { Connection } from '../../core/session/connection.ts';
import type { BlockingDriver, Bound, Hallway, Link, Reception, Tell } from '../driver.ts';
import { Entrance, listenerName, openTerms, receptionFor } from '../entrance.ts';
import type { IoOptions } from '../options.ts';
import { createProcessRoom, Room, type RoomShare } from '../room.ts';
import { type Accepted, Acceptor } from './acceptor.ts';
import {
  EAGAIN,
  EINTR,
  EPOLLERR,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  type Libc,
  MSG_NOSIGNAL,
  SHUT_WR,
  SO_LINGER,
  SOL_SOCKET,
} from './libc.ts';
import { openListeningSockets, resolveHost } from './listening-socket.ts';
import { openLibc } from './open-libc.ts';
import { Poller, type Source } from './poller.ts';

const ENDING = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
const INTEREST = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

/** Views of chunks up to this size are kept: at a trickle nearly every chunk is that small. */
const VIEW_BYTES_MAX = 512;

const Phase = {
  Open: 0,
  /** The peer has ended its side. Answers still go: those of this turn, or until a patient hallway
   *  says goodbye. */
  Answering: 1,
  /** We have said goodbye; what still comes is thrown away. */
  Closing: 2,
  /** After this turn it is gone. */
  Ended: 3,
} as const;

/** struct linger { 1, 0 }: closing is a reset. Pinned for good. */
const noLinger = new Int32Array(new ArrayBuffer(8));
noLinger[0] = 1;

class SyncLink implements Link, Source {
  readonly fd: number;
  readonly peer: string;
  readonly entrance: Entrance;
  connection: Connection | null = null;
  blocked = false;
  closing = false;
  phase: number = Phase.Open;
  paused = false;
  /** The socket may hold more than was read; nobody will say so again. */
  readable = false;
  /** It is in the driver's list of those to be read in the next round. */
  queued = false;
  /** The end of its stream is known to be among what is still to be read. */
  ending = false;
  /** It goes after this turn. */
  doomed = false;
  /** It took less than it was given. */
  full = false;
  private readonly driver: SyncDriver;

  constructor(driver: SyncDriver, fd: number, peer: string, entrance: Entrance) {
    this.driver = driver;
    this.fd = fd;
    this.peer = peer;
    this.entrance = entrance;
  }

  get origin(): Origin {
    return this.entrance.origin;
  }

  /** Nothing is to be read any more. */
  get over(): boolean {
    return this.phase === Phase.Answering || this.phase === Phase.Ended;
  }

  ready(events: number): void {
    if (this.over) return;
    if ((events & EPOLLOUT) !== 0 && this.full) {
      this.full = false;
      this.entrance.reception.drained(this);
    }
    if ((events & ENDING) !== 0) this.ending = true;
    if ((events & (EPOLLIN | ENDING)) !== 0) this.driver.receive(this);
  }

  write(buffer: Uint8Array, start: number, end: number): number {
    return this.phase <= Phase.Answering ? this.driver.send(this, buffer, start, end) : 0;
  }

  pause(paused: boolean): void {
    this.paused = paused;
    if (!paused && this.readable) this.driver.readNextRound(this);
  }

  close(): void {
    if (this.phase === Phase.Answering) this.driver.end(this);
    if (this.phase !== Phase.Open) return;
    this.phase = Phase.Closing;
    this.driver.libc.shutdown(this.fd, SHUT_WR);
    this.pause(false); // the peer's end of stream must be seen
  }

  abort(): void {
    if (this.phase === Phase.Ended) return;
    this.driver.resetOnClose(this.fd);
    this.driver.end(this);
  }
}

/** Something other than sockets that has work for this thread. */
export interface Feed {
  /** After a wait, whether or not a bell rang: does what there is to do. */
  work(): void;
  /** The turn is over. True: whoever brings work from now on rings a bell that is watched; false:
   *  there is some already. */
  settle(): boolean;
}

/** A hallway that is told of a peer's end of stream and ends the link itself, when it likes. */
export interface PatientHallway extends Reception, Pick<Hallway, 'turn'> {
  ended(link: Link): void;
}

export class SyncDriver implements BlockingDriver {
  readonly hallway: Hallway | PatientHallway;
  readonly libc: Libc;
  private readonly options: IoOptions;
  private readonly tell: Tell;
  private readonly poller: Poller;
  private readonly acceptor: Acceptor;
  private readonly room: Room;
  /** By descriptor. */
  private readonly links: (SyncLink | undefined)[] = [];
  private readonly feeds: Feed[] = [];
  private readonly chunk: Uint8Array;
  private readonly chunkAt: number;
  /** By length, views of the beginning of `chunk`. */
  private readonly views: (Uint8Array | undefined)[] = [];
  private again: SyncLink[] = [];
  private doomed: SyncLink[] = [];
  private held = false;
  private woken = false;
  private running = false;
  private stopped = false;

  static async create(
    hallway: Hallway,
    options: IoOptions,
    tell: Tell,
    room?: RoomShare,
  ): Promise<SyncDriver> {
    return new SyncDriver(await openLibc(), hallway, options, tell, room);
  }

  /** `room`: what there is for the sockets of the whole process. */
  constructor(
    libc: Libc,
    hallway: Hallway | PatientHallway,
    options: IoOptions,
    tell: Tell,
    room: RoomShare = createProcessRoom(),
  ) {
    this.libc = libc;
    this.tell = tell;
    this.hallway = hallway;
    this.options = options;
    this.poller = new Poller(libc);
    this.room = new Room(room, tell);
    this.chunk = new Uint8Array(new ArrayBuffer(options.readBufferBytes));
    this.chunkAt = libc.address(this.chunk);
    const accepted: Accepted = (fd, peer, entrance) => this.accepted(fd, peer, entrance);
    this.acceptor = new Acceptor(libc, this.poller, options.acceptsPerSecond, tell, accepted);
  }

  async listen(host: string, port: number, terms: ListenerTerms = openTerms): Promise<Bound> {
    try {
      const { hallway, tell } = this;
      const reception = 'ended' in hallway ? hallway : await receptionFor(hallway, terms, tell);
      const address = await resolveHost(host);
      const [socket] = openListeningSockets(this.libc, address, port, this.options, 1);
      const bound = { host, port: socket!.port };
      this.listenOn(socket!.fd, listenerName(bound, terms), terms, reception);
      return bound;
    } catch (error) {
      throw Object.assign(error as Error, { address: host, port });
    }
  }

  /** Accepts from a listening socket, which is this driver's from now on. */
  listenOn(
    fd: number,
    listener: string,
    terms: ListenerTerms = openTerms,
    reception: Reception = this.hallway,
  ): void {
    this.acceptor.add(fd, new Entrance(listener, terms, reception, this.room, this.tell));
  }

  /** Calls `onRing` on this thread after the eventfd of a Doorbell was rung. */
  watch(fd: number, onRing: () => void): void {
    this.poller.add(fd, { ready: onRing }, EPOLLIN | EPOLLET);
  }

  feed(feed: Feed): void {
    this.feeds.push(feed);
  }

  wake(): void {
    this.woken = true;
  }

  /** While held, nobody is read from and nobody let in. */
  hold(held: boolean): void {
    this.held = held;
    this.acceptor.hold(held);
  }

  stopListening(): void {
    this.acceptor.close();
  }

  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.stopListening();
    for (const link of this.links) link?.abort();
    if (!this.running) this.finish();
  }

  run(): void {
    if (this.stopped) return; // before it came to run
    this.running = true;
    let delay = this.hallway.turn();
    while (!this.stopped) {
      const patience = this.patience(delay);
      this.readAgain(); // before those who come only now
      this.poller.wait(patience);
      this.woken = false;
      this.acceptor.accept();
      for (const feed of this.feeds) feed.work();
      delay = this.hallway.turn();
      if (this.doomed.length > 0) this.bury();
    }
    this.finish();
  }

  /** How long to wait for something: not at all when there is something to do. */
  private patience(delay: number): number {
    let idle = true;
    for (const feed of this.feeds) if (!feed.settle()) idle = false;
    if (!idle) return 0;
    if (this.woken || this.stopped) return 0;
    if (this.again.length > 0 && !this.held) return 0;
    return Math.min(delay, this.acceptor.patience());
  }

  private accepted(fd: number, peer: { host: string; port: number }, entrance: Entrance): boolean {
    if (!entrance.enter()) {
      this.sendAway(fd);
      return true;
    }
    const link = new SyncLink(this, fd, formatAddress(peer.host, peer.port), entrance);
    if (!this.poller.add(fd, link, INTEREST)) {
      entrance.leave();
      return false;
    }
    this.links[fd] = link;
    if (!entrance.reception.opened(link)) link.abort();
    return true;
  }

  private sendAway(fd: number): void {
    this.resetOnClose(fd);
    this.libc.close(fd);
  }

  resetOnClose(fd: number): void {
    this.libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, this.libc.address(noLinger), 8);
  }

  receive(link: SyncLink): void {
    if (link.queued) return; // its turn comes with the next round
    if (link.paused || this.held) {
      link.readable = true;
      if (!link.paused) this.readNextRound(link);
      return;
    }
    const count = this.libc.recv(link.fd, this.chunkAt, this.chunk.length, 0);
    if (count > 0) {
      link.readable = count === this.chunk.length || link.ending;
      if (link.readable) this.readNextRound(link);
      if (link.phase === Phase.Open) link.entrance.reception.bytes(link, this.received(count));
      return;
    }
    link.readable = false;
    if (count === 0) {
      this.endOfStream(link);
      return;
    }
    const errno = this.libc.errno();
    if (errno === EINTR) this.readNextRound(link);
    else if (errno !== EAGAIN) this.end(link);
  }

  /** The first `count` bytes of the chunk. */
  private received(count: number): Uint8Array {
    if (count > VIEW_BYTES_MAX) return this.chunk.subarray(0, count);
    this.views[count] ??= this.chunk.subarray(0, count);
    return this.views[count];
  }

  send(link: SyncLink, buffer: Uint8Array, start: number, end: number): number {
    const at = this.libc.address(buffer) + start;
    const sent = this.libc.send(link.fd, at, end - start, MSG_NOSIGNAL);
    if (sent === end - start) return sent;
    if (sent === -1) {
      const errno = this.libc.errno();
      if (errno === EINTR) return this.send(link, buffer, start, end);
      if (errno !== EAGAIN) {
        this.end(link); // nobody is there any more
        return 0;
      }
    }
    link.full = true;
    return sent === -1 ? 0 : sent;
  }

  readNextRound(link: SyncLink): void {
    if (link.queued || link.over) return;
    link.queued = true;
    this.again.push(link);
  }

  private endOfStream(link: SyncLink): void {
    if (link.phase !== Phase.Open) {
      this.end(link);
      return;
    }
    link.phase = Phase.Answering;
    if ('ended' in this.hallway) this.hallway.ended(link);
    else this.doom(link);
  }

  /** After this turn it is gone. */
  end(link: SyncLink): void {
    link.phase = Phase.Ended;
    this.doom(link);
  }

  private doom(link: SyncLink): void {
    if (link.doomed) return;
    link.doomed = true;
    this.doomed.push(link);
  }

  private readAgain(): void {
    if (this.again.length === 0 || this.held) return;
    const links = this.again;
    this.again = [];
    for (let i = 0; i < links.length; i++) {
      const link = links[i]!;
      if (this.held) {
        // Whoever has had no turn now is first in the next one.
        this.again = links.slice(i).concat(this.again);
        return;
      }
      link.queued = false;
      if (!link.over) this.receive(link);
    }
  }

  /** Closes what has ended and tells so, which is reason for another turn. */
  private bury(): void {
    while (this.doomed.length > 0) {
      const links = this.doomed;
      this.doomed = [];
      for (const link of links) {
        link.phase = Phase.Ended;
        this.links[link.fd] = undefined;
        this.poller.forget(link.fd);
        this.libc.close(link.fd);
        link.entrance.leave();
        link.entrance.reception.closed(link);
      }
    }
    this.acceptor.descriptorsFreed();
    this.woken = true;
  }

  private finish(): void {
    this.bury();
    this.poller.close();
  }
}
