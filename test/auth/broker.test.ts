// A broker with everything of [auth] at once, and MQTT.js as its clients, in both I/O modes: who is
// let in, what is sent, and who has to go when a token expires.

import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { hashScram, hashScrypt, makeToken } from '../../src/auth/passwords/compute.ts';
import { formatHash } from '../../src/auth/passwords/stored-hash.ts';
import { afterAll, afterEach, describe, test } from '../harness.ts';
import { type Broker, useMinnow } from '../integration/process.ts';

const directory = mkdtempSync(join(tmpdir(), 'minnow-auth-broker-'));
afterAll(() => rmSync(directory, { recursive: true }));

const secret = randomBytes(32).toString('hex');
const deviceToken = makeToken();
const costs = { logN: 10, blockSize: 8, parallel: 1 };
const passwords = {
  alice: await hashScrypt(Buffer.from('secret'), costs),
  device: deviceToken.hash,
  scram: await hashScram(Buffer.from('secret'), 4_096),
};

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const lines = Object.entries(passwords).map(([name, hash]) => `${name}:${formatHash(hash)}\n`);
const acl = `user alice
topic readwrite house/#
topic deny house/safe/#
user device
topic write house/#
topic write out
pattern readwrite own/%c/#
`;
const settings = [
  'auth.anonymous=false',
  `auth.passwordFile=${file('passwd', lines.join(''))}`,
  `auth.aclFile=${file('acl', acl)}`,
  `auth.jwtKeys=${file('secret', secret)}`,
  'auth.scram=true',
].flatMap(set => ['--set', set]);

const now = () => Math.floor(Date.now() / 1_000);
const token = (claims: object) =>
  new SignJWT({ sub: 'jwt', ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(Buffer.from(secret));

const open = new Set<MqttClient>();
afterEach(async () => {
  for (const client of open) await client.endAsync(true);
  open.clear();
});

function start(broker: Broker, options: IClientOptions): MqttClient {
  const defaults = { protocolVersion: 5, reconnectPeriod: 0, clientId: 'c' } as const;
  const client = connect(broker.url, { ...defaults, ...options });
  open.add(client);
  client.on('error', () => {}); // told by `refusal`
  return client;
}

/** The first argument of the next event of that name. */
function happens<What>(client: MqttClient, event: 'connect' | 'error' | 'disconnect') {
  return new Promise<What>(resolve => {
    client.once(event, (what: unknown) => resolve(what as What));
  });
}

async function login(broker: Broker, options: IClientOptions): Promise<MqttClient> {
  const client = start(broker, options);
  await happens(client, 'connect');
  return client;
}

/** The reason code that a client is refused with. */
async function refusal(broker: Broker, options: IClientOptions): Promise<number> {
  return (await happens<{ code: number }>(start(broker, options), 'error')).code;
}

/** Messages as they come; `next` waits for one. */
function inbox(client: MqttClient) {
  const topics: string[] = [];
  let wake = () => {};
  client.on('message', topic => {
    topics.push(topic);
    wake();
  });
  const next = async () => {
    while (topics.length === 0) {
      await new Promise<void>(resolve => {
        wake = resolve;
      });
    }
    return topics.shift();
  };
  return next;
}

const hmac = (key: Uint8Array, text: string) => createHmac('sha256', key).update(text).digest();

/** MQTT.js with the client's side of SCRAM-SHA-256. */
function scramLogin(broker: Broker, password: string): MqttClient {
  const method = 'SCRAM-SHA-256';
  const bare = `n=scram,r=${randomBytes(12).toString('hex')}`;
  const client = start(broker, {
    properties: {
      authenticationMethod: method,
      authenticationData: Buffer.from(`n,,${bare}`),
    },
  });
  client.handleAuth = (packet, done) => {
    const first = String(packet.properties?.authenticationData);
    const [, nonce, salt, rounds] = /^r=(.*),s=(.*),i=(\d+)$/.exec(first) ?? [];
    const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), +rounds, 32, 'sha256');
    const key = hmac(salted, 'Client Key');
    const signed = `${bare},${first},c=biws,r=${nonce}`;
    const signature = hmac(createHash('sha256').update(key).digest(), signed);
    const proof = Buffer.from(key.map((byte, i) => byte ^ signature[i])).toString('base64');
    const authenticationData = Buffer.from(`c=biws,r=${nonce},p=${proof}`);
    const properties = { authenticationMethod: method, authenticationData };
    done(undefined, { cmd: 'auth', reasonCode: 0x18, properties });
  };
  return client;
}

for (const mode of ['async', 'sync']) {
  describe(`who is let in, I/O mode ${mode}`, () => {
    const broker = useMinnow('--io', mode, ...settings);

    test('by password and by token of the file', async () => {
      await login(broker, { username: 'alice', password: 'secret' });
      await login(broker, { username: 'device', password: deviceToken.token, clientId: 'd' });
      assert.equal(await refusal(broker, { username: 'alice', password: 'wrong' }), 0x86);
      assert.equal(await refusal(broker, { username: 'nobody', password: 'secret' }), 0x86);
      assert.equal(await refusal(broker, {}), 0x87);
    });

    test('by JWT, with what it allows', async () => {
      const acl = [{ allow: 'publish', filter: 'jwt/#' }];
      const password = await token({ acl, exp: now() + 600 });
      const client = await login(broker, { username: 'x', password });
      await client.publishAsync('jwt/1', 'x', { qos: 1 });
      await assert.rejects(client.publishAsync('house/1', 'x', { qos: 1 }), /Not authorized/);
    });

    test('by JWT until it expires, and not afterwards', async () => {
      const password = await token({ exp: now() + 3 });
      const client = start(broker, { username: 'x', password });
      const { reasonCode } = await happens<{ reasonCode: number }>(client, 'disconnect');
      assert.equal(reasonCode, 0xa0);
      const expired = await token({ exp: now() - 60 });
      assert.equal(await refusal(broker, { username: 'x', password: expired }), 0x86);
    });

    test('by SCRAM-SHA-256', async () => {
      await happens(scramLogin(broker, 'secret'), 'connect');
      const { code } = await happens<{ code: number }>(scramLogin(broker, 'wrong'), 'error');
      assert.equal(code, 0x87);
    });

    test('what the ACL file takes out of a wider subscription is not sent', async () => {
      const alice = await login(broker, { username: 'alice', password: 'secret' });
      const next = inbox(alice);
      await alice.subscribeAsync('#');
      const username = 'device';
      const pub = await login(broker, { username, password: deviceToken.token, clientId: 'd' });
      for (const topic of ['house/safe/code', 'out', 'own/d/x', 'house/door']) {
        await pub.publishAsync(topic, 'x', { qos: 1 });
      }
      assert.equal(await next(), 'house/door');
      await assert.rejects(pub.publishAsync('own/c/x', 'x', { qos: 1 }), /Not authorized/);
    });
  });
}

for (const mode of ['async', 'sync']) {
  describe(`what is nobody's business, I/O mode ${mode}`, () => {
    const open = useMinnow('--io', mode);
    const ruled = useMinnow('--io', mode, ...settings, '--set', 'auth.superusers=["alice"]');

    test('without rules $SYS is to be read, and $CONTROL closed', async () => {
      const client = await login(open, {});
      const next = inbox(client);
      await client.subscribeAsync(['#', '$SYS/broker/version']);
      assert.equal(await next(), '$SYS/broker/version');
      for (const filter of ['$CONTROL/#', '$CONTROL', '$share/g/$CONTROL/#']) {
        await assert.rejects(client.subscribeAsync(filter), /Not authorized/, filter);
      }
      for (const topic of ['$CONTROL/x', '$SYS/broker/version']) {
        await assert.rejects(client.publishAsync(topic, 'x', { qos: 1 }), /Not authorized/, topic);
      }
    });

    test('superusers may do everything but speak for the broker', async () => {
      const alice = await login(ruled, { username: 'alice', password: 'secret' });
      const next = inbox(alice);
      await alice.subscribeAsync('$CONTROL/#');
      await alice.publishAsync('$CONTROL/x', 'x', { qos: 1 });
      assert.equal(await next(), '$CONTROL/x');
      await assert.rejects(alice.publishAsync('$SYS/x', 'x', { qos: 1 }), /Not authorized/);
      const username = 'device';
      const device = await login(ruled, { username, password: deviceToken.token, clientId: 'd' });
      for (const filter of ['$SYS/#', '$CONTROL/#']) {
        await assert.rejects(device.subscribeAsync(filter), /Not authorized/, filter);
      }
    });
  });
}
