// Wills: kept with the connection, published when it ends badly, at the time and in the way CONNECT
// asked for.

import assert from 'node:assert/strict';
import { type PublishWire, text, type Version } from '../../wire.ts';
import type { WireProperties } from '../../wire-properties.ts';
import { type Client, type ConnectFields, World } from '../../world.ts';
import {
  across,
  ended,
  everyVersion,
  only5,
  publish,
  quiet,
  receive,
  subscribe,
  texts,
} from '../kit.ts';

const topic = 'last/words';

/** A world with somebody who listens to wills. */
function watched(version: Version): { world: World; watcher: Client } {
  const world = new World();
  const watcher = world.connect(version, { clientId: 'watcher' });
  subscribe(watcher, { filter: 'last/#', qos: 2 });
  return { world, watcher };
}

/** A client with a will and, where `seconds` is given, a session that outlives it. */
function mortal(world: World, version: Version, will: object = {}, seconds?: number): Client {
  return world.connect(version, {
    clientId: 'mortal',
    will: { topic, payload: text('bye'), ...will },
    ...(seconds !== undefined && {
      cleanStart: false,
      properties: { sessionExpiryInterval: seconds },
    }),
  });
}

function delayed(seconds: number): { properties: WireProperties } {
  return { properties: { willDelayInterval: seconds } };
}

across(
  '[v3 MQTT-3.1.2-8] [v5 MQTT-3.1.2-7] [v5 MQTT-3.1.2-8] a will is published when the connection is lost',
  everyVersion,
  version => {
    const { world, watcher } = watched(version);
    const client = mortal(world, version);
    quiet(watcher);
    client.drop();
    const messages = receive(watcher);
    assert.deepEqual(texts(messages), ['bye']);
    assert.equal(messages[0]!.topic, topic);
  },
);

across(
  '[v3 §3.1.2.5] [v5 §3.1.2.5] a will is published when the broker ends the connection',
  everyVersion,
  version => {
    const { world, watcher } = watched(version);
    const client = mortal(world, version);
    client.send(Uint8Array.of(0xf1, 0));
    ended(client, 0x81);
    assert.deepEqual(texts(receive(watcher)), ['bye']);
  },
);

across(
  '[v3 MQTT-3.14.4-3] [v3 MQTT-3.1.2-8] [v5 MQTT-3.14.4-3] [v5 MQTT-3.1.2-8] DISCONNECT discards the will',
  everyVersion,
  version => {
    const { world, watcher } = watched(version);
    const client = mortal(world, version, {}, 1_000);
    client.send({ type: 'disconnect' });
    assert.equal(client.closed, true);
    world.advance(2_000_000);
    quiet(watcher);
  },
);

across(
  '[v5 §3.14.2.1] DISCONNECT 0x04 publishes the will, other reasons do too',
  only5,
  version => {
    for (const reason of [0x04, 0x80, 0x81, 0x98]) {
      const { world, watcher } = watched(version);
      mortal(world, version).send({ type: 'disconnect', reason });
      assert.deepEqual(texts(receive(watcher)), ['bye']);
    }
  },
);

across('[MQTT-3.1.2-10] a will is forgotten once it was published', everyVersion, version => {
  const { world, watcher } = watched(version);
  mortal(world, version, {}, 100).drop();
  assert.deepEqual(texts(receive(watcher)), ['bye']);
  world.advance(200_000);
  world.connect(version, { clientId: 'mortal', cleanStart: true }).drop();
  quiet(watcher);
});

across('[MQTT-3.1.2-10] a will is forgotten once DISCONNECT arrived', everyVersion, version => {
  const { world, watcher } = watched(version);
  const client = mortal(world, version, delayed(5), 100);
  client.send({ type: 'disconnect' });
  client.drop();
  world.advance(200_000);
  quiet(watcher);
});

across('[v3 MQTT-3.1.2-12] without a will nothing is published', everyVersion, version => {
  const { world, watcher } = watched(version);
  subscribe(watcher, '#');
  world.connect(version).drop();
  quiet(watcher);
});

function willSeen(version: Version, will: object, subscriptionQoS = 2): PublishWire[] {
  const world = new World();
  const watcher = world.connect(version);
  const filter = { filter: topic, qos: subscriptionQoS, retainAsPublished: true };
  subscribe(watcher, filter);
  mortal(world, version, will).drop();
  const live = receive(watcher);
  const late = world.connect(version);
  subscribe(late, filter);
  return [...live, ...receive(late)];
}

across(
  '[v3 MQTT-3.1.2-16] [v5 MQTT-3.1.2-14] a will without retain is not retained',
  everyVersion,
  version => {
    const seen = willSeen(version, { retain: false });
    assert.deepEqual(
      seen.map(message => message.retain),
      [false],
    );
  },
);

across(
  '[v3 MQTT-3.1.2-17] [v5 MQTT-3.1.2-15] a will with retain is retained',
  everyVersion,
  version => {
    const seen = willSeen(version, { retain: true });
    assert.deepEqual(
      seen.map(message => message.retain),
      [version === 5, true],
    );
    assert.deepEqual(texts(seen), ['bye', 'bye']);
  },
);

across(
  '[v3 MQTT-3.1.2-14] [v5 MQTT-3.1.2-12] a will is published with its QoS',
  everyVersion,
  version => {
    for (const qos of [0, 1, 2]) {
      assert.equal(willSeen(version, { qos })[0]!.qos, qos);
      assert.equal(willSeen(version, { qos }, 1)[0]!.qos, Math.min(qos, 1));
    }
  },
);

across(
  '[v5 MQTT-3.1.3-10] the properties of a will travel on, user properties in order',
  only5,
  version => {
    const userProperties: [string, string][] = [
      ['b', '1'],
      ['a', '2'],
      ['b', '3'],
      ['', ''],
    ];
    const properties: WireProperties = {
      payloadFormatIndicator: 1,
      contentType: 'text/plain',
      responseTopic: 'answer/here',
      correlationData: text('correlated'),
      userProperties,
    };
    const [message] = willSeen(version, { properties: { ...properties, willDelayInterval: 0 } });
    assert.deepEqual(message!.properties, properties);
  },
);

across('[v5 §3.1.3.2.4] a will expires like any message', only5, version => {
  const world = new World();
  const watcher = world.connect(version);
  const properties = { messageExpiryInterval: 10 };
  mortal(world, version, { retain: true, properties }).drop();
  world.advance(4_000);
  subscribe(watcher, topic);
  assert.equal(receive(watcher)[0]?.properties.messageExpiryInterval, 6);
  world.advance(6_000);
  subscribe(watcher, topic);
  quiet(watcher);
});

across(
  '[v5 MQTT-3.1.2-8] a delayed will is published when its delay has passed',
  only5,
  version => {
    const { world, watcher } = watched(version);
    mortal(world, version, delayed(10), 1_000).drop();
    world.advance(9_999);
    quiet(watcher);
    world.advance(1);
    assert.deepEqual(texts(receive(watcher)), ['bye']);
    world.advance(989_999);
    assert.equal(world.broker.state.sessions.has('mortal'), true, 'the session goes on');
    world.advance(1);
    assert.equal(world.broker.state.sessions.has('mortal'), false);
    quiet(watcher);
  },
);

across(
  '[v5 MQTT-3.1.2-8] a delayed will is published when the session ends before its delay',
  only5,
  version => {
    const { world, watcher } = watched(version);
    mortal(world, version, delayed(100), 10).drop();
    world.advance(9_999);
    quiet(watcher);
    world.advance(1);
    assert.deepEqual(texts(receive(watcher)), ['bye']);
    const again = watched(version);
    mortal(again.world, version, delayed(100), 0).drop();
    assert.deepEqual(texts(receive(again.watcher)), ['bye']);
  },
);

across(
  '[v5 MQTT-3.1.3-9] [v5 MQTT-3.1.2-8] a delayed will is not published when its client is back in time',
  only5,
  version => {
    const { world, watcher } = watched(version);
    mortal(world, version, delayed(10), 1_000).drop();
    world.advance(9_999);
    const back: ConnectFields = {
      clientId: 'mortal',
      cleanStart: false,
      properties: { sessionExpiryInterval: 1_000 },
    };
    const client = world.connect(version, back);
    world.advance(100_000);
    quiet(watcher);
    client.drop();
    world.advance(2_000_000);
    quiet(watcher);
  },
);

across(
  '[v5 §3.1.3.2.2] a delayed will is published when a clean start ends its session',
  only5,
  version => {
    const { world, watcher } = watched(version);
    mortal(world, version, delayed(10), 1_000).drop();
    world.connect(version, { clientId: 'mortal', cleanStart: true });
    assert.deepEqual(texts(receive(watcher)), ['bye']);
  },
);

across(
  '[v3 §3.1.2.5] [v5 §3.1.2.5] a take-over publishes the will of the old connection',
  everyVersion,
  version => {
    const { world, watcher } = watched(version);
    mortal(world, version, {}, 1_000);
    const young = mortal(world, version, { payload: text('young') }, 1_000);
    assert.deepEqual(texts(receive(watcher)), ['bye']);
    young.drop();
    assert.deepEqual(texts(receive(watcher)), ['young']);
  },
);

across('[v5 §3.1.3.2.2] a take-over keeps a delayed will back', only5, version => {
  const { world, watcher } = watched(version);
  mortal(world, version, delayed(10), 1_000);
  mortal(world, version, delayed(10), 1_000);
  world.advance(100_000);
  quiet(watcher);
});

across('a will the client may not publish is not published', everyVersion, version => {
  const access = { mayPublish: () => false, maySubscribe: () => true };
  const world = new World({}, access);
  const watcher = world.connect(version);
  subscribe(watcher, '#');
  mortal(world, version).drop();
  quiet(watcher);
});

across('a will reaches the session of its own client', everyVersion, version => {
  const world = new World();
  const client = mortal(world, version, { qos: 1 }, 1_000);
  subscribe(client, { filter: topic, qos: 1 });
  client.drop();
  publish(world.connect(version), topic, { payload: 'after', qos: 1 });
  const again = world.connect(version, { clientId: 'mortal', cleanStart: false });
  assert.deepEqual(texts(receive(again)), ['bye', 'after']);
});
