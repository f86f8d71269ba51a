// The control socket: how `minnow ctl` and other tools on this machine speak to a running broker.
// One JSON object per line each way: {"command":"kick","id":"a"} is answered by
// {"ok":true,"result":…} or {"ok":false,"error":"…"}. The file's permissions (0600) are the lock.
// Whatever is sent here is answered or cut off; it never stops the broker, and a long list leaves
// in pieces so that it neither fills memory nor holds up a turn.

import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { isAbsolute } from 'node:path';
import type { Answer, Question, Results } from './engine/questions.ts';
import { limits } from './limits.ts';
import type { Logger } from './log.ts';
import { filterValid } from './mqtt/topic.ts';
import { ReloadError, type ReloadReport } from './reload.ts';
import type { UpkeepRequest } from './store/upkeep/upkeep.ts';
import { listenOnFile } from './unix-socket.ts';

/** Who answers. */
export interface ControlTarget {
  /** The engine, wherever it lives. Rejects only when it is broken. */
  ask(question: Question): Promise<Answer>;
  /** Reads the configuration again and takes over what can be; rejects with a ReloadError. */
  reload(): Promise<ReloadReport>;
}

export interface ControlServer {
  /** Cuts everybody off and removes the socket file. */
  stop(): Promise<void>;
}

/** Opens the socket at `path`; rejects with an error that has `code` and `address` when it cannot,
 *  EADDRINUSE when somebody answers there already. */
export async function startControl(
  path: string,
  target: ControlTarget,
  log: Logger,
): Promise<ControlServer> {
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    new Session(socket, target, log).run();
  });
  server.maxConnections = limits.controlConnectionsMax;
  await listenOnFile(server, path, 0o600);
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

type Request = Readonly<Record<string, unknown>>;
/** What is written back. */
type Reply = { ok: true; result: unknown } | { ok: false; error: string };

/** Numbers the lists that are asked for. */
let lastList = 0;

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
    const reply = request
      ? await this.perform(request)
      : refuse('a request is one JSON object per line, e.g. {"command":"stats"}');
    await this.write(`${JSON.stringify(reply)}\n`);
  }

  private async perform(request: Request): Promise<Reply> {
    const upkeep = upkeepOf(request);
    if (upkeep !== null) return this.performUpkeep(upkeep);
    const { command } = request;
    switch (command) {
      case 'stats':
        return { ok: true, result: await this.result({ about: 'stats' }) };
      case 'reload':
        return this.reload();
      case 'client':
      case 'kick':
      case 'drop-session': {
        const { id } = request;
        if (typeof id === 'string') return this.performOn(command, id);
        return refuse(`${command} needs "id", a client id`);
      }
      case 'retained-delete': {
        const { filter } = request;
        if (typeof filter === 'string') return this.deleteRetained(filter);
        return refuse(`${command} needs "filter", a topic filter`);
      }
      default: {
        const known =
          'clients, client, kick, drop-session, retained-delete, stats, reload, store-stat, ' +
          'store-check, store-compact and store-backup';
        return refuse(`unknown command ${JSON.stringify(command)}; there are ${known}`);
      }
    }
  }

  /** What the engine answers to a question that it cannot refuse. */
  private async result<About extends Question['about']>(
    question: Question & { readonly about: About },
  ): Promise<Results[About]> {
    const answer = await this.target.ask(question);
    if (!answer.ok) throw new Error(answer.message);
    return answer.result as Results[About];
  }

  private async performOn(command: 'client' | 'kick' | 'drop-session', id: string): Promise<Reply> {
    if (command === 'client') {
      const result = await this.result({ about: 'client', id });
      return result ? { ok: true, result } : refuse(`there is no client "${id}"`);
    }
    const kick = command === 'kick';
    if (!(await this.result({ about: command, id }))) {
      return refuse(kick ? `client "${id}" is not connected` : `there is no session "${id}"`);
    }
    this.log.info(kick ? 'client kicked' : 'session dropped', { clientId: id });
    return { ok: true, result: { id } };
  }

  private async deleteRetained(filter: string): Promise<Reply> {
    if (filter === '' || filter.startsWith('$share/') || !filterValid(filter)) {
      return refuse(`"${filter}" is not a topic filter`);
    }
    const deleted = await this.result({ about: 'delete-retained', filter });
    this.log.info('retained messages deleted', { filter, deleted });
    return { ok: true, result: { deleted } };
  }

  private async reload(): Promise<Reply> {
    try {
      return { ok: true, result: await this.target.reload() };
    } catch (error) {
      if (error instanceof ReloadError) return refuse(error.message);
      throw error;
    }
  }

  /** May take its time, during which the connection is not idle. */
  private async performUpkeep(request: UpkeepRequest): Promise<Reply> {
    if (request.command === 'backup' && !isAbsolute(request.path)) {
      return refuse('store-backup needs "path", the absolute name of a new file');
    }
    this.socket.setTimeout(0);
    try {
      const answer = await this.target.ask({ about: 'store', request });
      if (!answer.ok) return refuse(answer.message);
      if (request.command !== 'stat') this.log.info(`store ${request.command} done`);
      return { ok: true, result: answer.result };
    } finally {
      this.socket.setTimeout(limits.controlIdleMs);
    }
  }

  /** The list as one line, written a few rows at a time and no faster than it is read. */
  private async writeClients(): Promise<void> {
    const list = ++lastList;
    let text = '{"ok":true,"result":[';
    let count = 0;
    for (let more = true; more; ) {
      const page = await this.result({ about: 'clients', list });
      for (const client of page.rows) {
        text += (count++ === 0 ? '' : ',') + JSON.stringify(client);
      }
      more = page.more;
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

function refuse(error: string): Reply {
  return { ok: false, error };
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
