// The bound on filters per packet; everything else about SUBSCRIBE is in the wire corpus.

import assert from 'node:assert/strict';
import { limits } from '../../src/limits.ts';
import { decodeSubscribe, decodeUnsubscribe } from '../../src/mqtt/decode/subscribe.ts';
import { Fault } from '../../src/mqtt/fault.ts';
import { describe, test } from '../harness.ts';
import { bytes, join, string } from '../wire.ts';

/** A body for 3.1.1 with `count` filters: options behind each, or none. */
function bodyOf(count: number, options: string): Uint8Array {
  const entry = join([string('a'), bytes(options)]);
  return join([bytes('0001'), ...Array.from({ length: count }, () => entry)]);
}

describe('filters per packet', () => {
  const most = limits.filtersPerPacketMax;

  test('as many as the bound', () => {
    const subscribe = bodyOf(most, '00');
    const packet = decodeSubscribe(subscribe, 0, subscribe.length, 4);
    assert.ok(!(packet instanceof Fault));
    assert.equal(packet.entries.length, most);
    const unsubscribe = bodyOf(most, '');
    const other = decodeUnsubscribe(unsubscribe, 0, unsubscribe.length, 4);
    assert.ok(!(other instanceof Fault));
    assert.equal(other.filters.length, most);
  });

  test('one more is over the quota, whatever follows', () => {
    const subscribe = join([bodyOf(most + 1, '00'), bytes('ff')]);
    const fault = decodeSubscribe(subscribe, 0, subscribe.length, 4);
    assert.ok(fault instanceof Fault);
    assert.equal(fault.reason, 0x97);
    const unsubscribe = join([bodyOf(most + 1, ''), bytes('ff')]);
    const other = decodeUnsubscribe(unsubscribe, 0, unsubscribe.length, 4);
    assert.ok(other instanceof Fault);
    assert.equal(other.reason, 0x97);
  });
});
