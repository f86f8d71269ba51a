// A client's frames: what of them is payload however they are cut, and which end the connection.

import assert from 'node:assert/strict';
import { FrameReader } from '../../../src/io/web-socket/frame-reader.ts';
import { closeFrame, framed } from '../../../src/io/web-socket/frames.ts';
import { describe, test } from '../../harness.ts';
import { clientFrame, closing, type FrameShape } from './frames-kit.ts';

const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10] as const;
const MESSAGE_MAX = 200_000;

interface Read {
  readonly payload: Buffer;
  readonly pings: readonly string[];
  readonly ending: number;
  readonly broken: boolean;
}

function read(...chunks: Uint8Array[]): Read {
  const reader = new FrameReader(MESSAGE_MAX);
  const parts: Buffer[] = [];
  const pings: string[] = [];
  for (const chunk of chunks) {
    const own = Buffer.from(chunk); // it is unmasked in place
    parts.push(own.subarray(0, reader.read(own)));
    if (reader.ping !== null) pings.push(Buffer.from(reader.ping).toString());
    reader.ping = null;
  }
  const { ending, broken } = reader;
  return { payload: Buffer.concat(parts), pings, ending, broken };
}

/** `bytes` whole, a byte each, and cut once at every byte. */
function* cuts(bytes: Buffer): Generator<Uint8Array[]> {
  yield [bytes];
  yield Array.from(bytes, byte => Uint8Array.of(byte));
  for (let i = 1; i < bytes.length; i++) yield [bytes.subarray(0, i), bytes.subarray(i)];
}

function filled(size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, i) => (i * 7 + 3) & 0xff));
}

describe('frames', () => {
  for (const size of [0, 1, 2, 3, 4, 5, 7, 8, 125, 126, 127, 65_535, 65_536, 100_001]) {
    test(`of ${size} bytes are unmasked, wherever they lie`, () => {
      const payload = filled(size);
      for (let shift = 0; shift < 5; shift++) {
        const before = clientFrame({ opcode: BINARY, payload: filled(shift) });
        const frame = clientFrame({ opcode: BINARY, payload });
        const got = read(Buffer.concat([before, frame]));
        assert.ok(got.payload.equals(Buffer.concat([filled(shift), payload])), `shift ${shift}`);
        assert.equal(got.ending, 0);
      }
    });
  }

  test('are one stream, however they are split, fragmented and interleaved', () => {
    const bytes = Buffer.concat([
      clientFrame({ opcode: BINARY, payload: 'one ' }),
      clientFrame({ opcode: BINARY, payload: '' }),
      clientFrame({ opcode: BINARY, payload: 'two', final: false }),
      clientFrame({ opcode: PING, payload: 'inside' }),
      clientFrame({ opcode: CONTINUATION, payload: ' ', final: false }),
      clientFrame({ opcode: PONG, payload: 'unasked' }),
      clientFrame({ opcode: CONTINUATION, payload: 'three' }),
      clientFrame({ opcode: BINARY, payload: ' four', lengthBits: 16 }),
      clientFrame({ opcode: BINARY, payload: ' five', lengthBits: 64 }),
      clientFrame({ opcode: BINARY, payload: filled(300) }),
      clientFrame({ opcode: PING }),
      closing(1000, 'bye'),
    ]);
    const expected = Buffer.concat([Buffer.from('one two three four five'), filled(300)]);
    for (const chunks of cuts(bytes)) {
      const { payload, ending, broken } = read(...chunks);
      assert.ok(payload.equals(expected), payload.toString());
      assert.deepEqual([ending, broken], [1000, false]);
    }
    const bytewise = Array.from(bytes, byte => Uint8Array.of(byte));
    assert.deepEqual(read(...bytewise).pings, ['inside', '']);
  });

  test('that ping are answered once a read, as the last one wants it', () => {
    const pings = Array.from({ length: 1000 }, (_, i) =>
      clientFrame({ opcode: PING, payload: `${i}` }),
    );
    assert.deepEqual(read(Buffer.concat(pings)).pings, ['999']);
  });

  test('leave the bytes around a chunk alone', () => {
    const frame = clientFrame({ opcode: BINARY, payload: filled(50) });
    const around = Buffer.concat([Buffer.from('before'), frame, Buffer.from('after')]);
    const reader = new FrameReader(MESSAGE_MAX);
    const length = reader.read(around.subarray(6, 6 + frame.length));
    assert.ok(around.subarray(6, 6 + length).equals(filled(50)));
    assert.equal(around.toString('latin1', 0, 6), 'before');
    assert.equal(around.toString('latin1', 6 + frame.length), 'after');
  });

  test('within the bound of a message go on for ever', () => {
    const frame = clientFrame({ opcode: BINARY, payload: filled(MESSAGE_MAX) });
    const { payload, ending } = read(frame, frame, frame);
    assert.deepEqual([payload.length, ending], [3 * MESSAGE_MAX, 0]);
  });
});

describe('a connection ends by', () => {
  const faults: [what: string, status: number, ...frames: FrameShape[]][] = [
    ['text', 1003, { opcode: TEXT, payload: 'x' }],
    ['text in parts', 1003, { opcode: TEXT, payload: 'x', final: false }],
    ['a frame without a mask', 1002, { opcode: BINARY, payload: 'x', masked: false }],
    ['a ping without a mask', 1002, { opcode: PING, masked: false }],
    ['a continuation of nothing', 1002, { opcode: CONTINUATION, payload: 'x' }],
    [
      'a message within a message',
      1002,
      { opcode: BINARY, final: false },
      { opcode: BINARY, payload: 'x' },
    ],
    ['text within a message', 1002, { opcode: BINARY, final: false }, { opcode: TEXT }],
    ['a long ping', 1002, { opcode: PING, payload: filled(126) }],
    ['a long close', 1002, { opcode: CLOSE, payload: filled(126) }],
    ['a ping in parts', 1002, { opcode: PING, final: false }],
    ['a close in parts', 1002, { opcode: CLOSE, final: false }],
    ['a pong in parts', 1002, { opcode: PONG, final: false }],
    ['a message too long', 1009, { opcode: BINARY, declared: MESSAGE_MAX + 1 }],
    ['a length of 2^63', 1009, { opcode: BINARY, declared: 2 ** 63 }],
    ['a length of 2^32 and a bit', 1009, { opcode: BINARY, declared: 2 ** 32 + 1 }],
    [
      'parts too long together',
      1009,
      { opcode: BINARY, payload: filled(150_000), final: false },
      { opcode: CONTINUATION, declared: 50_001 },
    ],
  ];
  for (const reserved of [1, 2, 4]) {
    faults.push([`reserved bit ${reserved}`, 1002, { opcode: BINARY, reserved }]);
    faults.push([`reserved bit ${reserved} of a ping`, 1002, { opcode: PING, reserved }]);
  }
  for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
    faults.push([`opcode ${opcode}`, 1002, { opcode, payload: 'x' }]);
  }
  for (const [what, status, ...shapes] of faults) {
    test(`${what}: ${status}`, () => {
      const bytes = Buffer.concat(shapes.map(clientFrame));
      const more = clientFrame({ opcode: BINARY, payload: 'too late' });
      const all = Buffer.concat([bytes, more]);
      const bytewise = bytes.length < 1000 ? [Array.from(all, byte => Uint8Array.of(byte))] : [];
      for (const chunks of [[all], [bytes, more], ...bytewise]) {
        const { payload, ending, broken } = read(...chunks);
        assert.deepEqual([ending, broken], [status, true]);
        assert.ok(!payload.includes('too late'));
      }
    });
  }

  const ends: [what: string, frame: Buffer, status: number, broken: boolean][] = [
    ['a goodbye that says nothing', closing(null), 1005, false],
    ['a goodbye', closing(1000), 1000, false],
    ['a goodbye with a reason', closing(1001, 'the page is left — bye'), 1001, false],
    ['a status of its own', closing(3000), 3000, false],
    ['the last status there is', closing(4999), 4999, false],
    ['half a status', clientFrame({ opcode: CLOSE, payload: 'x' }), 1002, true],
    ['a reason that is not UTF-8', closing(1000, Uint8Array.of(0xc3, 0x28)), 1007, true],
    ...[0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535].map(
      status => [`status ${status}`, closing(status), 1002, true] as never,
    ),
  ];
  for (const [what, frame, status, broken] of ends) {
    test(`${what}: ${status}`, () => {
      for (const chunks of cuts(frame)) {
        const got = read(...chunks, clientFrame({ opcode: BINARY, payload: 'too late' }));
        assert.deepEqual([got.ending, got.broken, got.payload.length], [status, broken, 0]);
      }
    });
  }
});

describe('what is sent', () => {
  for (const [size, head] of [
    [0, '8200'],
    [125, '827d'],
    [126, '827e007e'],
    [65_535, '827effff'],
    [65_536, '827f0000000000010000'],
  ] as const) {
    test(`is one frame, also of ${size} bytes`, () => {
      const frame = framed(BINARY, filled(size));
      assert.equal(frame.toString('hex', 0, head.length / 2), head);
      assert.ok(frame.subarray(head.length / 2).equals(filled(size)));
    });
  }

  test('at last is a status, or none where there was none', () => {
    assert.equal(closeFrame(1000).toString('hex'), '880203e8');
    assert.equal(closeFrame(1005).toString('hex'), '8800');
  });
});
