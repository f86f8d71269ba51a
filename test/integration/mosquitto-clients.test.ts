// minnow and Debian's mosquitto_pub and mosquitto_sub, as a new user would try them.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits } from '../../src/limits.ts';
import { afterAll, beforeAll, describe, skipped, test } from '../harness.ts';
import {
  type Background,
  messages,
  mosquittoClientsMissing,
  mosquittoSub,
  ok,
  run,
  useMinnow,
} from './process.ts';

const versions = ['mqttv31', 'mqttv311', 'mqttv5'];
const levels = ['0', '1', '2'];

function suite(): void {
  const broker = useMinnow();
  const pub = (...args: string[]) => ok(['mosquitto_pub', ...broker.address, ...args]);
  const sub = (...args: string[]) => mosquittoSub(broker, ...args);
  let directory = '';
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'minnow-payloads-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  for (const version of versions) {
    describe(version, () => {
      for (const qos of levels) {
        test(`QoS ${qos}: every line arrives once and in order`, async () => {
          const topic = `order/${version}/${qos}`;
          const common = ['-V', version, '-q', qos, '-t', topic];
          const subscriber = await sub(...common, '-C', '200', '-F', 'MSG %q %p');
          const lines = Array.from({ length: 200 }, (_, i) => `line ${i}`);
          const input = `${lines.join('\n')}\n`;
          await ok(['mosquitto_pub', ...broker.address, ...common, '-l'], input);
          assert.equal(await subscriber.finished(), 0);
          assert.deepEqual(
            messages(subscriber),
            lines.map(line => `${qos} ${line}`),
          );
        });
      }

      test('the lower of both QoS is used', async () => {
        const common = ['-V', version, '-t', `min/${version}`];
        const subscriber = await sub(...common, '-q', '1', '-C', '2', '-F', 'MSG %q');
        await pub(...common, '-q', '2', '-m', 'x');
        await pub(...common, '-q', '0', '-m', 'x');
        assert.equal(await subscriber.finished(), 0);
        assert.deepEqual(messages(subscriber), ['1', '0']);
      });

      test('a retained message is set, replaced and cleared', async () => {
        const topic = `retained/${version}`;
        const retained = async () => {
          // A marker after the subscription ends the list, whether or not there is a message.
          const args = ['-V', version, '-t', topic, '-t', `${topic}/marker`, '-C'];
          const subscriber = await sub('-F', 'MSG %r %p', ...args, '9', '--retained-only');
          await pub('-t', `${topic}/marker`, '-m', 'end');
          assert.equal(await subscriber.finished(), 0);
          return messages(subscriber);
        };
        const common = ['-V', version, '-t', topic, '-r', '-q', '1'];
        assert.deepEqual(await retained(), []);
        await pub(...common, '-m', 'first');
        assert.deepEqual(await retained(), ['1 first']);
        await pub(...common, '-m', 'second');
        assert.deepEqual(await retained(), ['1 second']);
        await pub(...common, '-n');
        assert.deepEqual(await retained(), []);
      });

      test('a will is published when its client is killed, not when it leaves', async () => {
        const topic = `will/${version}`;
        const common = ['-V', version, '-q', '1', '-t', topic];
        const watcher = await sub(...common, '-C', '2', '-F', 'MSG %p');
        const will = ['--will-topic', topic, '--will-qos', '1', '--will-payload'];
        await ok([
          'mosquitto_sub',
          ...broker.address,
          '-V',
          version,
          '-t',
          'x',
          '-E',
          ...will,
          'no',
        ]);
        const victim = await sub('-V', version, '-t', 'x', ...will, 'lost');
        assert.equal(await victim.end('SIGKILL'), 'SIGKILL');
        await watcher.line(/^MSG /);
        await pub(...common, '-m', 'end');
        assert.equal(await watcher.finished(), 0);
        assert.deepEqual(messages(watcher), ['lost', 'end']);
      });

      // mosquitto_sub prints a QoS 2 message at its PUBREL: one QoS at a time shows the order.
      for (const qos of ['1', '2']) {
        test(`a session keeps messages at QoS ${qos} while its client is away`, async () => {
          const topic = `offline/${version}/${qos}`;
          const id = `sleeper-${version}-${qos}`;
          const session = ['-V', version, '-c', '-i', id, '-q', qos, '-t', topic];
          await ok(['mosquitto_sub', ...broker.address, ...session, '-E']);
          const common = ['-V', version, '-q', qos, '-t', topic];
          for (const text of ['one', 'two', 'three']) await pub(...common, '-m', text);
          const back = ['-C', '3', '-W', '60', '-F', '%q %p'];
          const { lines } = await ok(['mosquitto_sub', ...broker.address, ...session, ...back]);
          assert.deepEqual(lines, [`${qos} one`, `${qos} two`, `${qos} three`]);
        });
      }

      for (const qos of levels) {
        test(`payloads at QoS ${qos} are bytes, and almost as many as allowed`, async () => {
          const binary = Buffer.from(Array.from({ length: 1024 }, (_, i) => (i * 7) & 0xff));
          const room = limits.packetSizeMax - 64;
          for (const payload of [binary, Buffer.alloc(room, '\0minnow\xff', 'latin1')]) {
            const file = join(directory, `payload-${version}-${qos}`);
            writeFileSync(file, payload);
            // Whether it comes live or retained: at QoS 0 nobody says when it has arrived.
            const topic = `bytes/${version}/${qos}/${payload.length}`;
            const common = ['-V', version, '-q', qos, '-t', topic];
            await pub(...common, '-r', '-f', file);
            const { stdout } = await ok([
              'mosquitto_sub',
              ...broker.address,
              ...common,
              '-N',
              '-C',
              '1',
              '-W',
              '10',
            ]);
            assert.ok(stdout.equals(payload), `${stdout.length} of ${payload.length} bytes`);
          }
        });
      }
    });
  }

  test('a packet that is too large is refused, and the broker goes on', async () => {
    const file = join(directory, 'too-large');
    writeFileSync(file, Buffer.alloc(limits.packetSizeMax));
    const args = ['-V', '311', '-q', '1', '-t', 'large', '-f', file];
    const { code, stderr } = await run(['mosquitto_pub', ...broker.address, ...args]);
    assert.notEqual(code, 0);
    assert.match(stderr, /connection was lost/);
    await broker.process.line(/"reason":"0x95 packet too large/);
    const subscriber = await sub('-t', 'large', '-C', '1');
    await pub('-t', 'large', '-m', 'alive');
    assert.equal(await subscriber.finished(), 0);
  });

  test('wildcards match what the specification says', async () => {
    const expected = ['w/a/c', 'w/b', 'w/b/c', 'w/b/x/y', 'w//c', 'w/end/c'];
    const count = String(expected.length);
    const subscriber = await sub('-t', 'w/+/c', '-t', 'w/b/#', '-F', 'MSG %t', '-C', count);
    for (const topic of ['w/a/c', 'w/a/d', 'w/b', 'w/b/c', 'w/b/x/y', 'w', 'w//c', 'w/end/c']) {
      await pub('-t', topic, '-m', 'x');
    }
    assert.equal(await subscriber.finished(), 0);
    assert.deepEqual(messages(subscriber), expected);
  });

  for (const version of ['mqttv311', 'mqttv5']) {
    test(`a shared subscription gives each message to one member (${version})`, async () => {
      const topic = `shared/${version}`;
      const common = ['-V', version, '-q', '1', '-t', `$share/group/${topic}`, '-F', 'MSG %p'];
      const members = [await sub(...common), await sub(...common), await sub(...common)];
      const lines = Array.from({ length: 60 }, (_, i) => `n${i}`);
      const input = lines.join('\n');
      const args = ['-V', version, '-q', '1', '-t', topic, '-l'];
      await ok(['mosquitto_pub', ...broker.address, ...args], input);
      const seen = () => members.flatMap(messages);
      await Promise.race(
        members.map(member => member.until(() => seen().length >= lines.length, 'all messages')),
      );
      // Before they are ended: mosquitto_sub interrupted while it prints may print a line again.
      assert.deepEqual(seen().toSorted(), lines.toSorted());
      for (const member of members) {
        assert.ok(messages(member).length > 0, 'a member got nothing');
        await member.end();
      }
    });
  }

  test('MQTT 5 properties arrive as they were sent, user properties in order', async () => {
    const format = 'MSG %C|%D|%E|%F|%R|%S|%P';
    const identifier = ['-D', 'subscribe', 'subscription-identifier', '7'];
    const subscriber = await sub('-V', '5', '-t', 'props', '-C', '1', '-F', format, ...identifier);
    const properties = [
      ['content-type', 'text/plain'],
      ['correlation-data', 'abc'],
      ['message-expiry-interval', '1000'],
      ['payload-format-indicator', '1'],
      ['response-topic', 'reply/here'],
      ['user-property', 'b', '1'],
      ['user-property', 'a', '2'],
      ['user-property', 'b', '3'],
    ];
    const flags = properties.flatMap(property => ['-D', 'publish', ...property]);
    await pub('-V', '5', '-t', 'props', '-m', 'x', ...flags);
    assert.equal(await subscriber.finished(), 0);
    const expected = 'text/plain|abc|1000|1|reply/here|7|b:1 a:2 b:3';
    assert.deepEqual(messages(subscriber), [expected]);
  });

  test('a message expires while its receiver is away', async () => {
    const session = ['-V', '5', '-c', '-i', 'late', '-q', '1', '-t', 'expiry'];
    await ok(['mosquitto_sub', ...broker.address, ...session, '-E']);
    const common = ['-V', '5', '-q', '1', '-t', 'expiry'];
    const expiring = ['-D', 'publish', 'message-expiry-interval', '0'];
    await pub(...common, '-m', 'gone', ...expiring);
    await pub(...common, '-m', 'kept');
    const { lines } = await ok([
      'mosquitto_sub',
      ...broker.address,
      ...session,
      '-C',
      '1',
      '-W',
      '10',
    ]);
    assert.deepEqual(lines, ['kept']);
  });

  test('a session that expires at once is gone', async () => {
    const session = ['-V', '5', '-c', '-x', '0', '-i', 'brief', '-q', '1', '-t', 'brief'];
    await ok(['mosquitto_sub', ...broker.address, ...session, '-E']);
    await pub('-q', '1', '-t', 'brief', '-m', 'nobody');
    const subscriber: Background = await sub(...session, '-C', '1');
    await pub('-q', '1', '-t', 'brief', '-m', 'somebody');
    assert.equal(await subscriber.finished(), 0);
    assert.deepEqual(messages(subscriber), ['brief somebody']);
  });

  test('the broker tells about itself under $SYS', async () => {
    const args = ['-t', '$SYS/broker/version', '-C', '1', '-W', '60'];
    const { lines } = await ok(['mosquitto_sub', ...broker.address, ...args]);
    assert.match(lines[0], /^minnow /);
  });
}

describe("mosquitto's clients", () => {
  const missing = mosquittoClientsMissing();
  if (missing === null) suite();
  else skipped('all of them', missing);
});
