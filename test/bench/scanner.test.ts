// The load generator's frame scanner: it must find the same frames wherever the bytes are cut.

import assert from 'node:assert/strict';
import { FrameScanner, MALFORMED, NEED_MORE } from '../../src/bench/scanner.ts';
import { connectFrame, payloadOf, publishTemplate, subscribeFrame } from '../../src/bench/wire.ts';
import { describe, test } from '../harness.ts';

function concatenated(frames: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(frames.flatMap(frame => [...frame]));
}

const frames = [
  connectFrame(5, 'somebody'),
  Uint8Array.of(0xd0, 0),
  subscribeFrame(4, ['bench/+', 'a'], 1),
  ...[12, 127, 128, 16_383, 16_384, 70_000].map(
    size => publishTemplate('a/b', { version: 4, qos: 1, payloadBytes: size }).bytes,
  ),
];

describe('frame scanner', () => {
  test('finds every frame, its first byte, its body and its end', () => {
    const bytes = concatenated(frames);
    const scanner = new FrameScanner();
    let at = 0;
    for (const frame of frames) {
      const next = scanner.next(bytes, at, bytes.length);
      assert.equal(next, at + frame.length);
      assert.equal(scanner.end, next);
      assert.equal(scanner.head, frame[0]);
      const lengthBytes = scanner.body - at - 1;
      assert.equal(lengthBytes, frame.length < 130 ? 1 : frame.length < 16_387 ? 2 : 3);
      at = next;
    }
    assert.equal(scanner.next(bytes, at, bytes.length), NEED_MORE);
  });

  test('asks for more at every cut of a frame, and never reads past the limit', () => {
    const scanner = new FrameScanner();
    for (const frame of frames.filter(({ length }) => length < 1_000)) {
      for (let cut = 0; cut < frame.length; cut++) {
        const bytes = new Uint8Array(frame.length).fill(0xff);
        bytes.set(frame.subarray(0, cut));
        assert.equal(scanner.next(bytes, 0, cut), NEED_MORE, `cut at ${cut}`);
      }
      assert.equal(scanner.next(frame, 0, frame.length), frame.length);
    }
  });

  test('calls a length of more than four bytes malformed', () => {
    const bytes = Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0xff, 0x01, 0, 0);
    assert.equal(new FrameScanner().next(bytes, 0, bytes.length), MALFORMED);
  });

  test('finds the payload in every version and quality of service', () => {
    for (const version of [3, 4, 5] as const) {
      for (const qos of [0, 1, 2] as const) {
        for (const properties of version === 5 ? [false, true] : [false]) {
          const options = { version, qos, properties, payloadBytes: 64 };
          const template = publishTemplate('bench/17', options);
          const scanner = new FrameScanner();
          scanner.next(template.bytes, 0, template.bytes.length);
          const payload = payloadOf(template.bytes, scanner.head, scanner.body, version);
          assert.equal(payload, template.stampAt);
          assert.equal(scanner.end - payload, 64);
          if (qos > 0) assert.equal(template.packetIdAt, scanner.body + 2 + 'bench/17'.length);
        }
      }
    }
  });

  test('steps over properties that a broker has added', () => {
    const properties = [35, 0, 1];
    const bytes = Uint8Array.from([
      0x30,
      10,
      0,
      1,
      0x61,
      properties.length,
      ...properties,
      1,
      2,
      3,
    ]);
    assert.equal(payloadOf(bytes, 0x30, 2, 5), 9);
  });
});
