// Keep alive: who is silent for too long is gone. PINGREQ.

import assert from 'node:assert/strict';
import { bytes, text, type WireInput } from '../../wire.ts';
import { World } from '../../world.ts';
import {
  across,
  ended,
  everyVersion,
  one,
  publish,
  quiet,
  receive,
  subscribe,
  texts,
} from '../kit.ts';

across('[MQTT-3.12.4-1] PINGREQ is answered with PINGRESP', everyVersion, version => {
  const client = new World().connect(version);
  client.send({ type: 'pingreq' });
  one(client, 'pingresp');
  client.send({ type: 'pingreq' }, { type: 'pingreq' });
  assert.equal(client.take().length, 2);
});

across('PINGREQ has no body', everyVersion, version => {
  const client = new World().connect(version);
  client.send(bytes('c0 01 00'));
  ended(client, 0x81);
});

across(
  '[v3 MQTT-3.1.2-24] [v5 MQTT-3.1.2-22] silence for one and a half keep alives ends the connection',
  everyVersion,
  version => {
    const world = new World();
    const watcher = world.connect(version);
    subscribe(watcher, 'gone');
    const will = { topic: 'gone', payload: text('silent') };
    const client = world.connect(version, { keepAlive: 10, will });
    world.advance(14_999);
    quiet(client);
    world.advance(1);
    ended(client, 0x8d);
    assert.deepEqual(texts(receive(watcher)), ['silent']);
  },
);

across(
  '[v3 MQTT-3.1.2-24] [v5 MQTT-3.1.2-22] every packet starts the keep alive anew',
  everyVersion,
  version => {
    const world = new World();
    const client = world.connect(version, { keepAlive: 10 });
    const packets: WireInput[] = [
      { type: 'pingreq' },
      { type: 'publish', topic: 'a' },
      { type: 'subscribe', filters: ['a'] },
      { type: 'unsubscribe', filters: ['a'] },
      { type: 'puback', packetId: 9 },
    ];
    for (const packet of packets) {
      world.advance(14_999);
      assert.equal(client.closed, false);
      client.send(packet);
    }
    world.advance(14_999);
    assert.equal(client.closed, false);
    client.take();
    world.advance(1);
    ended(client, 0x8d);
  },
);

across(
  '[v3 §3.1.2.10] [v5 §3.1.2.10] keep alive 0 never ends a connection',
  everyVersion,
  version => {
    const world = new World();
    const client = world.connect(version, { keepAlive: 0 });
    world.advance(365 * 24 * 3_600_000);
    quiet(client);
  },
);

across('what the client receives does not keep it alive', everyVersion, version => {
  const world = new World();
  const client = world.connect(version, { keepAlive: 10 });
  const publisher = world.connect(version);
  subscribe(client, 'a');
  for (let i = 0; i < 3; i++) {
    world.advance(4_999);
    publish(publisher, 'a');
  }
  assert.equal(receive(client).length, 3);
  world.advance(3);
  ended(client, 0x8d);
});
