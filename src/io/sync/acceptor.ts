// Lets clients in from the listening sockets of one driver, no faster than the pacing allows. When
// that fails, for want of descriptors or for whatever reason again and again, it says so once,
// tries now and then, and says so when it works again.

import type { Tell } from '../driver.ts';
import type { Entrance } from '../entrance.ts';
import { Pacing } from '../pacing.ts';
import {
  checked,
  EAGAIN,
  EINTR,
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

/** How long after a failure it is tried again: descriptors may be freed by others of this process,
 *  who do not tell. */
const RETRY_MS = 1_000;
/** An error may be the end of a client who left before it was let in. So many in a row are not. */
const ERRORS_MAX = 16;

/** What takes a socket that was accepted; false: the system has no room for it. */
export type Accepted = (
  fd: number,
  peer: { host: string; port: number },
  entrance: Entrance,
) => boolean;

const exhausted = {
  begins: 'no descriptors left: nobody is let in until some are free',
  over: 'descriptors are free again: clients are let in',
};
const failing = {
  begins: 'accepting fails: nobody is let in until it works again',
  over: 'accepting works again: clients are let in',
};

class Listening implements Source {
  readonly fd: number;
  readonly entrance: Entrance;
  /** Clients wait, as far as is known. */
  crowded = true;

  constructor(fd: number, entrance: Entrance) {
    this.fd = fd;
    this.entrance = entrance;
  }

  ready(): void {
    this.crowded = true;
  }
}

export class Acceptor {
  private readonly libc: Libc;
  private readonly poller: Pick<Poller, 'add' | 'forget'>;
  private readonly tell: Tell;
  private readonly accepted: Accepted;
  private readonly pacing: Pacing;
  private readonly sockets: Listening[] = [];
  private readonly address = new DataView(new ArrayBuffer(SOCKADDR_BYTES_MAX));
  private readonly addressAt: number;
  private readonly addressLength = new DataView(new ArrayBuffer(4));
  private readonly addressLengthAt: number;
  private readonly clock: () => number;
  private held = false;
  /** Why nobody is let in, as it was told. */
  private trouble: typeof exhausted | null = null;
  /** During trouble: when it is worth trying. */
  private retryAt = 0;
  private errorsInRow = 0;

  /** `clock` tells milliseconds. */
  constructor(
    libc: Libc,
    poller: Pick<Poller, 'add' | 'forget'>,
    perSecond: number,
    tell: Tell,
    accepted: Accepted,
    clock: () => number = () => performance.now(),
  ) {
    this.libc = libc;
    this.clock = clock;
    this.pacing = new Pacing(perSecond, clock());
    this.poller = poller;
    this.tell = tell;
    this.accepted = accepted;
    this.addressAt = libc.address(this.address);
    this.addressLengthAt = libc.address(this.addressLength);
  }

  add(fd: number, entrance: Entrance): void {
    const socket = new Listening(fd, entrance);
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
    const now = this.clock();
    if (this.trouble !== null && now < this.retryAt) return this.retryAt - now;
    return this.pacing.delay(now);
  }

  /** Descriptors were closed. */
  descriptorsFreed(): void {
    if (this.trouble === exhausted) this.retryAt = 0;
  }

  accept(): void {
    if (this.held || !this.sockets.some(({ crowded }) => crowded)) return;
    const now = this.clock();
    if (this.trouble !== null && now < this.retryAt) return;
    for (const socket of this.sockets) {
      while (socket.crowded && this.pacing.delay(now) === 0) {
        if (this.acceptOne(socket, now)) continue;
        this.retryAt = now + RETRY_MS;
        return;
      }
    }
  }

  /** False: there is no use in going on for now. */
  private acceptOne(socket: Listening, now: number): boolean {
    const { libc } = this;
    this.addressLength.setInt32(0, SOCKADDR_BYTES_MAX, true);
    const flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    const fd = libc.accept4(socket.fd, this.addressAt, this.addressLengthAt, flags);
    if (fd === -1) return this.failed(socket);
    this.errorsInRow = 0;
    if (!this.accepted(fd, readSocketAddress(this.address), socket.entrance)) {
      libc.close(fd);
      this.setTrouble(exhausted);
      return false;
    }
    this.pacing.take(now);
    this.setTrouble(null);
    return true;
  }

  private failed(socket: Listening): boolean {
    const errno = this.libc.errno();
    if (errno === EAGAIN || errno === EINVAL) {
      socket.crowded = false; // nobody waits; EINVAL: it was shut down
      return true;
    }
    if (errno === EMFILE || errno === ENFILE || errno === ENOBUFS || errno === ENOMEM) {
      this.setTrouble(exhausted);
      return false;
    }
    if (errno === EINTR || ++this.errorsInRow < ERRORS_MAX) return true;
    this.setTrouble(failing, systemError(this.libc, 'accept4').message);
    return false;
  }

  private setTrouble(trouble: typeof exhausted | null, why?: string): void {
    const before = this.trouble;
    if (trouble === before) return;
    this.trouble = trouble;
    if (trouble !== null) this.tell('warn', trouble.begins, why === undefined ? {} : { why });
    else if (before !== null) this.tell('info', before.over);
  }
}
