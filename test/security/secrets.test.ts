// Secrets stay where they are: whatever happens to a broker that says all it can say, neither its
// log nor any command prints a password, a token, a key, a header or a payload.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from '../harness.ts';
import { Background, minnow, run } from '../integration/process.ts';
import { encodePacket, type WireInput } from '../wire.ts';
import { Stranger } from './kit.ts';

/** No secret is part of another word, and each is one that our own words do not have. */
const secret = (name: string) => `${name}-Zq7xKv93`;
const plain = secret('plain-password');
const hashed = secret('hashed-password');
const guess = secret('wrong-guess');
const header = secret('Bearer-of-header');
const jwtKey = secret('shared-key-for-tokens-of-32-bytes');
const payload = secret('payload');
const will = secret('will');
const property = secret('user-property');

const base64 = (text: string) => Buffer.from(text).toString('base64url');
const claims = JSON.stringify({ sub: 'sensor', pet: secret('claim') });
const tokenHead = `${base64('{"alg":"HS256"}')}.${base64(claims)}`;
const signature = createHmac('sha256', jwtKey).update(tokenHead).digest('base64url');
const token = `${tokenHead}.${signature}`;
const secrets = [plain, hashed, guess, header, jwtKey, payload, will, property, token, signature];

const directory = mkdtempSync(join(tmpdir(), 'minnow-secrets-'));
const at = (name: string) => join(directory, name);
afterAll(() => rmSync(directory, { recursive: true }));

/** What was printed anywhere must have none of them, as it is, in hexadecimal or base64. */
function assertNoSecret(printed: string, ...more: readonly string[]): void {
  for (const text of [...secrets, ...more]) {
    const bytes = Buffer.from(text);
    const forms = [text, bytes.toString('hex'), bytes.toString('base64').replace(/=+$/, '')];
    const line = printed.split('\n').find(line => forms.some(form => line.includes(form)));
    assert.equal(line, undefined, `"${text}" was printed`);
  }
}

/** A service that knows nobody, or gives no sensible answer. */
let service: Server;
beforeAll(async () => {
  service = createServer((request, response) => {
    request.resume().on('end', () => {
      const broken = request.headers['content-length'] === '0' || request.url === '/broken';
      response.end(broken ? secret('answer') : '{"result": "next"}');
    });
  });
  await new Promise<void>(resolve => service.listen(0, '127.0.0.1', resolve));
});
afterAll(() => void service.close());

async function configure(more = ''): Promise<void> {
  const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}/`;
  writeFileSync(at('jwt.key'), jwtKey);
  const passwd = await run(
    [...minnow, 'passwd', '--stdin', '-f', at('passwords'), 'meter'],
    hashed,
  );
  assert.equal(passwd.code, 0, passwd.stderr);
  assertNoSecret(`${passwd.stdout}${passwd.stderr}`);
  const lines = [
    'listeners = ["127.0.0.1:0"]',
    'log = { level = "debug", format = "json", burst = 100000 }',
    '[auth]',
    'anonymous = false',
    'order = ["password", "jwt", "http"]',
    `passwordFile = "${at('passwords')}"`,
    `jwtKeys = "${at('jwt.key')}"`,
    'jwtAlgorithms = ["HS256"]',
    `httpUrl = "${url}"`,
    `users = { panel = "${plain}" }`,
    `httpHeaders = { Authorization = "${header}" }`,
    more,
  ];
  writeFileSync(at('minnow.toml'), `${lines.join('\n')}\n`);
}

async function logIn(port: number, username: string, password: string): Promise<number> {
  const stranger = await Stranger.arrive(port);
  const login: WireInput = {
    type: 'connect',
    version: 5,
    clientId: username,
    username,
    password: Buffer.from(password),
    will: { topic: 'w', payload: Buffer.from(will) },
    properties: { userProperties: [[property, property]] },
  };
  stranger.say(encodePacket(login, 5));
  const reason = (await stranger.told(4))[3]!;
  if (reason === 0) {
    const publish = { type: 'publish', topic: 'a', payload, qos: 1, packetId: 1 } as const;
    const before = stranger.said.length;
    stranger.say(encodePacket({ ...publish, retain: true }, 5));
    await stranger.told(before + 4);
    stranger.say(Buffer.from([0x36, 3, 0, 1, 0x61])); // a protocol error
  }
  stranger.leave();
  await stranger.gone;
  return reason;
}

for (const mode of ['async', 'sync']) {
  describe(`secrets in the mode ${mode}`, () => {
    test('are in no log and no answer, however one logs in', async () => {
      await configure();
      const from = ['--config', at('minnow.toml'), '--data', at(mode)];
      const broker = new Background([...minnow, 'serve', '--io', mode, ...from]);
      const port = Number(/127\.0\.0\.1:(\d+)/.exec(await broker.line(/"minnow is ready"/))?.[1]);
      assert.equal(await logIn(port, 'panel', plain), 0);
      assert.equal(await logIn(port, 'meter', hashed), 0);
      assert.equal(await logIn(port, 'anybody', token), 0);
      for (const name of ['panel', 'meter', 'nobody']) {
        assert.notEqual(await logIn(port, name, guess), 0);
      }
      assert.notEqual(await logIn(port, 'anybody', `${token.slice(0, -4)}AAAA`), 0);

      const printed: string[] = [];
      const collect = async (...args: string[]) => {
        const { stdout, stderr } = await run([...minnow, ...args]);
        printed.push(`${stdout}${stderr}`);
      };
      const commands = [['clients'], ['client', 'panel'], ['stats'], ['reload']];
      for (const command of commands) {
        await collect('ctl', '--data', at(mode), ...command);
        await collect('ctl', '--json', '--data', at(mode), ...command);
      }
      await collect('config', ...from);
      await collect('check-config', ...from);
      await collect('platform', ...from);
      await collect('acl', '--config', at('minnow.toml'), '--user', 'panel', 'publish', 'a');
      // Changed secrets, and faults beside them, are told without them.
      await configure(`jwtAudience = 7`);
      await collect('ctl', '--data', at(mode), 'reload');
      await collect('check-config', ...from);
      await collect('serve', ...from);
      await broker.end();
      // All of this was about them.
      assert.match(broker.lines.join(), /"username":"panel"/);
      assert.match(printed.join(), /panel/);
      assertNoSecret([...broker.lines, ...printed].join('\n'), secret('answer'), secret('claim'));
    });
  });
}

test('values that are wrong are not repeated where they may be secrets', async () => {
  const printed: string[] = [];
  const wrong = [
    `auth.users="${plain}"`,
    `auth.users=["${plain}"]`,
    `auth.users={"a": ["${plain}"]}`,
    `auth.users={"": "${plain}"}`,
    `auth.httpHeaders="${header}"`,
    `auth.httpHeaders={"a b": "${header}"}`,
    `auth.httpUrl=http://user:${plain}@127.0.0.1/`,
    `auth.jwtKeys=https://user:${plain}@127.0.0.1/`,
  ];
  for (const setting of wrong) {
    const { code, stdout, stderr } = await run([...minnow, 'check-config', '--set', setting]);
    assert.notEqual(code, 0, setting);
    printed.push(`${stdout}${stderr}`);
  }
  // In a file, a line that is no TOML is told by its place.
  writeFileSync(at('broken.toml'), `[auth]\nusers = { panel = "${plain}" oops }\n`);
  const { code, stdout, stderr } = await run([...minnow, 'config', '-c', at('broken.toml')]);
  assert.notEqual(code, 0);
  assertNoSecret([...printed, stdout, stderr].join('\n'));
});
