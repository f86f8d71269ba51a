// `minnow pub` and `minnow sub` against minnow, and against Debian's mosquitto: what agrees with an
// independent broker is not merely agreeing with itself.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Exit } from '../../src/cli/exit.ts';
import { limits } from '../../src/limits.ts';
import { Reason } from '../../src/mqtt/reason.ts';
import { afterAll, beforeAll, describe, skipped, test } from '../harness.ts';
import {
  Background,
  type Broker,
  messages,
  minnow,
  minnowSub,
  ok,
  program,
  run,
  useMinnow,
  useMosquitto,
} from './process.ts';

const RULES = 'auth.rules=[{ "user": "alice", "filter": "x", "allow": "all" }]';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'minnow-client-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** What holds whoever the broker is. */
function exchanges(broker: Broker): void {
  const pub = (...args: string[]) => ok([...minnow, 'pub', ...broker.address, ...args]);
  const sub = (...args: string[]) => ok([...minnow, 'sub', ...broker.address, ...args]);

  for (const version of ['31', '311', '5']) {
    for (const qos of ['0', '1', '2']) {
      test(`-V ${version} -q ${qos}: lines arrive once and in order`, async () => {
        const topic = `lines/${version}/${qos}`;
        const common = ['-V', version, '-q', qos, '-t', topic];
        const subscriber = await minnowSub(broker, ...common, '-C', '150', '-F', 'MSG %q %p');
        const lines = Array.from({ length: 150 }, (_, i) => `line ${i}`);
        const command = [...minnow, 'pub', ...broker.address, ...common, '-l'];
        await ok(command, lines.join('\n'));
        assert.equal(await subscriber.finished(), 0);
        assert.deepEqual(
          messages(subscriber),
          lines.map(line => `${qos} ${line}`),
        );
      });
    }

    test(`-V ${version}: a session waits for its client`, async () => {
      const topic = `session/${version}`;
      const session = ['-V', version, '-c', '-i', `waiting-${version}`, '-q', '2', '-t', topic];
      await sub(...session, '-E');
      for (const qos of ['1', '2', '1']) {
        await pub('-V', version, '-q', qos, '-t', topic, '-m', `at ${qos}`);
      }
      const { lines } = await sub(...session, '-C', '3', '-W', '60', '-F', '%q %p');
      assert.deepEqual(lines, ['1 at 1', '2 at 2', '1 at 1']);
      // Everything was acknowledged: nothing of it comes again.
      await pub('-q', '1', '-t', topic, '-m', 'new');
      assert.deepEqual((await sub(...session, '-C', '1', '-W', '60')).lines, ['new']);
    });
  }

  test('payloads from a file and from standard input are bytes', async () => {
    const payload = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7) & 0xff));
    const file = join(directory, 'payload');
    writeFileSync(file, payload);
    await pub('-t', 'bytes/file', '-r', '-f', file);
    const fromStdin = ['pub', ...broker.address, '-t', 'bytes/stdin', '-r', '-s'];
    await ok([...minnow, ...fromStdin], payload);
    for (const topic of ['bytes/file', 'bytes/stdin']) {
      const { stdout } = await sub('-t', topic, '-N', '-C', '1', '-W', '60');
      assert.ok(stdout.equals(payload), `${topic}: ${stdout.length} bytes`);
    }
  });

  test('retained messages: only they, none of them, and removed', async () => {
    await pub('-t', 'keep/a', '-m', 'old', '-r');
    await pub('-t', 'keep/b', '-m', 'old', '-r');
    const all = ['-t', 'keep/#', '-F', 'MSG %r %t'];
    const skipping = await minnowSub(broker, ...all, '-R', '-C', '1');
    const watching = await minnowSub(broker, ...all, '--retained-only', '-T', 'keep/b');
    await pub('-t', 'keep/c', '-m', 'new');
    assert.equal(await skipping.finished(), 0);
    assert.equal(await watching.finished(), 0);
    assert.deepEqual(messages(skipping), ['0 keep/c']);
    assert.deepEqual(messages(watching), ['1 keep/a']);
    const removed = await sub('-t', 'keep/#', '--remove-retained', '-C', '2', '-v', '-W', '60');
    assert.deepEqual(removed.lines.toSorted(), ['keep/a old', 'keep/b old']);
    assert.equal((await run([...minnow, 'sub', ...broker.address, ...all, '-W', '1'])).code, 27);
  });

  test('a will is published for a client that is killed, not for one that leaves', async () => {
    const watcher = await minnowSub(broker, '-t', 'will', '-q', '1');
    const will = ['-t', 'x', '--will-topic', 'will', '--will-qos', '1', '--will-payload'];
    const polite = await minnowSub(broker, ...will, 'never');
    assert.equal(await polite.end('SIGINT'), 0);
    const victim = await minnowSub(broker, ...will, 'lost');
    await victim.end('SIGKILL');
    await watcher.line(/^MSG /);
    assert.equal(await watcher.end('SIGTERM'), 0);
    assert.deepEqual(messages(watcher), ['will lost']);
  });

  test('MQTT 5 properties arrive, user properties in their order', async () => {
    const common = ['-V', '5', '-t', 'props', '-C', '1'];
    const identifier = ['-D', 'subscribe', 'subscription-identifier', '7'];
    const format = 'MSG %C|%D|%F|%R|%S|%P|%E';
    const subscriber = await minnowSub(broker, ...common, ...identifier, '-F', format);
    const properties = [
      ['content-type', 'text/plain'],
      ['correlation-data', 'abc'],
      ['payload-format-indicator', '1'],
      ['response-topic', 'reply/here'],
      ['message-expiry-interval', '1000'],
      ['user-property', 'b', '1'],
      ['user-property', 'a', ''],
      ['user-property', 'b', '3'],
    ];
    const flags = properties.flatMap(property => ['-D', 'publish', ...property]);
    await pub('-V', '5', '-t', 'props', '-m', 'x', ...flags);
    assert.equal(await subscriber.finished(), 0);
    const expected = 'text/plain|abc|1|reply/here|7|b:1 a: b:3|1000';
    assert.deepEqual(messages(subscriber), [expected]);
  });

  test('a message as JSON', async () => {
    const subscriber = await minnowSub(broker, '-t', 'json', '-C', '2', '-F', 'MSG %J', '-q', '1');
    await pub('-t', 'json', '-m', 'no JSON');
    await pub('-t', 'json', '-m', '{"n":12345678901234567890}', '-q', '1');
    await pub('-t', 'json', '-m', '[]');
    assert.equal(await subscriber.finished(), 0);
    const [first] = messages(subscriber);
    assert.match(first, /"topic":"json","qos":1,"retain":0,"payloadlen":26,"mid":1,/);
    assert.match(first, /"payload":\{"n":12345678901234567890\}\}$/);
    assert.ok(subscriber.lines.some(line => line.includes('is not valid JSON')));
  });

  test('an URL says everything at once, topic wildcards included', async () => {
    const url = `mqtt://127.0.0.1:${broker.port}/url/#`;
    const subscriber = await minnowSub(broker, '-L', url, '-C', '1');
    await ok([...minnow, 'pub', '-L', `mqtt://127.0.0.1:${broker.port}/url/x`, '-m', 'here']);
    assert.equal(await subscriber.finished(), 0);
    assert.deepEqual(messages(subscriber), ['url/x here']);
  });

  test('subscribing and unsubscribing in one go leaves nothing behind', async () => {
    const { stderr } = await sub('-t', 'u/a', '-t', 'u/b', '-U', 'u/a', '-E', '-d', '-V', '5');
    assert.match(stderr, /received UNSUBACK/);
    assert.match(stderr, /sending DISCONNECT/);
  });

  test('a message is repeated as often as asked', async () => {
    const subscriber = await minnowSub(broker, '-t', 'again', '-C', '3', '-q', '1');
    await pub('-t', 'again', '-m', 'x', '-q', '1', '--repeat', '3', '--repeat-delay=0.01');
    assert.equal(await subscriber.finished(), 0);
    assert.deepEqual(messages(subscriber), ['again x', 'again x', 'again x']);
  });

  test('a client that says nothing keeps its connection alive', async () => {
    const args = ['-t', 'quiet', '-k', '2', '-C', '1', '-q', '1'];
    const subscriber = await minnowSub(broker, ...args);
    await subscriber.matching(/received PINGRESP/, 2);
    await pub('-t', 'quiet', '-m', 'still here', '-q', '1');
    assert.equal(await subscriber.finished(), 0);
    assert.deepEqual(messages(subscriber), ['quiet still here']);
  });

  test('a unix socket instead of an address', async () => {
    const path = join(directory, 'broker.sock');
    const relay = createServer(client => {
      const onward = connect(broker.port, '127.0.0.1');
      client.pipe(onward).pipe(client);
      for (const socket of [client, onward]) socket.on('error', () => {});
    });
    relay.listen({ path });
    await once(relay, 'listening');
    const args = ['--unix', path, '-t', 'unix', '-q', '1'];
    await ok([...minnow, 'pub', ...args, '-m', 'here', '-r']);
    const { lines } = await ok([...minnow, 'sub', ...args, '-C', '1', '-W', '60']);
    assert.deepEqual(lines, ['here']);
    relay.close();
  });

  test('a subscriber whose reader has gone ends', async () => {
    const args = [...broker.address, '-t', 'pipe', '-q', '1', '-d'];
    const pipeline = ['bash', '-c', '"$@" | head -n 1; exit $PIPESTATUS', 'bash'];
    const subscriber = new Background([...pipeline, ...minnow, 'sub', ...args]);
    await subscriber.line(/received SUBACK/);
    await pub('-t', 'pipe', '-m', 'first', '-q', '1');
    await subscriber.line(/^first$/);
    // It finds out when it prints the next message that nobody takes.
    while (subscriber.running) await pub('-t', 'pipe', '-m', 'more', '-q', '1');
    assert.equal(await subscriber.finished(), 0);
  });

  test('interrupting a publisher that reads lines ends it cleanly', async () => {
    const subscriber = await minnowSub(broker, '-t', 'typed', '-C', '1', '-q', '1');
    const args = ['-t', 'typed', '-l', '-q1'];
    const publisher = new Background([...minnow, 'pub', ...broker.address, ...args]);
    publisher.type('hello\n');
    assert.equal(await subscriber.finished(), 0);
    assert.equal(await publisher.end('SIGINT'), 0);
  });
}

describe('minnow pub and sub with minnow', () => {
  exchanges(useMinnow());
});

describe('minnow pub and sub with mosquitto', () => {
  if (program('mosquitto')) exchanges(useMosquitto());
  else skipped('all of them', 'mosquitto is not installed');
});

describe('what goes wrong', () => {
  const open = useMinnow();
  const closed = useMinnow(
    ...['auth.anonymous=false', 'auth.users={ "alice": "secret" }', RULES].flatMap(set => [
      '--set',
      set,
    ]),
  );
  const pub = (broker: Broker, ...args: string[]) =>
    run([...minnow, 'pub', ...broker.address, '-t', 'x', '-m', 'x', ...args]);

  test('nobody listens', async () => {
    const { code, stderr } = await run([...minnow, 'pub', '-p', '1', '-t', 'x', '-m', 'x']);
    assert.equal(code, 1);
    assert.equal(stderr, 'minnow: cannot connect to localhost:1: nobody listens there\n');
    const quiet = await run([...minnow, 'sub', '-p', '1', '-t', 'x', '--quiet']);
    assert.deepEqual([quiet.code, quiet.stderr], [1, '']);
  });

  test('bad credentials', async () => {
    const wrong = ['-u', 'alice', '-P', 'wrong'];
    const old = await pub(closed, ...wrong);
    assert.equal(old.code, 4);
    assert.match(old.stderr, /refused the connection: bad user name or password \(return code 4\)/);
    const v5 = await pub(closed, '-V', '5', ...wrong);
    assert.equal(v5.code, Reason.BadUserNameOrPassword);
    assert.match(v5.stderr, /refused the connection: 0x86 bad user name or password/);
    assert.equal((await pub(closed)).code, 5);
    assert.equal((await pub(closed, '-u', 'alice', '-P', 'secret')).code, 0);
  });

  test('a publication and a subscription that are not allowed', async () => {
    const alice = ['-V', '5', '-u', 'alice', '-P', 'secret', '-t', 'forbidden', '-q', '1'];
    const published = await pub(closed, ...alice);
    assert.equal(published.code, Reason.NotAuthorized);
    assert.match(published.stderr, /refused the message: 0x87 not authorized/);
    const subscribed = await run([...minnow, 'sub', ...closed.address, ...alice]);
    assert.equal(subscribed.code, Reason.NotAuthorized);
    assert.match(subscribed.stderr, /refused the subscription to 'forbidden': 0x87 not authorized/);
    // One that is allowed is enough to stay.
    const both = await run([...minnow, 'sub', ...closed.address, ...alice, '-t', 'x', '-E']);
    assert.equal(both.code, 0);
    assert.match(both.stderr, /refused the subscription to 'forbidden'/);
  });

  test('a message that the broker would not take is not even sent', async () => {
    const file = join(directory, 'too-large');
    writeFileSync(file, Buffer.alloc(limits.packetSizeMax));
    const args = ['-V', '5', '-t', 'x', '-f', file];
    const { code, stderr } = await run([...minnow, 'pub', ...open.address, ...args]);
    assert.equal(code, Reason.PacketTooLarge);
    assert.match(stderr, /too large: the broker takes packets of 2097152 bytes/);
    const aliased = await pub(open, '-V', '5', '-D', 'publish', 'topic-alias', '60000');
    assert.equal(aliased.code, Reason.TopicAliasInvalid);
  });

  test('a timeout has exit code 27', async () => {
    const { code, stderr } = await run([
      ...minnow,
      'sub',
      ...open.address,
      '-t',
      'silence',
      '-W',
      '1',
    ]);
    assert.equal(code, 27);
    assert.match(stderr, /timed out/);
  });

  test('a command line that makes no sense', async () => {
    const wrong: [string[], RegExp][] = [
      [['pub'], /^minnow: pub: a topic is missing: -t TOPIC; see minnow help pub\n$/],
      [['pub', '-t', 'a'], /one of -m, -f, -n, -s and -l says what to publish; found none/],
      [['pub', '-t', 'a', '-m', 'x', '-n'], /found --message and --null-message/],
      [['pub', '-t', 'a/+', '-n'], /'a\/\+' holds a wildcard/],
      [['pub', '-t', 'a', '-n', '-q', '3'], /--qos: '3' is not a whole number from 0 to 2/],
      [['pub', '-t', 'a', '-n', '-P', 'x'], /--pw needs --username/],
      [['sub'], /a topic filter is missing: -t FILTER/],
      [['sub', '-t', 'a/#/b'], /'a\/#\/b' is not a topic filter/],
      [['sub', '-t', 'a', '-c'], /--disable-clean-session needs --id/],
      [['sub', '-t', 'a', '-F', '%Z'], /--format: unknown parameter %Z/],
      [['sub', '-t', 'a', '-L', 'http://x/'], /'http:\/\/x\/' is not mqtt\[s\]:\/\//],
      [['sub', '-t', 'a', '--bogus'], /unknown option --bogus/],
    ];
    for (const [args, message] of wrong) {
      const { code, stderr } = await run([...minnow, ...args]);
      assert.equal(code, Exit.usage, args.join(' '));
      assert.match(stderr, message);
    }
  });

  test('a subscriber whose connection is taken over says so and ends', async () => {
    const common = ['-V', '5', '-i', 'twin', '-t', 'x'];
    const first = await minnowSub(open, ...common);
    const second = await minnowSub(open, ...common);
    assert.equal(await first.finished(), Reason.SessionTakenOver);
    assert.ok(first.lines.some(line => line.includes('0x8e session taken over')));
    assert.equal(await second.end('SIGINT'), 0);
  });

  test('a file that is not there is said before anything is sent', async () => {
    const { code, stderr } = await run([...minnow, 'pub', '-t', 'a', '-f', '/nowhere']);
    assert.equal(code, Exit.noInput);
    assert.match(stderr, /^minnow: pub: cannot read \/nowhere: .*\n$/);
  });

  test('a lost connection is opened again and subscribed anew', async () => {
    const subscriber = await minnowSub(open, '-i', 'stubborn', '-t', 'back', '-C', '1', '-q', '1');
    const control = [...minnow, 'ctl', '--socket', join(open.data, 'control.sock')];
    await ok([...control, 'kick', 'stubborn']);
    await subscriber.matching(/received SUBACK/, 2);
    assert.equal((await pub(open, '-t', 'back', '-q', '1')).code, 0);
    assert.equal(await subscriber.finished(), 0);
    assert.deepEqual(messages(subscriber), ['back x']);
  });
});
