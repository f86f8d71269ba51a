// Listening on a socket file: one that a crash left behind is replaced, one that somebody answers
// on is not, and nobody else can open it before its mode is set.

import { once } from 'node:events';
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { connect, type Server } from 'node:net';

/** `mode`: permissions of the file. Rejects with an error that has `code` and `address`: EADDRINUSE
 *  when somebody answers there or it is no socket. */
export async function listenOnFile(
  server: Server,
  path: string,
  mode: number,
  options: { readonly backlog?: number } = {},
): Promise<void> {
  try {
    await removeStale(path);
    // The file is made inside listen(): the mask keeps it closed to others from its first moment.
    const mask = process.umask(0o177);
    try {
      server.listen({ path, ...options });
    } finally {
      process.umask(mask);
    }
    await once(server, 'listening');
    chmodSync(path, mode);
  } catch (error) {
    throw Object.assign(error as Error, { address: path });
  }
}

/** Removes a socket file that nobody answers on: its owner ended without a farewell. */
async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket() || (await answers(path))) {
    const why = found.isSocket() ? 'somebody answers there' : 'it is not a socket';
    throw Object.assign(new Error(why), { code: 'EADDRINUSE' });
  }
  rmSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ path });
    const settle = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.on('connect', () => settle(true));
    socket.on('error', error => settle((error as NodeJS.ErrnoException).code === 'EACCES'));
  });
}
