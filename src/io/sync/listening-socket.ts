// Opens a socket to listen on, with the options that everything accepted from it inherits: on
// Linux that is all of them, which saves a handful of system calls per connection.

import type { IoOptions } from '../options.ts';
import {
  AF_INET6,
  checked,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  type Libc,
  SO_KEEPALIVE,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_NODELAY,
  TCP_USER_TIMEOUT,
} from './libc.ts';
import { readSocketAddress, SOCKADDR_BYTES_MAX, writeSocketAddress } from './socket-address.ts';

/** After the first question to a silent peer: how often and how far apart it is asked again. */
const KEEP_ALIVE_PROBES = 3;
const KEEP_ALIVE_INTERVAL_SECONDS = 10;

// Pinned for good, like everything that libc is given the address of.
const socketAddress = new DataView(new ArrayBuffer(SOCKADDR_BYTES_MAX));
const integer = new DataView(new ArrayBuffer(4));

export interface ListeningSocket {
  readonly fd: number;
  readonly port: number;
}

/** An address for `host`, which may be a name. */
export async function resolveHost(host: string): Promise<string> {
  if (writeSocketAddress(socketAddress, host, 0) > 0) return host;
  const { lookup } = await import('node:dns/promises');
  return (await lookup(host)).address;
}

/** Several sockets on one address and port, which the system shares clients out among. Throws an
 *  error that has `code`, and leaves nothing open. */
export function openListeningSockets(
  libc: Libc,
  address: string,
  port: number,
  options: IoOptions,
  count: number,
): ListeningSocket[] {
  const opened: ListeningSocket[] = [];
  try {
    for (let i = 0; i < count; i++) {
      opened.push(openOne(libc, address, opened[0]?.port ?? port, options, i, count));
    }
    return opened;
  } catch (error) {
    for (const { fd } of opened) libc.close(fd);
    throw error;
  }
}

function openOne(
  libc: Libc,
  address: string,
  port: number,
  options: IoOptions,
  index: number,
  count: number,
): ListeningSocket {
  const length = writeSocketAddress(socketAddress, address, port);
  const family = socketAddress.getUint16(0, true);
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = checked(libc, 'socket', libc.socket(family, type, 0));
  try {
    const set = (level: number, name: number, value: number) =>
      setOption(libc, fd, level, name, value);
    set(SOL_SOCKET, SO_REUSEADDR, 1);
    if (family === AF_INET6) set(IPPROTO_IPV6, IPV6_V6ONLY, 1);
    // The first of several finds out whether the port is somebody else's before it is shared.
    if (options.reusePort || index > 0) set(SOL_SOCKET, SO_REUSEPORT, 1);
    checked(libc, 'bind', libc.bind(fd, libc.address(socketAddress), length));
    if (count > 1) set(SOL_SOCKET, SO_REUSEPORT, 1);
    if (options.noDelay) set(IPPROTO_TCP, TCP_NODELAY, 1);
    if (options.keepAliveSeconds > 0) {
      set(SOL_SOCKET, SO_KEEPALIVE, 1);
      set(IPPROTO_TCP, TCP_KEEPIDLE, options.keepAliveSeconds);
      set(IPPROTO_TCP, TCP_KEEPINTVL, KEEP_ALIVE_INTERVAL_SECONDS);
      set(IPPROTO_TCP, TCP_KEEPCNT, KEEP_ALIVE_PROBES);
    }
    if (options.userTimeoutMs > 0) set(IPPROTO_TCP, TCP_USER_TIMEOUT, options.userTimeoutMs);
    checked(libc, 'listen', libc.listen(fd, options.backlog));
    return { fd, port: boundPort(libc, fd) };
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function setOption(libc: Libc, fd: number, level: number, name: number, value: number): void {
  integer.setInt32(0, value, true);
  checked(libc, 'setsockopt', libc.setsockopt(fd, level, name, libc.address(integer), 4));
}

function boundPort(libc: Libc, fd: number): number {
  integer.setInt32(0, SOCKADDR_BYTES_MAX, true);
  const address = libc.address(socketAddress);
  checked(libc, 'getsockname', libc.getsockname(fd, address, libc.address(integer)));
  return readSocketAddress(socketAddress).port;
}
