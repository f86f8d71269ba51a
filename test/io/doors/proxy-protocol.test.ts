// The PROXY protocol's header: every field, every way to be wrong, cut at every byte, and noise.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  HEADER_BYTES_MAX,
  MALFORMED,
  NEED_MORE,
  type ProxyHeader,
  readProxyHeader,
} from '../../../src/io/doors/steps/proxy-protocol.ts';
import { describe, freshSeed, rounds, test } from '../../harness.ts';
import { tlsTlv, tlv, v2, v2Addresses } from './proxy-headers.ts';

const read = (header: Buffer | string) => readProxyHeader(Buffer.from(header as string));

function whole(header: Buffer | string): ProxyHeader {
  const result = read(header);
  assert.ok(typeof result === 'object', `found ${JSON.stringify(result)}`);
  return result;
}

describe('PROXY protocol version 1', () => {
  test('says who the client is', () => {
    const line = 'PROXY TCP4 192.0.2.7 198.51.100.1 51234 1883\r\n';
    assert.deepEqual(whole(`${line}\x10\x0c`), {
      length: line.length,
      client: { host: '192.0.2.7', port: 51_234 },
      tls: null,
      alpn: '',
      authority: '',
    });
    const { client } = whole('PROXY TCP6 2001:db8::7 2001:db8::1 1 65535\r\n');
    assert.deepEqual(client, { host: '2001:db8::7', port: 1 });
  });

  test('may not know', () => {
    assert.equal(whole('PROXY UNKNOWN\r\n').client, null);
    assert.equal(whole('PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n').client, null);
  });

  const wrong = [
    'GET / HTTP/1.1\r\n',
    'PROXY\r\n',
    'proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP4\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n',
    'PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n',
    'PROXY TCP4 ::1 ::1 1 2\r\n',
    'PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 0x2\r\n',
    'PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n',
    `PROXY UNKNOWN ${'x'.repeat(107)}\r\n`,
    `PROXY ${'x'.repeat(200)}`,
  ];
  for (const line of wrong) {
    test(`refuses ${JSON.stringify(line.slice(0, 60))}`, () => {
      assert.equal(read(line), MALFORMED);
    });
  }
});

describe('PROXY protocol version 2', () => {
  test('says who the client is', () => {
    const header = v2(0x21, 0x11, v2Addresses('192.0.2.7', '198.51.100.1', 51_234, 1883));
    const { client, length } = whole(Buffer.concat([header, Buffer.from('more')]));
    assert.deepEqual(client, { host: '192.0.2.7', port: 51_234 });
    assert.equal(length, header.length);
    const six = v2(0x21, 0x21, v2Addresses('2001:db8:0:0:1:0:0:7', '::1', 1, 2));
    assert.deepEqual(whole(six).client, { host: '2001:db8::1:0:0:7', port: 1 });
  });

  test('speaks for itself, or of what has no address for us', () => {
    assert.equal(whole(v2(0x20, 0x00)).client, null);
    assert.equal(whole(v2(0x20, 0xff, Buffer.from('anything'))).client, null);
    assert.equal(whole(v2(0x21, 0x00)).client, null);
    assert.equal(whole(v2(0x21, 0x31, Buffer.alloc(216))).client, null);
    const datagrams = v2(0x21, 0x12, v2Addresses('192.0.2.7', '192.0.2.8', 1, 2));
    assert.equal(whole(datagrams).client, null);
  });

  const addresses = v2Addresses('192.0.2.7', '198.51.100.1', 51_234, 1883);
  const withTlvs = (...tlvs: Buffer[]) => v2(0x21, 0x11, Buffer.concat([addresses, ...tlvs]));

  test('says what the client asked for and who it proved to be', () => {
    const header = withTlvs(
      tlv(0x01, 'mqtt'),
      tlv(0x02, 'broker.example'),
      tlv(0x04, 'padding'),
      tlsTlv({ client: 0x07, verify: 0, version: 'TLSv1.3', commonName: 'mëter' }),
    );
    const { alpn, authority, tls } = whole(header);
    assert.deepEqual([alpn, authority], ['mqtt', 'broker.example']);
    assert.deepEqual(tls, { verified: true, version: 'TLSv1.3', commonName: 'mëter' });
  });

  test('believes no certificate that the proxy has not seen and verified', () => {
    const verified = (client: number, verify: number) =>
      whole(withTlvs(tlsTlv({ client, verify, commonName: 'admin' }))).tls?.verified;
    assert.equal(verified(0x01 | 0x02, 0), true, 'shown in this connection');
    assert.equal(verified(0x01 | 0x04, 0), true, 'shown in the session that is resumed');
    assert.equal(verified(0x01, 0), false, 'none shown');
    assert.equal(verified(0x02, 0), false, 'not over TLS');
    assert.equal(verified(0x07, 1), false, 'shown, but wrong');
  });

  test('may be guarded by a checksum', () => {
    const header = withTlvs(tlv(0x03, Buffer.alloc(4)));
    header.writeUInt32BE(crc32c(header), header.length - 4);
    assert.deepEqual(whole(header).client, { host: '192.0.2.7', port: 51_234 });
    for (let i = 16; i < header.length; i++) {
      if (i === header.length - 7) continue; // its type: it would be no checksum any more
      const broken = Buffer.from(header);
      broken[i] ^= 0x01;
      assert.notEqual(typeof read(broken), 'object', `byte ${i} was changed`);
    }
  });

  const wrong: [what: string, header: Buffer][] = [
    ['another signature', Buffer.from('\r\n\r\n\0\r\nQUIT\t!\x11\0\0', 'latin1')],
    ['version 1 in it', v2(0x11, 0x11, addresses)],
    ['an unknown command', v2(0x22, 0x11, addresses)],
    ['an unknown family', v2(0x21, 0x41, Buffer.alloc(216))],
    ['an unknown transport', v2(0x21, 0x13, addresses)],
    ['addresses that are too short', v2(0x21, 0x21, addresses)],
    ['a TLV that is cut', withTlvs(Buffer.from([0x01, 0, 9, 1]))],
    ['half a TLV header', withTlvs(Buffer.from([0x01]))],
    ['TLS facts that are cut', withTlvs(tlv(0x20, Buffer.alloc(4)))],
    [
      'a TLV in the TLS facts that is cut',
      withTlvs(tlv(0x20, Buffer.from([7, 0, 0, 0, 0, 34, 9]))),
    ],
    ['a checksum that is none', withTlvs(tlv(0x03, Buffer.alloc(3)))],
    ['more than we read', v2(0x21, 0x11, Buffer.alloc(HEADER_BYTES_MAX))],
  ];
  for (const [what, header] of wrong) {
    test(`refuses ${what}`, () => assert.equal(read(header), MALFORMED));
  }
});

describe('the PROXY protocol as it comes', () => {
  const headers = [
    Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 51234 1883\r\n'),
    v2(0x21, 0x21, v2Addresses('2001:db8::7', '2001:db8::1', 51_234, 1883)),
    v2(0x21, 0x00, Buffer.concat([tlv(0x01, 'mqtt'), tlsTlv({ client: 7, verify: 0 })])),
  ];
  for (const header of headers) {
    test(`${header.length} bytes, cut anywhere`, () => {
      const all = whole(header);
      for (let end = 0; end < header.length; end++) {
        assert.equal(read(header.subarray(0, end)), NEED_MORE, `after ${end} bytes`);
      }
      assert.deepEqual(read(Buffer.concat([header, Buffer.alloc(9, 0xff)])), all);
    });
  }

  test('noise and broken headers neither throw nor are read beyond their end', () => {
    const seed = freshSeed();
    const noise = fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes));
    const broken = fc
      .tuple(fc.constantFrom(...headers), fc.nat(), fc.nat(255), noise)
      .map(([header, at, value, tail]) => {
        const copy = Buffer.concat([header, tail]);
        copy[at % copy.length] = value;
        return copy;
      });
    const property = fc.property(fc.oneof(noise, broken), bytes => {
      const result = readProxyHeader(bytes);
      if (typeof result === 'string') return;
      assert.ok(result.length <= bytes.length);
      assert.deepEqual(readProxyHeader(bytes.subarray(0, result.length)), result);
    });
    fc.assert(property, { seed, numRuns: 2000 * rounds });
  });
});

/** Bit by bit, most significant first: another way than the one under test. */
function crc32c(bytes: Buffer): number {
  const reverse = (value: number, bits: number) => {
    let result = 0;
    for (let i = 0; i < bits; i++) if (value & (1 << i)) result |= 1 << (bits - 1 - i);
    return result >>> 0;
  };
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc = (crc ^ (reverse(byte, 8) << 24)) >>> 0;
    for (let i = 0; i < 8; i++) {
      crc = crc & 0x8000_0000 ? ((crc << 1) ^ 0x1edc_6f41) >>> 0 : (crc << 1) >>> 0;
    }
  }
  return reverse((crc ^ 0xffff_ffff) >>> 0, 32);
}
