// The real process: exit codes, one line per fault on standard error, no stack traces, and a
// broker that starts, says so, and stops when it is told to.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Exit } from '../../src/cli/exit.ts';
import { Reason } from '../../src/mqtt/reason.ts';
import { version } from '../../src/version.ts';
import { afterAll, beforeAll, describe, skipped, test } from '../harness.ts';
import { minnow as command } from '../integration/process.ts';

let directory = '';
const env = () => ({ PATH: process.env.PATH, HOME: directory, NO_COLOR: '1' });

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'minnow-cli-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function minnow(args: string[], more: Record<string, string> = {}) {
  const options = { encoding: 'utf8', cwd: directory, timeout: 60_000 } as const;
  const [program, ...rest] = [...command, ...args];
  const run = spawnSync(program, rest, { ...options, env: { ...env(), ...more } });
  return { code: run.status, stdout: run.stdout, stderr: run.stderr };
}

describe('commands that end by themselves', () => {
  const cases: [args: string[], code: number, stderr: string][] = [
    [['sevre'], Exit.usage, 'minnow: unknown command "sevre"; did you mean "serve"?\n'],
    [
      ['--lisen', ':1'],
      Exit.usage,
      'minnow: serve: unknown flag --lisen; did you mean --listen?; see minnow help serve\n',
    ],
    [
      ['check-config', '-c', 'none.toml'],
      Exit.noInput,
      'minnow: none.toml: there is no such file\n',
    ],
    [['serve', '-c', '.'], Exit.noInput, 'minnow: .: this is a directory\n'],
    [
      ['serve', '--listen', 'a:b', '--set', 'log.level=loud'],
      Exit.config,
      'minnow: --listen: listeners.0: found "a:b", expected a list like ["127.0.0.1:1883", ' +
        '"[::1]:1883"], where ":1883" is every interface and "1883" this machine only, or ' +
        '[[listeners]] tables\n' +
        'minnow: --set: log.level: found "loud", expected one of debug, info, warn, error, ' +
        'silent\n' +
        'minnow: 2 faults in the configuration; nothing was done\n',
    ],
    [
      ['serve', '--data', '/dev/null/x'],
      Exit.cannotCreate,
      'minnow: /dev/null/x: cannot create the data directory (ENOTDIR); ' +
        'choose another with --data DIR\n',
    ],
    [
      ['serve', '--data', 'd', '--listen', '192.0.2.1:1', '--set', 'auth.anonymous=true'],
      Exit.unavailable,
      'minnow: cannot listen on 192.0.2.1:1: this machine has no such address; ' +
        'choose another with --listen HOST:PORT\n',
    ],
  ];
  for (const [args, code, stderr] of cases) {
    test(`minnow ${args.join(' ')}`, () => {
      assert.deepEqual(minnow(args), { code, stdout: '', stderr });
    });
  }

  test('check-config: a right file, named by the environment, with a warning', () => {
    writeFileSync(join(directory, 'right.toml'), '[log]\nlevel = "debug"\n');
    const more = { MINNOW_CONFIG: 'right.toml', MINNOW_LOG_LEVLE: 'x' };
    assert.deepEqual(minnow(['check-config'], more), {
      code: Exit.ok,
      stdout: 'the configuration is right\n',
      stderr:
        'minnow: warning: MINNOW_LOG_LEVLE: no option has this name, it is ignored; ' +
        'did you mean MINNOW_LOG_LEVEL?\n',
    });
  });

  test('check-config: a file of users or of rules that would not let the broker start', () => {
    const check = (...settings: string[]) =>
      minnow(['check-config', ...settings.flatMap(setting => ['--set', setting])]);
    writeFileSync(join(directory, 'users'), 'no hash\n');
    writeFileSync(join(directory, 'rules'), 'topic readwrit a/#\n');
    for (const [option, fault] of [
      ['auth.passwordFile=users', /^minnow: users:1: /],
      ['auth.aclFile=rules', /^minnow: rules:1: /],
      ['auth.aclFile=none', /^minnow: none: there is no such file \(auth.aclFile\)/],
      ['auth.jwtKeys=users', /^minnow: users: .*\(auth.jwtKeys\)/],
    ] as const) {
      const { code, stderr } = check(option);
      assert.match(stderr, fault);
      assert.equal(code, Exit.config);
    }
    // And so LuCI is told.
    const asked = minnow(['rpcd', '--set', 'auth.passwordFile=users', 'call', 'check']);
    assert.match(JSON.parse(asked.stdout).faults.join(), /^users:1: /);
    // Which is made by the first start, where packages have it so.
    const { code, stderr } = check('auth.passwordFile=none');
    assert.match(stderr, /^minnow: warning: none: there is no such file \(auth.passwordFile\)/);
    assert.equal(code, Exit.ok);
  });

  const closed = 'a file that may not be read';
  if (process.getuid?.() === 0) {
    skipped(closed, 'root may read everything');
  } else {
    test(closed, () => {
      writeFileSync(join(directory, 'closed.toml'), '', { mode: 0 });
      const { code, stderr } = minnow(['check-config', '-c', 'closed.toml']);
      assert.equal(stderr, 'minnow: closed.toml: no permission to read it\n');
      assert.equal(code, Exit.noPermission);
    });
  }

  test('config prints what is in effect and no password', () => {
    const args = ['config', '--set', 'auth.users.alice=hunter2', '--data', '/d'];
    const { code, stdout, stderr } = minnow(args);
    assert.equal(code, Exit.ok);
    assert.equal(stderr, '');
    assert.ok(stdout.startsWith('data = "/d" # --data\n'));
    assert.ok(stdout.includes('[auth.users]\nalice = "********" # --set\n'));
    assert.match(stdout, /^connectionsMax = \d+ # profile \w+$/m);
    assert.ok(!stdout.includes('hunter2'));
  });

  test('version, help, help for one command', () => {
    // What was built says below it for what and of what.
    const built = '(target \\S+\ncommit \\S+\n)?';
    const said = new RegExp(`^minnow ${version} \\(\\S+ \\S+, .*\\)\n${built}$`);
    assert.match(minnow(['version']).stdout, said);
    assert.match(minnow(['--help']).stdout, /^ {2}check-config {2}\S/m);
    assert.equal(minnow(['help', 'config']).stdout, minnow(['config', '--help']).stdout);
  });
});

describe('minnow serve', () => {
  /** Bounds the time of a broker that does not end. */
  const LATE_MS = 60_000;

  /** Starts a broker on a port the system chose; resolves when it says that it is ready. */
  function start(...more: string[]): Promise<{ child: ChildProcess; port: number }> {
    const flags = ['--listen', '127.0.0.1:0', '--data', join(directory, 'data'), ...more];
    const [program, ...args] = [...command, ...flags];
    const child = spawn(program, args, { env: env(), stdio: ['ignore', 'pipe', 'inherit'] });
    return new Promise((resolve, reject) => {
      createInterface(child.stdout).on('line', line => {
        const { msg, addresses } = JSON.parse(line);
        if (msg !== 'minnow is ready') return;
        resolve({ child, port: Number(addresses.replace('127.0.0.1:', '')) });
      });
      child.on('exit', code => reject(new Error(`the broker ended with ${code}`)));
    });
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal}: clients are told that the server shuts down, exit code 0`, async () => {
      const { child, port } = await start();
      const socket = connect(port, '127.0.0.1');
      socket.write(Buffer.from('100d00044d5154540502003c000000', 'hex')); // CONNECT, MQTT 5
      const [connack] = await once(socket, 'data');
      assert.equal(connack[0], 0x20);
      const exit = once(child, 'exit');
      const goodbye = once(socket, 'data');
      child.kill(signal);
      const [disconnect] = await goodbye;
      assert.deepEqual([disconnect[0], disconnect[2]], [0xe0, Reason.ServerShuttingDown]);
      assert.deepEqual(await exit, [0, null]);
    });
  }

  for (const mode of ['async', 'sync']) {
    for (const poolSize of [1, 2]) {
      test(`a second signal ends it at once: ${mode}, ${poolSize} threads`, async () => {
        const set = [`io.poolSize=${poolSize}`, `limits.drainTimeoutMs=${2 * LATE_MS}`];
        const settings = set.flatMap(text => ['--set', text]);
        const { child, port } = await start('--io', mode, ...settings);
        const exit = once(child, 'exit');
        const late = setTimeout(() => child.kill('SIGKILL'), LATE_MS);
        // It never says goodbye, and is waited for.
        const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
        socket.write(Buffer.from('100d00044d5154540502003c000000', 'hex'));
        await once(socket, 'data');
        const goodbye = once(socket, 'data');
        child.kill('SIGTERM');
        await goodbye;
        child.kill('SIGTERM');
        assert.deepEqual(await exit, [128 + 15, null]);
        clearTimeout(late);
        socket.destroy();
      });
    }
  }

  test('a port in use', async () => {
    const squatter = createServer();
    squatter.listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as { port: number };
    const { code, stdout, stderr } = minnow(['--data', 'd', '--listen', `127.0.0.1:${port}`]);
    squatter.close();
    assert.equal(
      stderr,
      `minnow: cannot listen on 127.0.0.1:${port}: it is in use by another program; ` +
        'choose another with --listen HOST:PORT\n',
    );
    assert.equal(stdout, '');
    assert.equal(code, Exit.unavailable);
  });
});
