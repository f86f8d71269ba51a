// Clients of different versions and makes on one broker: what one sends, all others get, each in
// the words of its own version.

import assert from 'node:assert/strict';
import { describe, skipped, test } from '../harness.ts';
import {
  messages,
  minnow,
  minnowSub,
  mosquittoClientsMissing,
  mosquittoSub,
  ok,
  useMinnow,
} from './process.ts';

const versions = ['31', '311', '5'];

describe('one message, every version', () => {
  const broker = useMinnow();
  const pub = (...args: string[]) => ok([...minnow, 'pub', ...broker.address, ...args]);

  for (const version of versions) {
    for (const qos of ['0', '1', '2']) {
      test(`from ${version} at QoS ${qos}`, async () => {
        const topic = `cross/${version}/${qos}`;
        const common = ['-q', qos, '-t', topic, '-C', '2', '-F', 'MSG %q %r %p'];
        const subscribers = await Promise.all(
          versions.map(other => minnowSub(broker, '-V', other, ...common)),
        );
        const from = ['-V', version, '-q', qos, '-t', topic];
        await pub(...from, '-m', 'payload');
        await pub(...from, '-m', 'kept', '-r');
        for (const subscriber of subscribers) {
          assert.equal(await subscriber.finished(), 0);
          assert.deepEqual(messages(subscriber), [`${qos} 0 payload`, `${qos} 0 kept`]);
        }
        for (const other of versions) {
          const late = ['sub', ...broker.address, '-V', other, '-t', topic, '-q', qos, '-C', '1'];
          const { lines } = await ok([...minnow, ...late, '-F', '%q %r %p', '-W', '60']);
          assert.deepEqual(lines, [`${qos} 1 kept`]);
        }
      });
    }
  }

  test('a will of MQTT 5 reaches MQTT 3, and the other way round', async () => {
    const watchers = [
      await minnowSub(broker, '-V', '311', '-t', 'wills/#'),
      await minnowSub(broker, '-V', '5', '-t', 'wills/#'),
    ];
    for (const version of versions) {
      const will = ['--will-topic', `wills/${version}`, '--will-payload', 'lost'];
      const victim = await minnowSub(broker, '-V', version, '-t', 'x', ...will);
      await victim.end('SIGKILL');
      for (const watcher of watchers) await watcher.line(new RegExp(`^MSG wills/${version} lost$`));
    }
    for (const watcher of watchers) await watcher.end();
  });

  test('a session of MQTT 3.1.1 can be taken up with MQTT 5, and given back', async () => {
    const session = (version: string) => ['-V', version, '-c', '-i', 'upgraded', '-q', '1'];
    const sub = ['sub', ...broker.address, '-t', 'upgrade'];
    await ok([...minnow, ...sub, ...session('311'), '-E']);
    for (const version of ['5', '311']) {
      await pub('-q', '1', '-t', 'upgrade', '-m', `for ${version}`);
      const { lines } = await ok([...minnow, ...sub, ...session(version), '-C', '1', '-W', '60']);
      assert.deepEqual(lines, [`for ${version}`]);
    }
  });

  test('one share serves members of both versions', async () => {
    const common = ['-q', '1', '-t', '$share/mixed/work', '-F', 'MSG %p'];
    const members = [
      await minnowSub(broker, '-V', '311', ...common),
      await minnowSub(broker, '-V', '5', ...common),
    ];
    const jobs = Array.from({ length: 20 }, (_, i) => `job ${i}`);
    const args = ['pub', ...broker.address, '-q', '1', '-t', 'work', '-l'];
    await ok([...minnow, ...args], jobs.join('\n'));
    const seen = () => members.flatMap(messages);
    await Promise.race(
      members.map(member => member.until(() => seen().length >= jobs.length, 'all jobs')),
    );
    for (const member of members) {
      assert.ok(messages(member).length > 0, 'a member got nothing');
      await member.end();
    }
    assert.deepEqual(seen().toSorted(), jobs.toSorted());
  });

  const missing = mosquittoClientsMissing();
  if (missing === null) {
    test('MQTT 5 properties stay behind for MQTT 3 and survive for MQTT 5', async () => {
      const old = await mosquittoSub(broker, '-V', 'mqttv31', '-t', 'makes', '-C', '1');
      const format = ['-F', 'MSG %C %P'];
      const current = await mosquittoSub(broker, '-V', '5', '-t', 'makes', '-C', '1', ...format);
      const properties = ['content-type', 'a/b'];
      const user = ['-D', 'publish', 'user-property', 'k', 'v'];
      const args = ['-V', '5', '-t', 'makes', '-m', 'x', '-D', 'publish', ...properties, ...user];
      await pub(...args);
      assert.equal(await old.finished(), 0);
      assert.equal(await current.finished(), 0);
      assert.deepEqual(messages(old), ['makes x']);
      assert.deepEqual(messages(current), ['a/b k:v']);
    });
  } else {
    skipped('MQTT 5 properties stay behind for MQTT 3 and survive for MQTT 5', missing);
  }
});
