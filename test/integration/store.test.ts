// `minnow store`, with a running broker and without one.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { isAbsolute, join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { Exit } from '../../src/cli/exit.ts';
import { lookAfter, type StoreStat } from '../../src/store/upkeep/upkeep.ts';
import { openInline, StoreUser } from '../contract/store-kit.ts';
import { backlog, sessionPut } from '../contract/store-ops.ts';
import { afterAll, describe, test } from '../harness.ts';
import { minnow, ok, run, useMinnow } from './process.ts';

const scratch = mkdtempSync(join(tmpdir(), 'minnow-store-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function store(data: string, ...args: string[]): string[] {
  return [...minnow, 'store', '--data', data, ...args];
}

describe('minnow store', () => {
  const broker = useMinnow('--set', 'store.durability=strict');
  const pub = (...args: string[]) => ok([...minnow, 'pub', ...broker.address, ...args]);
  /** A retained message, and one that waits for somebody. */
  const fill = async () => {
    const away = ['-c', '-i', 'away', '-q', '1', '-t', 'b'];
    await ok([...minnow, 'sub', ...broker.address, ...away, '-E']);
    await pub('-t', 'kept', '-r', '-q', '1', '-m', 'one');
    await pub('-t', 'b', '-q', '1', '-m', 'waits');
  };

  test('asks the broker that runs', async () => {
    await fill();
    const { stdout } = await ok(store(broker.data, 'stat', '--json'));
    const stat = JSON.parse(stdout.toString()) as StoreStat;
    assert.equal(stat.path, join(broker.data, 'minnow.db'));
    assert.deepEqual([stat.sessions, stat.retained, stat.queued], [1, 1, 1]);
    const { lines } = await ok(store(broker.data, 'stat'));
    assert.ok(lines.includes('journalMode    wal'), lines.join('\n'));
    assert.deepEqual((await ok(store(broker.data, 'check'))).lines, ['the database is whole']);
    assert.match(
      (await ok(store(broker.data, 'compact'))).lines[0],
      /^\d+ bytes before, \d+ bytes/,
    );
    await pub('-t', 'kept/2', '-r', '-q', '1', '-m', 'two');
  });

  test('copies the database while the broker runs, and moves it elsewhere as lines', async () => {
    await fill();
    const backup = join(scratch, 'backup.db');
    const { lines } = await ok(store(broker.data, 'backup', backup));
    assert.match(lines[0], new RegExp(`^${backup}: \\d+ bytes$`));
    const again = await run(store(broker.data, 'backup', backup));
    assert.equal(again.code, Exit.unavailable);
    assert.equal(again.stderr, `minnow: ${backup}: there is a file already; choose another name\n`);

    const exported = await ok(store(broker.data, 'export', '-'));
    assert.equal(JSON.parse(exported.lines[0]).kind, 'minnow store');
    const kinds = exported.lines.slice(1).map(line => JSON.parse(line).kind as string);
    for (const kind of ['session', 'subscription', 'retained', 'message', 'delivery']) {
      assert.ok(kinds.includes(kind), kind);
    }
    const refused = await run(store(broker.data, 'import', '-'), exported.stdout);
    assert.equal(refused.code, Exit.unavailable);
    assert.match(refused.stderr, /a broker runs here, and it would not notice; stop it first/);

    const elsewhere = mkdtempSync(join(scratch, 'elsewhere-'));
    const imported = await ok(store(elsewhere, 'import', '-'), exported.stdout);
    assert.deepEqual(imported.lines, [`${kinds.length} records imported`]);
    const file = join(scratch, 'lines');
    await ok(store(elsewhere, 'export', file));
    assert.deepEqual(
      readFileSync(file, 'utf8').trimEnd().split('\n').slice(1),
      exported.lines.slice(1),
    );
    const full = await run(store(elsewhere, 'import', file));
    assert.match(full.stderr, /it is not empty, and importing does not merge/);
  });
});

interface Asked {
  readonly command: string;
  readonly path: string;
}

/** Somebody at the control socket of a new folder who answers as a broker would. */
async function actAsBroker(answerTo: (request: Asked) => unknown) {
  const data = mkdtempSync(join(scratch, 'acted-'));
  const asked: string[] = [];
  const server = createServer(socket => {
    socket.on('error', () => {});
    createInterface({ input: socket }).on('line', async line => {
      const request = JSON.parse(line) as Asked;
      asked.push(request.command);
      socket.end(`${JSON.stringify({ ok: true, result: await answerTo(request) })}\n`);
    });
  });
  server.listen(join(data, 'control.sock'));
  await once(server, 'listening');
  const files = () => readdirSync(data).filter(name => name.startsWith('minnow.db'));
  return { server, data, asked, files };
}

/** A whole database of so many messages, as a copy at `path`. */
async function copyTo(path: string, messages: number): Promise<object> {
  assert.ok(isAbsolute(path), path);
  const user = new StoreUser(openInline(mkdtempSync(join(scratch, 'whole-'))));
  await user.store.load();
  await user.commit([sessionPut(1), ...backlog(1, 1, messages, 1_000)]);
  await lookAfter(user.store, { command: 'backup', path });
  await user.store.close();
  return { path, bytes: 1 };
}

describe('minnow store check, where a broker runs', () => {
  /** What is asked of a broker that has `database`, and what the check comes to. */
  async function checked(stat: object, database: (path: string) => unknown) {
    const { server, data, asked, files } = await actAsBroker(({ command, path }) => {
      if (command === 'store-stat') return { journalMode: 'wal', fileBytes: 40_960, ...stat };
      return command === 'store-check' ? { faults: [] } : database(path);
    });
    const outcome = await run(store(data, 'check'));
    server.close();
    assert.deepEqual(files(), []);
    return { asked, data, ...outcome };
  }

  test('reads a copy, so that nobody waits for it', async () => {
    const whole = await checked({}, path => copyTo(path, 10));
    assert.deepEqual(whole.lines, ['the database is whole'], whole.stderr);
    assert.equal(whole.code, Exit.ok);
    assert.deepEqual(whole.asked, ['store-stat', 'store-backup']);
    const damaged = await checked({}, path => {
      writeFileSync(path, 'nothing that SQLite ever wrote'.repeat(300));
    });
    assert.equal(damaged.code, 1);
    assert.equal(
      damaged.stderr,
      `minnow: ${join(damaged.data, 'minnow.db')}: the database is damaged\n`,
    );
  });

  const left = [
    ['a copy would hold it up as well', { journalMode: 'delete' }],
    ['there is no room for a copy', { fileBytes: 2 ** 50 }],
  ] as const;
  for (const [where, stat] of left) {
    test(`is left to the broker where ${where}`, async () => {
      const { lines, asked } = await checked(stat, () => assert.fail());
      assert.deepEqual(lines, ['the database is whole']);
      assert.deepEqual(asked, ['store-stat', 'store-check']);
    });
  }
});

describe('a copy that a command makes for itself', () => {
  const exporting = (data: string) => {
    const [program = '', ...args] = store(data, 'export', '-');
    return spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  };

  test('has no name while it is read, so that nothing is left when that is ended', async () => {
    const { server, data, files } = await actAsBroker(({ path }) => copyTo(path, 1_000));
    const child = exporting(data);
    await once(child.stdout, 'readable'); // more than a pipe holds, and nobody takes it
    assert.deepEqual(files(), []);
    child.kill('SIGKILL');
    await once(child, 'exit');
    server.close();
  });

  test('is where the command is told that the data are, from wherever it is called', async () => {
    const { server, data, files } = await actAsBroker(({ path }) => copyTo(path, 1));
    const there = relative(process.cwd(), data);
    const { lines } = await ok(store(there, 'export', '-'));
    assert.ok(lines.length > 1);
    assert.deepEqual(files(), []);
    server.close();
  });

  test('is an error where the broker writes it and it cannot be seen', async () => {
    const { server, data, files } = await actAsBroker(({ path }) => ({ path, bytes: 1 }));
    const { code, stderr } = await run(store(data, 'export', '-'));
    assert.equal(code, Exit.unavailable);
    assert.match(stderr, /minnow\.db\.copy-\d+: the broker wrote it, and it is not here; run this/);
    assert.deepEqual(files(), []);
    server.close();
  });

  test('is taken away when the command is ended while the broker writes', async () => {
    let child: ReturnType<typeof exporting> | null = null;
    const acted = await actAsBroker(({ path }) => {
      writeFileSync(`${path}.part`, '');
      child?.kill('SIGTERM');
      return new Promise(() => {});
    });
    child = exporting(acted.data);
    assert.deepEqual(await once(child, 'exit'), [128 + 15, null]);
    assert.deepEqual(acted.files(), []);
    acted.server.close();
  });
});

describe('minnow store, where no broker runs', () => {
  test('names what is not there', async () => {
    const outcome = await run(store(scratch, 'stat'));
    assert.equal(outcome.code, Exit.noInput);
    const path = join(scratch, 'minnow.db');
    assert.equal(outcome.stderr, `minnow: ${path}: there is no database; see --data DIR\n`);
    assert.ok(!existsSync(path), 'and does not create it');
  });

  test('leaves a damaged database where it is', async () => {
    const data = mkdtempSync(join(scratch, 'damaged-'));
    writeFileSync(join(data, 'minnow.db'), 'nothing that SQLite ever wrote'.repeat(300));
    const outcome = await run(store(data, 'check'));
    assert.equal(outcome.code, 1);
    assert.match(outcome.stderr, /minnow\.db: the database is damaged\n$/);
    assert.match(readFileSync(join(data, 'minnow.db'), 'utf8'), /^nothing that/);
  });

  test('says which line of an import is wrong', async () => {
    const data = mkdtempSync(join(scratch, 'import-'));
    const lines = '{"kind":"minnow store","format":1}\n{"kind":"retained","topic":1}\n';
    const outcome = await run(store(data, 'import', '-'), lines);
    assert.equal(outcome.code, Exit.noInput);
    assert.equal(outcome.stderr, 'minnow: -: line 2: topic: found 1, expected a string\n');
    const missing = await run(store(data, 'import', join(data, 'nothing')));
    assert.match(missing.stderr, /nothing: there is no such file or directory\n$/);
  });

  test('is called as its help says', async () => {
    assert.match(
      (await ok([...minnow, 'help', 'store'])).stdout.toString(),
      /^Usage: minnow store/,
    );
    for (const args of [[], ['frobnicate'], ['stat', 'x'], ['backup'], ['export', 'a', 'b']]) {
      assert.equal((await run([...minnow, 'store', ...args])).code, Exit.usage, args.join(' '));
    }
  });
});
