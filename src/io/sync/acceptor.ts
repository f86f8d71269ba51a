// Lets clients in from the listening sockets of one driver, no faster than the pacing allows. When
// descriptors run out it says so once, waits until some are free, and says so again.

import type { Tell } from '../driver.ts';
import { Pacing } from '../pacing.ts';
import {
  checked,
  EAGAIN,
  EINVAL,
  EMFILE,
  ENFILE,
  ENOBUFS,
  ENOMEM,
  EPOLLET,
  EPOLLIN,
  type Libc,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  systemError,
} from './libc.ts';
import type { Poller, Source } from './poller.ts';
import { readSocketAddress, SOCKADDR_BYTES_MAX } from './socket-address.ts';

/** Descriptors may be freed by others of this process, who do not tell. */
const EXHAUSTED_RETRY_MS = 1_000;

/** What takes a socket that was accepted; false: the system has no room for it. */
export type Accepted = (fd: number, peer: { host: string; port: number }) => boolean;

const Outcome = { Accepted: 0, Nobody: 1, Exhausted: 2 } as const;

class Listening implements Source {
  readonly fd: number;
  /** Clients wait, as far as is known. */
  crowded = true;

  constructor(fd: number) {
    this.fd = fd;
  }

  ready(): void {
    this.crowded = true;
  }
}

export class Acceptor {
  private readonly libc: Libc;
  private readonly poller: Poller;
  private readonly tell: Tell;
  private readonly accepted: Accepted;
  private readonly pacing: Pacing;
  private readonly sockets: Listening[] = [];
  private readonly address = new DataView(new ArrayBuffer(SOCKADDR_BYTES_MAX));
  private readonly addressAt: number;
  private readonly addressLength = new DataView(new ArrayBuffer(4));
  private readonly addressLengthAt: number;
  private held = false;
  private exhausted = false;
  /** Trying again is worth it. */
  private retry = false;

  constructor(libc: Libc, poller: Poller, perSecond: number, tell: Tell, accepted: Accepted) {
    this.libc = libc;
    this.pacing = new Pacing(perSecond, performance.now());
    this.poller = poller;
    this.tell = tell;
    this.accepted = accepted;
    this.addressAt = libc.address(this.address);
    this.addressLengthAt = libc.address(this.addressLength);
  }

  add(fd: number): void {
    const socket = new Listening(fd);
    if (!this.poller.add(fd, socket, EPOLLIN | EPOLLET)) {
      const error = systemError(this.libc, 'epoll_ctl');
      this.libc.close(fd);
      throw error;
    }
    this.sockets.push(socket);
  }

  /** While held, nobody is let in. */
  hold(held: boolean): void {
    this.held = held;
  }

  close(): void {
    for (const { fd } of this.sockets.splice(0)) {
      this.poller.forget(fd);
      checked(this.libc, 'close', this.libc.close(fd));
    }
  }

  /** How long it can be without `accept`, milliseconds. */
  patience(): number {
    if (this.held || !this.sockets.some(({ crowded }) => crowded)) return Infinity;
    if (this.exhausted && !this.retry) return EXHAUSTED_RETRY_MS;
    return this.pacing.delay(performance.now());
  }

  /** Descriptors were closed. */
  descriptorsFreed(): void {
    this.retry = true;
  }

  accept(): void {
    if (this.held || !this.sockets.some(({ crowded }) => crowded)) return;
    this.retry = false;
    const now = performance.now();
    for (const socket of this.sockets) {
      while (socket.crowded && this.pacing.delay(now) === 0) {
        const outcome = this.acceptOne(socket);
        if (outcome === Outcome.Exhausted) {
          this.setExhausted(true);
          return;
        }
        if (outcome === Outcome.Nobody) continue;
        this.pacing.take(now);
        this.setExhausted(false);
      }
    }
  }

  private acceptOne(socket: Listening): number {
    const { libc } = this;
    this.addressLength.setInt32(0, SOCKADDR_BYTES_MAX, true);
    const flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    const fd = libc.accept4(socket.fd, this.addressAt, this.addressLengthAt, flags);
    if (fd >= 0) {
      if (this.accepted(fd, readSocketAddress(this.address))) return Outcome.Accepted;
      libc.close(fd);
      return Outcome.Exhausted;
    }
    const errno = libc.errno();
    if (errno === EMFILE || errno === ENFILE || errno === ENOBUFS || errno === ENOMEM) {
      return Outcome.Exhausted;
    }
    // EINVAL: it was shut down. Anything else is the end of a client who left before it was let in.
    if (errno === EAGAIN || errno === EINVAL) socket.crowded = false;
    return Outcome.Nobody;
  }

  private setExhausted(exhausted: boolean): void {
    if (exhausted === this.exhausted) return;
    this.exhausted = exhausted;
    if (exhausted) this.tell('warn', 'no descriptors left: nobody is let in until some are free');
    else this.tell('info', 'descriptors are free again: clients are let in');
  }
}
