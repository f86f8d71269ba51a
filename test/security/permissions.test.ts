// What the broker and its commands leave on disk is nobody else's to read, however open the umask
// and the directories around it are.

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, skipped, test } from '../harness.ts';
import { Background, minnow, ok, program, run } from '../integration/process.ts';
import { encodePacket } from '../wire.ts';
import { Stranger } from './kit.ts';

const directory = mkdtempSync(join(tmpdir(), 'minnow-modes-'));
chmodSync(directory, 0o777);
afterAll(() => rmSync(directory, { recursive: true }));

const modeOf = (path: string) => statSync(path).mode & 0o777;
/** What others may read, write or run of all that is in `folder`. */
const openIn = (folder: string) =>
  readdirSync(folder).filter(name => (modeOf(join(folder, name)) & 0o027) !== 0);
const store = [...minnow, 'store'];
/** With a umask that takes nothing away. */
const openly = (command: readonly string[]) => ['sh', '-c', 'umask 0; exec "$@"', 'sh', ...command];

async function keepSomething(port: number): Promise<void> {
  const stranger = await Stranger.arrive(port);
  const properties = { sessionExpiryInterval: 1_000 };
  stranger.say(encodePacket({ type: 'connect', version: 5, clientId: 'a', properties }, 5));
  const connack = (await stranger.told(4)).length;
  const publish = { type: 'publish', topic: 'a', payload: 'b', qos: 1, packetId: 1 } as const;
  stranger.say(encodePacket({ ...publish, retain: true }, 5));
  await stranger.told(connack + 4);
  stranger.leave();
}

for (const mode of ['async', 'sync']) {
  describe(`with a umask of 0, in the mode ${mode}`, () => {
    for (const existing of [false, true]) {
      test(`a data directory ${existing ? 'that was there' : 'that is new'}`, async () => {
        const data = join(directory, `${mode}-${existing}`);
        if (existing) mkdirSync(data, { mode: 0o755 });
        const socket = join(directory, `${mode}-${existing}.sock`);
        const listeners = [
          { host: '127.0.0.1', port: 0 },
          { unix: socket, mode: '0600' },
        ];
        const args = [
          '--io',
          mode,
          '--data',
          data,
          '--set',
          `listeners=${JSON.stringify(listeners)}`,
        ];
        const broker = new Background(openly([...minnow, 'serve', ...args]));
        const ready = await broker.line(/minnow is ready/);
        await keepSomething(Number(/127\.0\.0\.1:(\d+)/.exec(ready)?.[1]));
        if (!existing) assert.equal(modeOf(data), 0o750);
        assert.equal(modeOf(join(data, 'control.sock')), 0o600);
        assert.equal(modeOf(socket), 0o600);
        await ok(openly([...store, 'backup', '--data', data, join(data, 'copy.db')]));
        await ok(openly([...store, 'export', '--data', data, join(data, 'all.json')]));
        assert.deepEqual(openIn(data), []);
        assert.ok(readdirSync(data).length >= 4, readdirSync(data).join());
        await broker.end();
        const other = join(directory, `${mode}-${existing}-imported`);
        mkdirSync(other, { mode: 0o755 });
        await ok(openly([...store, 'import', '--data', other, join(data, 'all.json')]));
        assert.deepEqual(openIn(other), []);
      });
    }
  });
}

test('a password file', async () => {
  const file = join(directory, 'passwords');
  const passwd = [...minnow, 'passwd', '--stdin', '-f', file];
  for (const user of ['first', 'second']) {
    const { code, stderr } = await run(openly([...passwd, user]), 'a password');
    assert.equal(code, 0, stderr);
    assert.equal(modeOf(file), 0o600);
  }
});

const setpriv = program('setpriv');
if (process.getuid?.() !== 0 || setpriv === null) {
  skipped('another user at the control socket', 'only root can become somebody else');
} else {
  test('another user at the control socket', async () => {
    const data = join(directory, 'guarded');
    mkdirSync(data, { mode: 0o755 });
    const listen = ['--listen', '127.0.0.1:0', '--data', data];
    const broker = new Background([...minnow, 'serve', ...listen]);
    await broker.line(/minnow is ready/);
    const connect = `
      const { connect } = require('node:net');
      const socket = connect(${JSON.stringify(join(data, 'control.sock'))});
      socket.on('error', error => process.stdout.write(error.code, () => process.exit()));
      socket.on('connect', () => process.stdout.write('connected', () => process.exit()));
    `;
    // The runtime of this test may be where others cannot read it.
    const node = program('node') ?? process.execPath;
    const asNobody = [setpriv, '--reuid=65534', '--regid=65534', '--clear-groups', node];
    const { stdout } = await ok([...asNobody, '-e', connect]);
    assert.equal(stdout.toString(), 'EACCES');
    await broker.end();
  });
}
