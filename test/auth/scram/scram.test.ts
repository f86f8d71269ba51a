// SCRAM-SHA-256: RFC 7677's example, a client of our own against it, and all that a client can get
// wrong.

import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import * as fc from 'fast-check';
import { hashScram, hashScrypt } from '../../../src/auth/passwords/compute.ts';
import type { ScramHash, StoredHash } from '../../../src/auth/passwords/stored-hash.ts';
import { parseClientFirst, ScramExchange } from '../../../src/auth/scram/exchange.ts';
import { ScramStep } from '../../../src/auth/scram/scram-step.ts';
import { BANNED, NOT_AUTHORIZED } from '../../../src/auth/step.ts';
import type { AuthResult, Credentials } from '../../../src/core/access.ts';
import { decodeResult, encodeResult } from '../../../src/engine/thread/messages.ts';
import { Reason } from '../../../src/mqtt/reason.ts';
import { beforeAll, describe, freshSeed, test } from '../../harness.ts';
import { type Client as Peer, World } from '../../world.ts';
import { offer } from '../offer.ts';

const hmac = (key: Uint8Array, text: string) => createHmac('sha256', key).update(text).digest();
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

/** The client's side, written by the RFC once more. */
class Client {
  readonly bare: string;
  readonly first: string;
  private readonly password: string;
  private serverSignature = '';

  constructor(username: string, password: string, nonce: string) {
    this.password = password;
    const escaped = username.replaceAll('=', '=3D').replaceAll(',', '=2C');
    this.bare = `n=${escaped},r=${nonce}`;
    this.first = `n,,${this.bare}`;
  }

  final(serverFirst: string): string {
    const [, nonce, salt, rounds] = /^r=(.*),s=(.*),i=(\d+)$/.exec(serverFirst) ?? [];
    const salted = pbkdf2Sync(this.password, Buffer.from(salt, 'base64'), +rounds, 32, 'sha256');
    const clientKey = hmac(salted, 'Client Key');
    const signed = `${this.bare},${serverFirst},c=biws,r=${nonce}`;
    const signature = hmac(sha256(clientKey), signed);
    const proof = Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]));
    this.serverSignature = hmac(hmac(salted, 'Server Key'), signed).toString('base64');
    return `c=biws,r=${nonce},p=${proof.toString('base64')}`;
  }

  /** Whether the server has shown that it knows the password too. */
  believes(serverFinal: string): boolean {
    return serverFinal === `v=${this.serverSignature}`;
  }
}

let hashes: Map<string, StoredHash>;
let now = 0;
beforeAll(async () => {
  hashes = new Map<string, StoredHash>([
    ['alice', await hashScram(Buffer.from('secret'), 10)],
    ['a,b=c', await hashScram(Buffer.from('secret'), 10)],
    ['plain', await hashScrypt(Buffer.from('secret'), { logN: 4, blockSize: 1, parallel: 1 })],
  ]);
});

const newStep = () => new ScramStep({ hashes, now: () => now });

function says(text: string | null, more: Partial<Credentials> = {}): Credentials {
  const authData = text === null ? null : Buffer.from(text);
  return { ...offer(null, null), authMethod: 'SCRAM-SHA-256', authData, ...more };
}

const textOf = (result: AuthResult | null) => Buffer.from(result?.data ?? []).toString();

/** A whole exchange; gives the last verdict. */
function exchange(step: ScramStep, client: Client, more: Partial<Credentials> = {}) {
  const first = step.authenticate(says(client.first, more));
  if (first?.reason !== Reason.ContinueAuthentication) return first;
  const { exchange = null } = overThreads(first);
  return step.authenticate(says(client.final(textOf(first)), { ...more, exchange }));
}

/** What the core keeps for its connection, where it is on another thread. */
const overThreads = (result: AuthResult): AuthResult =>
  decodeResult(JSON.parse(JSON.stringify(encodeResult(result))));

describe("RFC 7677's example", () => {
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
  const salted = pbkdf2Sync('pencil', salt, 4096, 32, 'sha256');
  const storedKey = sha256(hmac(salted, 'Client Key'));
  const serverKey = hmac(salted, 'Server Key');
  const hash: ScramHash = { kind: 'scram', rounds: 4096, salt, storedKey, serverKey };

  test('message by message', () => {
    const first = parseClientFirst('n,,n=user,r=rOprNGfwEbeRWgbNEkqO');
    assert.ok(first !== null);
    const server = new ScramExchange(first, hash, '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0');
    assert.equal(
      server.serverFirst,
      'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    );
    assert.equal(
      server.finish(
        'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,' +
          'p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
      ),
      'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
    );
  });
});

describe('an exchange', () => {
  test('lets in who knows the password, and shows that we know it', () => {
    for (const name of ['alice', 'a,b=c']) {
      const client = new Client(name, 'secret', 'nonce');
      const result = exchange(newStep(), client);
      assert.equal(result?.reason, Reason.Success);
      assert.equal(result?.username, name);
      assert.ok(client.believes(textOf(result)));
    }
  });

  test('refuses a wrong password, a name that is unknown and one that has no hash for this', () => {
    for (const [name, password] of [
      ['alice', 'Secret'],
      ['bob', 'secret'],
      ['plain', 'secret'],
    ]) {
      assert.equal(exchange(newStep(), new Client(name, password, 'n')), NOT_AUTHORIZED, name);
    }
  });

  test('begins alike for known and unknown names, the same each time, also after a restart', () => {
    const salt = (name: string, step = newStep()) =>
      textOf(step.authenticate(says(new Client(name, '', 'n').first)))
        .split(',')
        .slice(1)
        .join();
    assert.match(salt('alice'), /^s=[A-Za-z0-9+/]{22}==,i=10$/);
    assert.match(salt('bob'), /^s=[A-Za-z0-9+/]{22}==,i=10$/);
    assert.equal(salt('bob'), salt('bob'));
    assert.notEqual(salt('bob'), salt('eve'));
  });

  test('has a nonce of its own each time', () => {
    const begin = () => textOf(newStep().authenticate(says('n,,n=alice,r=n')));
    assert.notEqual(begin(), begin());
  });

  test('must prove the name that CONNECT offers, or that is connected already', () => {
    const client = () => new Client('alice', 'secret', 'n');
    assert.equal(exchange(newStep(), client(), { username: 'alice' })?.reason, Reason.Success);
    assert.equal(exchange(newStep(), client(), { username: 'bob' }), NOT_AUTHORIZED);
  });

  test('can be had again by who is connected', () => {
    const step = newStep();
    assert.equal(exchange(step, new Client('alice', 'secret', 'n'))?.reason, Reason.Success);
    const again = { username: 'alice' };
    const result = exchange(step, new Client('alice', 'secret', 'm'), again);
    assert.equal(result?.reason, Reason.Success);
    assert.equal(exchange(step, new Client('alice', 'x', 'm'), again), NOT_AUTHORIZED);
  });

  test('cannot be finished without a beginning, or after a while', () => {
    const step = newStep();
    const client = new Client('alice', 'secret', 'n');
    const first = step.authenticate(says(client.first))!;
    const final = client.final(textOf(first));
    assert.equal(step.authenticate(says(final)), NOT_AUTHORIZED);
    now += 30_000;
    const late = { exchange: first.exchange ?? null };
    assert.equal(step.authenticate(says(final, late)), NOT_AUTHORIZED);
  });

  test('goes on across a reload, by the passwords that hold then', async () => {
    const client = new Client('alice', 'secret', 'n');
    const first = newStep().authenticate(says(client.first))!;
    const final = says(client.final(textOf(first)), { exchange: first.exchange ?? null });
    assert.equal(newStep().authenticate(final)?.reason, Reason.Success);
    const changed = new Map([['alice', await hashScram(Buffer.from('another'), 10)]]);
    const step = new ScramStep({ hashes: changed, now: () => now });
    assert.equal(step.authenticate(final), NOT_AUTHORIZED);
  });

  test('must say in the end what was said before', () => {
    const client = new Client('alice', 'secret', 'n');
    const changes: ((final: string) => string)[] = [
      final => final.replace('c=biws', 'c=eSws'),
      final => final.replace('r=n', 'r=m'),
      final => final.replace(/p=..../, 'p=AAAA'),
      final => final.replace(/p=.*/, 'p='),
      final => final.replace(',p=', ',x=y,p='),
      final => `${final},x=y`,
      () => 'c=biws',
    ];
    for (const change of changes) {
      const step = newStep();
      const final = client.final(textOf(step.authenticate(says(client.first))));
      assert.equal(step.authenticate(says(change(final))), NOT_AUTHORIZED, change(final));
    }
  });

  test('keeps who guesses waiting', () => {
    const step = newStep();
    for (let i = 0; i < 6; i++) {
      assert.equal(exchange(step, new Client('alice', 'x', 'n')), NOT_AUTHORIZED);
    }
    assert.equal(exchange(step, new Client('alice', 'secret', 'n')), BANNED);
    now += 1_000;
    assert.equal(exchange(step, new Client('alice', 'secret', 'n'))?.reason, Reason.Success);
  });

  test('with another method is somebody else’s', () => {
    assert.equal(newStep().authenticate({ ...says('n,,n=a,r=n'), authMethod: 'OTHER' }), null);
    assert.equal(newStep().authenticate({ ...says('n,,n=a,r=n'), authMethod: null }), null);
  });
});

describe('an exchange belongs to its connection', () => {
  const method = 'SCRAM-SHA-256';
  const properties = (text: string) => ({
    authenticationMethod: method,
    authenticationData: Buffer.from(text),
  });
  /** All of them by one unix socket, where peers have no addresses. */
  const world = () => {
    const step = newStep();
    return new World({ authMethods: [method] }, undefined, asked => step.authenticate(asked));
  };
  const begin = (at: World, client: Client) => {
    const end = at.open(5, { peer: 'unix:' });
    end.send({ type: 'connect', clientId: 'c', properties: properties(client.first) });
    return { end, answer: challenge(end) };
  };
  const challenge = (end: Peer) => {
    const [auth] = end.take();
    assert.ok(auth?.type === 'auth' && auth.reason === Reason.ContinueAuthentication);
    return Buffer.from(auth.properties.authenticationData ?? []).toString();
  };
  const finish = (end: Peer, text: string) =>
    end.send({ type: 'auth', reason: 0x18, properties: properties(text) });
  const outcome = (end: Peer) => {
    const [packet] = end.take();
    assert.ok(packet?.type === 'connack' || packet?.type === 'auth');
    return packet.reason;
  };

  test('two with one client id and one address do not mix', () => {
    const at = world();
    const [one, two] = [new Client('alice', 'secret', 'n1'), new Client('alice', 'secret', 'n2')];
    const [first, second] = [begin(at, one), begin(at, two)];
    finish(first.end, one.final(first.answer));
    assert.equal(outcome(first.end), 0);
    finish(second.end, two.final(second.answer));
    assert.equal(outcome(second.end), 0);
  });

  test('what one has begun, another cannot finish', () => {
    const at = world();
    const client = new Client('alice', 'secret', 'n');
    const first = begin(at, client);
    const second = begin(at, new Client('alice', 'x', 'm'));
    finish(second.end, client.final(first.answer));
    assert.equal(outcome(second.end), Reason.NotAuthorized);
    first.end.drop();
    const third = at.open(5, { peer: 'unix:' });
    const last = properties(client.final(first.answer));
    third.send({ type: 'connect', clientId: 'c', properties: last });
    assert.equal(outcome(third), Reason.NotAuthorized);
  });

  test('what was finished once is not finished again', () => {
    const at = world();
    const client = new Client('alice', 'secret', 'n');
    const { end, answer } = begin(at, client);
    const final = client.final(answer);
    finish(end, final);
    assert.equal(outcome(end), 0);
    end.send({ type: 'auth', reason: 0x19, properties: properties(final) });
    const [farewell] = end.take();
    assert.ok(farewell?.type === 'disconnect' && farewell.reason === Reason.NotAuthorized);
  });
});

describe('a first message', () => {
  test('that asks for what we do not do, or makes no sense, is none', () => {
    const texts = [
      '',
      'n,,',
      'n,,n=,r=x',
      'n,,n=a',
      'n,,n=a,r=',
      'n,a=admin,n=a,r=x',
      'p=tls-unique,,n=a,r=x',
      'n,,m=ext,n=a,r=x',
      'n,,n=a=b,r=x',
      'n,,n=a=2c,r=x',
      'n,,n=a,r=x y',
      'x,,n=a,r=x',
    ];
    for (const text of texts) assert.equal(parseClientFirst(text), null, text);
    assert.equal(newStep().authenticate(says(null)), NOT_AUTHORIZED);
    assert.equal(parseClientFirst('y,,n=a=2C=3D,r=x,e=1')?.username, 'a,=');
  });

  test('may be anything: nothing throws', () => {
    const head = fc.constantFrom('', 'n,,', 'n,,n=alice,r=', 'c=biws,r=');
    const text = fc.tuple(head, fc.string({ unit: 'binary' })).map(parts => parts.join(''));
    const check = fc.property(fc.array(text, { maxLength: 4 }), list => {
      const step = newStep();
      for (const one of list) assert.notEqual(step.authenticate(says(one))?.reason, 0);
    });
    fc.assert(check, { seed: freshSeed() });
  });
});
