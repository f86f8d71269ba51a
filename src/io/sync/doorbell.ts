// Wakes a thread that waits in epoll: an eventfd. It is watched edge-triggered and never read: each
// ring is an edge of its own, and its counter overflows after 2^64.

import { checked, EFD_CLOEXEC, EFD_NONBLOCK, type Libc } from './libc.ts';

export class Doorbell {
  private readonly libc: Libc;
  /** What other threads make their own Doorbell of. */
  readonly fd: number;
  private readonly one = new BigUint64Array(new ArrayBuffer(8));
  private readonly oneAt: number;

  /** With `fd`: another handle of a bell that exists. */
  constructor(libc: Libc, fd?: number) {
    this.libc = libc;
    this.fd = fd ?? checked(libc, 'eventfd', libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    this.one[0] = 1n;
    this.oneAt = libc.address(this.one);
  }

  ring(): void {
    this.libc.write(this.fd, this.oneAt, 8);
  }

  /** By whoever made it, when nobody rings any more. */
  close(): void {
    this.libc.close(this.fd);
  }
}
