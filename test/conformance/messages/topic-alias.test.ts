// Topic aliases, those of clients and those of the broker.

import assert from 'node:assert/strict';
import { type Client, World } from '../../world.ts';
import { across, all, ended, only5, publish, receive, subscribe, texts } from '../kit.ts';

function listening(world: World): Client {
  const client = world.connect(5);
  subscribe(client, '#');
  return client;
}

across(
  '[v5 MQTT-3.3.2-12] every alias up to the announced maximum is accepted, defined anew and used',
  only5,
  version => {
    const world = new World({ topicAliasMaximum: 5 });
    const watcher = listening(world);
    const client = world.connect(version);
    assert.equal(client.connack!.properties.topicAliasMaximum, 5);
    for (let topicAlias = 1; topicAlias <= 5; topicAlias++) {
      publish(client, `t/${topicAlias}`, { properties: { topicAlias } });
    }
    for (let topicAlias = 5; topicAlias >= 1; topicAlias--) {
      for (const qos of [0, 1, 2]) publish(client, '', { qos, properties: { topicAlias } });
    }
    publish(client, 'new', { properties: { topicAlias: 3 } });
    publish(client, '', { properties: { topicAlias: 3 } });
    const topics = receive(watcher).map(message => message.topic);
    const used = [5, 4, 3, 2, 1].flatMap(n => [`t/${n}`, `t/${n}`, `t/${n}`]);
    assert.deepEqual(topics, ['t/1', 't/2', 't/3', 't/4', 't/5', ...used, 'new', 'new']);
  },
);

across('[v5 MQTT-3.3.2-8] topic alias 0 ends in 0x94', only5, version => {
  const client = new World().connect(version);
  client.send({ type: 'publish', topic: 'a', properties: { topicAlias: 0 } });
  ended(client, 0x94);
});

across(
  '[v5 MQTT-3.3.2-9] [v5 MQTT-3.2.2-17] an alias above the maximum ends in 0x94',
  only5,
  version => {
    const client = new World({ topicAliasMaximum: 5 }).connect(version);
    client.send({ type: 'publish', topic: 'a', properties: { topicAlias: 6 } });
    ended(client, 0x94);
  },
);

across('[v5 MQTT-3.2.2-18] an alias ends in 0x94 where the server takes none', only5, version => {
  const client = new World({ topicAliasMaximum: 0 }).connect(version);
  client.send({ type: 'publish', topic: 'a', properties: { topicAlias: 1 } });
  ended(client, 0x94);
});

across('[v5 §3.3.4] an alias that was never defined is a protocol error', only5, version => {
  const client = new World().connect(version);
  client.send({ type: 'publish', topic: '', properties: { topicAlias: 1 } });
  ended(client, 0x82);
});

across('[v5 MQTT-3.3.2-7] aliases end with their connection', only5, version => {
  const world = new World();
  const fields = {
    clientId: 'c',
    cleanStart: false,
    properties: { sessionExpiryInterval: 1_000, topicAliasMaximum: 5 },
  };
  const first = world.connect(version, fields);
  subscribe(first, 'a/#');
  publish(first, 'a/1', { properties: { topicAlias: 1 } });
  publish(first, 'a/1', { payload: 'again' });
  assert.deepEqual(
    receive(first).map(message => message.topic),
    ['a/1', ''],
  );
  first.drop();
  const second = world.connect(version, fields);
  publish(world.connect(version), 'a/1');
  assert.equal(receive(second)[0]!.topic, 'a/1', 'the broker names the topic again');
  second.send({ type: 'publish', topic: '', properties: { topicAlias: 1 } });
  ended(second, 0x82);
});

/** Sees a client's messages as it does: by what their aliases stand for. */
function resolved(client: Client, most: number): string[] {
  const known = new Map<number, string>();
  return all(client, 'publish').map(({ topic, properties }) => {
    const { topicAlias } = properties;
    if (topicAlias === undefined) return topic;
    assert.ok(topicAlias >= 1 && topicAlias <= most, `alias ${topicAlias}`);
    if (topic !== '') known.set(topicAlias, topic);
    assert.ok(known.has(topicAlias), `alias ${topicAlias} was never defined`);
    return known.get(topicAlias)!;
  });
}

across(
  '[v5 MQTT-3.1.2-26] [v5 MQTT-3.3.2-11] no alias above the maximum of the client is sent',
  only5,
  version => {
    for (const most of [1, 2, 10]) {
      const world = new World();
      const client = world.connect(version, { properties: { topicAliasMaximum: most } });
      subscribe(client, { filter: '#', qos: 2 });
      const publisher = world.connect(version);
      const topics: string[] = [];
      for (let i = 0; i < 60; i++) {
        const topic = `topic/${i % 7}`;
        topics.push(topic);
        publish(publisher, topic, { qos: i % 3, packetId: i + 1 });
      }
      assert.deepEqual(resolved(client, most), topics);
    }
  },
);

across('[v5 §3.3.2.3.4] a known topic goes out as an alias alone', only5, version => {
  const world = new World();
  const client = world.connect(version, { properties: { topicAliasMaximum: 1 } });
  subscribe(client, '#');
  const publisher = world.connect(version);
  for (let i = 0; i < 3; i++) publish(publisher, 'a/long/topic/name', { payload: 'x' });
  const seen = receive(client).map(message => [message.topic, message.properties.topicAlias]);
  assert.deepEqual(seen, [
    ['a/long/topic/name', 1],
    ['', 1],
    ['', 1],
  ]);
});

across('[v5 MQTT-3.1.2-27] no alias is sent to a client that takes none', only5, version => {
  for (const properties of [{}, { topicAliasMaximum: 0 }]) {
    const world = new World();
    const client = world.connect(version, { properties });
    subscribe(client, '#');
    const publisher = world.connect(version);
    for (let i = 0; i < 3; i++) publish(publisher, 'a', { properties: { topicAlias: 1 } });
    for (const message of receive(client)) {
      assert.equal(message.topic, 'a');
      assert.equal(message.properties.topicAlias, undefined);
    }
  }
});

across('an alias whose definition was too large to send is not used', only5, version => {
  const world = new World();
  const client = world.connect(version, {
    properties: { topicAliasMaximum: 5, maximumPacketSize: 40 },
  });
  subscribe(client, 'a');
  const publisher = world.connect(version);
  publish(publisher, 'a', { payload: 'x'.repeat(100) });
  publish(publisher, 'a', { payload: 'y' });
  publish(publisher, 'a', { payload: 'z' });
  const messages = receive(client);
  assert.deepEqual(texts(messages), ['y', 'z']);
  assert.equal(messages[0]!.topic, 'a');
});
