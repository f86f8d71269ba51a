// Unix sockets and sockets that somebody else has opened: permissions, owners, who is at the other
// end, and files that are in the way.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { inheritedSockets } from '../../../src/io/doors/listening.ts';
import { accountName } from '../../../src/io/doors/steps/account-step.ts';
import { afterAll, describe, test } from '../../harness.ts';
import { dial, folder, open, receive } from './kit.ts';

const { path: directory, remove } = folder();
afterAll(remove);
let count = 0;
const fresh = () => join(directory, `s${count++}`);

const id = (flag: string) => execFileSync('id', [flag], { encoding: 'utf8' }).trim();
const [username, uid, gid] = [id('-un'), Number(id('-u')), Number(id('-g'))];

async function refused(toml: string): Promise<{ code?: string; message: string }> {
  try {
    await open(toml);
  } catch (error) {
    return error as Error;
  }
  return assert.fail('it was opened');
}

describe('a unix socket', () => {
  test('carries bytes, and tells the account of the other end', async () => {
    const path = fresh();
    const place = await open(`unix = "${path}"\nidentity = "account"`);
    assert.deepEqual(place.addresses, [`mqtt://unix:${path}`]);
    const socket = await dial(path);
    socket.write('hello');
    assert.equal(await receive(socket, 5), 'hello');
    const { origin, peer } = await place.guests.link();
    assert.equal(peer, `unix:pid=${process.pid},uid=${uid}`);
    assert.equal(origin?.username, username);
    assert.equal(origin?.certificate, null);
  });

  test('takes all at once that the system takes at once', async () => {
    const path = fresh();
    const place = await open(`unix = "${path}"`);
    const socket = await dial(path);
    const link = await place.guests.link();
    const sent = Buffer.alloc(6_000_000, 'abcdefg');
    let at = 0;
    const got = receive(socket, sent.length);
    while (at < sent.length) {
      const drains = place.guests.drains.length;
      at += link.write(sent, at, sent.length);
      if (at < sent.length) await place.guests.until(() => place.guests.drains.length > drains);
    }
    assert.equal(await got, sent.toString());
  });

  test('has the permissions that were asked for', async () => {
    for (const [mode, bits] of [
      ['', 0o660],
      ['mode = "0600"', 0o600],
      ['mode = "666"', 0o666],
    ] as const) {
      const path = fresh();
      await open(`unix = "${path}"\n${mode}`);
      assert.equal(statSync(path).mode & 0o777, bits);
    }
  });

  test('has the owner that was asked for', async () => {
    const path = fresh();
    await open(`unix = "${path}"\nowner = "${username}:${gid}"`);
    assert.deepEqual([statSync(path).uid, statSync(path).gid], [uid, gid]);
    const { message } = await refused(`unix = "${fresh()}"\nowner = "nobody-at-all"`);
    assert.equal(message, 'there is no user "nobody-at-all" in /etc/passwd');
  });

  test('takes the place of one that nobody answers on, and goes with its door', async () => {
    const path = fresh();
    const left = createServer().listen(path);
    await once(left, 'listening');
    // A crash leaves the file behind; a server that is closed would remove it.
    const beside = fresh();
    symlinkSync(path, beside);
    assert.equal((await refused(`unix = "${beside}"`)).code, 'EADDRINUSE', 'no socket itself');
    const used = await refused(`unix = "${path}"`);
    assert.deepEqual([used.code, used.message], ['EADDRINUSE', 'somebody answers there']);
    left.close();
    await once(left, 'close');
    const place = await open(`unix = "${path}"`);
    await dial(path);
    place.doors.stop();
    assert.ok(!existsSync(path));
  });

  test('leaves alone what is no socket', async () => {
    const path = fresh();
    writeFileSync(path, 'precious');
    const { code, message } = await refused(`unix = "${path}"`);
    assert.deepEqual([code, message], ['EADDRINUSE', 'it is not a socket']);
    assert.equal(statSync(path).size, 8);
  });

  test('that cannot be made says where', async () => {
    const path = join(directory, 'missing', 's');
    const error = (await refused(`unix = "${path}"`)) as { address?: string; code?: string };
    assert.equal(error.address, path);
    assert.match(error.code ?? '', /ENOENT|EACCES/);
  });
});

describe('accounts', () => {
  const passwd = 'root:x:0:0:root:/root:/bin/sh\nmeter:x:1001:1001::/srv/m:\n:x:7:7::/:\n';
  test('have names, or the number where this machine has none for it', () => {
    assert.equal(accountName(0, passwd), 'root');
    assert.equal(accountName(1001, passwd), 'meter');
    assert.equal(accountName(100, passwd), '100');
    assert.equal(accountName(7, passwd), '7');
  });
});

describe('sockets of systemd', () => {
  const found = (env: Record<string, string>) => Object.fromEntries(inheritedSockets(env, 42));

  test('are known by their names', () => {
    const env = { LISTEN_PID: '42', LISTEN_FDS: '3', LISTEN_FDNAMES: 'mqtt:mqtts:mqtt' };
    assert.deepEqual(found(env), { mqtt: [3, 5], mqtts: [4] });
    assert.deepEqual(found({ LISTEN_PID: '42', LISTEN_FDS: '2' }), { unknown: [3, 4] });
  });

  test('are not ours when they are for another process, or are none', () => {
    const env = { LISTEN_PID: '42', LISTEN_FDS: '1' };
    assert.deepEqual(found({ ...env, LISTEN_PID: '43' }), {});
    for (const LISTEN_FDS of ['0', '-1', 'x', '1.5', '']) {
      assert.deepEqual(found({ ...env, LISTEN_FDS }), {});
    }
    assert.deepEqual(found({}), {});
  });

  test('that are missing are named', async () => {
    const { message } = await refused('systemd = "mqtt"\nanonymous = true');
    assert.equal(message, 'systemd has handed over no socket of this name (but none)');
  });
});
