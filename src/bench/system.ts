// What the load engine asks of the system: TCP sockets, epoll, a timer descriptor and processor
// clocks, through the same table of libc that the synchronous driver lives on. Blocking and
// synchronous on purpose: a generator that must outrun a fast broker on one core has no time for an
// event loop, promises or callbacks. Sockets stay in blocking mode and every transfer carries
// MSG_DONTWAIT, which spares fcntl(2), a variadic function that FFI cannot call portably.

import {
  AF_INET,
  AF_INET6,
  type Calls,
  checked,
  EAGAIN,
  EINTR,
  IPPROTO_TCP,
  type Libc,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_SOCKET,
  systemError,
  TCP_NODELAY,
} from '../io/sync/libc.ts';
import { bindLibc, openLibc } from '../io/sync/open-libc.ts';
import type { Source } from '../io/sync/poller.ts';
import { writeSocketAddress } from '../io/sync/socket-address.ts';

const SO_SNDTIMEO = 21;
const CONNECT_TIMEOUT_S = 10;
const CLOCK_MONOTONIC = 1;
/** The kernel's clock of a process: all its threads, also those that have ended. */
const CPUCLOCK_SCHED = 2;

const timeFunctions = {
  usleep: ['int'],
  timerfd_create: ['int', 'int'],
  timerfd_settime: ['int', 'int', 'address', 'address'],
  clock_gettime: ['int', 'address'],
} as const;

/** Memory at a fixed address, seen three ways. */
export class Memory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly address: number;

  constructor(libc: Libc, size: number) {
    const buffer = new ArrayBuffer(size);
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.address = libc.address(this.bytes);
  }
}

/** Where the broker is: an address, not a name. */
export interface Target {
  readonly address: string;
  readonly port: number;
}

export class System {
  readonly libc: Libc;
  private readonly time: Calls<typeof timeFunctions>;
  private readonly scratch: Memory;

  private constructor(libc: Libc, time: Calls<typeof timeFunctions>) {
    this.libc = libc;
    this.time = time;
    this.scratch = new Memory(libc, 64);
  }

  /** Rejects where there is no Linux or no way to its C library. */
  static async open(): Promise<System> {
    if (process.platform !== 'linux') throw new Error('the load engine needs Linux (epoll)');
    return new System(await openLibc(), await bindLibc(timeFunctions));
  }

  memory(size: number): Memory {
    return new Memory(this.libc, size);
  }

  /** As C has it, ended by a zero. */
  text(value: string): Memory {
    const bytes = Buffer.from(`${value}\0`);
    const memory = this.memory(bytes.length);
    memory.bytes.set(bytes);
    return memory;
  }

  /** A connected TCP socket without Nagle's delay; throws the system's error. */
  connect({ address, port }: Target): number {
    const { libc, scratch } = this;
    const family = address.includes(':') ? AF_INET6 : AF_INET;
    const fd = checked(libc, 'socket', libc.socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    scratch.view.setBigInt64(0, BigInt(CONNECT_TIMEOUT_S), true);
    scratch.view.setBigInt64(8, 0n, true);
    libc.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, scratch.address, 16);
    const length = writeSocketAddress(scratch.view, address, port);
    if (libc.connect(fd, scratch.address, length) === -1) {
      const error = systemError(libc, `connect to ${address} port ${port}`);
      libc.close(fd);
      throw error;
    }
    scratch.view.setInt32(0, 1, true);
    libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, scratch.address, 4);
    return fd;
  }

  close(fd: number): void {
    this.libc.close(fd);
  }

  /** Bytes read; 0 at the end of the stream; -1 when nothing is there or the peer has reset. */
  receive(fd: number, address: number, size: number): number {
    return this.libc.recv(fd, address, size, MSG_DONTWAIT);
  }

  /** Bytes taken by the kernel; -1 when it takes none now or the connection is gone. */
  transmit(fd: number, address: number, size: number): number {
    return this.libc.send(fd, address, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  /** Whether the call that has just returned -1 may succeed later. Ask at once. */
  wouldBlock(): boolean {
    const errno = this.libc.errno();
    return errno === EAGAIN || errno === EINTR;
  }

  /** Gives the processor away for about that long; the kernel adds some 50 microseconds. */
  pause(us: number): void {
    this.time.usleep(us);
  }

  /** Processor time a process has used, in nanoseconds. */
  processCpuNs(pid: number): number {
    const { libc, scratch } = this;
    const clock = (~pid << 3) | CPUCLOCK_SCHED;
    checked(libc, `CPU clock of ${pid}`, this.time.clock_gettime(clock, scratch.address));
    return Number(scratch.view.getBigInt64(0, true)) * 1e9 + scratch.view.getInt32(8, true);
  }

  /** A descriptor that becomes readable once every period. */
  ticker(): Ticker {
    const fd = this.time.timerfd_create(CLOCK_MONOTONIC, SOCK_CLOEXEC);
    return new Ticker(this.libc, this.time, checked(this.libc, 'timerfd_create', fd));
  }
}

export class Ticker implements Source {
  readonly fd: number;
  private readonly libc: Libc;
  private readonly time: Calls<typeof timeFunctions>;
  private readonly scratch: Memory;

  constructor(libc: Libc, time: Calls<typeof timeFunctions>, fd: number) {
    this.libc = libc;
    this.time = time;
    this.fd = fd;
    this.scratch = new Memory(libc, 32);
  }

  setPeriod(periodNs: number): void {
    const { view, address } = this.scratch;
    for (let at = 0; at < 32; at += 16) {
      view.setBigInt64(at, BigInt(Math.floor(periodNs / 1e9)), true);
      view.setBigInt64(at + 8, BigInt(Math.max(1, Math.round(periodNs % 1e9))), true);
    }
    const result = this.time.timerfd_settime(this.fd, 0, address, 0);
    checked(this.libc, 'timerfd_settime', result);
  }

  /** Blocks until the next tick, not at all where one has gone by already. */
  wait(): void {
    this.ready();
  }

  /** Swallows the ticks since the last time. */
  ready(): void {
    this.libc.read(this.fd, this.scratch.address, 8);
  }
}
