// Tokens in place of passwords: each kind of key, everything that makes a token wrong, and what it
// grants. Keys are made here; those that are fetched come from a server of the test.

import assert from 'node:assert/strict';
import { createSecretKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, SignJWT } from 'jose';
import {
  type JwtOptions,
  JwtStep,
  localKeys,
  remoteKeys,
  type TokenKeys,
} from '../../src/auth/jwt-step.ts';
import { NOT_AUTHORIZED, UNAVAILABLE, type Verdict, WRONG } from '../../src/auth/step.ts';
import { afterAll, beforeAll, describe, test } from '../harness.ts';
import { offer } from './offer.ts';

const now = () => Math.floor(Date.now() / 1_000);
const secret = randomBytes(32).toString('hex');
const pairs = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519'),
};
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });

function sign(key: KeyObject, alg: string, claims: object, kid?: string): Promise<string> {
  const header = kid === undefined ? { alg } : { alg, kid };
  return new SignJWT({ sub: 'meter-7', exp: now() + 60, ...claims })
    .setProtectedHeader(header)
    .sign(key);
}

function step(keys: TokenKeys, options: Partial<JwtOptions> = {}): JwtStep {
  return new JwtStep(keys, {
    algorithms: ['RS256', 'ES256', 'EdDSA', 'HS256'],
    issuer: '',
    audience: '',
    userClaim: 'sub',
    rulesClaim: 'acl',
    onTrouble: () => {},
    ...options,
  });
}

const login = async (jwt: JwtStep, token: string): Promise<Verdict> =>
  jwt.authenticate(offer('ignored', token));
const pem = (key: KeyObject) => Buffer.from(key.export({ type: 'spki', format: 'pem' }));

describe('keys', () => {
  for (const [alg, { publicKey, privateKey }] of Object.entries(pairs)) {
    test(`${alg}, as PEM and as JWK`, async () => {
      const token = await sign(privateKey, alg, {});
      const jwk = Buffer.from(JSON.stringify(await exportJWK(publicKey)));
      for (const file of [pem(publicKey), jwk]) {
        const verdict = await login(step(localKeys(file)), token);
        assert.equal(verdict?.reason, 0);
        assert.equal(verdict?.username, 'meter-7');
      }
      const wrong = await login(step(localKeys(pem(other.publicKey))), token);
      assert.equal(wrong, WRONG);
    });
  }

  test('a shared secret, also with the line break of an editor behind it', async () => {
    const token = await sign(createSecretKey(Buffer.from(secret)), 'HS256', {});
    const keys = localKeys(Buffer.from(`${secret}\n`));
    assert.equal((await login(step(keys), token))?.username, 'meter-7');
    assert.equal(await login(step(keys, { algorithms: ['ES256'] }), token), WRONG);
  });

  test('a public key is never taken for a shared secret', async () => {
    const file = pem(pairs.RS256.publicKey);
    const forged = await sign(createSecretKey(file), 'HS256', {});
    assert.equal(await login(step(localKeys(file)), forged), WRONG);
  });

  test('a file that holds none is refused with the reason', () => {
    const cases: [file: string, why: RegExp][] = [
      ['{', /begins like JSON and is none/],
      ['{"a": 1}', /neither a JWK nor a set/],
      ['short', /has 5 bytes, expected at least 32/],
      ['-----BEGIN RSA PRIVATE KEY-----', /private key/],
      ['-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----', /./],
    ];
    for (const [file, why] of cases) assert.throws(() => localKeys(Buffer.from(file)), why);
  });
});

describe('a token', () => {
  const { privateKey, publicKey } = pairs.ES256;
  const es = (claims: object) => sign(privateKey, 'ES256', claims);
  let keys: TokenKeys;
  beforeAll(() => {
    keys = localKeys(pem(publicKey));
  });

  test('that is none is left to others', async () => {
    const jwt = step(keys);
    for (const password of [
      '',
      'secret',
      'a.b',
      'a.b.c.d',
      'a b.c.d',
      'ä.b.c',
      'x'.repeat(20_000),
    ]) {
      assert.equal(jwt.authenticate(offer('u', password)), null);
    }
    assert.equal(jwt.authenticate(offer('u', null)), null);
    const enhanced = { ...offer('u', await es({})), authMethod: 'SCRAM-SHA-256' };
    assert.equal(jwt.authenticate(enhanced), null);
  });

  test('that is wrong in any way is refused', async () => {
    const jwt = step(keys, { issuer: 'https://a.example', audience: 'mqtt' });
    const right = { iss: 'https://a.example', aud: ['mqtt', 'x'] };
    assert.equal((await login(jwt, await es(right)))?.reason, 0);
    const token = await es(right);
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${token.split('.')[1]}.AA`;
    const wrong = [
      await es({ ...right, iss: 'https://b.example' }),
      await es({ ...right, iss: undefined }),
      await es({ ...right, aud: 'other' }),
      await es({ ...right, exp: now() - 60 }),
      await es({ ...right, nbf: now() + 60 }),
      await sign(other.privateKey, 'ES256', right),
      `${token.slice(0, -4)}AAAA`,
      'a.b.c',
      none,
    ];
    for (const text of wrong) assert.equal(await login(jwt, text), WRONG, text);
  });

  test('without a name, or with rules that make no sense, lets nobody in', async () => {
    for (const claims of [{ sub: undefined }, { sub: 7 }, { sub: '' }, { acl: [{}] }, { acl: 1 }]) {
      assert.equal(await login(step(keys), await es(claims)), NOT_AUTHORIZED);
    }
  });

  test('says who the client is, for how long, and what it may do', async () => {
    const acl = [{ allow: 'publish', filter: 'meters/%u/#' }];
    const jwt = step(keys, { userClaim: 'name', rulesClaim: 'may' });
    const verdict = await login(jwt, await es({ name: 'seven', may: acl, exp: now() + 100 }));
    assert.equal(verdict?.username, 'seven');
    assert.deepEqual(verdict?.grants, { rules: acl });
    const left = verdict?.expiresInMs ?? 0;
    assert.ok(left > 90_000 && left <= 100_000, String(left));
    const endless = await login(step(keys), await es({ exp: undefined }));
    assert.equal(endless?.expiresInMs, undefined);
  });
});

describe('keys that are fetched', () => {
  let server: Server;
  let url = '';
  let fetches = 0;
  let answer: () => Promise<[status: number, body: string]>;
  beforeAll(async () => {
    server = createServer((_request, response) => {
      fetches++;
      answer().then(([status, body]) => response.writeHead(status).end(body));
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  });
  afterAll(() => {
    server.close();
  });

  const keySet = async () =>
    JSON.stringify({ keys: [{ ...(await exportJWK(pairs.EdDSA.publicKey)), kid: 'one' }] });

  test('are fetched once for many tokens', async () => {
    fetches = 0;
    answer = async () => [200, await keySet()];
    const jwt = step(remoteKeys(url));
    for (let i = 0; i < 5; i++) {
      const token = await sign(pairs.EdDSA.privateKey, 'EdDSA', { sub: `m${i}` }, 'one');
      assert.equal((await login(jwt, token))?.username, `m${i}`);
    }
    assert.equal(fetches, 1);
    const unknown = await sign(pairs.EdDSA.privateKey, 'EdDSA', {}, 'two');
    assert.equal(await login(jwt, unknown), WRONG);
  });

  test('cannot be had: nobody gets in, and the reason is told', async () => {
    const told: string[] = [];
    for (const bad of [[500, 'x'] as const, [200, 'x'] as const]) {
      answer = async () => [...bad];
      const jwt = step(remoteKeys(url), { onTrouble: why => told.push(why) });
      const token = await sign(pairs.EdDSA.privateKey, 'EdDSA', {}, 'one');
      assert.equal(await login(jwt, token), UNAVAILABLE);
    }
    assert.equal(told.length, 2);
  });
});
