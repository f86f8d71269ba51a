// What the runtimes have no option for: TCP_USER_TIMEOUT, on Bun the backlog, on Node the sharing
// of a port. All of it is done to the listening socket through libc; on Linux what is accepted from
// it inherits its options.

import type { Tell } from '../driver.ts';
import type { IoOptions } from '../options.ts';
import { checked, functions, IPPROTO_TCP, TCP_USER_TIMEOUT } from '../sync/libc.ts';
import { openListeningSockets, resolveHost } from '../sync/listening-socket.ts';
import { bindLibc, openLibc } from '../sync/open-libc.ts';

let opened: ReturnType<typeof open> | null = null;

/** Two functions only: each costs the start of the program half a millisecond. */
function open() {
  const { listen, setsockopt } = functions;
  return bindLibc({ listen, setsockopt });
}

function listenerCalls(): ReturnType<typeof open> {
  opened ??= open();
  return opened;
}

/** `fd` listens already. Where libc cannot be reached, tells so and leaves it as it is. */
export async function tuneListener(fd: number, options: IoOptions, tell: Tell): Promise<void> {
  if (process.platform !== 'linux') return;
  try {
    const libc = await listenerCalls();
    checked(libc, 'listen', libc.listen(fd, options.backlog));
    if (options.userTimeoutMs === 0) return;
    const value = new DataView(new ArrayBuffer(4));
    value.setInt32(0, options.userTimeoutMs, true);
    const address = libc.address(value);
    checked(libc, 'setsockopt', libc.setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, address, 4));
  } catch (error) {
    const [why] = String(error instanceof Error ? error.message : error).split('\n');
    tell('warn', 'io.userTimeoutMs and io.backlog could not be set', { why });
  }
}

/** A listening socket whose port other processes may use as well. Rejects with an error that has
 *  `code`, `address` and `port`. */
export async function openSharedListener(
  host: string,
  port: number,
  options: IoOptions,
): Promise<number> {
  try {
    const address = await resolveHost(host);
    return openListeningSockets(await openLibc(), address, port, options, 1)[0]!.fd;
  } catch (error) {
    throw Object.assign(error as Error, { address: host, port });
  }
}
