// PUBLISH read and written in place: offsets into the middle of a buffer, nothing written beside
// the packet, and the properties that travel on.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { decodePublish, PublishView, withoutOwnProperties } from '../../src/mqtt/decode/publish.ts';
import {
  copyBytes,
  PublishExtras,
  publishLength,
  writePublish,
} from '../../src/mqtt/encode/publish.ts';
import { readVarint, varintLength, writeVarint } from '../../src/mqtt/varint.ts';
import { describe, test } from '../harness.ts';
import { encodePacket, encodeProperties, join, text, varint, type WirePacket } from '../wire.ts';
import type { WireProperties } from '../wire-properties.ts';
import { publish, runs, version } from './arbitrary.ts';

type Publish = WirePacket & { type: 'publish' };

const GUARD = 0xee;
const before = new Uint8Array(7).fill(GUARD);
const behind = new Uint8Array(9).fill(GUARD);

const fromClient = version.chain(v =>
  fc.tuple(fc.constant(v), publish(v, 'client') as fc.Arbitrary<Publish>),
);
const fromServer = version.chain(v =>
  fc.tuple(fc.constant(v), publish(v, 'server') as fc.Arbitrary<Publish>),
);

/** A PUBLISH in the middle of other bytes, and what the decoder says about it. */
function decoded(packet: Publish, v: 3 | 4 | 5): { data: Uint8Array; view: PublishView } {
  const encoded = encodePacket(packet, v);
  const data = join([before, encoded, behind]);
  const header = encoded.findIndex((byte, i) => i > 0 && byte < 128) + 1;
  const start = before.length + header;
  const view = new PublishView();
  assert.equal(decodePublish(view, data, encoded[0], start, before.length + encoded.length, v), 0);
  return { data, view };
}

function withoutLength(properties: WireProperties, v: 3 | 4 | 5): Uint8Array {
  const encoded = encodeProperties(properties, v);
  return encoded.slice(encoded.findIndex(byte => byte < 128) + 1);
}

describe('a PUBLISH in the middle of a chunk', () => {
  test('is described by offsets into it', () => {
    fc.assert(
      fc.property(fromClient, ([v, packet]) => {
        const { data, view } = decoded(packet, v);
        assert.deepEqual(data.slice(view.topicStart, view.topicEnd), text(packet.topic));
        assert.deepEqual(data.slice(view.payloadStart, view.end), packet.payload);
        assert.deepEqual(
          data.slice(view.propertiesStart, view.propertiesEnd),
          withoutLength(packet.properties, v),
        );
        assert.equal(view.propertiesEnd, view.payloadStart);
      }),
      runs(1_000),
    );
  });

  test('travels on without alias and expiry, everything else in order', () => {
    fc.assert(
      fc.property(fromClient, ([v, packet]) => {
        const { data, view } = decoded(packet, v);
        const { topicAlias, messageExpiryInterval, ...rest } = packet.properties;
        assert.deepEqual(
          withoutOwnProperties(data, view.propertiesStart, view.payloadStart, view.end),
          join([withoutLength(rest, v), packet.payload]),
        );
      }),
      runs(1_000),
    );
  });

  test('one view describes many packets, one after another', () => {
    const view = new PublishView();
    fc.assert(
      fc.property(fromClient, ([v, packet]) => {
        const data = encodePacket(packet, v);
        const start = data.findIndex((byte, i) => i > 0 && byte < 128) + 1;
        assert.equal(decodePublish(view, data, data[0], start, data.length, v), 0);
        const fresh = new PublishView();
        decodePublish(fresh, data, data[0], start, data.length, v);
        assert.deepEqual({ ...view }, { ...fresh });
      }),
      runs(500),
    );
  });
});

describe('a PUBLISH written into an output', () => {
  test('fills the room it asked for, and no more', () => {
    fc.assert(
      fc.property(fromServer, ([v, packet]) => {
        const { topicAlias, messageExpiryInterval, subscriptionIdentifiers, ...rest } =
          packet.properties;
        const extras = new PublishExtras();
        extras.alias = topicAlias ?? 0;
        extras.expirySeconds = messageExpiryInterval ?? -1;
        extras.identifiers = subscriptionIdentifiers ?? null;
        const properties = withoutLength(rest, v);
        const body = {
          topicBytes: text(packet.topic),
          source: join([before, properties, packet.payload, behind]),
          propertiesStart: before.length,
          payloadStart: before.length + properties.length,
          end: before.length + properties.length + packet.payload.length,
        };
        const { qos, packetId } = packet;
        const first = 0x30 | (packet.dup ? 8 : 0) | (qos << 1) | (packet.retain ? 1 : 0);
        const length = publishLength(body, extras, qos, v === 5);
        const target = new Uint8Array(before.length + length + behind.length).fill(GUARD);
        const end = writePublish(target, before.length, first, packetId, body, extras, v === 5);
        assert.equal(end, before.length + length);
        // The order in which we write: alias, expiry, identifiers, then what travels on.
        const properties5: WireProperties = {
          ...(topicAlias === undefined ? {} : { topicAlias }),
          ...(messageExpiryInterval === undefined ? {} : { messageExpiryInterval }),
          ...(subscriptionIdentifiers === undefined ? {} : { subscriptionIdentifiers }),
          ...rest,
        };
        const expected = encodePacket({ ...packet, properties: properties5 }, v);
        assert.deepEqual(target, join([before, expected, behind]));
      }),
      runs(1_000),
    );
  });

  test('copies ranges of every length around those where the way of copying changes', () => {
    for (let length = 0; length <= 100; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => i + 1);
      for (const source of [bytes, join([before, bytes, behind])]) {
        const start = source === bytes ? 0 : before.length;
        const target = new Uint8Array(before.length + length + behind.length).fill(GUARD);
        const end = copyBytes(target, before.length, source, start, start + length);
        assert.equal(end, before.length + length);
        assert.deepEqual(target, join([before, bytes, behind]));
      }
    }
  });
});

describe('variable byte integers', () => {
  test('are written and read in their shortest form, at every boundary', () => {
    const values = [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455];
    for (const value of values) {
      const target = new Uint8Array(8).fill(GUARD);
      const end = writeVarint(target, 2, value);
      assert.deepEqual(target.slice(2, end), varint(value));
      assert.equal(end - 2, varintLength(value));
      assert.equal(target[end], GUARD);
      assert.equal(readVarint(target, 2, end), value);
      assert.equal(readVarint(target, 2, end - 1), -1, 'cut short');
    }
  });
});
