// Unix sockets with mosquitto's clients, and sockets that systemd opens, in both I/O modes.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, skipped, test } from '../harness.ts';
import { modes, useDoors } from './door-kit.ts';
import {
  Background,
  endChildren,
  messages,
  minnow,
  mosquittoClientsMissing,
  ok,
  program,
} from './process.ts';

const directory = mkdtempSync(join(tmpdir(), 'minnow-unix-'));
afterAll(() => rmSync(directory, { recursive: true }));
const me = execFileSync('id', ['-un'], { encoding: 'utf8' }).trim();
const missing = mosquittoClientsMissing();

for (const mode of modes) {
  describe(`a unix socket in the mode ${mode}`, () => {
    const path = join(directory, `${mode}.sock`);
    const broker = useDoors(mode, [{ unix: path, identity: 'account' }]);
    if (missing !== null) {
      skipped('mosquitto_sub and mosquitto_pub', missing);
      return;
    }

    test('mosquitto_sub and mosquitto_pub exchange messages as the account they run by', async () => {
      const command = ['stdbuf', '-oL', 'mosquitto_sub', '-d', '--unix', path];
      const sub = new Background([...command, '-q', '1', '-t', 'a', '-F', 'MSG %t %p']);
      await sub.line(/received SUBACK/);
      const publish = ['mosquitto_pub', '--unix', path, '-i', 'here', '-q', '1'];
      await ok([...publish, '-t', 'a', '-m', 'hello']);
      await sub.until(() => messages(sub).length === 1, 'the message');
      assert.deepEqual(messages(sub), ['a hello']);
      const line = await broker.process.line(/"clientId":"here".*"msg":"connect"/);
      assert.equal((JSON.parse(line) as { username: string }).username, me);
    });

    test('is gone when the broker is', async () => {
      assert.ok(existsSync(path));
      assert.equal(await broker.process.end(), 0);
      assert.ok(!existsSync(path));
    });
  });
}

const activate = program('systemd-socket-activate');

describe('sockets of systemd', () => {
  if (activate === null || missing !== null) {
    skipped('systemd-socket-activate', 'systemd-socket-activate or mosquitto is not installed');
    return;
  }
  afterAll(endChildren);

  for (const mode of modes) {
    test(`are taken over with their first client in them, in the mode ${mode}`, async () => {
      const path = join(directory, `activated-${mode}`);
      const listeners = [{ systemd: 'mqtt', anonymous: true, identity: 'account' }];
      const serve = [...minnow, 'serve', '--data', `${path}-data`, '--io', mode];
      const broker = new Background([
        ...[activate, '--listen', path, '--fdname', 'mqtt', '-E', `PATH=${process.env.PATH}`],
        ...[...serve, '--set', `listeners=${JSON.stringify(listeners)}`],
      ]);
      await broker.line(/Listening on/);
      // The first one wakes it: it waits in the socket until the broker is there.
      const socket = connect(path);
      socket.write(Buffer.from('100c00044d5154540402003c0000', 'hex'));
      const answer = await new Promise<Buffer>(resolve => socket.once('data', resolve));
      assert.equal(answer.toString('hex'), '20020000');
      socket.destroy();
      await ok(['mosquitto_pub', '--unix', path, '-i', 'me', '-t', 'a', '-m', 'b', '-q', '1']);
      const line = await broker.line(/"clientId":"me".*"msg":"connect"/);
      assert.equal((JSON.parse(line) as { username: string }).username, me);
      assert.equal(await broker.end(), 0);
    });
  }
});
