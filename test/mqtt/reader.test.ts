// The reader's contract: fields in order, a first fault that sticks, nothing beyond the end, and
// nothing kept of the bytes it was given.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { Reader } from '../../src/mqtt/decode/reader.ts';
import { PacketType } from '../../src/mqtt/packet.ts';
import { PropertyId, WILL } from '../../src/mqtt/properties.ts';
import { describe, test } from '../harness.ts';
import { binary, bytes, join, string, text, u16, u32, varint } from '../wire.ts';
import { runs } from './arbitrary.ts';

function readerOf(...parts: Parameters<typeof bytes>): Reader {
  const data = bytes(...parts);
  return new Reader(data, 0, data.length);
}

/** A field: how it is written and how it is read. */
type Field = { value: unknown; written: Uint8Array; read: (reader: Reader) => unknown };

const text16 = fc
  .string({ unit: 'binary', maxLength: 20 })
  .map(value => value.replaceAll('\0', ''));
const field: fc.Arbitrary<Field> = fc.oneof(
  fc.nat(255).map(v => ({ value: v, written: bytes(v), read: (r: Reader) => r.byte() })),
  fc.nat(65_535).map(v => ({ value: v, written: u16(v), read: (r: Reader) => r.u16() })),
  fc
    .nat(2 ** 31 - 1)
    .map(v => ({ value: 2 * v, written: u32(2 * v), read: (r: Reader) => r.u32() })),
  fc.nat(268_435_455).map(v => ({ value: v, written: varint(v), read: (r: Reader) => r.varint() })),
  text16.map(v => ({ value: v, written: string(v), read: (r: Reader) => r.string() })),
  fc.uint8Array({ maxLength: 20 }).map(v => {
    const value = new Uint8Array(v);
    return { value, written: binary(value), read: (r: Reader) => r.binary() };
  }),
);
const fields = fc.array(field, { minLength: 1, maxLength: 8 });

describe('the reader', () => {
  test('reads what was written, and no further', () => {
    fc.assert(
      fc.property(fields, fc.nat(4), (list, offset) => {
        const written = join(list.map(f => f.written));
        const data = join([new Uint8Array(offset).fill(0xff), written, bytes('ff ff ff')]);
        const reader = new Reader(data, offset, offset + written.length);
        for (const f of list) assert.deepEqual(f.read(reader), f.value);
        reader.finish();
        assert.equal(reader.fault, null);
        assert.equal(reader.remaining, 0);
      }),
      runs(1_000),
    );
  });

  test('cut anywhere, it says malformed, once, and reads nothing any more', () => {
    fc.assert(
      fc.property(
        fields,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (list, f) => {
          const written = join(list.map(one => one.written));
          const end = Math.floor(written.length * f);
          const reader = new Reader(written, 0, end);
          for (const one of list) one.read(reader);
          const first = reader.fault;
          assert.equal(first?.reason, 0x81);
          reader.protocolError('something else');
          assert.equal(reader.fault, first);
          const { remaining } = reader;
          const empty = [
            reader.byte(),
            reader.u16(),
            reader.u32(),
            reader.varint(),
            reader.string(),
          ];
          assert.deepEqual([remaining, ...empty, reader.binary().length], [0, 0, 0, 0, 0, '', 0]);
        },
      ),
      runs(1_000),
    );
  });

  test('keeps nothing of the bytes it was given', () => {
    const data = join([binary(text('data')), string('text')]);
    const reader = new Reader(data, 0, data.length);
    const read = [reader.binary(), reader.string()];
    data.fill(0);
    assert.deepEqual(read, [text('data'), 'text']);
  });

  test('keeps nothing of a Buffer, whose slice shares its bytes', () => {
    const data = Buffer.from(binary(text('data')));
    const read = new Reader(data, 0, data.length).binary();
    data.fill(0);
    assert.deepEqual(read, text('data'));
  });

  test('bytes behind the last field are malformed', () => {
    const reader = readerOf('01 02');
    reader.byte();
    reader.finish();
    assert.equal(reader.fault?.reason, 0x81);
  });

  test('[v5 MQTT-1.5.5-1] variable byte integers are minimal and at most four bytes long', () => {
    for (const bad of [
      '80',
      '80 00',
      'ff 00',
      '80 80 00',
      '80 80 80 00',
      '80 80 80 80 01',
      'ff ff ff ff',
    ]) {
      const reader = readerOf(bad);
      assert.equal(reader.varint(), 0);
      assert.equal(reader.fault?.reason, 0x81, bad);
    }
    const good: [string, number][] = [
      ['00', 0],
      ['7f', 127],
      ['80 01', 128],
      ['ff 7f', 16_383],
      ['80 80 01', 16_384],
      ['ff ff 7f', 2_097_151],
      ['80 80 80 01', 2_097_152],
      ['ff ff ff 7f', 268_435_455],
    ];
    for (const [written, value] of good) assert.equal(readerOf(written).varint(), value);
  });

  test('an integer of four bytes is not signed', () => {
    assert.equal(readerOf('ff ff ff ff').u32(), 0xffff_ffff);
    assert.equal(readerOf('80 00 00 00').u32(), 0x8000_0000);
  });

  test('a topic name is refused by the reason that its place calls for', () => {
    for (const bad of ['', 'a/+', '#']) {
      const data = string(bad);
      const reader = new Reader(data, 0, data.length);
      reader.topicName(0x90, 'the will topic');
      assert.equal(reader.fault?.reason, 0x90, bad);
      assert.match(reader.fault?.why ?? '', /the will topic/);
    }
    const notUtf8 = readerOf('0001 ff');
    notUtf8.topicName(0x90, 'the will topic');
    assert.equal(notUtf8.fault?.reason, 0x81);
  });
});

describe('property bags', () => {
  test('answer for what is not there', () => {
    const bag = readerOf('00').properties(PacketType.CONNECT);
    assert.equal(bag.has(PropertyId.ReceiveMaximum), false);
    assert.equal(bag.number(PropertyId.ReceiveMaximum, 65_535), 65_535);
    assert.equal(bag.number(PropertyId.ReceiveMaximum, null), null);
    assert.equal(bag.text(PropertyId.AuthenticationMethod), null);
    assert.equal(bag.bytes(PropertyId.AuthenticationData), null);
    assert.deepEqual(bag.userProperties, []);
  });

  test('a value of 0 is a value', () => {
    const bag = readerOf('05 11 00000000').properties(PacketType.CONNECT);
    assert.equal(bag.number(PropertyId.SessionExpiryInterval, 7), 0);
    assert.equal(bag.has(PropertyId.SessionExpiryInterval), true);
  });

  test('end where their length says, and reading goes on behind them', () => {
    const reader = readerOf('03 21 0005', '2a');
    const bag = reader.properties(PacketType.CONNECT);
    assert.equal(bag.number(PropertyId.ReceiveMaximum, 0), 5);
    assert.equal(reader.byte(), 0x2a);
    assert.equal(reader.fault, null);
  });

  test('no property reaches beyond their length', () => {
    const reader = readerOf('02 21 00', '05 00 00');
    reader.properties(PacketType.CONNECT);
    assert.equal(reader.fault?.reason, 0x81);
    assert.equal(reader.remaining, 0);
  });

  test('[v5 MQTT-3.1.3-10] a will keeps the encoded form of what travels on, in order', () => {
    const kept = [bytes('26 0001 62 0001 31'), bytes('01 01'), bytes('26 0001 61 0001 32')];
    const list = join([kept[0], bytes('18 00000001'), kept[1], bytes('02 00000002'), kept[2]]);
    const reader = readerOf(list.length, list);
    const bag = reader.properties(WILL);
    assert.deepEqual(bag.travelling, kept);
    assert.deepEqual(bag.userProperties, [
      ['b', '1'],
      ['a', '2'],
    ]);
  });
});
