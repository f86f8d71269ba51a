// One epoll set and what waits in it, by descriptor. Edge-triggered unless asked otherwise: a
// connection is entered once and never touched again, whether it is paused or waits for room.
// A descriptor must not be closed between `wait` and the end of its `dispatch`: what is reported of
// it could then be taken for its successor's.

import {
  checked,
  EINTR,
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLL_DATA_OFFSET,
  EPOLL_EVENT_BYTES,
  type Libc,
  systemError,
} from './libc.ts';

/** Something with a descriptor. */
export interface Source {
  /** `events`: EPOLLIN and its kind. */
  ready(events: number): void;
}

/** Events per call; more are taken by the next one. */
const EVENTS_MAX = 512;
/** epoll_wait's own bound. */
const TIMEOUT_MAX_MS = 0x7fff_ffff;

export class Poller {
  private readonly libc: Libc;
  private readonly fd: number;
  private readonly sources: (Source | undefined)[] = [];
  private readonly events = new DataView(new ArrayBuffer(EVENTS_MAX * EPOLL_EVENT_BYTES));
  private readonly eventsAt: number;
  private readonly interest = new DataView(new ArrayBuffer(EPOLL_EVENT_BYTES));
  private readonly interestAt: number;

  constructor(libc: Libc) {
    this.libc = libc;
    this.fd = checked(libc, 'epoll_create1', libc.epoll_create1(EPOLL_CLOEXEC));
    this.eventsAt = libc.address(this.events);
    this.interestAt = libc.address(this.interest);
  }

  /** False: the system has no room for one more. */
  add(fd: number, source: Source, events: number): boolean {
    this.interest.setUint32(0, events, true);
    this.interest.setInt32(EPOLL_DATA_OFFSET, fd, true);
    if (this.libc.epoll_ctl(this.fd, EPOLL_CTL_ADD, fd, this.interestAt) === -1) return false;
    this.sources[fd] = source;
    return true;
  }

  /** What is wanted of `fd` from now on. */
  change(fd: number, events: number): void {
    this.interest.setUint32(0, events, true);
    this.interest.setInt32(EPOLL_DATA_OFFSET, fd, true);
    const result = this.libc.epoll_ctl(this.fd, EPOLL_CTL_MOD, fd, this.interestAt);
    checked(this.libc, 'epoll_ctl', result);
  }

  /** To be called before `fd` is closed. A closed descriptor leaves the set by itself; one that is
   *  to stay open is taken out by `takeOut`. */
  forget(fd: number): void {
    this.sources[fd] = undefined;
  }

  takeOut(fd: number): void {
    this.sources[fd] = undefined;
    const result = this.libc.epoll_ctl(this.fd, EPOLL_CTL_DEL, fd, this.interestAt);
    checked(this.libc, 'epoll_ctl', result);
  }

  /** Blocks this thread until something is ready, at most `timeoutMs`, and calls what is. */
  wait(timeoutMs: number): void {
    const timeout = timeoutMs === Infinity ? -1 : Math.min(Math.ceil(timeoutMs), TIMEOUT_MAX_MS);
    const count = this.libc.epoll_wait(this.fd, this.eventsAt, EVENTS_MAX, timeout);
    if (count === -1) {
      if (this.libc.errno() !== EINTR) throw systemError(this.libc, 'epoll_wait');
      return;
    }
    const { events, sources } = this;
    for (let i = 0, at = 0; i < count; i++, at += EPOLL_EVENT_BYTES) {
      // A source that another one has just removed is forgotten already.
      sources[events.getInt32(at + EPOLL_DATA_OFFSET, true)]?.ready(events.getUint32(at, true));
    }
  }

  close(): void {
    this.libc.close(this.fd);
  }
}
