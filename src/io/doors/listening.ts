// What a door listens on: an address, a path, or what systemd has opened for us; by node:net. On
// Bun addresses are for BunListener.

import { chmodSync, chownSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { formatAddress } from '../../config/address.ts';
import type { Place } from '../../config/sections/doors.ts';
import { listenOnFile } from '../../unix-socket.ts';
import { tuneListener } from '../async/tune.ts';
import type { Tell } from '../driver.ts';
import type { IoOptions } from '../options.ts';
import type { DoorSocket } from './socket.ts';

/** What a supervisor hands over: file descriptors by name. */
export type Inherited = ReadonlyMap<string, readonly number[]>;

const FIRST_INHERITED = 3;

export type TcpPlace = Extract<Place, { kind: 'tcp' }>;
export type ListenPlace =
  | Exclude<Place, { kind: 'systemd' }>
  | { readonly kind: 'fd'; readonly fd: number };

export interface DoorListener {
  /** Resolves with the address in use as text; rejects as Driver.listen does. */
  listen(place: ListenPlace): Promise<string>;
  close(): void;
}

export class NodeListener implements DoorListener {
  private readonly server: Server;
  private readonly options: IoOptions;
  private readonly tell: Tell;

  constructor(options: IoOptions, tell: Tell, accepted: (socket: DoorSocket) => void) {
    this.options = options;
    this.tell = tell;
    const { noDelay, keepAliveSeconds } = options;
    this.server = createServer(
      {
        allowHalfOpen: true,
        pauseOnConnect: true,
        noDelay,
        keepAlive: keepAliveSeconds > 0,
        keepAliveInitialDelay: keepAliveSeconds * 1000,
      },
      accepted,
    );
  }

  async listen(place: ListenPlace): Promise<string> {
    const { server, options, tell } = this;
    const address = await listenAt(server, place, options);
    server.on('error', error => tell('warn', 'accepting failed', { why: error.message }));
    if (place.kind === 'tcp') {
      const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
      await tuneListener(fd, options, tell);
    }
    return address;
  }

  close(): void {
    this.server.close();
  }
}

/** Reads LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES as sd_listen_fds_with_names(3) does. */
export function inheritedSockets(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): Inherited {
  const sockets = new Map<string, number[]>();
  const count = Number(env.LISTEN_FDS);
  if (Number(env.LISTEN_PID) !== pid || !Number.isInteger(count) || count < 1) return sockets;
  const names = env.LISTEN_FDNAMES?.split(':') ?? [];
  for (let i = 0; i < count; i++) {
    const name = names[i] || 'unknown';
    sockets.set(name, [...(sockets.get(name) ?? []), FIRST_INHERITED + i]);
  }
  return sockets;
}

/** An error that says where: `code`, `address` and, for TCP, `port`. */
function listenError(code: string, message: string, address: string): Error {
  return Object.assign(new Error(message), { code, address });
}

/** Listens; resolves with the address in use as text. */
async function listenAt(server: Server, place: ListenPlace, options: IoOptions): Promise<string> {
  const { backlog } = options;
  if (place.kind === 'unix') return listenOnPath(server, place, backlog);
  if (place.kind === 'fd') {
    await started(server, { fd: place.fd }, `descriptor ${place.fd}`);
  } else {
    const { host, port } = place;
    const wanted = { host, port, backlog, ipv6Only: true, exclusive: true };
    await started(server, { ...wanted, reusePort: options.reusePort }, host, port);
  }
  const bound = server.address();
  if (typeof bound === 'string') return `unix:${bound}`;
  // Bun knows no path of a socket that it was given.
  return bound?.address === undefined ? 'unix:' : formatAddress(bound.address, bound.port);
}

function started(server: Server, wanted: object, address: string, port?: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) =>
      reject(Object.assign(error, { address, ...(port !== undefined && { port }) }));
    server.once('error', failed);
    server.listen(wanted, () => {
      server.off('error', failed);
      resolve();
    });
  });
}

async function listenOnPath(
  server: Server,
  { path, mode, owner }: Extract<Place, { kind: 'unix' }>,
  backlog: number,
): Promise<string> {
  const ids = owner === '' ? null : ownerIds(owner, path);
  try {
    await listenOnFile(server, path, 0o600, { backlog });
    if (ids !== null) chownSync(path, ids.uid, ids.gid);
    chmodSync(path, mode);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw listenError(code ?? 'EIO', message, path);
  }
  return `unix:${path}`;
}

/** "minnow:mqtt", ":mqtt", "1000" → numbers; -1 leaves the group or the user as it is. */
function ownerIds(owner: string, path: string): { uid: number; gid: number } {
  const [user = '', group = ''] = owner.split(':');
  const find = (name: string, file: string, what: string) => {
    if (name === '') return -1;
    if (/^\d+$/.test(name)) return Number(name);
    const id = lookUp(file, name);
    if (id !== null) return id;
    throw listenError('ENOENT', `there is no ${what} "${name}" in ${file}`, path);
  };
  return { uid: find(user, '/etc/passwd', 'user'), gid: find(group, '/etc/group', 'group') };
}

function lookUp(file: string, name: string): number | null {
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [found, , id] = line.split(':');
    if (found === name && id !== undefined) return Number(id);
  }
  return null;
}
