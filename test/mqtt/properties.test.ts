// The property tables against the test codec's rules: the specification was read twice.

import assert from 'node:assert/strict';
import { PacketType } from '../../src/mqtt/packet.ts';
import {
  PropertyId,
  PropertyKind,
  propertyKind,
  propertyPackets,
  propertyRepeats,
  WILL,
} from '../../src/mqtt/properties.ts';
import { describe, test } from '../harness.ts';
import { type PropertyType, ruleById } from '../wire-properties.ts';

const kinds: Record<PropertyType, number> = {
  flag: PropertyKind.Byte,
  u16: PropertyKind.TwoByte,
  'nonzero u16': PropertyKind.TwoByte,
  u32: PropertyKind.FourByte,
  'nonzero u32': PropertyKind.FourByte,
  varint: PropertyKind.Varint,
  string: PropertyKind.Utf8,
  topic: PropertyKind.Utf8,
  binary: PropertyKind.Binary,
  pair: PropertyKind.Pair,
};

function bitOf(place: string): number {
  const packet = place.replace(/^(client|server)-/, '');
  if (packet === 'will') return 1 << WILL;
  const type = PacketType[packet.toUpperCase() as keyof typeof PacketType];
  assert.ok(type, place);
  return 1 << type;
}

describe('properties', () => {
  for (let id = 0; id < 256; id++) {
    const rule = ruleById.get(id);
    const name = rule?.name ?? 'none';
    test(`0x${id.toString(16).padStart(2, '0')} is ${name}`, () => {
      const places = rule === undefined ? [] : rule.where.split(' ').map(bitOf);
      assert.equal(propertyKind[id], rule === undefined ? PropertyKind.None : kinds[rule.type]);
      assert.equal(
        propertyPackets[id],
        places.reduce((bits, bit) => bits | bit, 0),
      );
    });
  }

  test('only user properties repeat, and subscription identifiers in PUBLISH', () => {
    for (let id = 0; id < 256; id++) {
      const everywhere = id === PropertyId.UserProperty ? propertyPackets[id] : 0;
      const inPublish = id === PropertyId.SubscriptionIdentifier ? 1 << PacketType.PUBLISH : 0;
      assert.equal(propertyRepeats[id], everywhere | inPublish);
    }
  });

  test('each identifier has one name', () => {
    const ids = Object.values(PropertyId);
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual(
      [...ids].sort((a, b) => a - b),
      [...ruleById.keys()].sort((a, b) => a - b),
    );
  });
});
