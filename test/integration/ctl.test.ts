// `minnow ctl` and a running broker.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Exit } from '../../src/cli/exit.ts';
import type { SessionDetail, SessionInfo } from '../../src/core/report/control.ts';
import { Reason } from '../../src/mqtt/reason.ts';
import { describe, test } from '../harness.ts';
import { messages, minnow, minnowSub, ok, run, useMinnow } from './process.ts';

describe('minnow ctl', () => {
  const broker = useMinnow();
  const command = () => [...minnow, 'ctl', '--data', broker.data];
  const ctl = (...args: string[]) => ok([...command(), ...args]);
  const pub = (...args: string[]) => ok([...minnow, 'pub', ...broker.address, ...args]);
  const json = async (...args: string[]) =>
    JSON.parse((await ctl('--json', ...args)).stdout.toString()) as unknown;

  test('clients: those connected and those whose session waits', async () => {
    const here = await minnowSub(broker, '-V', '5', '-i', 'here', '-t', 'a/#', '-k', '30');
    const away = ['-c', '-i', 'away', '-q', '1', '-t', 'b', '-t', 'c/+'];
    await ok([...minnow, 'sub', ...broker.address, ...away, '-E']);
    await pub('-t', 'b', '-q', '1', '-m', 'waits');
    const clients = (await json('clients')) as SessionInfo[];
    const [first, second] = ['here', 'away'].map(id =>
      clients.find(({ clientId }) => clientId === id),
    );
    assert.ok(first && second);
    assert.deepEqual(
      [first.connected, first.version, first.keepAliveSeconds, first.subscriptions],
      [true, 5, 30, 1],
    );
    assert.match(first.peer, /^127\.0\.0\.1:\d+$/);
    assert.ok((first.connectedForMs ?? -1) >= 0);
    assert.deepEqual(
      [second.connected, second.version, second.subscriptions, second.queued],
      [false, null, 2, 1],
    );
    assert.ok(second.queuedBytes > 0);
    const { lines } = await ctl('clients');
    assert.match(lines[0], /^CLIENT +PEER +USER +MQTT +UP +SUBS +QUEUED +INFLIGHT +EXPIRES$/);
    assert.ok(lines.some(line => /^away +- +- +- +- +2 +1 +0 +never$/.test(line)));
    assert.ok(lines.some(line => /^here +127\.0\.0\.1:\d+ +- +5\.0 /.test(line)));
    await here.end();
  });

  test('client: its subscriptions too', async () => {
    const subscriber = await minnowSub(broker, '-i', 'one', '-t', 'x/y', '-t', 'z/#', '-q', '2');
    const client = (await json('client', 'one')) as SessionDetail;
    const expected = [
      { filter: 'x/y', qos: 2 },
      { filter: 'z/#', qos: 2 },
    ];
    assert.deepEqual(client.filters, expected);
    const { lines } = await ctl('client', 'one');
    assert.ok(lines.includes('  QoS 2  z/#'), lines.join('\n'));
    await subscriber.end();
  });

  test('what is not there', async () => {
    for (const [action, message] of [
      ['client', 'there is no client "nobody"'],
      ['kick', 'client "nobody" is not connected'],
      ['drop-session', 'there is no session "nobody"'],
    ]) {
      const { code, stdout, stderr } = await run([...command(), action, 'nobody']);
      assert.deepEqual([code, stdout.length, stderr], [1, 0, `minnow: ${message}\n`]);
    }
  });

  test('kick tells the client and keeps its session', async () => {
    const session = ['-V', '5', '-c', '-i', 'kicked', '-q', '1', '-t', 'kick'];
    const subscriber = await minnowSub(broker, ...session);
    await ctl('kick', 'kicked');
    assert.equal(await subscriber.finished(), Reason.AdministrativeAction);
    await pub('-q', '1', '-t', 'kick', '-m', 'kept');
    const back = await ok([...minnow, 'sub', ...broker.address, ...session, '-C', '1', '-W', '60']);
    assert.deepEqual(back.lines, ['kept']);
  });

  test('drop-session forgets a session, connected or not', async () => {
    const session = ['-V', '5', '-c', '-i', 'dropped', '-q', '1', '-t', 'drop'];
    const subscriber = await minnowSub(broker, ...session);
    await ctl('drop-session', 'dropped');
    assert.equal(await subscriber.finished(), Reason.AdministrativeAction);
    assert.equal((await run([...command(), 'client', 'dropped'])).code, 1);
    await ok([...minnow, 'sub', ...broker.address, ...session, '-E']);
    await pub('-q', '1', '-t', 'drop', '-m', 'forgotten');
    await ctl('drop-session', 'dropped');
    const again = await minnowSub(broker, ...session, '-C', '1');
    await pub('-q', '1', '-t', 'drop', '-m', 'new');
    assert.equal(await again.finished(), 0);
    assert.deepEqual(messages(again), ['drop new']);
  });

  test('retained-delete deletes what matches and nothing else', async () => {
    for (const topic of ['del/a', 'del/b', 'stay']) await pub('-t', topic, '-m', 'x', '-r');
    assert.deepEqual(await json('retained-delete', 'del/+'), { deleted: 2 });
    assert.deepEqual((await ctl('retained-delete', 'del/+')).lines, [
      '0 retained messages deleted',
    ]);
    const filters = ['-t', 'del/#', '-t', 'stay'];
    const left = await minnowSub(broker, ...filters, '-C', '2', '-F', 'MSG %r %t');
    await pub('-t', 'del/now', '-m', 'x');
    assert.equal(await left.finished(), 0);
    assert.deepEqual(messages(left), ['1 stay', '0 del/now']);
    assert.equal((await run([...command(), 'retained-delete', 'a/#/b'])).code, 1);
  });

  test('stats', async () => {
    const stats = (await json('stats')) as Record<string, number | string>;
    assert.match(String(stats.version), /^minnow /);
    assert.equal(stats['clients/connected'], 0);
    assert.ok(Number(stats['publish/messages/received']) > 0);
    const { lines } = await ctl('stats');
    assert.ok(lines.some(line => /^clients\/connected +0$/.test(line)));
  });

  test('a broker that is not there', async () => {
    const socket = join(broker.data, 'none', 'control.sock');
    const { code, stderr } = await run([
      ...minnow,
      'ctl',
      '--data',
      join(broker.data, 'none'),
      'stats',
    ]);
    assert.equal(code, Exit.unavailable);
    assert.ok(stderr.startsWith(`minnow: ${socket}: no broker answers here`), stderr);
  });
});
