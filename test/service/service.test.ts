// A broker and its service manager, in both I/O modes: what is said when, and whose silence is
// heard. The manager is a process with a unix datagram socket, as systemd's is.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Supervisor } from '../../src/service/supervisor.ts';
import { afterAll, beforeAll, describe, skipped, test } from '../harness.ts';
import { Background, endChildren, minnow, program } from '../integration/process.ts';
import { freeze, Manager, python } from './manager.ts';

/** Its answers come every half of it; a machine with much to do may be late. */
const WATCHDOG_MS = 2_000;

let directory = '';
let count = 0;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'minnow-service-'));
});
afterAll(async () => {
  await endChildren();
  rmSync(directory, { recursive: true });
});

/** A broker with `more` in its environment; its configuration is the file `config`. */
function start(mode: string, more: readonly string[]): { broker: Background; config: string } {
  const config = join(directory, `${++count}.toml`);
  writeFileSync(config, '[log]\nlevel = "info"\n');
  const data = join(directory, `data-${count}`);
  const flags = ['--config', config, '--listen', '127.0.0.1:0', '--data', data, '--io', mode];
  const settings = ['--set', 'log.format=json'];
  const command = ['env', ...more, ...minnow, 'serve', ...flags, ...settings];
  return { broker: new Background(command), config };
}

/** Whether a process may trace another that it did not start. */
function mayTrace(): boolean {
  if (process.getuid?.() === 0) return true;
  const scope = '/proc/sys/kernel/yama/ptrace_scope';
  return !existsSync(scope) || readFileSync(scope, 'utf8').trim() === '0';
}

async function supervised(mode: string) {
  const address = join(directory, `socket-${count}`);
  const manager = await Manager.start(address, WATCHDOG_MS);
  const { broker, config } = start(mode, [
    `NOTIFY_SOCKET=${address}`,
    `WATCHDOG_USEC=${WATCHDOG_MS * 1_000}`,
  ]);
  return { manager, broker, config };
}

for (const mode of ['async', 'sync']) {
  describe(`a broker with a service manager, ${mode}`, () => {
    if (python === null) {
      skipped('says what it does', 'python3 is not installed');
      return;
    }

    test('says when it is ready, reads its configuration again, and stops', async () => {
      const { manager, broker, config } = await supervised(mode);
      const [ready] = await manager.matching(/^READY=1\n/, 1);
      const port = Number(/STATUS=serving 127\.0\.0\.1:(\d+)/.exec(ready!.text)?.[1]);
      const client = connect({ port, host: '127.0.0.1' });
      await once(client, 'connect');
      client.destroy();

      process.kill(broker.pid, 'SIGHUP');
      const reloading = await manager.next(/^RELOADING=1\n/);
      const at = Number(/MONOTONIC_USEC=(\d+)/.exec(reloading.text)?.[1]);
      assert.ok(at > ready!.at && at <= reloading.at, `${ready!.at} < ${at} <= ${reloading.at}`);
      await manager.matching(/^READY=1\nSTATUS=the configuration was read again/, 1);

      writeFileSync(config, '[log]\nlevel = "loud"\n');
      process.kill(broker.pid, 'SIGHUP');
      await manager.matching(/^READY=1\nSTATUS=the new configuration has a fault/, 1);

      await manager.next(/^WATCHDOG=1$/);
      assert.equal(await broker.end('SIGTERM'), 0);
      await manager.matching(/^STOPPING=1\n/, 1);
      await manager.process.end('SIGKILL');
    });

    const strace = program('strace');
    if (strace === null || !mayTrace()) {
      const why = strace === null ? 'strace is not installed' : 'no process may stop another here';
      skipped('hangs, to the watchdog, with the loop of its core', why);
    } else {
      test('hangs, to the watchdog, with the loop of its core and nothing else', async () => {
        const { manager, broker } = await supervised(mode);
        await manager.matching(/^READY=1\n/, 1);
        const follow = ['-f', '-qq', '-e', 'trace=sendto', '-o', '|cat', '-p', String(broker.pid)];
        const trace = new Background([strace, ...follow]);
        const call = await trace.line(/WATCHDOG=1/);
        await trace.end('SIGINT');
        const core = Number(/^(?:\[pid +)?(\d+)/.exec(call)?.[1] ?? broker.pid);
        assert.equal(core === broker.pid, mode === 'async', `thread ${core} of ${broker.pid}`);

        await manager.next(/^WATCHDOG=1$/);
        const frozen = await freeze(core);
        await manager.silence();
        if (mode === 'sync') {
          process.kill(broker.pid, 'SIGHUP'); // the main thread is as well as ever
          await manager.next(/^RELOADING=1\n/);
        }
        await frozen.end('SIGKILL');
        await manager.next(/^WATCHDOG=1$/);
        assert.equal(await broker.end('SIGTERM'), 0);
        await manager.process.end('SIGKILL');
      });
    }

    if (mode === 'sync' && mayTrace()) {
      test('hangs, to the watchdog, with its main thread', async () => {
        const { manager, broker } = await supervised(mode);
        await manager.matching(/^READY=1\n/, 1);
        await manager.next(/^WATCHDOG=1$/);
        const frozen = await freeze(broker.pid);
        await manager.silence();
        await frozen.end('SIGKILL');
        await manager.next(/^WATCHDOG=1$/);
        assert.equal(await broker.end('SIGTERM'), 0);
        await manager.process.end('SIGKILL');
      });
    }

    test('starts although nobody hears it, and says so once', async () => {
      const { broker } = start(mode, [
        `NOTIFY_SOCKET=${join(directory, 'nobody')}`,
        'WATCHDOG_USEC=100000',
      ]);
      await broker.line(/minnow is ready/);
      process.kill(broker.pid, 'SIGHUP');
      await broker.line(/configuration reloaded/);
      assert.equal(await broker.end('SIGTERM'), 0);
      const said = broker.lines.filter(line => line.includes('hears nothing from us'));
      assert.equal(said.length, 1, broker.lines.join('\n'));
    });
  });
}

if (python !== null) {
  test('what was under way when it stops is not ready any more', async () => {
    const address = join(directory, 'stopping');
    const manager = await Manager.start(address);
    const find = () => Supervisor.find({ NOTIFY_SOCKET: address }, process.pid, assert.fail);
    const stopped = (await find())!;
    stopped.reloading();
    stopped.stopping();
    stopped.ready('the configuration was read again');
    (await find())!.ready('somebody else');
    await manager.matching(/somebody else/, 1);
    const said = manager.messages.map(({ text }) => text.split('\n', 1)[0]);
    assert.deepEqual(said, ['RELOADING=1', 'STOPPING=1', 'READY=1']);
  });
}
