// UNSUBSCRIBE and UNSUBACK.

import assert from 'node:assert/strict';
import { bytes, string, type Version } from '../../wire.ts';
import { World } from '../../world.ts';
import {
  across,
  all,
  ended,
  everyVersion,
  field,
  one,
  only5,
  publish,
  quiet,
  rawSubscribe,
  receive,
  since311,
  subscribe,
  texts,
} from '../kit.ts';

function refused(version: Version, packet: Uint8Array, reason: number): void {
  const client = new World().connect(version);
  client.send(packet);
  ended(client, reason);
}

across('[MQTT-3.10.1-1] UNSUBSCRIBE with other flags than 0010 is malformed', since311, version => {
  for (const flags of [0, 1, 3, 4, 6, 8, 10]) {
    refused(version, rawSubscribe(version, 0xa0 | flags, string('a')), 0x81);
  }
});

across(
  '[v3 MQTT-2.3.1-1] [v5 MQTT-2.2.1-3] packet id 0 in UNSUBSCRIBE is refused',
  everyVersion,
  version => {
    const client = new World().connect(version);
    client.send({ type: 'unsubscribe', packetId: 0, filters: ['a'] });
    ended(client, 0x82);
  },
);

across('[MQTT-3.10.3-1] a filter that is not UTF-8 is malformed', everyVersion, version => {
  for (const filter of [bytes('c0 80'), bytes('ff'), bytes('ed a0 80')]) {
    refused(version, rawSubscribe(version, 0xa2, field(filter)), 0x81);
  }
});

across('[MQTT-3.10.3-2] UNSUBSCRIBE without a filter is a protocol error', everyVersion, version =>
  refused(version, rawSubscribe(version, 0xa2), 0x82),
);

across(
  '[MQTT-3.10.4-4] [MQTT-3.10.4-5] [v3 MQTT-2.3.1-7] [v5 MQTT-2.2.1-6] UNSUBACK comes with the packet id of the request, whether or not anything was deleted',
  everyVersion,
  version => {
    const client = new World().connect(version);
    subscribe(client, 'a');
    for (const [packetId, reason] of [
      [4, 0],
      [5, 0x11],
      [65_535, 0x11],
    ] as const) {
      client.send({ type: 'unsubscribe', packetId, filters: ['a'] });
      const unsuback = one(client, 'unsuback');
      assert.equal(unsuback.packetId, packetId);
      assert.deepEqual(unsuback.reasons, version === 5 ? [reason] : []);
    }
  },
);

across(
  '[MQTT-3.10.4-1] only the filter that is the same character by character is deleted',
  everyVersion,
  version => {
    const world = new World();
    const client = world.connect(version);
    const publisher = world.connect(version);
    subscribe(client, ['a/+', 'a/#', 'a/b', 'A/+']);
    const left = (topic: string) => {
      publish(publisher, topic, { payload: topic });
      return receive(client).length;
    };
    client.send({ type: 'unsubscribe', filters: ['+/+', '#', 'a/c', 'a/'] });
    one(client, 'unsuback');
    assert.equal(world.broker.state.router.subscriptionCount, 4);
    client.send({ type: 'unsubscribe', filters: ['a/#', 'a/+'] });
    one(client, 'unsuback');
    assert.deepEqual([left('a/b'), left('a/c'), left('A/x')], [1, 0, 1]);
  },
);

across('[MQTT-3.10.4-2] after UNSUBSCRIBE no new messages are added', everyVersion, version => {
  const world = new World();
  const client = world.connect(version);
  const publisher = world.connect(version);
  for (const filter of ['a/b', 'a/+', '#', '$share/g/a/b']) {
    subscribe(client, { filter, qos: 2 });
    publish(publisher, 'a/b', { payload: 'before', qos: 1 });
    assert.deepEqual(texts(receive(client)), ['before']);
    client.send({ type: 'unsubscribe', filters: [filter] });
    one(client, 'unsuback');
    for (const qos of [0, 1, 2]) publish(publisher, 'a/b', { payload: 'after', qos });
    quiet(client);
  }
  assert.equal(world.broker.state.router.subscriptionCount, 0);
});

across(
  '[MQTT-3.10.4-3] deliveries that were begun are completed after UNSUBSCRIBE',
  everyVersion,
  version => {
    const world = new World();
    const fields = {
      clientId: 'c',
      cleanStart: false,
      properties: { sessionExpiryInterval: 1_000 },
    };
    const client = world.connect(version, fields);
    subscribe(client, { filter: 'a', qos: 2 });
    const publisher = world.connect(version);
    publish(publisher, 'a', { payload: 'one', qos: 1 });
    publish(publisher, 'a', { payload: 'two', qos: 2 });
    all(client, 'publish');
    client.send({ type: 'unsubscribe', filters: ['a'] });
    one(client, 'unsuback');
    client.drop();
    const again = world.connect(version, fields);
    assert.deepEqual(texts(receive(again)), ['one', 'two']);
    quiet(again);
    assert.equal(world.broker.state.sessions.get('c')!.outbox!.inflight, 0);
  },
);

across('[MQTT-3.10.4-6] many filters are answered with one UNSUBACK', everyVersion, version => {
  const world = new World();
  const client = world.connect(version);
  subscribe(client, ['a', 'b', 'c']);
  client.send({ type: 'unsubscribe', packetId: 8, filters: ['a', 'x', 'c'] });
  assert.equal(one(client, 'unsuback').packetId, 8);
  for (const topic of ['a', 'b', 'c']) publish(client, topic, { payload: topic });
  assert.deepEqual(texts(receive(client)), ['b']);
});

across(
  '[v5 MQTT-3.11.3-1] [v5 MQTT-3.11.3-2] UNSUBACK has a code for each filter in order',
  only5,
  version => {
    const client = new World().connect(version);
    subscribe(client, ['a', 'b', '$share/g/a']);
    const filters = ['b', 'x', 'a', 'a', '$share/g/a', '$share/h/a'];
    client.send({ type: 'unsubscribe', filters });
    assert.deepEqual(one(client, 'unsuback').reasons, [0, 0x11, 0, 0x11, 0, 0x11]);
  },
);
