// Fixed headers: every boundary of the remaining length, cut anywhere, and all 256 first bytes.

import assert from 'node:assert/strict';
import {
  firstByteValid,
  headerLength,
  MALFORMED,
  NEED_MORE,
  packetLength,
} from '../../src/mqtt/framer.ts';
import { describe, test } from '../harness.ts';
import { bytes, join, varint } from '../wire.ts';

const boundaries = [
  ...[0, 1, 2, 126, 127, 128, 129, 130, 255, 16_382, 16_383, 16_384, 16_385, 16_386, 16_387],
  ...[2_097_150, 2_097_151, 2_097_152, 2_097_153, 2_097_155, 2_097_156, 268_435_454, 268_435_455],
];

describe('the length of a packet', () => {
  for (const remaining of boundaries) {
    test(`with ${remaining} bytes behind the header`, () => {
      const header = join([bytes('ff 30'), varint(remaining)]);
      const length = header.length - 1 + remaining;
      assert.equal(packetLength(header, 1, header.length), length);
      assert.equal(headerLength(length), header.length - 1);
      const more = join([header, bytes('00 80')]);
      assert.equal(packetLength(more, 1, more.length), length, 'with more bytes behind');
      for (let end = 1; end < header.length; end++) {
        // What lies beyond the end is old: it must not count.
        assert.equal(packetLength(more, 1, end), NEED_MORE, `cut at ${end}`);
      }
    });
  }

  test('[v5 MQTT-1.5.5-1] not minimal, or too long', () => {
    const bad = ['80 00', 'ff 00', '80 80 00', '80 80 80 00', '80 80 80 80', 'ff ff ff ff 7f'];
    for (const length of bad) {
      const data = bytes('c0', length);
      assert.equal(packetLength(data, 0, data.length), MALFORMED, length);
    }
  });
});

/** The flags of table 2-2; null for what does not exist, "any" for PUBLISH. */
const flagsOfType = [...[null, 0, 0, 'any', 0, 0, 2, 0], ...[2, 0, 2, 0, 0, 0, 0, 0]] as const;

describe('the first byte', () => {
  test('[v3 MQTT-2.2.2-1] [v5 MQTT-2.1.3-1] has the flags of its type', () => {
    for (let byte = 0; byte < 256; byte++) {
      const wanted = flagsOfType[byte >> 4];
      const flags = byte & 15;
      const expected = wanted === 'any' ? (flags & 6) !== 6 : flags === wanted;
      assert.equal(firstByteValid(byte, 5), expected, byte.toString(16));
      assert.equal(firstByteValid(byte, 4), expected, byte.toString(16));
      // MQTT 3.1 knows DUP on PUBREL, SUBSCRIBE and UNSUBSCRIBE.
      const dup = byte === 0x6a || byte === 0x8a || byte === 0xaa;
      assert.equal(firstByteValid(byte, 3), expected || dup, byte.toString(16));
    }
  });
});
