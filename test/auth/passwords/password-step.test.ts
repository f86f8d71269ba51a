// User names and passwords: who is let in, what unknown names cost, who has to wait, what is
// remembered and what may be under way at once.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { hashScrypt, makeToken } from '../../../src/auth/passwords/compute.ts';
import { HashQueue } from '../../../src/auth/passwords/hash-queue.ts';
import { type PasswordOptions, PasswordStep } from '../../../src/auth/passwords/password-step.ts';
import { formatHash, type StoredHash } from '../../../src/auth/passwords/stored-hash.ts';
import { ALLOWED, BANNED, BUSY, type Verdict, WRONG } from '../../../src/auth/step.ts';
import { addressOf, networkOf } from '../../../src/core/limits/address.ts';
import { beforeAll, describe, freshSeed, test } from '../../harness.ts';
import { offer } from '../offer.ts';

const cheap = { logN: 4, blockSize: 1, parallel: 1 };
const bounds = { runningMax: 2, waitingMax: 100, waitingPerNetworkMax: 50 };
let alice: StoredHash;
let now = 0;

beforeAll(async () => {
  alice = await hashScrypt(Buffer.from('secret'), cheap);
});

function step(options: Partial<PasswordOptions> = {}): PasswordStep {
  const defaults = { users: {}, hashes: new Map([['alice', alice]]), cacheMs: 60_000, bounds };
  return new PasswordStep({ ...defaults, now: () => now, ...options });
}

const from = (peer: string, name: string, password: string) => ({ ...offer(name, password), peer });

describe('passwords', () => {
  test('right, wrong, unknown, none', async () => {
    const passwords = step();
    assert.equal(await passwords.authenticate(offer('alice', 'secret')), ALLOWED);
    assert.equal(await passwords.authenticate(offer('alice', 'Secret')), WRONG);
    assert.equal(await passwords.authenticate(offer('alice', null)), WRONG);
    assert.equal(await passwords.authenticate(offer('bob', 'secret')), null);
    assert.equal(passwords.authenticate(offer(null, 'secret')), null);
    const enhanced = { ...offer('alice', 'secret'), authMethod: 'SCRAM-SHA-256' };
    assert.equal(passwords.authenticate(enhanced), null);
  });

  test('passwords in the configuration, plain or as a hash, are verified too', async () => {
    const users = { bob: 'plain', carol: formatHash(alice) };
    const passwords = step({ users });
    assert.equal(await passwords.authenticate(offer('bob', 'plain')), ALLOWED);
    assert.equal(await passwords.authenticate(offer('bob', 'plain ')), WRONG);
    assert.equal(await passwords.authenticate(offer('carol', 'secret')), ALLOWED);
    assert.equal(await passwords.authenticate(offer('carol', formatHash(alice))), WRONG);
  });

  test('lets in only what is right, whatever is offered', () => {
    const passwords = step({ users: { alice: 'secret', ünï: 'pässwörd' }, hashes: new Map() });
    const name = fc.option(fc.oneof(fc.constant('alice'), fc.string({ unit: 'binary' })));
    const password = fc.option(fc.oneof(fc.constant('secret'), fc.string({ unit: 'binary' })));
    const check = fc.property(name, password, (username, text) => {
      now += 3_600_000; // whoever was wrong has waited
      const verdict = passwords.authenticate(offer(username, text));
      assert.equal(verdict === ALLOWED, username === 'alice' && text === 'secret');
    });
    fc.assert(check, { seed: freshSeed() });
    for (const odd of ['__proto__', 'constructor', '']) {
      assert.equal(passwords.authenticate(offer(odd, 'secret')), null);
    }
  });

  test('an unknown name is computed like a known one', async () => {
    const passwords = step();
    // Both need the queue: neither is answered at once.
    assert.ok(passwords.authenticate(offer('nobody', 'x')) instanceof Promise);
    assert.ok(passwords.authenticate(offer('alice', 'x')) instanceof Promise);
    const tokens = step({ hashes: new Map([['device', makeToken().hash]]) });
    assert.equal(tokens.authenticate(offer('nobody', 'x')), null);
    assert.equal(tokens.authenticate(offer('device', 'x')), WRONG);
  });

  test('who was right a moment ago is let in at once, but not for ever', async () => {
    const passwords = step({ cacheMs: 1_000 });
    await passwords.authenticate(offer('alice', 'secret'));
    assert.equal(passwords.authenticate(offer('alice', 'secret')), ALLOWED);
    assert.ok(passwords.authenticate(offer('alice', 'secret ')) instanceof Promise);
    now += 1_000;
    assert.ok(passwords.authenticate(offer('alice', 'secret')) instanceof Promise);
  });

  test('nothing is remembered where that is turned off', async () => {
    const passwords = step({ cacheMs: 0 });
    await passwords.authenticate(offer('alice', 'secret'));
    assert.ok(passwords.authenticate(offer('alice', 'secret')) instanceof Promise);
  });

  test('users that were replaced are asked anew, also those under way', async () => {
    const passwords = step();
    await passwords.authenticate(offer('alice', 'secret'));
    const underWay = from('192.0.2.9:1', 'alice', 'secret');
    passwords.replace({ users: {}, hashes: new Map() });
    assert.equal(await passwords.authenticate(underWay), null);
    const again = step();
    const late = again.authenticate(underWay);
    again.replace({ users: { alice: 'other' }, hashes: new Map() });
    assert.equal(await late, WRONG);
  });

  test('a device with a wrong password waits longer and longer, and keeps nobody out', async () => {
    const passwords = step({ cacheMs: 0 });
    const guess = (name = 'alice') => passwords.authenticate(from('192.0.2.1:1', name, 'guess'));
    for (let i = 0; i < 6; i++) assert.equal(await guess(), WRONG);
    assert.equal(guess(), BANNED);
    assert.equal(passwords.authenticate(from('192.0.2.1:9', 'alice', 'secret')), BANNED);
    assert.equal(await passwords.authenticate(from('192.0.2.2:1', 'alice', 'secret')), ALLOWED);
    assert.equal(await guess('bob'), null);
    now += 1_000;
    assert.equal(await guess(), WRONG);
    now += 1_999;
    assert.equal(guess(), BANNED);
    now += 1;
    assert.equal(await passwords.authenticate(from('192.0.2.1:9', 'alice', 'secret')), ALLOWED);
  });

  test('a network that tries many names waits for all of them', async () => {
    const passwords = step();
    for (let i = 0; i <= 50; i++) {
      assert.equal(await passwords.authenticate(from('[2001:db8::1]:1', `n${i}`, 'x')), null);
    }
    assert.equal(passwords.authenticate(from('[2001:db8::2]:1', 'alice', 'secret')), BANNED);
    assert.equal(
      await passwords.authenticate(from('[2001:db8:0:1::2]:1', 'alice', 'secret')),
      ALLOWED,
    );
  });

  test('tokens and what was verified pass while a guesser on the same network waits', async () => {
    const { token, hash } = makeToken();
    const passwords = step({
      hashes: new Map([
        ['alice', alice],
        ['device', hash],
      ]),
    });
    await passwords.authenticate(offer('alice', 'secret'));
    for (let i = 0; i <= 50; i++) await passwords.authenticate(offer(`n${i}`, 'x'));
    assert.equal(passwords.authenticate(offer('bob', 'x')), BANNED);
    assert.equal(passwords.authenticate(offer('device', token)), ALLOWED);
    assert.equal(passwords.authenticate(offer('alice', 'secret')), ALLOWED);
  });

  test('10,000 devices with tokens are let in at once', () => {
    const devices = Array.from({ length: 10_000 }, (_, i) => ({ name: `d${i}`, ...makeToken() }));
    const passwords = step({ hashes: new Map(devices.map(({ name, hash }) => [name, hash])) });
    const start = performance.now();
    for (const { name, token } of devices) {
      assert.equal(passwords.authenticate(offer(name, token)), ALLOWED);
    }
    // Hashes as slow as those of passwords would take minutes.
    assert.ok(performance.now() - start < 20_000);
  });

  test('one login offered by many at once is computed once', async () => {
    const passwords = step({ bounds: { ...bounds, waitingMax: 0 } });
    const many = Array.from({ length: 1_000 }, (_, i) =>
      passwords.authenticate(from(`192.0.2.1:${i}`, 'alice', 'secret')),
    );
    assert.deepEqual(await Promise.all(many), new Array<Verdict>(1_000).fill(ALLOWED));
  });

  test('more than may wait are told that the server is busy', async () => {
    const passwords = step({ bounds: { runningMax: 1, waitingMax: 2, waitingPerNetworkMax: 1 } });
    const peers = ['192.0.2.1:1', '192.0.2.1:2', '192.0.2.1:3', '192.0.2.2:1', '192.0.2.3:1'];
    const verdicts = peers.map((peer, i) => passwords.authenticate(from(peer, 'alice', `x${i}`)));
    assert.deepEqual(await Promise.all(verdicts), [WRONG, WRONG, BUSY, WRONG, BUSY]);
  });
});

describe('the hash queue', () => {
  test('runs no more than its bound at once, in order, and goes on after a failure', async () => {
    const queue = new HashQueue({ runningMax: 2, waitingMax: 10, waitingPerNetworkMax: 10 });
    const finish: (() => void)[] = [];
    const order: number[] = [];
    const results = [0, 1, 2, 3, 4].map(i =>
      queue.run('n', () => {
        order.push(i);
        return new Promise<number>((resolve, reject) => {
          finish[i] = () => (i === 1 ? reject(new Error('no')) : resolve(i));
        });
      }),
    );
    const settled = Promise.allSettled(results.map(result => result!));
    assert.deepEqual(order, [0, 1]);
    for (const i of [1, 0, 2, 3, 4]) {
      while (finish[i] === undefined) await Promise.resolve();
      finish[i]();
    }
    assert.deepEqual((await settled).map(({ status }) => status)[1], 'rejected');
    assert.deepEqual(order, [0, 1, 2, 3, 4]);
  });
});

describe('whose address it is', () => {
  const cases: [peer: string, address: string, network: string][] = [
    ['192.0.2.7:51234', '192.0.2.7', '192.0.2.7'],
    ['[2001:db8::1]:1', '2001:db8::1', '2001:db8:0:0::/64'],
    ['[2001:db8:1:2:3:4:5:6]:1', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['[::1]:1883', '::1', '0:0:0:0::/64'],
    ['[fe80::1%eth0]:1', 'fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['[::ffff:192.0.2.7]:1', '::ffff:192.0.2.7', '192.0.2.7'],
    ['/run/minnow.sock', '/run/minnow.sock', '/run/minnow.sock'],
    ['', '', ''],
  ];
  for (const [peer, address, network] of cases) {
    test(`${peer} is ${address} of ${network}`, () => {
      assert.equal(addressOf(peer), address);
      assert.equal(networkOf(peer), network);
    });
  }
});
