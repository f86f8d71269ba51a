// Receive maximum and maximum packet size, in both directions.

import assert from 'node:assert/strict';
import { encodePacket, type Version } from '../../wire.ts';
import { type Client, World } from '../../world.ts';
import {
  across,
  all,
  before5,
  ended,
  everyVersion,
  one,
  only5,
  publish,
  quiet,
  receive,
  subscribe,
  texts,
} from '../kit.ts';

/** A subscriber that takes `most` messages at a time, and a publisher. */
function narrow(most: number): { world: World; subscriber: Client; publisher: Client } {
  const world = new World();
  const subscriber = world.connect(5, {
    clientId: 's',
    cleanStart: false,
    properties: { receiveMaximum: most, sessionExpiryInterval: 1_000 },
  });
  subscribe(subscriber, { filter: '#', qos: 2 });
  return { world, subscriber, publisher: world.connect(5) };
}

across(
  '[v5 MQTT-3.3.4-9] [v5 MQTT-4.9.0-1] [v5 MQTT-4.9.0-2] no more than the receive maximum of the client is in flight',
  only5,
  () => {
    for (const most of [1, 2, 5]) {
      for (const qos of [1, 2]) {
        const { subscriber, publisher } = narrow(most);
        for (let i = 0; i < 12; i++) publish(publisher, 'a', { payload: `${i}`, qos });
        const seen: string[] = [];
        const flying: number[] = [];
        while (seen.length < 12) {
          const arrived = all(subscriber, 'publish');
          assert.ok(arrived.length > 0, 'the quota is used');
          seen.push(...texts(arrived));
          flying.push(...arrived.map(message => message.packetId));
          assert.ok(flying.length <= most, `${flying.length} in flight`);
          const packetId = flying.shift()!;
          if (qos === 2) {
            subscriber.send({ type: 'pubrec', packetId });
            one(subscriber, 'pubrel');
          }
          subscriber.send({ type: qos === 1 ? 'puback' : 'pubcomp', packetId });
        }
        assert.deepEqual(
          seen.map(Number),
          seen.map((_, i) => i),
        );
      }
    }
  },
);

across('[v5 MQTT-4.9.0-2] a PUBREC of 0x80 or above gives the quota back', only5, () => {
  const { subscriber, publisher } = narrow(1);
  for (const payload of ['one', 'two']) publish(publisher, 'a', { payload, qos: 2 });
  const { packetId } = one(subscriber, 'publish');
  subscriber.send({ type: 'pubrec', packetId, reason: 0x97 });
  assert.deepEqual(texts(all(subscriber, 'publish')), ['two']);
});

across(
  '[v5 MQTT-3.3.4-9] a resumed session begins with a full quota and keeps to it',
  only5,
  version => {
    const { world, subscriber, publisher } = narrow(4);
    for (let i = 0; i < 6; i++) publish(publisher, 'a', { payload: `${i}`, qos: 2 });
    const [first] = all(subscriber, 'publish');
    subscriber.send({ type: 'pubrec', packetId: first!.packetId });
    one(subscriber, 'pubrel');
    subscriber.drop();
    const again = world.connect(version, {
      clientId: 's',
      cleanStart: false,
      properties: { receiveMaximum: 1, sessionExpiryInterval: 1_000 },
    });
    const open = new Set<number>();
    const seen: string[] = [];
    for (let packets = again.take(); packets.length > 0; packets = again.take()) {
      for (const packet of packets) {
        if (packet.type === 'publish') {
          open.add(packet.packetId);
          seen.push(...texts([packet]));
          assert.ok(open.size <= 1, `${open.size} in flight`);
        }
      }
      for (const packet of packets) {
        if (packet.type === 'publish') again.send({ type: 'pubrec', packetId: packet.packetId });
        if (packet.type === 'pubrel') {
          open.delete(packet.packetId);
          again.send({ type: 'pubcomp', packetId: packet.packetId });
        }
      }
    }
    assert.deepEqual(seen, ['1', '2', '3', '4', '5']);
  },
);

across(
  '[v5 MQTT-3.3.4-10] [v5 MQTT-4.9.0-3] at a used up quota everything else is processed and answered',
  only5,
  () => {
    const { subscriber, publisher } = narrow(1);
    for (let i = 0; i < 3; i++) publish(publisher, 'a', { payload: `${i}`, qos: 1 });
    one(subscriber, 'publish');
    subscriber.send({ type: 'pingreq' });
    one(subscriber, 'pingresp');
    subscriber.send({ type: 'subscribe', filters: ['b'] });
    one(subscriber, 'suback');
    subscriber.send({ type: 'unsubscribe', filters: ['b'] });
    one(subscriber, 'unsuback');
    subscriber.send({ type: 'publish', topic: 'c', qos: 2, packetId: 9 });
    assert.equal(one(subscriber, 'pubrec').packetId, 9);
    subscriber.send({ type: 'pubrel', packetId: 9 });
    one(subscriber, 'pubcomp');
    publish(publisher, 'a', { payload: 'zero', qos: 0 });
    assert.deepEqual(texts(all(subscriber, 'publish')), ['zero']);
  },
);

across(
  '[v5 MQTT-3.3.4-7] more than the receive maximum of the server ends in 0x93',
  only5,
  version => {
    const client = new World({ receiveMaximum: 3 }).connect(version);
    assert.equal(client.connack!.properties.receiveMaximum, 3);
    for (let packetId = 1; packetId <= 3; packetId++) {
      client.send({ type: 'publish', topic: 'a', qos: 2, packetId });
    }
    assert.equal(all(client, 'pubrec').length, 3);
    client.send({ type: 'pubrel', packetId: 2 });
    one(client, 'pubcomp');
    client.send({ type: 'publish', topic: 'a', qos: 2, packetId: 4 });
    one(client, 'pubrec');
    client.send({ type: 'publish', topic: 'a', qos: 2, packetId: 5 });
    ended(client, 0x93);
  },
);

across(
  '[v5 §4.9] acknowledged messages do not count towards the receive maximum',
  everyVersion,
  version => {
    const client = new World({ receiveMaximum: 2 }).connect(version);
    for (let i = 0; i < 10; i++) {
      publish(client, 'a', { qos: 1, packetId: i + 1 });
      publish(client, 'a', { qos: 2, packetId: i + 20 });
    }
    client.send({ type: 'publish', topic: 'a', qos: 2, packetId: 50 });
    client.send({ type: 'publish', topic: 'a', qos: 2, packetId: 50, dup: true });
    client.send({ type: 'publish', topic: 'a', qos: 2, packetId: 51 });
    assert.equal(all(client, 'pubrec').length, 3);
    quiet(client);
  },
);

across('[v5 §4.9] refused messages do not count towards the receive maximum', only5, version => {
  const world = new World(
    { receiveMaximum: 2 },
    { mayPublish: () => false, maySubscribe: () => true },
  );
  const client = world.connect(version);
  for (let i = 1; i < 10; i++) {
    for (const qos of [1, 2]) assert.equal(publish(client, 'a', { qos, packetId: i }), 0x87);
  }
  quiet(client);
});

across('3.x clients are held to no receive maximum', before5, version => {
  const client = new World({ receiveMaximum: 2 }).connect(version);
  for (let packetId = 1; packetId <= 20; packetId++) {
    client.send({ type: 'publish', topic: 'a', qos: 2, packetId });
  }
  assert.equal(all(client, 'pubrec').length, 20);
});

across('the server limits what is in flight for every version', everyVersion, version => {
  const world = new World({ inflightMax: 3 });
  const subscriber = world.connect(version);
  subscribe(subscriber, { filter: 'a', qos: 1 });
  const publisher = world.connect(version);
  for (let i = 0; i < 9; i++) publish(publisher, 'a', { payload: `${i}`, qos: 1 });
  assert.equal(all(subscriber, 'publish').length, 3);
});

const room = (version: Version, payload: number, qos: number, properties = {}) =>
  encodePacket(
    { type: 'publish', topic: 'a', payload: 'x'.repeat(payload), qos, properties },
    version,
  ).length;

across(
  '[v5 MQTT-3.1.2-24] no packet above the maximum size of the client is sent',
  only5,
  version => {
    for (const qos of [0, 1, 2]) {
      for (const [size, extra] of [
        [60, {}],
        [200, { userProperties: [['k', 'v']] as [string, string][] }],
      ] as const) {
        const world = new World();
        const client = world.connect(version, { properties: { maximumPacketSize: size } });
        subscribe(client, { filter: 'a', qos: 2 });
        const publisher = world.connect(version);
        const fits = size - room(version, 0, qos, extra) - (size > 129 ? 1 : 0);
        for (const length of [fits + 1, fits]) {
          publish(publisher, 'a', { payload: 'x'.repeat(length), qos, properties: extra });
        }
        const messages = receive(client);
        assert.deepEqual(
          messages.map(message => message.payload.length),
          [fits],
        );
      }
    }
  },
);

across('[v5 MQTT-3.1.2-24] of many recipients each gets what it can take', only5, version => {
  const world = new World();
  const clients = [60, 200, 1_000].map(maximumPacketSize => {
    const client = world.connect(version, { properties: { maximumPacketSize } });
    subscribe(client, { filter: 'a', qos: 2 });
    return client;
  });
  const publisher = world.connect(version);
  for (const qos of [0, 1, 2]) {
    for (const length of [10, 100, 500])
      publish(publisher, 'a', { payload: 'x'.repeat(length), qos });
  }
  const lengths = clients.map(client => receive(client).map(message => message.payload.length));
  assert.deepEqual(lengths, [
    [10, 10, 10],
    [10, 100, 10, 100, 10, 100],
    [10, 100, 500, 10, 100, 500, 10, 100, 500],
  ]);
});

across('[v5 MQTT-3.1.2-25] what is too large counts as delivered', only5, version => {
  const world = new World();
  const fields = {
    clientId: 's',
    cleanStart: false,
    properties: { maximumPacketSize: 60, receiveMaximum: 1, sessionExpiryInterval: 1_000 },
  };
  const client = world.connect(version, fields);
  subscribe(client, { filter: 'a', qos: 2 });
  const publisher = world.connect(version);
  const large = 'x'.repeat(100);
  for (const qos of [1, 2]) {
    for (let i = 0; i < 3; i++) publish(publisher, 'a', { payload: large, qos });
    publish(publisher, 'a', { payload: `small ${qos}`, qos });
  }
  assert.deepEqual(texts(receive(client)), ['small 1', 'small 2']);
  publish(publisher, 'a', { payload: large, qos: 1 });
  client.drop();
  publish(publisher, 'a', { payload: large, qos: 2 });
  quiet(world.connect(version, fields));
  assert.equal(world.broker.state.counters.droppedTooLarge, 8);
});

across('a message in flight that has become too large is given up', only5, version => {
  const world = new World();
  const connect = (maximumPacketSize: number) =>
    world.connect(version, {
      clientId: 's',
      cleanStart: false,
      properties: { maximumPacketSize, sessionExpiryInterval: 1_000 },
    });
  const wide = connect(1_000);
  subscribe(wide, { filter: 'a', qos: 1 });
  const publisher = world.connect(version);
  publish(publisher, 'a', { payload: 'x'.repeat(500), qos: 1 });
  publish(publisher, 'a', { payload: 'small', qos: 1 });
  wide.drop();
  assert.deepEqual(texts(receive(connect(100))), ['small']);
  assert.equal(world.broker.state.sessions.get('s')!.outbox!.inflight, 0);
});

across(
  '[v5 MQTT-3.4.2-2] [v5 MQTT-3.4.2-3] [v5 MQTT-3.5.2-2] [v5 MQTT-3.5.2-3] [v5 MQTT-3.6.2-2] [v5 MQTT-3.6.2-3] [v5 MQTT-3.7.2-2] [v5 MQTT-3.7.2-3] [v5 MQTT-3.9.2-1] [v5 MQTT-3.9.2-2] [v5 MQTT-3.11.2-1] [v5 MQTT-3.11.2-2] [v5 MQTT-3.1.2-29] answers carry no reason string and no user property that the client did not ask for or has no room for',
  only5,
  version => {
    const world = new World({}, { mayPublish: (_, t) => t !== 'no', maySubscribe: () => false });
    for (const requestProblemInformation of [0, 1]) {
      const client = world.connect(version, {
        properties: { requestProblemInformation, maximumPacketSize: 50 },
      });
      client.send(
        { type: 'publish', topic: 'no', qos: 1, packetId: 1 },
        { type: 'publish', topic: 'no', qos: 2, packetId: 2 },
        { type: 'pubrec', packetId: 3 },
        { type: 'pubrel', packetId: 4 },
        { type: 'subscribe', packetId: 5, filters: ['a', 'b/#/c'] },
        { type: 'unsubscribe', packetId: 6, filters: ['a'] },
      );
      const answers = client.take();
      assert.deepEqual(
        answers.map(packet => [packet.type, 'properties' in packet ? packet.properties : null]),
        ['puback', 'pubrec', 'pubrel', 'pubcomp', 'suback', 'unsuback'].map(type => [type, {}]),
      );
      for (const answer of answers) assert.ok(encodePacket(answer, 5).length <= 50);
    }
  },
);
