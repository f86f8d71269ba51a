// UTF-8: validation against the platform's strict decoder, and the two rules that are MQTT's own.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { payloadUtf8Valid, utf8Decode, utf8Encode, utf8Valid } from '../../src/mqtt/utf8.ts';
import { describe, test } from '../harness.ts';
import { bytes, text } from '../wire.ts';
import { runs } from './arbitrary.ts';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function wellFormed(data: Uint8Array): boolean {
  try {
    strict.decode(data);
    return true;
  } catch {
    return false;
  }
}

function check(data: Uint8Array): void {
  const expected = wellFormed(data);
  assert.equal(payloadUtf8Valid(data, 0, data.length), expected, String(data));
  assert.equal(utf8Valid(data, 0, data.length), expected && !data.includes(0), String(data));
}

describe('utf8', () => {
  test('[v3 MQTT-1.5.3-1] [v5 MQTT-1.5.4-1] every sequence of one and two bytes', () => {
    for (let a = 0; a < 256; a++) {
      check(Uint8Array.of(a));
      for (let b = 0; b < 256; b++) check(Uint8Array.of(a, b));
    }
  });

  test('[v3 MQTT-1.5.3-1] [v5 MQTT-1.5.4-1] sequences of three and four bytes, at every edge', () => {
    const edges = [0, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
    for (let a = 0xe0; a < 256; a++) {
      for (const b of edges) {
        for (const c of edges) {
          check(Uint8Array.of(a, b, c));
          for (const d of edges) check(Uint8Array.of(a, b, c, d));
        }
      }
    }
  });

  test('bytes of the kind that make trouble, in any order', () => {
    const troubled = fc.constantFrom(
      0x41,
      0x80,
      0xbf,
      0xc3,
      0xe0,
      0xa0,
      0xed,
      0x9f,
      0xf0,
      0x90,
      0xf4,
    );
    fc.assert(
      fc.property(fc.array(troubled, { maxLength: 12 }), list => check(Uint8Array.from(list))),
      runs(5_000),
    );
  });

  test('[v3 MQTT-1.5.3-2] [v5 MQTT-1.5.4-2] U+0000 is no part of a string, but may be of a payload', () => {
    const data = bytes('61 00 62');
    assert.equal(utf8Valid(data, 0, 3), false);
    assert.equal(payloadUtf8Valid(data, 0, 3), true);
  });

  test('a range ends where it says, even inside a sequence', () => {
    const data = text('a€b');
    assert.equal(utf8Valid(data, 0, 4), true);
    assert.equal(utf8Valid(data, 0, 3), false);
    assert.equal(utf8Valid(data, 0, 2), false);
    assert.equal(utf8Valid(data, 1, 4), true);
    assert.equal(utf8Valid(data, 2, 4), false);
    assert.equal(utf8Valid(data, 4, 4), true);
  });

  test('[v3 MQTT-1.5.3-3] [v5 MQTT-1.5.4-3] U+FEFF is kept wherever it stands', () => {
    const value = '\ufeffa\ufeff';
    const data = utf8Encode(value);
    assert.equal(utf8Valid(data, 0, data.length), true);
    assert.equal(utf8Decode(data, 0, data.length), value);
  });

  test('what is encoded is valid and decodes to itself, wherever it lies', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(5), (value, offset) => {
        const encoded = utf8Encode(value);
        const data = new Uint8Array(encoded.length + 2 * offset).fill(0xff);
        data.set(encoded, offset);
        const end = offset + encoded.length;
        assert.equal(utf8Decode(data, offset, end), value);
        assert.equal(utf8Valid(data, offset, end), !value.includes('\0'));
      }),
      runs(1_000),
    );
  });
});
