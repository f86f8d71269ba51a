// What a configuration asks for: which steps in which order, who is let in when nobody knows the
// client, and what is said about files that are not as they should be.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { allowAll } from '../../src/auth/allow-all.ts';
import { Chain } from '../../src/auth/chain.ts';
import { createAccess, createAuthenticator, readAccess } from '../../src/auth/create.ts';
import { AuthFault } from '../../src/auth/fault.ts';
import { makeToken } from '../../src/auth/passwords/compute.ts';
import { formatHash } from '../../src/auth/passwords/stored-hash.ts';
import { ALLOWED, ANONYMOUS, NOT_AUTHORIZED, UNAVAILABLE, WRONG } from '../../src/auth/step.ts';
import type { AuthConfig } from '../../src/config/config.ts';
import type { Authenticator, AuthResult, Credentials } from '../../src/core/access.ts';
import { Reason } from '../../src/mqtt/reason.ts';
import { configOf } from '../config/load.ts';
import { afterAll, beforeAll, describe, test } from '../harness.ts';
import { offer } from './offer.ts';
import { originWith } from './rules/decisions.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'minnow-auth-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const configured = (toml: string): AuthConfig => configOf({ toml: `[auth]\n${toml}` }).auth;

function ask(authenticator: Authenticator, credentials: Credentials): Promise<AuthResult> {
  return new Promise(resolve => authenticator.authenticate(credentials, resolve));
}

const alice = offer('alice', 'secret');

describe('what a configuration asks for', () => {
  test('nothing: everybody may do everything, under the name they bring', async () => {
    const config = configured('');
    assert.equal(await createAuthenticator(config), allowAll);
    assert.equal(await createAccess(config), allowAll);
    assert.equal(await ask(allowAll, alice), ALLOWED);
    assert.ok(allowAll.maySubscribe(alice, '$SYS/#'));
    for (const control of ['$CONTROL', '$CONTROL/x']) {
      assert.equal(allowAll.mayPublish(alice, control, false), false);
      assert.equal(allowAll.maySubscribe(alice, control), false);
    }
  });

  test('nothing: what a listener says holds all the same', async () => {
    const proved = { ...alice, origin: originWith({ username: 'meter' }) };
    assert.deepEqual(await ask(allowAll, proved), { reason: 0, username: 'meter' });
    const closed = originWith({ anonymous: false });
    assert.equal(await ask(allowAll, { ...alice, origin: closed }), NOT_AUTHORIZED);
  });

  test('users: who is let in may do everything', async () => {
    const config = configured('users = { alice = "secret" }');
    const authenticator = await createAuthenticator(config);
    assert.equal((await ask(authenticator, alice)).reason, 0);
    assert.equal(await ask(authenticator, offer('alice', 'x')), WRONG);
    assert.equal(await ask(authenticator, offer('bob', 'secret')), WRONG);
    assert.equal(await ask(authenticator, offer(null, null)), ANONYMOUS);
    assert.equal(await createAccess(config), allowAll);
  });

  test('anonymous = false, here or for one listener', async () => {
    const toml = 'anonymous = false\nusers = { alice = "secret" }';
    const closed = await createAuthenticator(configured(toml));
    assert.equal(await ask(closed, offer(null, null)), NOT_AUTHORIZED);
    const opened = { ...offer(null, null), origin: originWith({ anonymous: true }) };
    assert.equal(await ask(closed, opened), ANONYMOUS);
    const open = await createAuthenticator(configured('users = { alice = "secret" }'));
    const shut = { ...offer(null, null), origin: originWith({ anonymous: false }) };
    assert.equal(await ask(open, shut), NOT_AUTHORIZED);
  });

  test('rules: nobody takes a name for granted, and access is what they say', async () => {
    const config = configured('rules = [{ allow = "publish", filter = "a/#" }]');
    assert.equal(await ask(await createAuthenticator(config), alice), ANONYMOUS);
    const access = await createAccess(config);
    assert.equal(access.mayPublish(alice, 'a/b', false), true);
    assert.equal(access.mayPublish(alice, 'b', false), false);
    assert.equal(access.maySubscribe(alice, 'a/b'), false);
  });

  test('superusers: no name is taken for granted, and what is theirs is open to them', async () => {
    const config = configured('superusers = ["alice"]');
    assert.equal(await ask(await createAuthenticator(config), alice), ANONYMOUS);
    const access = await createAccess(config);
    assert.equal(access.mayPublish(alice, '$CONTROL/x', false), true);
    assert.equal(access.mayPublish(offer('bob', null), '$CONTROL/x', false), false);
    assert.equal(access.mayPublish(offer('bob', null), 'a', false), true);
  });

  test('files: users, and rules behind those of the configuration', async () => {
    const { token, hash } = makeToken();
    const passwordFile = file('passwd', `alice:${formatHash(hash)}\n`);
    const aclFile = file('acl', 'user alice\ntopic read a/#\ntopic write a/#\n');
    const config = configured(
      `passwordFile = "${passwordFile}"\naclFile = "${aclFile}"\nsuperusers = ["root"]\n` +
        'rules = [{ deny = "publish", filter = "a/secret" }]',
    );
    const authenticator = await createAuthenticator(config);
    assert.equal((await ask(authenticator, offer('alice', token))).reason, 0);
    assert.equal(await ask(authenticator, offer('alice', 'secret')), WRONG);
    const access = await createAccess(config);
    assert.equal(access.mayPublish(alice, 'a/b', false), true);
    assert.equal(access.mayPublish(alice, 'a/secret', false), false);
    assert.equal(access.maySubscribe(alice, 'a/#'), true);
    assert.equal(access.mayPublish(offer('root', null), 'a/secret', false), true);
  });

  const faults: [title: string, toml: () => string, lines: () => string[]][] = [
    [
      'a password file that is not there',
      () => 'passwordFile = "/nowhere/passwd"',
      () => ['/nowhere/passwd: there is no such file (auth.passwordFile)'],
    ],
    [
      'an ACL file with faults, each with its line',
      () => `aclFile = "${file('acl2', 'tpic a\n\ntopic a/#/b\n')}"`,
      () => [
        `${join(directory, 'acl2')}:1: found "tpic", expected user, topic or pattern`,
        `${join(directory, 'acl2')}:3: found "a/#/b", expected a topic filter`,
      ],
    ],
    [
      'a key that is no public one',
      () => `jwtKeys = "${file('key', '-----BEGIN PRIVATE KEY-----\nx')}"`,
      () => [
        `${join(directory, 'key')}: it is a private key, expected a public one (auth.jwtKeys)`,
      ],
    ],
    [
      'a secret that is too short to be one',
      () => `jwtKeys = "${file('short', 'hunter2\n')}"`,
      () => [
        `${join(directory, 'short')}: the secret has 7 bytes, expected at least 32 ` +
          '(auth.jwtKeys)',
      ],
    ],
  ];
  for (const [title, toml, lines] of faults) {
    test(`says what is wrong: ${title}`, async () => {
      const config = configured(toml());
      const read = async () => [await readAccess(config), await createAuthenticator(config)];
      await assert.rejects(read, error => {
        assert.ok(error instanceof AuthFault);
        assert.deepEqual(error.lines, lines());
        return true;
      });
    });
  }
});

describe('steps in order', () => {
  const allow = { authenticate: () => ALLOWED };
  const next = { authenticate: () => null };
  const deny = { authenticate: async () => WRONG };
  const closed = { anonymous: false };

  test('the first that knows the client decides, at once or later', async () => {
    assert.equal(await ask(new Chain([next, allow, deny], closed), alice), ALLOWED);
    assert.equal(await ask(new Chain([next, deny, allow], closed), alice), WRONG);
    const late = { authenticate: async () => null };
    assert.equal(await ask(new Chain([late, allow], closed), alice), ALLOWED);
    assert.equal(await ask(new Chain([late, next], closed), alice), WRONG);
  });

  test('what is known at once is answered before authenticate returns', () => {
    let result: AuthResult | null = null;
    new Chain([next, allow], closed).authenticate(alice, given => {
      result = given;
    });
    assert.equal(result, ALLOWED);
  });

  test('a step that fails lets nobody in, and is told about', async () => {
    const told: unknown[] = [];
    const options = { anonymous: true, onError: (error: unknown) => told.push(error) };
    const fault = new Error('x');
    const throws = {
      authenticate() {
        throw fault;
      },
    };
    const rejects = { authenticate: () => Promise.reject(fault) };
    for (const broken of [throws, rejects]) {
      assert.equal(await ask(new Chain([broken, allow], options), alice), UNAVAILABLE);
    }
    assert.deepEqual(told, [fault, fault]);
  });

  test('what a listener has proved comes first, but no enhanced login is skipped', async () => {
    const origin = originWith({ username: 'meter' });
    const chain = new Chain([deny], closed);
    const result = await ask(chain, { ...alice, origin });
    assert.deepEqual(result, { reason: Reason.Success, username: 'meter', standing: 'listener' });
    const enhanced = { ...alice, origin, authMethod: 'SCRAM-SHA-256' };
    assert.equal(await ask(chain, enhanced), WRONG);
    assert.equal(await ask(new Chain([next], closed), enhanced), NOT_AUTHORIZED);
  });
});

describe('who was let in', () => {
  const guest = (result: AuthResult, username: string | null) => ({
    username: result.username === undefined ? username : result.username,
    origin: null,
    standing: result.standing ?? '',
  });
  const before = 'users = { alice = "secret", bob = "hidden" }';
  const login = async (toml: string, name: string | null, password: string | null) => {
    const admission = await createAuthenticator(configured(toml));
    return guest(await ask(admission, offer(name, password)), name);
  };
  const stays = async (toml: string, who: ReturnType<typeof guest>) =>
    (await createAuthenticator(configured(toml))).mayStay(who);

  test('stays as long as what let it in is there', async () => {
    const inside = await login(before, 'alice', 'secret');
    assert.equal(await stays(before, inside), true);
    assert.equal(await stays('users = { alice = "secret" }', inside), true, 'others went');
    assert.equal(await stays('users = { alice = "other" }', inside), false, 'a new password');
    assert.equal(await stays('users = { bob = "secret" }', inside), false, 'the user has gone');
    const passwordFile = file('moved', `alice:${formatHash(makeToken().hash)}\n`);
    assert.equal(await stays(`passwordFile = "${passwordFile}"`, inside), false);
  });

  test('without a name: as long as that is allowed', async () => {
    const inside = await login(before, null, null);
    assert.equal(await stays(before, inside), true);
    assert.equal(await stays(`anonymous = false\n${before}`, inside), false);
  });

  test('by an open broker: as long as nobody has to prove the name it brought', async () => {
    const named = await login('', 'alice', null);
    assert.equal(await stays('', named), true);
    assert.equal(await stays(before, named), false);
    assert.equal(await stays(before, await login('', null, null)), true);
  });

  test('by a token: as long as the same keys are believed', async () => {
    const believing = async (secret: string) =>
      (await createAuthenticator(
        configured(`jwtKeys = "${file('jwt', secret.repeat(32))}"`),
      )) as Chain;
    const step = async (secret: string) => {
      const { JwtStep, localKeys } = await import('../../src/auth/jwt-step.ts');
      const { jwtAlgorithms: algorithms, jwtIssuer: issuer } = configured('');
      const names = { issuer, audience: '', userClaim: 'sub', rulesClaim: 'acl' };
      const keys = localKeys(Buffer.from(secret.repeat(32)));
      return new JwtStep(keys, { algorithms, ...names, onTrouble() {} });
    };
    const inside = { username: 'x', origin: null, standing: (await step('a')).standing() };
    assert.equal((await believing('a')).mayStay(inside), true);
    assert.equal((await believing('b')).mayStay(inside), false);
  });
});
