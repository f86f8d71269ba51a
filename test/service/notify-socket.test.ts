// Datagrams to a service manager's socket: what arrives, and what is said when nothing can.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NotifySocket, socketPath } from '../../src/service/notify-socket.ts';
import { Supervisor } from '../../src/service/supervisor.ts';
import { afterAll, beforeAll, describe, skipped, test } from '../harness.ts';
import { endChildren } from '../integration/process.ts';
import { Manager, python } from './manager.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'minnow-notify-'));
});
afterAll(async () => {
  await endChildren();
  rmSync(directory, { recursive: true });
});

/** What was said, a word per warning. */
function listen() {
  const said: string[] = [];
  return { said, warn: (_: string, fields: { why?: string }) => void said.push(fields.why ?? '') };
}

async function open(address: string, warn = listen().warn): Promise<NotifySocket> {
  const socket = await NotifySocket.open(address, warn);
  assert.ok(socket !== null);
  return socket;
}

describe('the address of a service manager', () => {
  test('is a path or an abstract name that the system has room for', () => {
    const bytes = (text: string) => [...new TextEncoder().encode(text)];
    assert.deepEqual([...socketPath('/run/a')!], bytes('/run/a'));
    assert.deepEqual([...socketPath('@a')!], [0, ...bytes('a')]);
    assert.equal(socketPath(`/${'a'.repeat(106)}`)?.length, 107);
    assert.equal(socketPath(`/${'a'.repeat(107)}`), null);
    assert.equal(socketPath(`@${'a'.repeat(107)}`)?.length, 108);
    assert.equal(socketPath(`@${'a'.repeat(108)}`), null);
    for (const wrong of ['', '/', '@', 'run/a', 'vsock:2:1']) {
      assert.equal(socketPath(wrong), null, wrong);
    }
  });

  test('that is none is said once, and nobody is told anything', async () => {
    const { said, warn } = listen();
    assert.equal(await Supervisor.find({ NOTIFY_SOCKET: 'vsock:2:1' }, 1, warn), null);
    assert.deepEqual(said, ['expected a path that begins with / or @']);
    assert.equal(await Supervisor.find({}, 1, warn), null);
    assert.equal(said.length, 1);
  });

  test('without a C library to reach it by is said once', async () => {
    const { said, warn } = listen();
    const bind = () => Promise.reject(new Error('no koffi here'));
    assert.equal(await NotifySocket.open('/run/a', warn, bind), null);
    assert.deepEqual(said, ['no koffi here']);
  });

  test('where nobody listens is said once, however often it is tried', async () => {
    const { said, warn } = listen();
    const socket = await open(join(directory, 'nobody'), warn);
    for (let i = 0; i < 3; i++) assert.equal(socket.send('READY=1'), true);
    socket.close();
    assert.deepEqual(said, ['sendto failed: ENOENT']);
  });
});

describe('a service manager', () => {
  if (python === null) {
    skipped('hears what it is sent', 'python3 is not installed');
    return;
  }

  const places = {
    'with a path': () => join(directory, 'path'),
    'with an abstract name': () => `@minnow-test-${process.pid}-${directory.slice(-6)}`,
  };
  for (const [name, address] of Object.entries(places)) {
    test(`${name} hears what it is sent, as it is`, async () => {
      const manager = await Manager.start(address());
      const socket = await open(address());
      const sent = ['READY=1', 'A=1\nSTATUS=größer', 'x'];
      for (const text of sent) assert.equal(socket.send(text), true);
      const [last] = await manager.matching(/^x$/, 1);
      assert.deepEqual(
        manager.messages.map(({ text }) => text),
        sent,
      );
      const now = Number(socket.monotonicMicroseconds());
      assert.ok(now >= last!.at && now < last!.at + 60_000_000, `${now} after ${last!.at}`);
      assert.equal(socket.send(`STATUS=${'ü'.repeat(5_000)}`), true);
      const [cut] = await manager.matching(/^STATUS=ü/, 1);
      assert.ok(Buffer.byteLength(cut!.text) <= 2_048 && cut!.text.endsWith('ü'));
      socket.close();
      await manager.process.end('SIGKILL');
    });
  }

  test('that does not read for a while gets everything later, in order', async () => {
    const address = join(directory, 'slow');
    const manager = await Manager.start(address);
    const socket = await open(address);
    process.kill(manager.process.pid, 'SIGSTOP');
    while (socket.send('FILLER=1'));
    const { said, warn } = listen();
    const supervisor = await Supervisor.find({ NOTIFY_SOCKET: address }, process.pid, warn);
    supervisor!.starting();
    supervisor!.ready('serving\nall');
    supervisor!.reloading();
    supervisor!.ready('again');
    supervisor!.stopping();
    process.kill(manager.process.pid, 'SIGCONT');
    await manager.matching(/STOPPING=1/, 1);
    const told = manager.messages.map(({ text }) => text).filter(text => !/FILLER/.test(text));
    assert.match(told[0]!, /^STATUS=/);
    assert.equal(told[1], 'READY=1\nSTATUS=serving all');
    assert.match(told[2]!, /^RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=/);
    assert.equal(told[3], 'READY=1\nSTATUS=again');
    assert.match(told[4]!, /^STOPPING=1\nSTATUS=/);
    assert.deepEqual(said, []);
    socket.close();
    await manager.process.end('SIGKILL');
  });
});
