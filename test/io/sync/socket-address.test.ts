// Addresses as text ↔ as the kernel has them.

import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import {
  readSocketAddress,
  SOCKADDR_BYTES_MAX,
  writeSocketAddress,
} from '../../../src/io/sync/socket-address.ts';
import { describe, rounds, test } from '../../harness.ts';

const view = new DataView(new ArrayBuffer(SOCKADDR_BYTES_MAX));

function rewritten(host: string): string {
  assert.notEqual(writeSocketAddress(view, host, 1883), 0, host);
  const { host: read, port } = readSocketAddress(view);
  assert.equal(port, 1883);
  return read;
}

const length = (text: string) => text.length;

/** The eight groups of an IPv6 address, the plain way. */
function groups(host: string): number[] {
  const [front, back] = host.split('::').map(side =>
    side.split(':').flatMap(group => {
      const [a = 0, b, c = 0, d = 0] = group.split('.').map(Number);
      if (b !== undefined) return [(a << 8) | b, (c << 8) | d];
      return group === '' ? [] : [Number.parseInt(group, 16)];
    }),
  ) as [number[], number[]?];
  if (back === undefined) return front;
  return [...front, ...Array<number>(8 - front.length - back.length).fill(0), ...back];
}

describe('socket addresses', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['127.0.0.1', '127.0.0.1'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.1.20.99', '255.1.20.99'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['FE80::1', 'fe80::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['::ffff:192.0.2.1', '::ffff:c000:201'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:192.0.2.33', '1:2:3:4:5:6:c000:221'],
    ['::192.0.2.33', '::c000:221'],
  ];
  for (const [given, expected] of cases) {
    test(`${given} is ${expected}`, () => assert.equal(rewritten(given), expected));
  }

  test('any IPv6 address comes back as itself in its shortest form', () => {
    fc.assert(
      fc.property(fc.ipV6(), host => {
        const short = rewritten(host);
        assert.ok(isIPv6(short), short);
        assert.deepEqual(groups(short), groups(host));
        const longest = (zeros: RegExp) => Math.max(0, ...(short.match(zeros) ?? []).map(length));
        assert.ok(short.includes('::') || longest(/\b0(:0\b)+/g) === 0, `${short} of ${host}`);
      }),
      { numRuns: 500 * rounds },
    );
  });

  test('any IPv4 address comes back as itself', () => {
    fc.assert(fc.property(fc.ipV4(), host => assert.equal(rewritten(host), host)));
  });

  test('a zone is the number of an interface', () => {
    writeSocketAddress(view, 'fe80::1%7', 1883);
    assert.equal(view.getUint32(24, true), 7);
  });

  test('what is no address is left to the resolver', () => {
    for (const host of ['localhost', '127.0.0', 'example.org', '::g', '']) {
      assert.equal(writeSocketAddress(view, host, 1883), 0, host);
    }
  });
});
