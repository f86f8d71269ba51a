// The way to whoever supervises us: datagrams to the unix socket that NOTIFY_SOCKET names, as
// sd_notify(3) has them. They go through the C library, because neither runtime has such sockets.
// Nothing here waits: a queue that is full is said to be full, and asking again is up to the
// caller. What cannot be mended is said once.

import {
  AF_UNIX,
  type Calls,
  checked,
  EAGAIN,
  EINTR,
  ENOBUFS,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  type Native,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  systemError,
} from '../io/sync/libc.ts';
import { bindLibc } from '../io/sync/open-libc.ts';

const functions = {
  socket: ['int', 'int', 'int'],
  sendto: ['int', 'address', 'size', 'int', 'address', 'int'],
  close: ['int'],
  clock_gettime: ['int', 'address'],
} as const;

/** What of the C library is needed. */
export type NotifyLibc = Calls<typeof functions> & Native;

/** Says what an operator should know. */
export type Warn = (message: string, fields: Readonly<Record<string, string>>) => void;

const CLOCK_MONOTONIC = 1;
/** struct sockaddr_un: the family, then so many bytes of a path. */
const FAMILY_BYTES = 2;
const PATH_BYTES_MAX = 108;
/** Longer messages are cut: only a status can be. */
const MESSAGE_BYTES_MAX = 2_048;
/** A long is a time's unit: 32 bits on 32-bit machines, where the plain name keeps to that. */
const LONG_BYTES = process.arch === 'arm' || process.arch === 'ia32' ? 4 : 8;

const utf8 = new TextEncoder();

/** The bytes of a socket's path: of a file, or `@name` of the abstract kind. Null: it is neither,
 *  or longer than the system has room for. */
export function socketPath(address: string): Uint8Array | null {
  const bytes = utf8.encode(address);
  const abstract = address.startsWith('@');
  if (!abstract && !address.startsWith('/')) return null;
  if (bytes.length < 2 || bytes.length + Number(!abstract) > PATH_BYTES_MAX) return null;
  if (abstract) bytes[0] = 0;
  return bytes;
}

export class NotifySocket {
  private readonly libc: NotifyLibc;
  private readonly warn: Warn;
  private readonly fd: number;
  /** struct sockaddr_un, pinned. */
  private readonly address: Uint8Array;
  private readonly message = new Uint8Array(new ArrayBuffer(MESSAGE_BYTES_MAX));
  private readonly time = new DataView(new ArrayBuffer(2 * LONG_BYTES));
  private warned = false;

  /** Null, once it was said why: `address` cannot be spoken to. */
  static async open(
    address: string,
    warn: Warn,
    bind: () => Promise<NotifyLibc> = () => bindLibc(functions),
  ): Promise<NotifySocket | null> {
    const path = socketPath(address);
    try {
      if (path === null) throw new Error('expected a path that begins with / or @');
      return new NotifySocket(await bind(), path, warn);
    } catch (error) {
      tell(warn, address, error as Error);
      return null;
    }
  }

  private constructor(libc: NotifyLibc, path: Uint8Array, warn: Warn) {
    this.libc = libc;
    this.warn = warn;
    const ending = path[0] === 0 ? 0 : 1; // the name of a file ends in a zero
    this.address = new Uint8Array(new ArrayBuffer(FAMILY_BYTES + path.length + ending));
    new DataView(this.address.buffer).setUint16(0, AF_UNIX, true);
    this.address.set(path, FAMILY_BYTES);
    this.fd = checked(libc, 'socket', libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  }

  /** Sends assignments, a line each. False: there is no room for them now. */
  send(text: string): boolean {
    const { libc, message, address } = this;
    const { written } = utf8.encodeInto(text, message);
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    const from = libc.address(message);
    const to = libc.address(address);
    if (libc.sendto(this.fd, from, written, flags, to, address.length) !== -1) return true;
    const errno = libc.errno();
    if (errno === EAGAIN || errno === EINTR || errno === ENOBUFS) return false;
    if (!this.warned) tell(this.warn, nameOf(address), systemError(libc, 'sendto'));
    this.warned = true;
    return true; // asking again would not help
  }

  /** Microseconds on the clock that the other side compares our messages by. */
  monotonicMicroseconds(): bigint {
    const { libc, time } = this;
    checked(libc, 'clock_gettime', libc.clock_gettime(CLOCK_MONOTONIC, libc.address(time)));
    const long = (at: number) =>
      LONG_BYTES === 4 ? BigInt(time.getInt32(at, true)) : time.getBigInt64(at, true);
    return long(0) * 1_000_000n + long(LONG_BYTES) / 1_000n;
  }

  close(): void {
    this.libc.close(this.fd);
  }
}

/** As it stands in NOTIFY_SOCKET. */
function nameOf(address: Uint8Array): string {
  const path = new TextDecoder().decode(address.subarray(FAMILY_BYTES));
  return path.startsWith('\0') ? `@${path.slice(1)}` : path.replace(/\0$/, '');
}

function tell(warn: Warn, socket: string, error: Error): void {
  warn('the service manager hears nothing from us', { socket, why: error.message });
}
