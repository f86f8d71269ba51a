// Decoders and encoders over packets drawn at random, with the test codec at the other end.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { filterValid } from '../../src/mqtt/topic.ts';
import { decodeOurs, encodeOurs, expectOurs } from '../golden/ours.ts';
import { describe, test } from '../harness.ts';
import { encodePacket, hex, PacketDecoder, type Version, type WirePacket } from '../wire.ts';
import { clientPacket, runs, serverPacket, version } from './arbitrary.ts';

const client = version.chain(v => fc.tuple(fc.constant(v), clientPacket(v)));
const server = version.chain(v => fc.tuple(fc.constant(v), serverPacket(v)));

/** The refusals that a SUBSCRIBE deserves; nothing for other packets. */
function refusalsOf(packet: WirePacket): number[] | null {
  if (packet.type !== 'subscribe') return null;
  return packet.filters.map(({ filter }) => (filterValid(filter) ? 0 : 0x8f));
}

function only(decoded: object, expected: object): object {
  const all = decoded as Record<string, unknown>;
  return Object.fromEntries(Object.keys(expected).map(key => [key, all[key]]));
}

describe('any packet of a client', () => {
  test('is read as it was meant', () => {
    fc.assert(
      fc.property(client, ([of, packet]) => {
        const data = encodePacket(packet, of);
        const decoded = decodeOurs(data, of);
        const expected = expectOurs(packet, refusalsOf(packet));
        assert.notEqual(typeof decoded, 'number', `refused with ${decoded}: ${hex(data)}`);
        assert.deepEqual(only(decoded as object, expected), expected);
      }),
      runs(3_000),
    );
  });

  test('is refused when it ends early, and does not read what follows', () => {
    const cut = fc.tuple(client, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }));
    fc.assert(
      fc.property(cut, ([[of, packet], fraction]) => {
        const whole = encodePacket(packet, of);
        const bodyStart = whole.length < 130 ? 2 : whole.length < 16_387 ? 3 : 4;
        const body = whole.slice(bodyStart);
        if (body.length === 0) return;
        // The same bytes with a smaller remaining length, and the rest behind the packet.
        const kept = body.subarray(0, Math.floor(body.length * fraction));
        const cutOff = encodeBody(whole[0], kept);
        const ours = verdict(cutOff, of);
        assert.equal(ours, verdict(new Uint8Array([...cutOff, ...body]), of), hex(cutOff));
        assert.equal(ours, theirVerdict(cutOff, of), hex(cutOff));
      }),
      runs(2_000),
    );
  });

  test('leaves nothing that refers to the bytes it came in', () => {
    fc.assert(
      fc.property(client, ([of, packet]) => {
        if (packet.type === 'publish') return; // Read in place: the core copies what it keeps.
        const data = encodePacket(packet, of);
        const decoded = decodeOurs(data, of);
        data.fill(0xee);
        const expected = expectOurs(packet, refusalsOf(packet));
        assert.deepEqual(only(decoded as object, expected), expected);
      }),
      runs(500),
    );
  });
});

function encodeBody(first: number, body: Uint8Array): Uint8Array {
  const length: number[] = [];
  for (let rest = body.length; ; rest >>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Uint8Array.from([first, ...length, ...body]);
}

/** Whether our decoders accept the packet in front. */
function verdict(data: Uint8Array, of: Version): boolean {
  const decoded = decodeOurs(data, of);
  if (typeof decoded === 'number') return false;
  // The topic of a PUBLISH is the core's to judge.
  const { topic, topicEmpty, alias } = decoded as Record<string, unknown>;
  return topic !== null || (topicEmpty === true && alias !== 0);
}

function theirVerdict(data: Uint8Array, of: Version): boolean {
  try {
    return new PacketDecoder(of, 'client').push(data).length === 1;
  } catch {
    return false;
  }
}

describe('any packet of a server', () => {
  test('is written as it is meant', () => {
    fc.assert(
      fc.property(server, ([of, packet]) => {
        const encoded = encodeOurs(packet, of);
        assert.ok(encoded, packet.type);
        assert.deepEqual(new PacketDecoder(of).push(encoded), [packet]);
      }),
      runs(3_000),
    );
  });
});
