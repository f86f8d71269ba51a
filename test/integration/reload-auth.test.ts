// Users and rules that change while clients are connected, in both I/O modes: whoever may not be
// here any more is told so and cut off, everybody else goes on as if nothing had happened.

import assert from 'node:assert/strict';
import type { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt, { type MqttClient } from 'mqtt';
import { Reason } from '../../src/mqtt/reason.ts';
import { afterAll, afterEach, describe, test } from '../harness.ts';
import { minnow, ok, run, useMinnow } from './process.ts';

/** What comes with the next event of that name. */
function once(client: MqttClient, event: string): Promise<unknown[]> {
  const emitter = client as unknown as EventEmitter;
  return new Promise(resolve => emitter.once(event, (...values) => resolve(values)));
}

for (const mode of ['async', 'sync']) {
  describe(`users and rules in the mode ${mode}`, () => {
    const directory = mkdtempSync(join(tmpdir(), 'minnow-reload-auth-'));
    const passwords = join(directory, 'passwords');
    const rules = join(directory, 'acl');
    const config = join(directory, 'minnow.toml');
    const allow = (...users: string[]) =>
      writeFileSync(rules, users.map(name => `user ${name}\ntopic readwrite #\n`).join('\n'));
    const passwd = async (name: string, password: string) => {
      const { code, stderr } = await run(
        [...minnow, 'passwd', '--stdin', '-f', passwords, name],
        password,
      );
      assert.equal(code, 0, stderr);
    };
    writeFileSync(passwords, '');
    writeFileSync(
      config,
      `[auth]\nanonymous = false\npasswordFile = "${passwords}"\naclFile = "${rules}"\n`,
    );
    allow('alice', 'bob');
    const broker = useMinnow('--config', config, '--io', mode);
    const clients: MqttClient[] = [];
    const reload = () => run([...minnow, 'reload', '--data', broker.data]);
    afterEach(() => {
      for (const client of clients.splice(0)) client.end(true);
    });
    afterAll(() => rmSync(directory, { recursive: true }));

    async function enter(username: string, password: string): Promise<MqttClient> {
      const options = { username, password, clientId: username, reconnectPeriod: 0 };
      const client = mqtt.connect(broker.url, { ...options, protocolVersion: 5 });
      clients.push(client);
      client.on('error', () => {}); // refusals are told by what follows
      await once(client, 'connect');
      return client;
    }

    test('who has a new password or none goes; who has the old one stays', async () => {
      await passwd('alice', 'secret');
      await passwd('bob', 'secret');
      assert.equal((await reload()).code, 0);
      const alice = await enter('alice', 'secret');
      const bob = await enter('bob', 'secret');
      await bob.subscribeAsync('a', { qos: 1 });
      const heard = once(bob, 'message');

      await passwd('alice', 'another');
      const told = once(alice, 'disconnect');
      const gone = once(alice, 'close');
      const { code, lines } = await reload();
      assert.deepEqual([code, ...lines], [0, 'no option has changed']);
      const [packet] = (await told) as [{ reasonCode: number }];
      assert.equal(packet.reasonCode, Reason.NotAuthorized);
      await gone;

      const back = await enter('alice', 'another');
      await back.publishAsync('a', 'still here', { qos: 1 });
      const [topic, payload] = (await heard) as [string, Buffer];
      assert.deepEqual([topic, String(payload)], ['a', 'still here']);
    });

    test('rules hold from the reload on, for subscriptions that stand as well', async () => {
      await passwd('alice', 'secret');
      await passwd('bob', 'secret');
      await reload();
      const alice = await enter('alice', 'secret');
      const bob = await enter('bob', 'secret');
      const heard: string[] = [];
      bob.on('message', (_topic, payload) => heard.push(String(payload)));
      await bob.subscribeAsync('a', { qos: 1 });
      await alice.publishAsync('a', 'one', { qos: 1 });

      allow('alice');
      await reload();
      await alice.publishAsync('a', 'two', { qos: 1 });
      await assert.rejects(bob.publishAsync('a', 'mine', { qos: 1 }), /Not authorized/);
      assert.deepEqual(heard, ['one']);
      allow('alice', 'bob');
      await reload();
      const third = once(bob, 'message');
      await alice.publishAsync('a', 'three', { qos: 1 });
      await third;
      assert.deepEqual(heard, ['one', 'three']);
    });

    test('a file with faults changes nothing, and says where it is wrong', async () => {
      await passwd('alice', 'secret');
      await reload();
      const alice = await enter('alice', 'secret');
      writeFileSync(rules, 'topc readwrite #\n');
      const { code, stderr } = await reload();
      assert.equal(code, 1);
      assert.match(stderr, /acl:1: /);
      await alice.publishAsync('a', 'as before', { qos: 1 });
      allow('alice', 'bob');
    });
  });
}

describe('files that are watched', () => {
  const directory = mkdtempSync(join(tmpdir(), 'minnow-watch-'));
  const passwords = join(directory, 'passwords');
  const config = join(directory, 'minnow.toml');
  const passwd = (...words: string[]) =>
    ok([...minnow, 'passwd', '-f', passwords, ...words], 'secret');
  writeFileSync(passwords, '');
  writeFileSync(
    config,
    `watchFiles = true\n[auth]\nanonymous = false\npasswordFile = "${passwords}"\n`,
  );
  const broker = useMinnow('--config', config);
  afterAll(() => rmSync(directory, { recursive: true }));

  test('take effect by themselves, again and again', async () => {
    for (const round of [1, 2]) {
      await passwd('--stdin', 'alice');
      await broker.process.matching(/configuration reloaded/, 2 * round - 1);
      const options = { username: 'alice', password: 'secret', reconnectPeriod: 0 };
      const client = mqtt.connect(broker.url, { ...options, protocolVersion: 5 });
      await once(client, 'connect');
      const told = once(client, 'disconnect');
      await passwd('--delete', 'alice');
      const [packet] = (await told) as [{ reasonCode: number }];
      assert.equal(packet.reasonCode, Reason.NotAuthorized);
      await broker.process.matching(/configuration reloaded/, 2 * round);
      client.end(true);
    }
  });

  test('with a fault leave everything as it is', async () => {
    writeFileSync(config, 'watchFiles = maybe\n');
    await broker.process.line(/the old one stays in force/);
  });
});
