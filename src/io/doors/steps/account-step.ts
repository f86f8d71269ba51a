// Who is at the other end of a unix socket, by the word of the kernel (SO_PEERCRED). The runtimes
// have no function for it, so the C library is asked.

import { readFileSync } from 'node:fs';
import { checked, type Libc, SO_PEERCRED, SOL_SOCKET } from '../../sync/libc.ts';
import { openLibc } from '../../sync/open-libc.ts';
import type { DoorSocket } from '../socket.ts';
import type { Step } from './arrival.ts';

/** struct ucred: pid, uid, gid. */
const UCRED_BYTES = 12;

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
}

/** Throws where the system does not tell. */
export function peerCredentials(libc: Libc, socket: DoorSocket): PeerCredentials {
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  const credentials = new DataView(new ArrayBuffer(UCRED_BYTES));
  const length = new Uint32Array(new ArrayBuffer(4));
  length[0] = UCRED_BYTES;
  const [at, lengthAt] = [libc.address(credentials), libc.address(length)];
  const result = libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, at, lengthAt);
  checked(libc, 'getsockopt', result);
  return { pid: credentials.getInt32(0, true), uid: credentials.getUint32(4, true) };
}

/** The name of an account, or its number where this machine's own files do not have it. */
export function accountName(uid: number, passwd: string): string {
  for (const line of passwd.split('\n')) {
    const [name, , id] = line.split(':');
    if (name && id === String(uid)) return name;
  }
  return String(uid);
}

/** Finds out who it is; rejects where the C library cannot be reached. */
export async function accountStep(): Promise<Step> {
  const libc = await openLibc();
  return (arrival, next, refuse) => {
    if (arrival.host !== undefined) {
      next(); // systemd may open sockets of other kinds, too
      return;
    }
    try {
      const { pid, uid } = peerCredentials(libc, arrival.raw);
      arrival.account = accountName(uid, readFileSync('/etc/passwd', 'utf8'));
      arrival.peer = `unix:pid=${pid},uid=${uid}`;
    } catch (error) {
      refuse('the system does not say who it is', { why: String(error) });
      return;
    }
    next();
  };
}
