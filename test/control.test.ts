// The control socket against a broker made of plain values: what is asked, what is answered, and
// what the socket file does.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../src/cli/ctl.ts';
import { Failure } from '../src/cli/exit.ts';
import { type ControlServer, startControl } from '../src/control.ts';
import type { SessionDetail } from '../src/core/report/control.ts';
import type { Answer, Question, Results } from '../src/engine/questions.ts';
import { limits } from '../src/limits.ts';
import type { Logger } from '../src/log.ts';
import { ReloadError, type ReloadReport } from '../src/reload.ts';
import type { UpkeepRequest } from '../src/store/upkeep/upkeep.ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, test } from './harness.ts';

function client(clientId: string): SessionDetail {
  return {
    clientId,
    connected: true,
    peer: '192.0.2.1:5000',
    username: null,
    version: 5,
    keepAliveSeconds: 60,
    sessionExpirySeconds: 0,
    subscriptions: 1,
    queued: 0,
    queuedBytes: 0,
    inflight: 0,
    connectedForMs: 61_000,
    filters: [{ filter: 'a/#', qos: 1 }],
  };
}

/** Rows per page of the list. */
const PAGE = 100;

class FakeBroker {
  readonly known = new Map<string, SessionDetail>();
  readonly calls: string[] = [];
  keeps = true;
  private readonly places = new Map<number, number>();

  readonly ask = async (question: Question): Promise<Answer> => {
    if (question.about === 'store') return this.lookAfterStore(question.request);
    return { ok: true, result: this.answer(question) };
  };

  readonly reload = async (): Promise<ReloadReport> => {
    if (this.known.has('broken'))
      throw new ReloadError(['minnow.toml:1: wrong', 'nothing was done']);
    return { applied: ['log.level'], restart: [] };
  };

  private answer(question: Exclude<Question, { about: 'store' }>): Results[keyof Results] {
    switch (question.about) {
      case 'clients': {
        const place = this.places.get(question.list) ?? 0;
        this.places.set(question.list, place + PAGE);
        const rows = [...this.known.values()].slice(place, place + PAGE);
        return { rows, more: place + PAGE < this.known.size };
      }
      case 'client':
        return this.known.get(question.id) ?? null;
      case 'kick':
        this.calls.push(`kick ${question.id}`);
        return this.known.has(question.id);
      case 'drop-session':
        this.calls.push(`drop ${question.id}`);
        return this.known.delete(question.id);
      case 'delete-retained':
        this.calls.push(`delete ${question.filter}`);
        return 3;
      case 'guests':
        return { rows: [], more: false };
      case 'reconfigure':
      case 'expel':
        return true;
      case 'stats':
        if (this.known.has('broken')) throw new Error('a bug in the broker');
        return { version: 'minnow test', 'clients/total': this.known.size };
    }
  }

  private lookAfterStore(request: UpkeepRequest): Answer {
    if (!this.keeps) return { ok: false, code: 'missing', message: 'nothing is kept' };
    this.calls.push(JSON.stringify(request));
    if (request.command === 'check') {
      return { ok: false, code: 'full', message: 'no space is left' };
    }
    return { ok: true, result: { faults: [] } };
  }
}

class LogLines implements Logger {
  readonly lines: string[] = [];
  debug() {}
  info(message: string) {
    this.lines.push(`info ${message}`);
  }
  warn(message: string) {
    this.lines.push(`warn ${message}`);
  }
  error(message: string) {
    this.lines.push(`error ${message}`);
  }
  log(level: string, message: string) {
    this.lines.push(`${level} ${message}`);
  }
  shows() {
    return true;
  }
  child() {
    return this;
  }
}

let directory: string;
let path: string;
let broker: FakeBroker;
let log: LogLines;
let server: ControlServer | null;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'minnow-control-'));
  path = join(directory, 'control.sock');
});
afterAll(() => rmSync(directory, { recursive: true }));
beforeEach(async () => {
  broker = new FakeBroker();
  broker.known.set('a', client('a'));
  log = new LogLines();
  server = await startControl(path, broker, log);
});
afterEach(async () => {
  await server?.stop();
  server = null;
});

/** Sends `text` and gives the lines that come back until `count` are there or the server closes. */
async function exchange(text: string | Uint8Array, count = 1): Promise<string[]> {
  const socket = connect({ path });
  await once(socket, 'connect');
  socket.write(text);
  const lines = await readLines(socket, count);
  socket.destroy();
  return lines;
}

async function readLines(socket: Socket, count: number): Promise<string[]> {
  let text = '';
  for await (const chunk of socket) {
    text += String(chunk);
    if (text.split('\n').length > count) break;
  }
  return text.split('\n').slice(0, -1);
}

async function ask(request: unknown): Promise<unknown> {
  return JSON.parse((await exchange(`${JSON.stringify(request)}\n`))[0]);
}

describe('requests', () => {
  test('each command reaches the broker and its result comes back', async () => {
    const known = client('a');
    assert.deepEqual(await ask({ command: 'clients' }), { ok: true, result: [known] });
    assert.deepEqual(await ask({ command: 'client', id: 'a' }), { ok: true, result: known });
    const stats = { version: 'minnow test', 'clients/total': 1 };
    assert.deepEqual(await ask({ command: 'stats' }), { ok: true, result: stats });
    assert.deepEqual(await ask({ command: 'kick', id: 'a' }), { ok: true, result: { id: 'a' } });
    const dropped = await ask({ command: 'drop-session', id: 'a' });
    assert.deepEqual(dropped, { ok: true, result: { id: 'a' } });
    const deleted = await ask({ command: 'retained-delete', filter: 'x/#' });
    assert.deepEqual(deleted, { ok: true, result: { deleted: 3 } });
    assert.deepEqual(broker.calls, ['kick a', 'drop a', 'delete x/#']);
    const changes = ['client kicked', 'session dropped', 'retained messages deleted'];
    assert.deepEqual(
      log.lines,
      changes.map(line => `info ${line}`),
    );
  });

  test('a reload says what was done, or what is wrong', async () => {
    const report = { applied: ['log.level'], restart: [] };
    assert.deepEqual(await ask({ command: 'reload' }), { ok: true, result: report });
    broker.known.set('broken', client('broken'));
    const error = 'minnow.toml:1: wrong\nnothing was done';
    assert.deepEqual(await ask({ command: 'reload' }), { ok: false, error });
  });

  test('the store is looked after by those who have one', async () => {
    assert.deepEqual(await ask({ command: 'store-stat' }), { ok: true, result: { faults: [] } });
    await ask({ command: 'store-backup', path: '/somewhere/new.db' });
    assert.deepEqual(broker.calls, [
      '{"command":"stat"}',
      '{"command":"backup","path":"/somewhere/new.db"}',
    ]);
    assert.deepEqual(await ask({ command: 'store-check' }), {
      ok: false,
      error: 'no space is left',
    });
    assert.deepEqual(await ask({ command: 'store-backup', path: 'new.db' }), {
      ok: false,
      error: 'store-backup needs "path", the absolute name of a new file',
    });
    broker.keeps = false;
    assert.deepEqual(await ask({ command: 'store-stat' }), {
      ok: false,
      error: 'nothing is kept',
    });
  });

  test('what is not there is an error that names it', async () => {
    for (const [command, error] of [
      ['client', 'there is no client "b"'],
      ['kick', 'client "b" is not connected'],
      ['drop-session', 'there is no session "b"'],
    ]) {
      assert.deepEqual(await ask({ command, id: 'b' }), { ok: false, error });
    }
    assert.deepEqual(log.lines, []);
  });

  test('malformed requests are answered with an error and the next one is heard', async () => {
    const bad = ['', 'x', '[]', 'null', '7', '{}', '{"command":"no"}', '{"command":"kick"}'];
    const more = ['{"command":"kick","id":7}', '{"command":"retained-delete","filter":"a/#/b"}'];
    const requests = [...bad, ...more, '{"command":"stats"}'];
    const answers = (await exchange(`${requests.join('\n')}\n`, requests.length)).map(
      line => JSON.parse(line) as { ok: boolean; error?: string },
    );
    assert.equal(answers.length, requests.length);
    for (const answer of answers.slice(0, -1)) {
      assert.equal(answer.ok, false);
      assert.ok(answer.error);
    }
    assert.equal(answers.at(-1)?.ok, true);
    assert.deepEqual(broker.calls, []);
  });

  test('a request that never ends is cut off', async () => {
    const answers = await exchange(new Uint8Array(limits.controlLineBytesMax + 1).fill(0x20), 2);
    assert.equal(answers.length, 1);
    assert.match(answers[0], /at most 262144 bytes/);
  });

  test('bytes that are not UTF-8 are an error like any other', async () => {
    const [answer] = await exchange(new Uint8Array([0xff, 0xfe, 0x00, 0x0a]));
    assert.equal(JSON.parse(answer).ok, false);
  });

  test('many clients arrive whole and in order', async () => {
    for (let i = 0; i < 5_000; i++) broker.known.set(`c${i}`, client(`c${i}`));
    const answer = (await ask({ command: 'clients' })) as { result: SessionDetail[] };
    const ids = answer.result.map(({ clientId }) => clientId);
    assert.deepEqual(ids, [...broker.known.keys()]);
  });

  test('no clients at all are an empty list', async () => {
    broker.known.clear();
    assert.deepEqual(await ask({ command: 'clients' }), { ok: true, result: [] });
  });

  test('a broker that fails costs that connection only', async () => {
    broker.known.set('broken', client('broken'));
    assert.deepEqual(await exchange('{"command":"stats"}\n'), []);
    assert.deepEqual(log.lines, ['error control request failed']);
    broker.known.delete('broken');
    assert.deepEqual(((await ask({ command: 'stats' })) as { ok: boolean }).ok, true);
  });
});

describe('the socket file', () => {
  test('only its owner may open it, and it goes with the broker', async () => {
    assert.equal(statSync(path).mode & 0o777, 0o600);
    await server?.stop();
    server = null;
    assert.equal(existsSync(path), false);
  });

  test('one that somebody answers on is left alone', async () => {
    await assert.rejects(startControl(path, broker, log), {
      code: 'EADDRINUSE',
      address: path,
    });
    assert.equal(((await ask({ command: 'stats' })) as { ok: boolean }).ok, true);
  });

  test('one that nobody answers on is replaced', async () => {
    await server?.stop();
    await leaveStaleSocket(path);
    assert.ok(statSync(path).isSocket());
    server = await startControl(path, broker, log);
    assert.equal(((await ask({ command: 'stats' })) as { ok: boolean }).ok, true);
  });

  test('a file that is no socket is never removed', async () => {
    const file = join(directory, 'precious');
    writeFileSync(file, 'data');
    await assert.rejects(startControl(file, broker, log), /it is not a socket/);
    assert.ok(existsSync(file));
  });

  test('stop does not wait for those who are connected', async () => {
    const socket = connect({ path });
    await once(socket, 'connect');
    const closed = once(socket, 'close');
    await server?.stop();
    server = null;
    await closed;
  });
});

/** A socket file whose owner is gone: a listener's file, moved away before the listener closed. */
async function leaveStaleSocket(to: string): Promise<void> {
  const { renameSync } = await import('node:fs');
  const owner = createServer();
  owner.listen({ path: `${to}.old` });
  await once(owner, 'listening');
  renameSync(`${to}.old`, to);
  owner.close();
  await once(owner, 'close');
}

describe('minnow ctl', () => {
  async function failure(args: string[]): Promise<Failure> {
    try {
      await run(args);
    } catch (error) {
      assert.ok(error instanceof Failure);
      return error;
    }
    assert.fail('it should have failed');
  }

  test('a wrong command line is refused with what would be right', async () => {
    for (const args of [[], ['frobnicate'], ['client'], ['client', 'a', 'b'], ['stats', 'x']]) {
      const { code, message } = await failure(['--socket', path, ...args]);
      assert.equal(code, 64, args.join(' '));
      assert.match(message, /ctl: /);
    }
    assert.equal((await failure(['--bogus', 'stats'])).code, 64);
  });

  test('no broker is said so, with the path', async () => {
    const { code, message } = await failure(['--socket', join(directory, 'none'), 'stats']);
    assert.equal(code, 69);
    assert.match(message, /none: no broker answers here/);
  });
});
