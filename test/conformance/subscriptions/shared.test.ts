// Shared subscriptions: each message to one member, and what becomes of it when that member goes.

import assert from 'node:assert/strict';
import { bytes, string, type Version } from '../../wire.ts';
import { type Client, World } from '../../world.ts';
import {
  across,
  all,
  ended,
  everyVersion,
  one,
  only5,
  publish,
  quiet,
  rawSubscribe,
  receive,
  subscribe,
  texts,
} from '../kit.ts';

function member(world: World, version: Version, clientId: string, qos = 2, most = 100): Client {
  const client = world.connect(version, {
    clientId,
    cleanStart: false,
    properties: { sessionExpiryInterval: 1_000, receiveMaximum: most },
  });
  subscribe(client, { filter: '$share/group/a/#', qos });
  return client;
}

/** Ends the session of a member that may be away. */
function endSession(world: World, version: Version, clientId: string): void {
  world.connect(version, { clientId, cleanStart: true }).send({ type: 'disconnect' });
}

across(
  '[v5 MQTT-4.8.2-1] [v5 MQTT-4.8.2-2] a share has a name without wildcards and a filter behind it',
  everyVersion,
  version => {
    const client = new World().connect(version);
    const code = version === 5 ? 0x8f : 0x80;
    for (const filter of [
      '$share/',
      '$share//a',
      '$share/g',
      '$share/g/',
      '$share/+/a',
      '$share/g#/a',
    ]) {
      assert.deepEqual(subscribe(client, filter).reasons, [code], filter);
    }
    for (const filter of [
      '$share/g/a',
      '$share/g/#',
      '$share/g//',
      '$share/ü/+/a',
      '$share/1/$SYS/#',
    ]) {
      assert.deepEqual(subscribe(client, filter).reasons, [0], filter);
    }
  },
);

across('[v5 §4.8.2] each message goes to one member, to all in turn', everyVersion, version => {
  const world = new World();
  const members = ['one', 'two', 'three'].map(id => member(world, version, id));
  const publisher = world.connect(version);
  for (let i = 0; i < 30; i++) publish(publisher, 'a/b', { payload: `${i}`, qos: i % 3 });
  const seen = members.map(client => texts(receive(client)));
  assert.deepEqual(
    seen.flat().sort((a, b) => Number(a) - Number(b)),
    Array.from({ length: 30 }, (_, i) => `${i}`),
  );
  for (const part of seen) assert.equal(part.length, 10);
});

across(
  '[v5 §4.8.2] shares of another name or filter, and plain subscriptions, get their own',
  everyVersion,
  version => {
    const world = new World();
    const clients = ['$share/one/a', '$share/two/a', '$share/one/+', 'a'].map(filter => {
      const client = world.connect(version);
      subscribe(client, filter);
      return client;
    });
    publish(world.connect(version), 'a', { payload: 'x' });
    for (const client of clients) assert.deepEqual(texts(receive(client)), ['x']);
  },
);

across(
  '[v5 MQTT-4.8.2-3] a shared message respects the QoS granted to its member',
  everyVersion,
  version => {
    const world = new World();
    const members = [0, 1, 2].map(qos => ({ qos, client: member(world, version, `m${qos}`, qos) }));
    const publisher = world.connect(version);
    for (let i = 0; i < 9; i++) publish(publisher, 'a', { qos: 2 });
    for (const { qos, client } of members) {
      const messages = receive(client);
      assert.equal(messages.length, 3);
      for (const message of messages) assert.equal(message.qos, qos);
    }
  },
);

across('only connected members are chosen while there is one', everyVersion, version => {
  const world = new World();
  const [here] = ['here', 'away', 'gone'].map(id => member(world, version, id));
  for (const client of [...world.clients.values()].slice(1)) client.drop();
  const publisher = world.connect(version);
  for (let i = 0; i < 6; i++) publish(publisher, 'a', { payload: `${i}`, qos: 1 });
  assert.equal(receive(here!).length, 6);
});

across(
  '[v5 §4.8.2] without a connected member the message waits for one',
  everyVersion,
  version => {
    const world = new World();
    for (const id of ['one', 'two']) member(world, version, id).drop();
    const publisher = world.connect(version);
    for (let i = 0; i < 4; i++) publish(publisher, 'a', { payload: `${i}`, qos: 1 });
    const seen = ['one', 'two'].flatMap(id => texts(receive(member(world, version, id))));
    assert.deepEqual(seen.sort(), ['0', '1', '2', '3']);
  },
);

across(
  '[v5 MQTT-4.8.2-4] a QoS 2 message begun towards a member is completed with it',
  everyVersion,
  version => {
    for (const upTo of ['publish', 'pubrec']) {
      const world = new World();
      const chosen = member(world, version, 'chosen');
      publish(world.connect(version), 'a', { payload: 'x', qos: 2 });
      const { packetId } = one(chosen, 'publish');
      if (upTo === 'pubrec') {
        chosen.send({ type: 'pubrec', packetId });
        one(chosen, 'pubrel');
      }
      const other = member(world, version, 'other');
      chosen.drop();
      quiet(other);
      const again = world.connect(version, {
        clientId: 'chosen',
        cleanStart: false,
        properties: { sessionExpiryInterval: 1_000 },
      });
      const packet = all(again, upTo === 'publish' ? 'publish' : 'pubrel')[0]!;
      assert.equal(packet.packetId, packetId);
      quiet(other);
    }
  },
);

across(
  '[v5 MQTT-4.8.2-5] a QoS 2 message begun towards a member goes to nobody else when its session ends',
  everyVersion,
  version => {
    const world = new World();
    const chosen = member(world, version, 'chosen');
    publish(world.connect(version), 'a', { payload: 'x', qos: 2 });
    one(chosen, 'publish');
    const other = member(world, version, 'other');
    chosen.drop();
    endSession(world, version, 'chosen');
    assert.equal(world.broker.state.sessions.has('chosen'), false);
    quiet(other);
  },
);

across(
  '[v5 §4.8.2] an unacknowledged QoS 1 message goes to another member when the session ends',
  everyVersion,
  version => {
    const world = new World();
    const chosen = member(world, version, 'chosen');
    publish(world.connect(version), 'a', { payload: 'x', qos: 1 });
    one(chosen, 'publish');
    const other = member(world, version, 'other');
    chosen.drop();
    quiet(other);
    endSession(world, version, 'chosen');
    const [message] = receive(other);
    assert.deepEqual(texts([message!]), ['x']);
    assert.equal(message!.dup, false);
  },
);

across(
  'messages that wait for a member go to another when its session ends',
  everyVersion,
  version => {
    const world = new World();
    member(world, version, 'chosen').drop();
    const publisher = world.connect(version);
    for (const qos of [1, 2]) publish(publisher, 'a', { payload: `q${qos}`, qos });
    const other = member(world, version, 'other');
    quiet(other);
    endSession(world, version, 'chosen');
    assert.deepEqual(texts(receive(other)), ['q1', 'q2']);
    const acknowledged = member(world, version, 'third');
    endSession(world, version, 'other');
    quiet(acknowledged);
  },
);

across(
  '[v5 MQTT-4.8.2-6] a PUBACK or PUBREC of 0x80 or above discards the message for everybody',
  only5,
  version => {
    for (const [qos, type] of [
      [1, 'puback'],
      [2, 'pubrec'],
    ] as const) {
      const world = new World();
      const members = ['one', 'two'].map(id => member(world, version, id));
      publish(world.connect(version), 'a', { payload: 'x', qos });
      const taken = members.map(client => client.take());
      const chosen = taken.findIndex(packets => packets.length > 0);
      const [message] = taken[chosen]!;
      assert.ok(message?.type === 'publish');
      members[chosen]!.send({ type, packetId: message.packetId, reason: 0x80 });
      for (const client of members) quiet(client);
      members[chosen]!.drop();
      endSession(world, version, chosen === 0 ? 'one' : 'two');
      quiet(members[1 - chosen]!);
    }
  },
);

across('[v5 MQTT-3.8.3-4] no local on a share is a protocol error', only5, version => {
  const client = new World().connect(version);
  client.send(rawSubscribe(version, 0x82, string('$share/g/a'), bytes('04')));
  ended(client, 0x82);
});

across('a member that does not keep up is passed over', only5, version => {
  const world = new World({ queueMessagesMax: 4 });
  const stuck = member(world, version, 'stuck', 1, 1);
  const free = member(world, version, 'free', 1, 100);
  const publisher = world.connect(version);
  const seen: string[] = [];
  for (let i = 0; i < 20; i++) {
    publisher.send({ type: 'publish', topic: 'a', payload: `${i}`, qos: 1 });
    world.advance(10_000); // as long as the publisher may be slowed for the stuck one
    one(publisher, 'puback');
    seen.push(...texts(receive(free)));
  }
  assert.equal(all(stuck, 'publish').length, 1);
  assert.ok(seen.length >= 14, `${seen.length} of 20 went to the free member`);
  assert.equal(world.broker.state.counters.droppedQueueFull, 0);
});

across('leaving a share leaves the rest of it in place', everyVersion, version => {
  const world = new World();
  const [one1, two] = ['one', 'two'].map(id => member(world, version, id));
  one1!.send({ type: 'unsubscribe', filters: ['$share/group/a/#'] });
  const publisher = world.connect(version);
  for (let i = 0; i < 4; i++) publish(publisher, 'a', { payload: `${i}` });
  assert.equal(receive(two!).length, 4);
});
