// What the encoders decide by themselves: defaults, translations for 3.x, lengths, and limits.

import assert from 'node:assert/strict';
import {
  encodeAuth,
  encodeConnack,
  encodeDisconnect,
  encodeSuback,
  encodeUnsuback,
} from '../../src/mqtt/encode/packets.ts';
import { connackReturnCode, Reason } from '../../src/mqtt/reason.ts';
import { describe, test } from '../harness.ts';
import { hex, PacketDecoder, type Version } from '../wire.ts';

const connack = { sessionPresent: false, reason: 0, properties: null };

describe('CONNACK', () => {
  test('without properties', () => {
    assert.equal(hex(encodeConnack(connack, 5)), '2003000000');
    assert.equal(hex(encodeConnack(connack, 4)), '20020000');
    assert.equal(hex(encodeConnack(connack, 3)), '20020000');
  });

  test('a property that is absent is not written; false and 0 are', () => {
    const properties = { retainAvailable: false, maximumQoS: 0, topicAliasMaximum: 0 } as const;
    const [packet] = new PacketDecoder(5).push(encodeConnack({ ...connack, properties }, 5));
    assert.deepEqual((packet as { properties: object }).properties, {
      retainAvailable: 0,
      maximumQoS: 0,
      topicAliasMaximum: 0,
    });
  });

  test('properties are for MQTT 5 only', () => {
    const properties = { receiveMaximum: 5, reasonString: 'no' };
    assert.equal(hex(encodeConnack({ ...connack, properties }, 4)), '20020000');
  });

  test('[v5 MQTT-3.2.2-6] a refusal never says that a session is present', () => {
    const refusal = { sessionPresent: true, reason: Reason.NotAuthorized, properties: null };
    assert.equal(hex(encodeConnack(refusal, 5)), '2003008700');
    assert.equal(hex(encodeConnack(refusal, 4)), '20020005');
  });

  test('MQTT 3.1 has no session present flag', () => {
    const resumed = { ...connack, sessionPresent: true };
    assert.deepEqual(
      ([3, 4, 5] as Version[]).map(version => encodeConnack(resumed, version)[2]),
      [0, 1, 1],
    );
  });

  test('every refusal has a return code in 3.x', () => {
    for (const reason of Object.values(Reason).filter(code => code >= 0x80)) {
      const code = encodeConnack({ ...connack, reason }, 4)[3];
      assert.equal(code, connackReturnCode(reason));
      assert.ok(code >= 1 && code <= 5, `${reason} becomes ${code}`);
    }
  });

  test('properties of any length', () => {
    for (let length = 0; length < 300; length++) {
      const reasonString = 'x'.repeat(length);
      const encoded = encodeConnack({ ...connack, properties: { reasonString } }, 5);
      const [packet] = new PacketDecoder(5).push(encoded);
      assert.deepEqual((packet as { properties: object }).properties, { reasonString });
    }
  });

  test('a string that no packet can carry is our own mistake', () => {
    const properties = { reasonString: 'x'.repeat(65_536) };
    assert.throws(() => encodeConnack({ ...connack, properties }, 5), RangeError);
  });
});

describe('SUBACK and UNSUBACK', () => {
  test('[v5 MQTT-3.8.4-6] a code per filter, in order', () => {
    assert.equal(hex(encodeSuback(0x1234, [2, 0x87, 0], 5)), '9006123400028700');
    assert.equal(hex(encodeUnsuback(0x1234, [0, 0x11], 5)), 'b0051234000011');
  });

  test('[v3 MQTT-3.9.3-2] 3.x knows one failure', () => {
    const codes = [0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x97, 0x9e, 0xa2];
    assert.equal(hex(encodeSuback(1, codes, 4)), '900c000100010280808080808080');
    assert.equal(hex(encodeSuback(1, codes, 3)), '900c000100010280808080808080');
  });

  test('UNSUBACK has no codes before MQTT 5', () => {
    assert.equal(hex(encodeUnsuback(7, [0x11], 4)), 'b0020007');
    assert.equal(hex(encodeUnsuback(7, [0, 0], 3)), 'b0020007');
  });

  test('of as many filters as a packet may have', () => {
    const codes = Array.from({ length: 10_000 }, (_, i) => i % 3);
    const [packet] = new PacketDecoder(5).push(encodeSuback(1, codes, 5));
    assert.deepEqual((packet as { reasons: number[] }).reasons, codes);
  });
});

describe('DISCONNECT and AUTH', () => {
  test('a reason, with and without words', () => {
    assert.equal(hex(encodeDisconnect(Reason.ServerShuttingDown, null)), 'e0028b00');
    assert.equal(hex(encodeDisconnect(0x81, 'no')), 'e00781051f00026e6f');
  });

  test('AUTH repeats the method, with and without data', () => {
    assert.equal(hex(encodeAuth(0x18, 'M', null)), 'f00618041500014d');
    assert.equal(hex(encodeAuth(0x18, 'M', new Uint8Array(0))), 'f00918071500014d160000');
  });
});
