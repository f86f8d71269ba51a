// Which certificates a revocation list names, against lists that OpenSSL has written, and noise.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { certificateName, revokedNames } from '../../../src/io/doors/steps/revocations.ts';
import { afterAll, describe, freshSeed, rounds, test } from '../../harness.ts';
import { Authority, type Pair } from './authority.ts';

const authority = new Authority();
const stranger = new Authority('somebody else');
afterAll(() => {
  authority.remove();
  stranger.remove();
});

const derOf = ({ certificate }: Pair) => new X509Certificate(readFileSync(certificate)).raw;
const listOf = (path: string) =>
  Buffer.from(readFileSync(path, 'utf8').replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');

describe('a revocation list', () => {
  const [first, second, good] = ['first', 'second', 'good'].map(name => authority.issue(name));
  const twin = stranger.issue('twin'); // its number is that of `first`
  const empty = listOf(authority.revocations('empty.crl'));
  authority.revoke(first!);
  authority.revoke(second!);
  const both = listOf(authority.revocations('both.crl'));

  test('names certificates by issuer and number', () => {
    assert.deepEqual(revokedNames(empty), []);
    const names = [first!, second!].map(pair => certificateName(derOf(pair)));
    assert.deepEqual(revokedNames(both), names);
    assert.ok(!names.includes(certificateName(derOf(good!))));
    assert.ok(!names.includes(certificateName(derOf(twin))));
  });

  test('may be of any length', () => {
    // What is signed grows with the authority's name: 127, 128 and 256 bytes are written each in a
    // way of its own.
    const lengths = new Set<string>();
    for (let letters = 28; letters <= 36; letters++) {
      const named = new Authority('n'.repeat(letters));
      const gone = named.issue('gone');
      named.revoke(gone);
      const list = listOf(named.revocations());
      assert.deepEqual(revokedNames(list), [certificateName(derOf(gone))]);
      lengths.add(list.subarray(3, 6).toString('hex'));
      named.remove();
    }
    assert.ok(lengths.has('308180'), 'a part has 128 bytes');
  });

  test('that is cut anywhere is noticed', () => {
    for (let end = 0; end < both.length; end++) {
      assert.throws(() => revokedNames(both.subarray(0, end)), RangeError, `after ${end} bytes`);
    }
  });

  test('that is changed or noise gives names or a RangeError, and ends', () => {
    const seed = freshSeed();
    const changed = fc.tuple(fc.nat(both.length - 1), fc.nat(255)).map(([at, value]) => {
      const copy = Buffer.from(both);
      copy[at] = value;
      return copy;
    });
    const noise = fc.uint8Array({ maxLength: 60 }).map(bytes => Buffer.from(bytes));
    const property = fc.property(fc.oneof(changed, noise), der => {
      for (const read of [revokedNames, certificateName]) {
        try {
          read(der);
        } catch (error) {
          assert.ok(error instanceof RangeError, String(error));
        }
      }
    });
    fc.assert(property, { seed, numRuns: 2_000 * rounds });
  });
});
