// The C library as the synchronous driver and its friends see it: one table of functions, called
// with numbers only. No variadic ones among them: how those take their arguments differs between
// machines. A function answers -1 when it failed, and `errno` says why; nothing but that may stand
// between the two.
// Memory: make the ArrayBuffer first, then the view, then ask for its address. A view made without
// one (`new Uint8Array(64)`) may lie inside the heap and move; an ArrayBuffer's bytes stay where
// they are for as long as something refers to it, so whoever keeps an address keeps its view.

import { constants } from 'node:os';

/** What a function takes: a C int, an address, or a count of bytes. All return an int. */
export type CType = 'int' | 'address' | 'size';

/** ssize_t is read as an int: nobody here asks for 2 GB at once. */
export const functions = {
  socket: ['int', 'int', 'int'],
  bind: ['int', 'address', 'int'],
  listen: ['int', 'int'],
  accept4: ['int', 'address', 'address', 'int'],
  connect: ['int', 'address', 'int'],
  recv: ['int', 'address', 'size', 'int'],
  send: ['int', 'address', 'size', 'int'],
  shutdown: ['int', 'int'],
  close: ['int'],
  read: ['int', 'address', 'size'],
  write: ['int', 'address', 'size'],
  setsockopt: ['int', 'int', 'int', 'address', 'int'],
  getsockopt: ['int', 'int', 'int', 'address', 'address'],
  getsockname: ['int', 'address', 'address'],
  getpeername: ['int', 'address', 'address'],
  epoll_create1: ['int'],
  epoll_ctl: ['int', 'int', 'int', 'address'],
  epoll_wait: ['int', 'address', 'int', 'int'],
  eventfd: ['int', 'int'],
  _exit: ['int'],
  /** (int resource, struct rlimit *) */
  getrlimit: ['int', 'address'],
  setrlimit: ['int', 'address'],
  /** (const char *path, struct statfs *) */
  statfs: ['address', 'address'],
} as const satisfies Record<string, readonly CType[]>;

type Numbers<Types extends readonly CType[]> = { -readonly [I in keyof Types]: number };

export type FunctionTable = Readonly<Record<string, readonly CType[]>>;

export type Calls<Table extends FunctionTable> = {
  readonly [Name in keyof Table]: (...parameters: Numbers<Table[Name]>) => number;
};

export interface Native {
  /** Why the last call of this thread that answered -1 failed. */
  errno(): number;
  /** Where a view's first byte lies. */
  address(view: ArrayBufferView): number;
}

export type Libc = Calls<typeof functions> & Native;

/** Both libraries answer to it: musl's loader takes any `libc.*` for itself. */
export const libcName = 'libc.so.6';

// The kernel's numbers; they are the same on every machine that we build for.
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0x800;
export const SOCK_CLOEXEC = 0x80000;
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;
export const SO_PEERCRED = 17;
export const IPPROTO_TCP = 6;
export const TCP_NODELAY = 1;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const TCP_USER_TIMEOUT = 18;
export const IPPROTO_IPV6 = 41;
export const IPV6_V6ONLY = 26;
export const SHUT_WR = 1;
export const SHUT_RDWR = 2;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
export const EPOLLRDHUP = 0x2000;
export const EPOLLET = 0x8000_0000;
export const EPOLL_CLOEXEC = 0x80000;
export const EFD_NONBLOCK = 0x800;
export const EFD_CLOEXEC = 0x80000;
export const RLIMIT_NOFILE = 7;

export const { EAGAIN, EINTR, EINVAL, EMFILE, ENFILE, ENOBUFS, ENOMEM } = constants.errno;

/** struct epoll_event is packed on x86 and nowhere else. */
const packed = process.arch === 'x64' || process.arch === 'ia32';
export const EPOLL_EVENT_BYTES = packed ? 12 : 16;
export const EPOLL_DATA_OFFSET = packed ? 4 : 8;

const errorNames = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** The error of a call that failed: `code` as Node has it, e.g. EADDRINUSE. */
export function systemError(libc: Native, call: string): NodeJS.ErrnoException {
  const errno = libc.errno();
  const code = errorNames.get(errno) ?? `E${errno}`;
  return Object.assign(new Error(`${call} failed: ${code}`), {
    code,
    errno: -errno,
    syscall: call,
  });
}

/** `result`, or throws what made it -1. */
export function checked(libc: Native, call: string, result: number): number {
  if (result === -1) throw systemError(libc, call);
  return result;
}
