// Hashes that others made (mosquitto_passwd, Python, Bun), hashes that we make, and a file of them.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { calibrate } from '../../../src/auth/passwords/calibrate.ts';
import {
  decoyOf,
  hashPbkdf2,
  hashScram,
  hashScrypt,
  isCheap,
  makeToken,
  type ScryptCosts,
  verify,
} from '../../../src/auth/passwords/compute.ts';
import {
  changePasswords,
  nameFault,
  parsePasswords,
} from '../../../src/auth/passwords/password-file.ts';
import {
  formatHash,
  parseHash,
  type StoredHash,
  scryptBytes,
} from '../../../src/auth/passwords/stored-hash.ts';
import { describe, freshSeed, test } from '../../harness.ts';

/** What other programs wrote, and the password they wrote it for. */
const foreign: readonly [who: string, password: string, hash: string][] = [
  [
    'mosquitto_passwd 2.0.11, PBKDF2',
    'secret',
    '$7$101$7kfL0vTB4tGuJQkT$ghfRwJWRcRD5bc+t0aAxLuUmUtWYf6hvdb4+irMkWZrheT19Jl8FFGQwGwMuOeBJyWlp' +
      '4zjhigKGrReu6a4MrQ==',
  ],
  [
    'mosquitto_passwd 2.0.11, SHA-512',
    'pässwörd',
    '$6$QRa2RZKe2ZNWrPP4$jfYE1MVpUOzl8dg+mBgnwVseMbJfAGER2EH3qAe84xuL/vFP00ERXSCQ+REha/yINsXeLTYN' +
      '9wyTwdqK7xuHtg==',
  ],
  [
    'Bun, argon2id',
    'argon secret',
    '$argon2id$v=19$m=1024,t=2,p=1$zXltJrX7kv1218wuBbeGv+5mlAR6pD7iDQPt92ks+j0$+6g7AqHdryNkiVO4+N' +
      'y8fGrDQPfwvr50QJS1rapgzPI',
  ],
  [
    'Python, scrypt',
    'scrypt secret',
    '$scrypt$ln=10,r=8,p=2$MDEyMzQ1Njc4OWFiY2RlZg$LGdbhHXHbx0i6zSRBnFBgwYV2pZVbUNJ/KmxtsMnX70',
  ],
];

const bytes = (text: string) => Buffer.from(text);
const cheap: ScryptCosts = { logN: 4, blockSize: 1, parallel: 1 };

function parsed(text: string): StoredHash {
  const hash = parseHash(text);
  assert.ok(hash !== null, text);
  return hash;
}

describe('hashes', () => {
  for (const [who, password, text] of foreign) {
    test(`${who}: right for its password only, and written back the same`, async () => {
      const hash = parsed(text);
      assert.equal(await verify(hash, bytes(password)), true);
      for (const wrong of ['', `${password}x`, password.slice(1), password.toUpperCase()]) {
        assert.equal(await verify(hash, bytes(wrong)), false, wrong);
      }
      assert.equal(formatHash(hash), text);
    });
  }

  test('ours are read back as they were written, and right for their password only', async () => {
    const token = makeToken();
    const made: [password: string, hash: StoredHash][] = [
      ['sësame', await hashScrypt(bytes('sësame'), cheap)],
      ['sësame', await hashPbkdf2(bytes('sësame'), 10)],
      ['sësame', await hashScram(bytes('sësame'), 10)],
      [token.token, token.hash],
    ];
    for (const [password, hash] of made) {
      const again = parsed(formatHash(hash));
      assert.deepEqual({ ...again }, { ...hash }, hash.kind);
      assert.equal(await verify(again, bytes(password)), true, hash.kind);
      assert.equal(await verify(again, bytes(`${password} `)), false, hash.kind);
      assert.equal(await verify(again, bytes('')), false, hash.kind);
    }
  });

  test('two hashes of one password differ', async () => {
    const [a, b] = [await hashScrypt(bytes('x'), cheap), await hashScrypt(bytes('x'), cheap)];
    assert.notEqual(formatHash(a), formatHash(b));
  });

  test('a token has at least 128 bits and needs no escaping anywhere', () => {
    const { token } = makeToken();
    assert.match(token, /^[A-Za-z0-9_-]{22,}$/);
    assert.ok(Buffer.from(token, 'base64url').length * 8 >= 128);
    assert.notEqual(makeToken().token, token);
  });

  test('a decoy costs what its model does and is right for nothing', async () => {
    for (const [, password, text] of foreign) {
      const model = parsed(text);
      const decoy = decoyOf(model);
      assert.equal(decoy.kind, model.kind);
      assert.equal(isCheap(decoy), isCheap(model));
      const costs = (hash: StoredHash) =>
        Object.values(hash).filter(value => typeof value === 'number');
      assert.deepEqual(costs(decoy), costs(model));
      assert.equal(await verify(decoy, bytes(password)), false);
    }
  });

  test('what is no hash, or asks for too much, is refused', () => {
    const salt = 'MDEyMzQ1Njc4OWFiY2RlZg';
    const digest = 'LGdbhHXHbx0i6zSRBnFBgwYV2pZVbUNJ/KmxtsMnX70';
    const texts = [
      '',
      'secret',
      '$',
      '$5$x$y',
      `$6$${salt}$${digest}`,
      `$7$0$${salt}$${digest}`,
      `$scrypt$ln=30,r=8,p=1$${salt}$${digest}`,
      `$scrypt$ln=23,r=64,p=1$${salt}$${digest}`,
      `$scrypt$ln=10,r=8$${salt}$${digest}`,
      `$scrypt$r=8,ln=10,p=1$${salt}$${digest}`,
      `$scrypt$ln=10,r=8,p=0$${salt}$${digest}`,
      `$scrypt$ln=10,r=8,p=1$${salt}$${digest}$`,
      `$scrypt$ln=10,r=8,p=1$${salt}$!`,
      `$argon2id$v=16$m=1024,t=1,p=1$${salt}$${digest}`,
      `$argon2id$v=19$m=99999999,t=1,p=1$${salt}$${digest}`,
      `$argon2i$v=19$m=1024,t=1,p=1$${salt}$${digest}`,
      `$token$${salt}`,
      `$scram-sha-256$i=0$${salt}$${digest}$${digest}`,
      `$scram-sha-256$i=10$${salt}$${digest}$${salt}`,
      '$toString$x',
    ];
    for (const text of texts) assert.equal(parseHash(text), null, text);
  });

  test('no text makes the parser throw', () => {
    const start = fc.constantFrom('', '$6$', '$7$', '$scrypt$', '$argon2id$v=19$m=8,t=1,p=1$');
    const check = fc.property(start, fc.string({ unit: 'binary' }), (head, tail) => {
      const hash = parseHash(head + tail);
      if (hash !== null) assert.notEqual(parseHash(formatHash(hash)), null);
    });
    fc.assert(check, { seed: freshSeed() });
  });
});

describe('calibration', () => {
  /** A machine on which one block of 1 kB takes so long. */
  const machine = (nsPerBlock: number) => async (costs: ScryptCosts) =>
    (2 ** costs.logN * costs.parallel * nsPerBlock) / 1e6;
  const MB = 2 ** 20;

  test('stays within time and memory, however fast the machine', async () => {
    for (const nsPerBlock of [50, 500, 2_000, 20_000, 60_000]) {
      for (const memoryBytes of [4 * MB, 16 * MB]) {
        const { costs, ms } = await calibrate({ timeMs: 100, memoryBytes }, machine(nsPerBlock));
        assert.ok(ms <= 100, `${ms} ms at ${nsPerBlock}`);
        assert.ok(128 * 8 * 2 ** costs.logN <= memoryBytes);
      }
    }
  });

  test('uses what there is', async () => {
    const fast = await calibrate({ timeMs: 100, memoryBytes: 16 * MB }, machine(2_000));
    assert.deepEqual(fast.costs, { logN: 14, blockSize: 8, parallel: 2 });
    assert.ok(scryptBytes(fast.costs) < 17 * MB);
    const slow = await calibrate({ timeMs: 100, memoryBytes: 4 * MB }, machine(20_000));
    assert.deepEqual(slow.costs, { logN: 12, blockSize: 8, parallel: 1 });
  });

  test('never asks for less than makes sense', async () => {
    const { costs } = await calibrate({ timeMs: 100, memoryBytes: 4 * MB }, machine(1e6));
    assert.deepEqual(costs, { logN: 10, blockSize: 8, parallel: 1 });
  });
});

describe('a password file', () => {
  const [, , alice] = foreign[0];
  const [, , bob] = foreign[1];

  test('holds names and hashes, comments and blank lines', () => {
    const text = `# devices\n\nalice:${alice}\r\nbob:${bob}  \n`;
    const { users, faults } = parsePasswords(text);
    assert.deepEqual(faults, []);
    assert.deepEqual([...users.keys()], ['alice', 'bob']);
    assert.equal(formatHash(users.get('bob')!), bob);
  });

  test('says what is wrong in which line, and never shows what stands there', () => {
    const text = `alice:${alice}\nnobody\n:${bob}\nalice:${bob}\ncarol:hunter2\n`;
    const { users, faults } = parsePasswords(text);
    assert.deepEqual([...users.keys()], ['alice']);
    assert.deepEqual(
      faults.map(fault => fault.slice(0, 20)),
      [
        '2: found no name, ex',
        '3: found no name, ex',
        '4: found "alice" aga',
        '5: found no hash beh',
      ],
    );
    assert.ok(!faults.join().includes('hunter2'));
  });

  test('is changed line by line: the others stay as they are', () => {
    const before = `# kept\nalice:${alice}\n\nbob:${bob}\n`;
    assert.equal(changePasswords(before, 'alice', '$x'), `# kept\nalice:$x\n\nbob:${bob}\n`);
    assert.equal(changePasswords(before, 'carol', '$x'), `${before}carol:$x\n`);
    assert.equal(changePasswords(before, 'bob', null), `# kept\nalice:${alice}\n\n`);
    assert.equal(changePasswords('', 'a', '$x'), 'a:$x\n');
    assert.equal(changePasswords('a:$x\n', 'a', null), '');
    assert.equal(changePasswords('ab:$x\n', 'a', '$y'), 'ab:$x\na:$y\n');
  });

  test('names that would break a line are refused', () => {
    for (const name of ['', 'a:b', 'a\nb', 'a\rb', 'a\0', '#a', 'x'.repeat(70_000)]) {
      assert.notEqual(nameFault(name), null, JSON.stringify(name.slice(0, 10)));
    }
    for (const name of ['a', 'a b', 'ünï', 'a#', '$x']) assert.equal(nameFault(name), null, name);
  });
});
