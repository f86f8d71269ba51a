// Retained messages: kept, replaced, cleared, expired; who gets them and with which flag.

import assert from 'node:assert/strict';
import { limits } from '../../../src/limits.ts';
import type { Version } from '../../wire.ts';
import { type Client, World } from '../../world.ts';
import {
  across,
  everyVersion,
  type Filter,
  only5,
  type PublishFields,
  publish,
  quiet,
  receive,
  subscribe,
  texts,
} from '../kit.ts';

function keep(world: World, version: Version, topic: string, fields: PublishFields = {}): number {
  return publish(world.connect(version), topic, { payload: topic, retain: true, ...fields });
}

/** What a new client with this subscription is sent. */
function offered(world: World, version: Version, filter: Filter): ReturnType<typeof receive> {
  const client = world.connect(version);
  subscribe(client, filter);
  return receive(client);
}

across(
  '[MQTT-3.3.1-5] [v3 MQTT-3.3.1-6] [v3 MQTT-3.3.1-8] [v5 MQTT-3.3.1-9] a retained message is sent to new subscriptions, with RETAIN',
  everyVersion,
  version => {
    const world = new World();
    for (const qos of [0, 1, 2]) keep(world, version, `a/${qos}`, { qos });
    const messages = offered(world, version, { filter: 'a/+', qos: 2 });
    assert.deepEqual(texts(messages).sort(), ['a/0', 'a/1', 'a/2']);
    for (const message of messages) {
      assert.equal(message.retain, true);
      assert.equal(message.topic, `a/${message.qos}`, 'it keeps its QoS');
    }
  },
);

across('[MQTT-3.3.1-5] a retained message replaces the one before it', everyVersion, version => {
  const world = new World();
  for (const payload of ['one', 'two', 'three']) keep(world, version, 'a', { payload, qos: 1 });
  assert.deepEqual(texts(offered(world, version, 'a')), ['three']);
});

across(
  '[v3 MQTT-3.3.1-7] a retained QoS 0 message replaces the one before it',
  everyVersion,
  version => {
    const world = new World();
    keep(world, version, 'a', { payload: 'old', qos: 2 });
    keep(world, version, 'a', { payload: 'new', qos: 0 });
    const messages = offered(world, version, { filter: 'a', qos: 2 });
    assert.deepEqual(texts(messages), ['new']);
    assert.equal(messages[0]!.qos, 0);
  },
);

across(
  '[v3 MQTT-3.3.1-10] [v5 MQTT-3.3.1-6] an empty retained message removes the stored one and is delivered',
  everyVersion,
  version => {
    const world = new World();
    const watcher = world.connect(version);
    subscribe(watcher, '#');
    keep(world, version, 'a');
    keep(world, version, 'b');
    receive(watcher);
    keep(world, version, 'a', { payload: '' });
    const [message] = receive(watcher);
    assert.equal(message?.topic, 'a');
    assert.equal(message.payload.length, 0);
    assert.equal(message.retain, false);
    assert.deepEqual(texts(offered(world, version, '#')), ['b']);
  },
);

across(
  '[v3 MQTT-3.3.1-11] [v5 MQTT-3.3.1-7] an empty message is not kept',
  everyVersion,
  version => {
    const world = new World();
    keep(world, version, 'a', { payload: '' });
    assert.deepEqual(offered(world, version, '#'), []);
    assert.equal(world.broker.state.retained.count, 0);
  },
);

across(
  '[v3 MQTT-3.3.1-12] [v5 MQTT-3.3.1-8] a message without RETAIN neither stores nor removes',
  everyVersion,
  version => {
    const world = new World();
    keep(world, version, 'a', { payload: 'kept' });
    for (const payload of ['other', '']) keep(world, version, 'a', { payload, retain: false });
    keep(world, version, 'b', { retain: false });
    assert.deepEqual(texts(offered(world, version, '#')), ['kept']);
  },
);

/** What an established subscription sees of a message published with RETAIN. */
function forwarded(version: Version, filter: Filter): Client {
  const world = new World();
  const client = world.connect(version);
  subscribe(client, filter);
  keep(world, version, 'a', { qos: 1 });
  publish(world.connect(version), 'a', { qos: 1 });
  return client;
}

across(
  '[v3 MQTT-3.3.1-9] [v5 MQTT-3.3.1-12] RETAIN is 0 towards established subscriptions',
  everyVersion,
  version => {
    for (const qos of [0, 1, 2]) {
      const flags = receive(forwarded(version, { filter: 'a', qos })).map(m => m.retain);
      assert.deepEqual(flags, [false, false]);
    }
  },
);

across('[v5 MQTT-3.3.1-13] retain as published forwards RETAIN as it came', only5, version => {
  for (const qos of [0, 1, 2]) {
    const filter = { filter: 'a', qos, retainAsPublished: true };
    const flags = receive(forwarded(version, filter)).map(message => message.retain);
    assert.deepEqual(flags, [true, false]);
  }
});

across('[v5 MQTT-3.3.1-9] retain handling 0 sends them at every SUBSCRIBE', only5, version => {
  const world = new World();
  keep(world, version, 'a');
  const client = world.connect(version);
  for (let i = 0; i < 3; i++) {
    subscribe(client, { filter: 'a', retainHandling: 0 });
    assert.deepEqual(texts(receive(client)), ['a']);
  }
});

across('[v5 MQTT-3.3.1-10] retain handling 1 sends them to new ones only', only5, version => {
  const world = new World();
  keep(world, version, 'a');
  const client = world.connect(version);
  subscribe(client, { filter: 'a', retainHandling: 1 });
  assert.deepEqual(texts(receive(client)), ['a']);
  subscribe(client, { filter: 'a', retainHandling: 1, qos: 1 });
  quiet(client);
  subscribe(client, { filter: '#', retainHandling: 1 });
  assert.deepEqual(texts(receive(client)), ['a']);
  client.send({ type: 'unsubscribe', filters: ['a'] });
  client.take();
  subscribe(client, { filter: 'a', retainHandling: 1 });
  assert.deepEqual(texts(receive(client)), ['a']);
});

across('[v5 MQTT-3.3.1-11] retain handling 2 sends none', only5, version => {
  const world = new World();
  keep(world, version, 'a');
  const client = world.connect(version);
  subscribe(client, { filter: 'a', retainHandling: 2 });
  subscribe(client, { filter: '#', retainHandling: 2 });
  quiet(client);
  publish(client, 'a', { payload: 'live' });
  assert.deepEqual(texts(receive(client)), ['live']);
});

across(
  '[v3 MQTT-3.1.2-7] retained messages outlive the session of their publisher',
  everyVersion,
  version => {
    const world = new World();
    const client = world.connect(version, { clientId: 'c' });
    publish(client, 'a', { payload: 'kept', retain: true });
    client.drop();
    world.connect(version, { clientId: 'c', cleanStart: true }).drop();
    assert.deepEqual(texts(offered(world, version, 'a')), ['kept']);
  },
);

across('a retained message arrives at the lower of both QoS', everyVersion, version => {
  const world = new World();
  keep(world, version, 'a', { qos: 2 });
  for (const qos of [0, 1, 2]) {
    assert.equal(offered(world, version, { filter: 'a', qos })[0]!.qos, qos);
  }
});

across(
  '[v5 §3.3.2.3.3] a retained message says how long it still lives, and expires',
  only5,
  version => {
    const world = new World();
    const properties = { messageExpiryInterval: 10, contentType: 'text/plain' };
    keep(world, version, 'a', { properties });
    world.advance(9_000);
    const [message] = offered(world, version, 'a');
    assert.deepEqual(message!.properties, { ...properties, messageExpiryInterval: 1 });
    world.advance(1_000);
    assert.deepEqual(offered(world, version, 'a'), []);
    assert.equal(world.broker.state.retained.count, 0);
    keep(world, version, 'a', { properties });
    keep(world, version, 'a', { payload: 'for good' });
    world.advance(20_000);
    assert.deepEqual(texts(offered(world, version, 'a')), ['for good']);
  },
);

across(
  '[MQTT-4.6.0-5] retained messages come before what is published after the subscription',
  everyVersion,
  version => {
    for (const qos of [0, 1, 2]) {
      const world = new World();
      const publisher = world.connect(version);
      publish(publisher, 'a', { payload: 'kept', retain: true, qos });
      const client = world.connect(version);
      world.hold(() => {
        client.send({ type: 'subscribe', filters: [{ filter: 'a', qos }] });
        publisher.send({ type: 'publish', topic: 'a', payload: 'live', qos });
      });
      const [suback, ...messages] = client.take();
      assert.equal(suback?.type, 'suback');
      client.keep(messages);
      assert.deepEqual(texts(receive(client)), ['kept', 'live']);
    }
  },
);

across('[v5 §4.8.2] shared subscriptions get no retained messages', everyVersion, version => {
  const world = new World();
  keep(world, version, 'a');
  assert.deepEqual(offered(world, version, '$share/group/a'), []);
});

across('overlapping filters of one SUBSCRIBE each get theirs', everyVersion, version => {
  const world = new World();
  keep(world, version, 'a/b');
  const client = world.connect(version);
  subscribe(client, ['a/b', 'a/+', '#']);
  assert.deepEqual(texts(receive(client)), ['a/b', 'a/b', 'a/b']);
});

across('many retained messages all arrive, at the pace of the client', everyVersion, version => {
  const world = new World();
  const count = 2_000;
  const publisher = world.connect(version);
  for (let i = 0; i < count; i++) {
    publish(publisher, `a/${i}`, { payload: 'x'.repeat(1_000), retain: true });
  }
  const client = world.connect(version);
  client.budget = 50_000;
  subscribe(client, { filter: 'a/#', qos: 1 });
  const seen = new Set<string>();
  for (let turns = 0; seen.size < count && turns < 1_000; turns++) {
    world.turn();
    for (const message of receive(client)) seen.add(message.topic);
  }
  assert.equal(seen.size, count);
});

across('beyond the bound a retained message is delivered but not kept', everyVersion, version => {
  const world = new World({ retainedMessagesMax: 2 });
  const watcher = world.connect(version);
  subscribe(watcher, '#');
  for (const topic of ['a', 'b']) assert.notEqual(keep(world, version, topic, { qos: 1 }), 0x97);
  assert.equal(keep(world, version, 'c', { qos: 1 }), version === 5 ? 0x97 : 0);
  assert.notEqual(keep(world, version, 'a', { qos: 1, payload: 'again' }), 0x97);
  assert.deepEqual(texts(receive(watcher)), ['a', 'b', 'c', 'again']);
  assert.deepEqual(texts(offered(world, version, '#')).sort(), ['again', 'b']);
  assert.ok(world.broker.state.counters.droppedRetainedFull > 0);
});

across(
  '[v5 §3.3.2.3.8] a retained message carries the identifier of the SUBSCRIBE that asked for it',
  only5,
  version => {
    const world = new World();
    keep(world, version, 'a');
    const client = world.connect(version);
    subscribe(client, 'a', { subscriptionIdentifiers: [3] });
    assert.deepEqual(receive(client)[0]!.properties.subscriptionIdentifiers, [3]);
    subscribe(client, 'a');
    assert.equal(receive(client)[0]!.properties.subscriptionIdentifiers, undefined);
  },
);

across(
  'what a client missed of its retained messages comes when it is back',
  everyVersion,
  version => {
    const world = new World({ inflightMax: 5 });
    for (let i = 0; i < 700; i++) keep(world, version, `a/${i}`, { qos: 1 });
    const fields = {
      clientId: 'c',
      cleanStart: false,
      properties: { sessionExpiryInterval: 1_000 },
    };
    const first = world.connect(version, fields);
    subscribe(first, { filter: 'a/#', qos: 1 });
    const seen = new Set(first.take().map(packet => packet.type === 'publish' && packet.topic));
    assert.equal(seen.size, 5);
    first.drop();
    for (const message of receive(world.connect(version, fields))) seen.add(message.topic);
    assert.equal(seen.size, 700);
  },
);

across(
  'a new subscription is served in portions, and no more than it takes waits',
  everyVersion,
  version => {
    const world = new World({ inflightMax: 5 });
    const publisher = world.connect(version);
    for (let i = 0; i < 2_000; i++)
      publish(publisher, `a/${i}`, { payload: 'x', retain: true, qos: 1 });
    const client = world.connect(version);
    const { counters, sessions } = world.broker.state;
    const before = counters.publishSent;
    world.hold(() => {
      client.send({ type: 'subscribe', filters: ['a/#'] });
      const sent = counters.publishSent - before;
      assert.ok(sent > 0 && sent <= limits.retainedPerTurn, `${sent}`);
    });
    assert.equal(receive(client).length, 2_000);
    const idle = world.connect(version, { clientId: 'idle' });
    subscribe(idle, { filter: 'a/#', qos: 1 });
    assert.ok(sessions.get('idle')!.queued <= limits.retainedPerTurn);
    assert.equal(receive(idle).length, 2_000);
  },
);

across(
  'many new subscriptions share the portions of a turn, and each gets everything',
  everyVersion,
  version => {
    const world = new World();
    const publisher = world.connect(version);
    for (let i = 0; i < 500; i++) publish(publisher, `a/${i}`, { payload: 'x', retain: true });
    const clients = Array.from({ length: 20 }, () => world.connect(version));
    const { counters, walking } = world.broker.state;
    const before = counters.publishSent;
    world.hold(() => {
      for (const client of clients) client.send({ type: 'subscribe', filters: ['a/#'] });
      const sent = counters.publishSent - before;
      assert.ok(sent > 0 && sent <= limits.retainedPerTurnMax, `${sent}`);
      assert.equal(walking.size, 20);
    });
    for (const client of clients) assert.equal(receive(client).length, 500);
    assert.equal(walking.size, 0);
  },
);

across('what no filter finds is looked for in portions as well', everyVersion, version => {
  const world = new World();
  const publisher = world.connect(version);
  for (let i = 0; i < 500; i++) publish(publisher, `a/${i}/b`, { payload: 'x', retain: true });
  publish(publisher, 'a/500/c', { payload: 'last', retain: true });
  const client = world.connect(version);
  const { counters, walking } = world.broker.state;
  const before = counters.publishSent;
  world.hold(() => {
    client.send({ type: 'subscribe', filters: ['a/+/c'] });
    assert.equal(counters.publishSent, before);
    assert.equal(walking.size, 1);
  });
  assert.equal(receive(client).length, 1);
});
