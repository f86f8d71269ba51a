// The wire corpus against our codec and the test codec: every case is decoded, encoded and taken
// round; the decoders that read in place see the same as the one that builds objects.

import assert from 'node:assert/strict';
import { describe, test } from '../harness.ts';
import { encodePacket, hex, PacketDecoder, type WirePacket } from '../wire.ts';
import { type GoldenCase, loadCorpus } from './corpus.ts';
import { decodeOurs, encodeOurs, expectOurs } from './ours.ts';

const corpus = loadCorpus();

/** The test codec's opinion: the packet, or the error it throws. */
function decodeTheirs(c: GoldenCase): WirePacket | Error {
  const decoder = new PacketDecoder(c.version, c.from);
  try {
    const packets = decoder.push(c.bytes);
    assert.equal(packets.length, 1, 'one packet');
    return packets[0];
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    return error as Error;
  }
}

/** Only what `expected` has: a decoder may say more. */
function pick(decoded: object, expected: object): object {
  return Object.fromEntries(
    Object.keys(expected).map(key => [key, (decoded as Record<string, unknown>)[key]]),
  );
}

describe('the wire corpus', () => {
  test('names each case once', () => {
    const titles = corpus.map(c => c.title);
    assert.deepEqual(
      titles.filter((title, i) => titles.indexOf(title) !== i),
      [],
    );
  });

  test('has every packet type in every direction it travels, valid and malformed', () => {
    const seen = new Set(
      corpus.map(c => `${c.from} ${c.bytes[0] >> 4} ${c.fault === null ? 'valid' : 'faulty'}`),
    );
    const fromClient = [1, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15].map(type => `client ${type}`);
    const fromServer = [2, 3, 9, 11, 13, 14, 15].map(type => `server ${type}`);
    for (const kind of [...fromClient, ...fromServer]) {
      assert.ok(seen.has(`${kind} valid`), `${kind} valid`);
      if (kind !== 'server 15') assert.ok(seen.has(`${kind} faulty`), `${kind} faulty`);
    }
  });
});

describe('decoded by the test codec', () => {
  for (const c of corpus) {
    test(c.title, () => {
      const decoded = decodeTheirs(c);
      if (c.packet === null) {
        assert.equal(decoded instanceof Error, c.by !== 'state');
        return;
      }
      assert.deepEqual(decoded, c.packet);
      const encoded = encodePacket(c.packet, c.version);
      if (c.canonical) assert.equal(hex(encoded), hex(c.bytes));
      else assert.notEqual(hex(encoded), hex(c.bytes), 'it is canonical after all');
      const again = new PacketDecoder(c.version, c.from).push(encoded);
      assert.deepEqual(again, [c.packet]);
    });
  }
});

describe('decoded by our codec', () => {
  for (const c of corpus.filter(c => c.from === 'client')) {
    test(c.title, () => {
      const decoded = decodeOurs(c.bytes, c.version);
      if (c.fault !== null && c.by === 'codec') {
        assert.equal(decoded, c.fault);
        return;
      }
      assert.notEqual(typeof decoded, 'number', `refused with ${decoded}`);
      if (c.packet === null) return;
      const expected = expectOurs(c.packet, c.refusals);
      assert.deepEqual(pick(decoded as object, expected), expected);
      if (c.packet.type === 'connect') {
        assert.equal((decoded as { bridge: boolean }).bridge, c.bridge);
      }
    });
  }
});

describe('encoded by our codec', () => {
  const acks = corpus.filter(c => c.file === 'acks');
  const fromServer = corpus.filter(c => c.from === 'server');
  for (const c of [...acks, ...fromServer]) {
    if (c.packet === null || !c.sent) continue;
    const encoded = encodeOurs(c.packet, c.version);
    if (encoded === null) continue;
    test(c.title, () => {
      // Another way to say it must at least say the same.
      const decoder = new PacketDecoder(c.version, c.from);
      assert.deepEqual(decoder.push(encoded), [c.packet]);
      if (c.canonical) assert.equal(hex(encoded), hex(c.bytes));
    });
  }
});
