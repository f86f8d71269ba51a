// Keep alive: who is silent for too long is gone. PINGREQ.

import assert from 'node:assert/strict';
import { bytes, encodePacket, text, type WireInput } from '../../wire.ts';
import { type Client, World } from '../../world.ts';
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
  '[v3 MQTT-3.1.2-24] [v5 MQTT-3.1.2-22] what is no whole packet does not keep a client alive',
  everyVersion,
  version => {
    const world = new World();
    const client = world.connect(version, { keepAlive: 10 });
    const packet = encodePacket(
      { type: 'publish', topic: 'a', payload: new Uint8Array(20) },
      version,
    );
    for (const byte of packet.subarray(0, 14)) {
      world.advance(1_000);
      client.send(Uint8Array.of(byte));
    }
    quiet(client);
    world.advance(1_000);
    ended(client, 0x8d);
  },
);

/** A message of `size` bytes, in pieces of `piece` bytes every `pauseMs`. */
function sendSlowly(world: World, client: Client, size: number, piece: number, pauseMs: number) {
  const payload = new Uint8Array(size);
  const packet = encodePacket({ type: 'publish', topic: 'a', payload }, client.version);
  for (let at = 0; at < packet.length && !client.closed; at += piece) {
    client.send(packet.subarray(at, at + piece));
    world.advance(pauseMs);
  }
}

across('a large packet keeps a client alive as long as it gets on', everyVersion, version => {
  const world = new World();
  const watcher = world.connect(version);
  subscribe(watcher, 'a');
  const client = world.connect(version, { keepAlive: 10 });
  sendSlowly(world, client, 100_000, 100, 700); // 2,100 in each 15 s
  quiet(client);
  assert.equal(receive(watcher).length, 1);
  world.advance(15_000);
  ended(client, 0x8d);
});

across('a large packet that does not get on ends the connection', everyVersion, version => {
  const world = new World();
  const client = world.connect(version, { keepAlive: 10 });
  const begun = world.now;
  sendSlowly(world, client, 100_000, 100, 2_000); // 700 in that time
  ended(client, 0x8d);
  assert.equal(world.now, begun + 16_000);
});

across('the last thousand bytes of a packet have to come in time', everyVersion, version => {
  const world = new World();
  const client = world.connect(version, { keepAlive: 10 });
  const packet = encodePacket(
    { type: 'publish', topic: 'a', payload: new Uint8Array(1_900) },
    version,
  );
  client.send(packet.subarray(0, 1_000));
  world.advance(10_000);
  client.send(packet.subarray(1_000, packet.length - 1));
  world.advance(4_999);
  quiet(client);
  world.advance(1);
  ended(client, 0x8d);
});

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
