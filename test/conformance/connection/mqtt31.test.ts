// What is MQTT 3.1's own: the name MQIsdp, client ids that have to be given, and leniency where its
// specification left things open.

import assert from 'node:assert/strict';
import { bytes, frame, string, u16 } from '../../wire.ts';
import { type Client, World } from '../../world.ts';
import { across, all, one, publish, quiet, receive, subscribe, texts } from '../kit.ts';

const only31 = [3] as const;

function connected(flags: number, ...payload: Uint8Array[]): Client {
  const client = new World().open(3);
  client.send(frame(0x10, string('MQIsdp'), bytes(3, flags), u16(0), ...payload));
  return client;
}

across('MQIsdp with level 3 is accepted, with another level it is not', only31, () => {
  assert.equal(one(connected(0x02, string('c')), 'connack').reason, 0);
  for (const level of [0, 2, 4, 5]) {
    const client = new World().open(3);
    client.send(frame(0x10, string('MQIsdp'), bytes(level, 2), u16(0), string('c')));
    assert.equal(one(client, 'connack').reason, 1);
    assert.equal(client.closed, true);
  }
});

across('an empty client id gets return code 2, clean session or not', only31, () => {
  for (const flags of [0x00, 0x02]) {
    const client = connected(flags, string(''));
    assert.equal(one(client, 'connack').reason, 2);
    assert.equal(client.closed, true);
  }
});

across('flags without a user name or password are let pass', only31, () => {
  for (const flags of [0x82, 0xc2]) quiet(drained(connected(flags, string('c'))));
});

function drained(client: Client): Client {
  assert.equal(one(client, 'connack').reason, 0);
  return client;
}

across('DUP on SUBSCRIBE, UNSUBSCRIBE and PUBREL is let pass', only31, () => {
  const client = new World().connect(3);
  client.send(frame(0x8a, u16(1), string('a'), bytes('01')));
  one(client, 'suback');
  client.send({ type: 'publish', topic: 'b', qos: 2, packetId: 4 });
  one(client, 'pubrec');
  client.send(frame(0x6a, u16(4)));
  one(client, 'pubcomp');
  client.send(frame(0xaa, u16(2), string('a')));
  one(client, 'unsuback');
});

across('CONNACK of 3.1 has no session present flag', only31, () => {
  const world = new World();
  const fields = { clientId: 'c', cleanStart: false };
  const first = world.connect(3, fields);
  subscribe(first, { filter: 'a', qos: 1 });
  first.drop();
  publish(world.connect(3), 'a', { payload: 'kept', qos: 1 });
  const again = world.connect(3, fields);
  assert.equal(again.connack!.sessionPresent, false);
  assert.deepEqual(texts(receive(again)), ['kept']);
  assert.deepEqual(all(again, 'publish'), []);
});
