// The control socket: how `minnow ctl` and other tools on this machine speak to a running broker.
// One JSON object per line each way: {"command":"kick","id":"a"} is answered by
// {"ok":true,"result":…} or {"ok":false,"error":"…"}. The file's permissions (0600) are the lock.
// Whatever is sent here is answered or cut off; it never stops the broker, and a long list leaves
// in pieces so that it neither fills memory nor holds up a turn.

import { once } from 'node:events';
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { isAbsolute } from 'node:path';
import { limits } from './limits.ts';
import type { Logger } from './log.ts';
import { filterValid } from './mqtt/topic.ts';
import { StoreError } from './store/store.ts';
import type { UpkeepRequest, UpkeepResult } from './store/upkeep/upkeep.ts';

export interface ClientInfo {
  readonly clientId: string;
  readonly connected: boolean;
  /** Of the current connection, or of the last one. */
  readonly peer: string;
  readonly username: string | null;
  /** 3, 4 or 5; null without a connection. */
  readonly version: number | null;
  readonly keepAliveSeconds: number | null;
  /** 4294967295: never. */
  readonly sessionExpirySeconds: number;
  readonly subscriptions: number;
  readonly queued: number;
  readonly queuedBytes: number;
  readonly inflight: number;
  readonly connectedForMs: number | null;
}

export interface ClientDetail extends ClientInfo {
  readonly filters: readonly { readonly filter: string; readonly qos: number }[];
}

/** What the control socket asks of the broker. */
export interface ControlTarget {
  /** Taken a few at a time, across turns. */
  clients(): Iterable<ClientInfo>;
  client(id: string): ClientDetail | null;
  /** Disconnects the client; false when it is not connected. */
  kick(id: string): boolean;
  /** Ends the session, and with it the connection; false when there is none. */
  dropSession(id: string): boolean;
  /** Deletes what matches and says how many that were. */
  deleteRetained(filter: string): number;
  stats(): Record<string, number | string>;
  /** Looks after the store; null when nothing is kept. Rejects with a StoreError. */
  readonly upkeep: ((request: UpkeepRequest) => Promise<UpkeepResult>) | null;
}

export interface ControlServer {
  /** Cuts everybody off and removes the socket file. */
  stop(): Promise<void>;
}

const ROWS_PER_TURN = 256;

/** Opens the socket at `path`; rejects with an error that has `code` and `address` when it cannot,
 *  EADDRINUSE when somebody answers there already. */
export async function startControl(
  path: string,
  target: ControlTarget,
  log: Logger,
): Promise<ControlServer> {
  await removeStale(path);
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    new Session(socket, target, log).run();
  });
  server.maxConnections = limits.controlConnectionsMax;
  await listen(server, path);
  return {
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
      rmSync(path, { force: true });
    },
  };
}

/** Removes a socket file that nobody answers on: its broker ended without a farewell. */
async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket() || (await answers(path))) {
    const why = found.isSocket() ? 'another minnow answers there' : 'it is not a socket';
    throw Object.assign(new Error(why), { code: 'EADDRINUSE', address: path });
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

async function listen(server: Server, path: string): Promise<void> {
  // The file is created inside listen(): the mask keeps it closed to others from its first moment.
  const mask = process.umask(0o177);
  try {
    server.listen({ path });
  } finally {
    process.umask(mask);
  }
  await once(server, 'listening');
  chmodSync(path, 0o600);
}

type Request = Readonly<Record<string, unknown>>;
type Answer = { ok: true; result: unknown } | { ok: false; error: string };

/** One connection to the socket: its requests are answered in order. */
class Session {
  private readonly socket: Socket;
  private readonly target: ControlTarget;
  private readonly log: Logger;

  constructor(socket: Socket, target: ControlTarget, log: Logger) {
    this.socket = socket;
    this.target = target;
    this.log = log;
  }

  run(): void {
    const { socket } = this;
    socket.setTimeout(limits.controlIdleMs, () => socket.destroy());
    socket.on('error', error => this.log.debug('control connection lost', { why: error.message }));
    // A lost connection ends the reading; 'error' has told of it already.
    this.serve()
      .catch(() => {})
      .finally(() => socket.destroy());
  }

  private async serve(): Promise<void> {
    let pending = '';
    for await (const chunk of this.socket.setEncoding('utf8')) {
      const lines = (pending + chunk).split('\n');
      pending = lines.pop() ?? '';
      for (const line of lines) {
        try {
          await this.answer(line);
        } catch (error) {
          this.log.error('control request failed', { why: String(error) });
          return;
        }
      }
      if (Buffer.byteLength(pending) > limits.controlLineBytesMax) {
        const error = `a request has at most ${limits.controlLineBytesMax} bytes`;
        await this.write(`${JSON.stringify({ ok: false, error })}\n`);
        return;
      }
    }
    await new Promise<void>(resolve => this.socket.end(resolve));
  }

  private async answer(line: string): Promise<void> {
    const request = parseRequest(line);
    if (request?.command === 'clients') {
      await this.writeClients();
      return;
    }
    const upkeep = request === null ? null : upkeepOf(request);
    if (upkeep !== null) {
      await this.write(`${JSON.stringify(await this.performUpkeep(upkeep))}\n`);
      return;
    }
    const answer: Answer = request
      ? this.perform(request)
      : { ok: false, error: 'a request is one JSON object per line, e.g. {"command":"stats"}' };
    await this.write(`${JSON.stringify(answer)}\n`);
  }

  private perform(request: Request): Answer {
    const { command } = request;
    switch (command) {
      case 'stats':
        return { ok: true, result: this.target.stats() };
      case 'client':
      case 'kick':
      case 'drop-session': {
        const { id } = request;
        if (typeof id === 'string') return this.performOn(command, id);
        return { ok: false, error: `${command} needs "id", a client id` };
      }
      case 'retained-delete': {
        const { filter } = request;
        if (typeof filter === 'string') return this.deleteRetained(filter);
        return { ok: false, error: `${command} needs "filter", a topic filter` };
      }
      default: {
        const known =
          'clients, client, kick, drop-session, retained-delete, stats, store-stat, store-check, ' +
          'store-compact and store-backup';
        return {
          ok: false,
          error: `unknown command ${JSON.stringify(command)}; there are ${known}`,
        };
      }
    }
  }

  private performOn(command: 'client' | 'kick' | 'drop-session', id: string): Answer {
    if (command === 'client') {
      const result = this.target.client(id);
      return result ? { ok: true, result } : { ok: false, error: `there is no client "${id}"` };
    }
    const kick = command === 'kick';
    const done = kick ? this.target.kick(id) : this.target.dropSession(id);
    if (!done) {
      const missing = kick ? `client "${id}" is not connected` : `there is no session "${id}"`;
      return { ok: false, error: missing };
    }
    this.log.info(kick ? 'client kicked' : 'session dropped', { clientId: id });
    return { ok: true, result: { id } };
  }

  private deleteRetained(filter: string): Answer {
    if (filter === '' || filter.startsWith('$share/') || !filterValid(filter)) {
      return { ok: false, error: `"${filter}" is not a topic filter` };
    }
    const deleted = this.target.deleteRetained(filter);
    this.log.info('retained messages deleted', { filter, deleted });
    return { ok: true, result: { deleted } };
  }

  /** May take its time, during which the connection is not idle. */
  private async performUpkeep(request: UpkeepRequest): Promise<Answer> {
    const { upkeep } = this.target;
    if (upkeep === null) return { ok: false, error: 'this broker keeps nothing on disk' };
    if (request.command === 'backup' && !isAbsolute(request.path)) {
      return { ok: false, error: 'store-backup needs "path", the absolute name of a new file' };
    }
    this.socket.setTimeout(0);
    try {
      const result = await upkeep(request);
      if (request.command !== 'stat') this.log.info(`store ${request.command} done`);
      return { ok: true, result };
    } catch (error) {
      if (error instanceof StoreError) return { ok: false, error: error.message };
      throw error;
    } finally {
      this.socket.setTimeout(limits.controlIdleMs);
    }
  }

  /** The list as one line, written a few rows at a time and no faster than it is read. */
  private async writeClients(): Promise<void> {
    let text = '{"ok":true,"result":[';
    let count = 0;
    for (const client of this.target.clients()) {
      text += (count++ === 0 ? '' : ',') + JSON.stringify(client);
      if (count % ROWS_PER_TURN !== 0) continue;
      await this.write(text);
      await new Promise(resolve => setImmediate(resolve));
      if (this.socket.destroyed) return;
      text = '';
    }
    await this.write(`${text}]}\n`);
  }

  /** Resolves when the peer has room for more, or is gone. */
  private async write(text: string): Promise<void> {
    const { socket } = this;
    if (socket.destroyed || socket.write(text)) return;
    await new Promise<void>(resolve => {
      const settle = () => {
        socket.off('drain', settle).off('close', settle);
        resolve();
      };
      socket.on('drain', settle).on('close', settle);
    });
  }
}

/** The request as one to the store, or null. */
function upkeepOf({ command, path }: Request): UpkeepRequest | null {
  switch (command) {
    case 'store-stat':
      return { command: 'stat' };
    case 'store-check':
      return { command: 'check' };
    case 'store-compact':
      return { command: 'compact' };
    case 'store-backup':
      return { command: 'backup', path: typeof path === 'string' ? path : '' };
    default:
      return null;
  }
}

function parseRequest(line: string): Request | null {
  try {
    const value: unknown = JSON.parse(line);
    return value !== null && typeof value === 'object' ? (value as Request) : null;
  } catch {
    return null;
  }
}
