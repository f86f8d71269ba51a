// The few calls of libc the load generator lives on, through bun:ffi: TCP sockets on loopback,
// epoll, a timer descriptor and processor clocks. Blocking and synchronous on purpose: a generator
// that must outrun a fast broker on one core has no time for an event loop, promises or callbacks.
// Sockets stay in blocking mode and every transfer carries MSG_DONTWAIT, which spares fcntl(2), a
// variadic function that FFI cannot call portably.

import { dlopen, FFIType, type Pointer, ptr, read } from 'bun:ffi';

const AF_INET = 2;
const SOCK_STREAM = 1;
const CLOEXEC = 0o2000000;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_MOD = 3;
const CLOCK_MONOTONIC = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const EINTR = 4;
const EAGAIN = 11;

export const EPOLLIN = 1;
export const EPOLLOUT = 4;

/** A size_t from a plain number, without a detour over BigInt. */
const SIZE = FFIType.u64_fast;

const symbols = {
  socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  connect: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
  usleep: { args: ['u32'], returns: 'i32' },
  close: { args: ['i32'], returns: 'i32' },
  recv: { args: ['i32', 'ptr', SIZE, 'i32'], returns: 'i32' },
  send: { args: ['i32', 'ptr', SIZE, 'i32'], returns: 'i32' },
  read: { args: ['i32', 'ptr', SIZE], returns: 'i32' },
  epoll_create1: { args: ['i32'], returns: 'i32' },
  epoll_ctl: { args: ['i32', 'i32', 'i32', 'ptr'], returns: 'i32' },
  epoll_wait: { args: ['i32', 'ptr', 'i32', 'i32'], returns: 'i32' },
  timerfd_create: { args: ['i32', 'i32'], returns: 'i32' },
  timerfd_settime: { args: ['i32', 'i32', 'ptr', 'ptr'], returns: 'i32' },
  clock_gettime: { args: ['i32', 'ptr'], returns: 'i32' },
  __errno_location: { args: [], returns: 'ptr' },
} as const;

const libc = dlopen('libc.so.6', symbols).symbols;
const errnoAt = libc.__errno_location()!;

/** Memory at a fixed address, seen three ways. The ArrayBuffer is made first: a small typed array's
 *  memory moves when its `.buffer` is first touched. */
export class Memory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly address: Pointer;

  constructor(size: number) {
    const buffer = new ArrayBuffer(size);
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.address = ptr(this.bytes);
  }
}

function check(result: number, call: string): number {
  if (result < 0) throw new Error(`${call} failed with errno ${read.i32(errnoAt, 0)}`);
  return result;
}

const scratch = new Memory(64);

/** A connected TCP socket without Nagle's delay. */
export function connectLoopback(port: number): number {
  const fd = check(libc.socket(AF_INET, SOCK_STREAM | CLOEXEC, 0), 'socket');
  scratch.view.setUint16(0, AF_INET, true);
  scratch.view.setUint16(2, port);
  scratch.view.setUint32(4, 0x7f000001);
  scratch.view.setBigUint64(8, 0n);
  check(libc.connect(fd, scratch.address, 16), `connect to 127.0.0.1:${port}`);
  scratch.view.setInt32(0, 1, true);
  check(libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, scratch.address, 4), 'setsockopt');
  return fd;
}

export function closeSocket(fd: number): void {
  libc.close(fd);
}

/** Bytes read; 0 at the end of the stream; -1 when nothing is there or the peer has reset. */
export function receive(fd: number, address: number, size: number): number {
  return libc.recv(fd, address as Pointer, size, MSG_DONTWAIT);
}

/** Bytes taken by the kernel; -1 when it takes none now or the connection is gone. */
export function transmit(fd: number, address: number, size: number): number {
  return libc.send(fd, address as Pointer, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/** Whether the call that has just returned -1 may succeed later. Ask at once. */
export function wouldBlock(): boolean {
  const errno = read.i32(errnoAt, 0);
  return errno === EAGAIN || errno === EINTR;
}

/** Gives the processor away for about that long; the kernel adds some 50 microseconds. */
export function pause(us: number): void {
  libc.usleep(us);
}

/** The set of watched descriptors; each carries a number of the caller's choice. */
export class Poll {
  private readonly fd = check(libc.epoll_create1(CLOEXEC), 'epoll_create1');
  private readonly memory: Memory;
  private readonly words: Int32Array;
  /** struct epoll_event is packed to 12 bytes on x86-64 and has 16 everywhere else. */
  private readonly stride = process.arch === 'x64' ? 3 : 4;

  constructor(capacity: number) {
    this.memory = new Memory(capacity * 16);
    this.words = new Int32Array(this.memory.bytes.buffer);
  }

  add(fd: number, token: number, events: number): void {
    this.control(EPOLL_CTL_ADD, fd, token, events);
  }

  change(fd: number, token: number, events: number): void {
    this.control(EPOLL_CTL_MOD, fd, token, events);
  }

  /** How many descriptors are ready; events() and token() tell about each. */
  wait(timeoutMs: number): number {
    const capacity = (this.words.length / 4) | 0;
    const ready = libc.epoll_wait(this.fd, this.memory.address, capacity, timeoutMs);
    if (ready < 0 && !wouldBlock()) check(ready, 'epoll_wait');
    return ready;
  }

  events(i: number): number {
    return this.words[i * this.stride]!;
  }

  token(i: number): number {
    return this.words[(i + 1) * this.stride - 2]!;
  }

  private control(operation: number, fd: number, token: number, events: number): void {
    const tokenAt = (this.stride - 2) * 4;
    scratch.view.setUint32(0, events, true);
    scratch.view.setInt32(tokenAt, token, true);
    scratch.view.setInt32(tokenAt + 4, 0, true);
    check(libc.epoll_ctl(this.fd, operation, fd, scratch.address), 'epoll_ctl');
  }
}

/** A descriptor that becomes readable once every period. */
export class Ticker {
  readonly fd = check(libc.timerfd_create(CLOCK_MONOTONIC, CLOEXEC), 'timerfd_create');

  setPeriod(periodNs: number): void {
    for (let at = 0; at < 32; at += 16) {
      scratch.view.setBigInt64(at, BigInt(Math.floor(periodNs / 1e9)), true);
      scratch.view.setBigInt64(at + 8, BigInt(Math.max(1, Math.round(periodNs % 1e9))), true);
    }
    check(libc.timerfd_settime(this.fd, 0, scratch.address, null), 'timerfd_settime');
  }

  /** Swallows the ticks since the last call. */
  acknowledge(): void {
    libc.read(this.fd, scratch.address, 8);
  }
}

/** Processor time a process has used with all its threads, also those that have ended, in
 *  nanoseconds: the kernel's clock for that process (clock_getcpuclockid(3)). */
export function processCpuNs(pid: number): number {
  const CPUCLOCK_SCHED = 2;
  check(libc.clock_gettime((~pid << 3) | CPUCLOCK_SCHED, scratch.address), `CPU clock of ${pid}`);
  return (
    Number(scratch.view.getBigInt64(0, true)) * 1e9 + Number(scratch.view.getBigInt64(8, true))
  );
}
