// Users from the configuration: who is let in, as whom, and that nothing a client sends throws.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { allowAll } from '../../src/auth/allow-all.ts';
import { createAccess, createAuthenticator } from '../../src/auth/create.ts';
import { StaticAccess, StaticAuthenticator } from '../../src/auth/static.ts';
import type { AuthConfig } from '../../src/config/config.ts';
import type { Authenticator, AuthResult, Credentials } from '../../src/core/access.ts';
import { Reason } from '../../src/mqtt/reason.ts';
import { describe, freshSeed, test } from '../harness.ts';

function offer(username: string | null, password: string | Uint8Array | null): Credentials {
  return {
    clientId: 'c',
    peer: '192.0.2.1:5',
    username,
    password: typeof password === 'string' ? Buffer.from(password) : password,
    authMethod: null,
    authData: null,
  };
}

/** The verdict of an authenticator that answers at once. */
function ask(authenticator: Authenticator, credentials: Credentials): AuthResult {
  const verdicts: AuthResult[] = [];
  authenticator.authenticate(credentials, result => verdicts.push(result));
  assert.equal(verdicts.length, 1, 'one verdict, at once');
  return verdicts[0]!;
}

const users = { alice: 'secret', ünï: 'pässwörd' };

describe('the static authenticator', () => {
  const closed = new StaticAuthenticator({ anonymous: false, users });
  const open = new StaticAuthenticator({ anonymous: true, users });
  const empty = new StaticAuthenticator({ anonymous: true, users: {} });
  const ANONYMOUS: AuthResult = { reason: Reason.Success, username: null };

  test('the right password lets in under the offered name', () => {
    assert.deepEqual(ask(closed, offer('alice', 'secret')), { reason: Reason.Success });
    assert.deepEqual(ask(closed, offer('ünï', 'pässwörd')), { reason: Reason.Success });
  });

  test('anything else does not', () => {
    const wrong = { reason: Reason.BadUserNameOrPassword };
    for (const password of ['', 'Secret', 'secret ', 'secre', null, new Uint8Array(1_000)]) {
      assert.deepEqual(ask(closed, offer('alice', password)), wrong);
      assert.deepEqual(ask(open, offer('alice', password)), wrong);
    }
    for (const name of ['bob', '', '__proto__', 'constructor', 'toString']) {
      assert.deepEqual(ask(open, offer(name, 'secret')), wrong);
      assert.deepEqual(ask(open, offer(name, null)), wrong);
    }
  });

  test('no name: let in without one, or told that it is not authorized', () => {
    assert.deepEqual(ask(open, offer(null, null)), ANONYMOUS);
    assert.deepEqual(ask(open, offer(null, 'secret')), ANONYMOUS);
    assert.deepEqual(ask(closed, offer(null, null)), { reason: Reason.NotAuthorized });
  });

  test('without any users a name is let in but proves nothing', () => {
    assert.deepEqual(ask(empty, offer('alice', 'x')), ANONYMOUS);
  });

  test('never throws and lets in only what is right', () => {
    const name = fc.option(fc.string({ unit: 'binary' }));
    const password = fc.option(fc.uint8Array());
    const check = fc.property(name, password, (username, bytes) => {
      const { reason } = ask(closed, offer(username, bytes));
      const right = username === 'alice' && Buffer.from(bytes ?? []).toString() === 'secret';
      assert.equal(reason === Reason.Success, right);
    });
    fc.assert(check, { seed: freshSeed() });
  });
});

describe('what a configuration asks for', () => {
  const auth = async (given: Partial<AuthConfig>) => {
    const config = { anonymous: true, users: {}, rules: [], ...given };
    return { authenticator: await createAuthenticator(config), access: await createAccess(config) };
  };
  const rule = { user: '*', filter: 'a/#', allow: 'publish' } as const;

  test('nothing configured: everybody may do everything, under the name they bring', async () => {
    const { authenticator, access } = await auth({});
    assert.equal(authenticator, allowAll);
    assert.equal(access, allowAll);
    assert.deepEqual(ask(authenticator, offer('x', null)), { reason: Reason.Success });
    assert.ok(access.mayPublish(offer('x', null), '$SYS/x'));
    assert.ok(access.maySubscribe(offer(null, null), '#'));
  });

  test('users only: who is let in may do everything', async () => {
    const { authenticator, access } = await auth({ users });
    assert.ok(authenticator instanceof StaticAuthenticator);
    assert.equal(access, allowAll);
  });

  test('rules: access is what they say, and nobody takes a name for granted', async () => {
    const { authenticator, access } = await auth({ rules: [rule] });
    assert.ok(authenticator instanceof StaticAuthenticator);
    assert.ok(access instanceof StaticAccess);
    assert.equal(access.mayPublish(offer('x', null), 'a/b'), true);
    assert.equal(access.mayPublish(offer('x', null), 'b'), false);
    assert.equal(access.maySubscribe(offer('x', null), 'a/b'), false);
  });
});
