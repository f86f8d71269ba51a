// Mutated packets at the decoders: none throws or hangs, and our codec and the test codec agree
// about every one of them, whether it can be read and what it then says.

import assert from 'node:assert/strict';
import { NEED_MORE, packetLength } from '../../src/mqtt/framer.ts';
import { filterValid } from '../../src/mqtt/topic.ts';
import { loadCorpus } from '../golden/corpus.ts';
import { decodeOurs, expectOurs } from '../golden/ours.ts';
import { describe, freshSeed, rounds, test } from '../harness.ts';
import { Prng } from '../prng.ts';
import { frame, hex, PacketDecoder, type Version, type WirePacket } from '../wire.ts';

const corpus = loadCorpus().filter(c => c.from === 'client');

/** Bytes that decide something: lengths, limits, flags, property identifiers, UTF-8. */
const telling = [
  0, 1, 2, 3, 4, 5, 0x0b, 0x1f, 0x23, 0x26, 0x2b, 0x7f, 0x80, 0xbf, 0xc0, 0xed, 0xff,
];

/** A packet with the body changed here and there, mostly framed so that it is read at all. */
function mutate(prng: Prng, data: Uint8Array): Uint8Array {
  let body = Array.from(data.subarray(2));
  for (let changes = prng.between(1, 3); changes > 0; changes--) {
    const at = prng.below(body.length + 1);
    const donor = prng.pick(corpus).bytes;
    const from = prng.below(donor.length);
    switch (prng.below(6)) {
      case 0:
        body[Math.min(at, body.length)] = prng.below(256);
        break;
      case 1:
        body[Math.min(at, body.length)] = prng.pick(telling);
        break;
      case 2:
        body.splice(at, prng.between(1, 4));
        break;
      case 3:
        body.splice(at, 0, ...donor.subarray(from, from + prng.between(1, 8)));
        break;
      case 4:
        body.splice(at, 0, ...body.slice(at, at + prng.between(1, 12)));
        break;
      default:
        body = body.slice(0, at);
    }
  }
  const first = prng.oneIn(20) ? prng.below(256) : data[0];
  const framed = frame(first, Uint8Array.from(body));
  if (prng.oneIn(50)) framed[1] = prng.below(256);
  return framed;
}

/** The test codec's reading of the first packet; null when there is none it would accept. */
function read(data: Uint8Array, version: Version): WirePacket | null {
  try {
    return new PacketDecoder(version, 'client').push(data)[0] ?? null;
  } catch {
    return null;
  }
}

/** Whether our decoders take the packet; what they leave to the core is judged as the core would.
 *  */
function accepted(decoded: object | number, data: Uint8Array, version: Version): boolean {
  if (typeof decoded === 'number') return false;
  const type = data[0] >> 4;
  if (type === 12) return data.length === 2;
  if (type === 15) return version === 5;
  if ([2, 9, 11, 13].includes(type)) return false;
  const { topic, topicEmpty, alias } = decoded as Record<string, unknown>;
  return type !== 3 || topic !== null || (topicEmpty === true && alias !== 0);
}

function judge(bytes: Uint8Array, version: Version): 'accepted' | 'refused' | 'incomplete' {
  const length = packetLength(bytes, 0, bytes.length);
  if (length === NEED_MORE || length > bytes.length) return 'incomplete';
  const data = length < 0 ? bytes : bytes.subarray(0, length);
  const decoded = decodeOurs(data, version);
  const packet = read(data, version);
  assert.equal(accepted(decoded, data, version), packet !== null, 'the codecs disagree');
  if (packet === null) return 'refused';
  const refusals =
    packet.type === 'subscribe'
      ? packet.filters.map(({ filter }) => (filterValid(filter) ? 0 : 0x8f))
      : null;
  const expected = expectOurs(packet, refusals);
  for (const [key, value] of Object.entries(expected)) {
    assert.deepEqual((decoded as Record<string, unknown>)[key], value, key);
  }
  return 'accepted';
}

describe('mutated packets', () => {
  const seed = freshSeed();
  test(`are taken or refused by both codecs alike (seed ${seed})`, () => {
    const prng = new Prng(seed);
    const count = { accepted: 0, refused: 0, incomplete: 0 };
    for (let i = 0; i < 60_000 * rounds; i++) {
      const { bytes, version } = prng.pick(corpus);
      const data = mutate(prng, bytes);
      try {
        count[judge(data, version)]++;
      } catch (error) {
        throw new Error(`MINNOW_SEED=${seed}: MQTT ${version}, ${hex(data)}`, { cause: error });
      }
    }
    assert.ok(count.accepted > 1_000 && count.refused > 1_000, JSON.stringify(count));
  });
});
