// Our reading of ACL files against mosquitto itself: the same file, the same clients, every topic,
// both directions. The files are drawn, and a failure prints the seed that draws them again.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { Acl } from '../../../src/auth/rules/acl.ts';
import { parseAclFile } from '../../../src/auth/rules/acl-file.ts';
import { filterValid } from '../../../src/mqtt/topic.ts';
import { afterAll, describe, freshSeed, rounds, skipped, test } from '../../harness.ts';
import { Background, freePort, program } from '../../integration/process.ts';
import { Prng } from '../../prng.ts';
import { principal } from './decisions.ts';

const directory = mkdtempSync(join(tmpdir(), 'minnow-acl-'));
afterAll(() => rmSync(directory, { recursive: true }));

const topics = ['a', 'b', 'xa', 'c1'].flatMap(first => [
  first,
  ...['a', 'b', '', 'c1'].flatMap(second =>
    [[], ['a'], ['b']].map(rest => [first, second, ...rest].join('/')),
  ),
]);

const clients: readonly [username: string | null, clientId: string][] = [
  ['u', 'c1'],
  [null, 'a'],
  ['b', 'b'],
  ['u', 'a/b'],
  ['u', 'a+'],
];

function drawFile(prng: Prng): string {
  const levels = ['a', 'b', '+', '#', '%c', '%u', 'x%c', ''];
  const filter = (): string => {
    const count = 1 + prng.below(3);
    const text = Array.from({ length: count }, () => prng.pick(levels)).join('/');
    return filterValid(text) ? text : filter();
  };
  const accesses = ['read', 'write', 'readwrite', 'deny'];
  const lines = (keyword: string, count: number) =>
    Array.from({ length: count }, () => `${keyword} ${prng.pick(accesses)} ${filter()}`);
  return [
    ...lines('topic', prng.below(5)),
    'user u',
    ...lines('topic', 1 + prng.below(5)),
    ...lines('pattern', prng.below(4)),
    'user god',
    'topic readwrite #\n',
  ].join('\n');
}

/** mosquitto with that file; it cannot choose a port itself, and ours may be taken meanwhile. */
async function startMosquitto(path: string, acl: string) {
  writeFileSync(join(directory, 'acl'), acl);
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const file = join(directory, 'conf');
    const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'user root'];
    writeFileSync(file, [...lines, `acl_file ${directory}/acl\n`].join('\n'));
    const process = new Background([path, '-v', '-c', file]);
    try {
      await process.line(/mosquitto version .* running/);
      return { process, url: `mqtt://127.0.0.1:${port}` };
    } catch (error) {
      await process.end('SIGKILL');
      if (attempt === 5) throw error;
    }
  }
}

/** What mosquitto lets one client publish, and what it sends to it. */
async function decisionsOf(client: MqttClient, god: MqttClient) {
  const received = new Set<string>();
  const published = new Set<string>();
  await client.subscribeAsync('#');
  for (const topic of topics) {
    const done = client.publishAsync(topic, '', { qos: 1 });
    await done.then(() => published.add(topic)).catch(() => {});
  }
  client.on('message', topic => received.add(topic));
  for (const topic of topics) await god.publishAsync(topic, '', { qos: 1 });
  await client.unsubscribeAsync('#'); // behind everything that was sent before
  return { received, published };
}

async function compare(path: string, text: string): Promise<void> {
  const { rules, faults } = parseAclFile(text, 'acl');
  assert.deepEqual(faults, []);
  const acl = new Acl({ rules });
  const { process, url } = await startMosquitto(path, text);
  const login = (username: string | null, clientId: string) =>
    connectAsync(url, { protocolVersion: 5, clientId, ...(username === null ? {} : { username }) });
  const god = await login('god', 'g');
  try {
    for (const [username, clientId] of clients) {
      const who = principal(username, clientId);
      const client = await login(username, clientId);
      const { received, published } = await decisionsOf(client, god);
      await client.endAsync(true);
      const where = (topic: string) => `${username} ${clientId} ${topic} with\n${text}`;
      for (const topic of topics) {
        assert.equal(acl.mayPublish(who, topic), published.has(topic), `write ${where(topic)}`);
        assert.equal(acl.mayReceive(who, topic), received.has(topic), `read ${where(topic)}`);
      }
    }
  } finally {
    await god.endAsync(true);
    await process.end('SIGKILL');
  }
}

describe('an ACL file means what it means to mosquitto', () => {
  const path = program('mosquitto');
  if (path === null) {
    skipped('drawn files, every topic, both directions', 'there is no mosquitto');
    return;
  }
  test('drawn files, every topic, both directions', async () => {
    const seed = freshSeed();
    const prng = new Prng(seed);
    for (let round = 0; round < 3 * rounds; round++) {
      await compare(path, drawFile(prng)).catch(error => {
        throw new Error(`MINNOW_SEED=${seed}: ${error.message}`);
      });
    }
  });
});
