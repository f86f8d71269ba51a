// What is neither well formed nor in its place ends the connection it came from, and no other.

import assert from 'node:assert/strict';
import { bytes, encodePacket, join, string, text, type Version } from '../../wire.ts';
import { type Client, World } from '../../world.ts';
import {
  across,
  all,
  closedSilently,
  ended,
  everyVersion,
  one,
  publish,
  quiet,
  receive,
  subscribe,
  texts,
} from '../kit.ts';

/** Packets that are wrong in themselves or have no business coming from a client. */
function wrong(version: Version): [Uint8Array, number][] {
  const none = version === 5 ? bytes('00') : bytes();
  return [
    [bytes('00 00'), 0x81],
    [bytes('20 02 00 00'), 0x82],
    [join([bytes('90 03 00 01 00')]), 0x82],
    [bytes('b0 02 00 01'), 0x82],
    [bytes('d0 00'), 0x82],
    [bytes('30 ff ff ff ff 01'), 0x81],
    [bytes('30 00'), 0x81],
    [bytes('c0 80 80 80 80 00'), 0x81],
    [encodePacket({ type: 'connect', version, clientId: 'again' }, version), 0x82],
    [join([bytes(0x36, 6 + none.length), string('a'), bytes('00 01'), none, text('x')]), 0x81],
  ];
}

across(
  '[v3 MQTT-4.8.0-1] [v5 MQTT-4.13.1-1] [v5 MQTT-4.13.2-1] a malformed packet or protocol error closes its connection, and only that',
  everyVersion,
  version => {
    for (const [packet, reason] of wrong(version)) {
      const world = new World();
      const bystander = world.connect(version);
      subscribe(bystander, 'a');
      const client = world.connect(version);
      client.send(packet, { type: 'publish', topic: 'a' });
      ended(client, reason);
      quiet(bystander);
      publish(bystander, 'a', { payload: 'still here' });
      assert.deepEqual(texts(receive(bystander)), ['still here']);
      assert.ok(world.broker.state.counters.protocolErrors > 0);
    }
  },
);

across(
  '[v3 MQTT-4.8.0-2] what cannot be processed now closes its connection',
  everyVersion,
  version => {
    const world = new World({ sessionsMax: 1 });
    world.connect(version);
    const client = world.open(version);
    client.send({ type: 'connect', version, clientId: 'one too many' });
    assert.ok(one(client, 'connack').reason > 0);
    assert.equal(client.closed, true);
  },
);

across('the same faults before CONNECT close without a word', everyVersion, version => {
  for (const [packet] of wrong(version)) {
    if (packet[0] === 0x10) continue;
    const client = new World().open(version);
    client.send(packet);
    closedSilently(client);
  }
});

across('an oversized CONNECT is refused by its header', everyVersion, version => {
  const client = new World().open(version);
  client.send(bytes('10 ff ff ff 7f'));
  closedSilently(client);
});

across('a connection that is closing handles nothing more', everyVersion, version => {
  const world = new World();
  const watcher = world.connect(version);
  subscribe(watcher, '#');
  const client = world.connect(version);
  subscribe(client, 'x');
  client.budget = 0;
  publish(watcher, 'x');
  receive(watcher);
  client.send(bytes('f1 00'));
  client.send({ type: 'publish', topic: 'a' });
  quiet(watcher);
});

function stream(version: Version): Uint8Array {
  const packets = [
    encodePacket({ type: 'connect', version, clientId: 'stream' }, version),
    encodePacket({ type: 'subscribe', packetId: 1, filters: [{ filter: 'a', qos: 1 }] }, version),
    encodePacket({ type: 'publish', topic: 'a', payload: 'x', qos: 1, packetId: 2 }, version),
    encodePacket({ type: 'publish', topic: 'a', payload: 'y', qos: 2, packetId: 3 }, version),
    encodePacket({ type: 'pubrel', packetId: 3 }, version),
    encodePacket({ type: 'pingreq' }, version),
  ];
  return join(packets);
}

function outline(client: Client): string[] {
  return client.take().map(packet => packet.type);
}

across(
  '[v3 MQTT-7.1.1-1] [v5 MQTT-4.2.0-1] the transport is a stream of bytes: packets come in any pieces',
  everyVersion,
  version => {
    const bytesOfAll = stream(version);
    const whole = new World().open(version);
    whole.send(bytesOfAll);
    const expected = outline(whole);
    assert.equal(expected.length, 8);
    for (let cut = 1; cut < bytesOfAll.length; cut++) {
      const client = new World().open(version);
      client.send(bytesOfAll.slice(0, cut));
      client.send(bytesOfAll.slice(cut));
      assert.deepEqual(outline(client), expected, `cut at ${cut}`);
    }
    const single = new World().open(version);
    for (const byte of bytesOfAll) single.send(Uint8Array.of(byte));
    assert.deepEqual(outline(single), expected);
  },
);

across(
  '[v3 MQTT-7.0.0-2] a client needs no extension: the smallest exchange works',
  everyVersion,
  version => {
    const world = new World();
    const subscriber = world.open(version);
    const connect = encodePacket({ type: 'connect', version, clientId: 's' }, version);
    const publisher = world.open(version);
    subscriber.send(connect, { type: 'subscribe', filters: ['a'] });
    assert.deepEqual(outline(subscriber), ['connack', 'suback']);
    publisher.send({ type: 'connect', version, clientId: 'p' });
    publisher.send({ type: 'publish', topic: 'a', payload: 'x' }, { type: 'disconnect' });
    assert.deepEqual(texts(all(subscriber, 'publish')), ['x']);
  },
);

across('the same faults are found when a packet comes in pieces', everyVersion, version => {
  for (const [packet, reason] of wrong(version)) {
    const client = new World().connect(version);
    for (const byte of packet) client.send(Uint8Array.of(byte));
    ended(client, reason);
  }
  const large = new World({ packetSizeMax: 200 }).connect(version);
  for (const byte of bytes('30 ff 01')) large.send(Uint8Array.of(byte));
  ended(large, 0x95);
  const early = new World().open(version);
  for (const byte of bytes('10 ff ff ff 7f')) early.send(Uint8Array.of(byte));
  closedSilently(early);
});
