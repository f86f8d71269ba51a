// Sessions: found by client id, resumed, discarded, taken over, ended in time.

import assert from 'node:assert/strict';
import type { Version } from '../../wire.ts';
import { type Client, type ConnectFields, World } from '../../world.ts';
import {
  across,
  all,
  before5,
  ended,
  everyVersion,
  only5,
  publish,
  quiet,
  receive,
  subscribe,
  texts,
} from '../kit.ts';

/** What keeps a session: clean session 0, or a session expiry interval in MQTT 5. */
function lasting(clientId: string, seconds = 1_000): ConnectFields {
  return { clientId, cleanStart: false, properties: { sessionExpiryInterval: seconds } };
}

/** A session with one subscription whose client is away. */
function sleeper(world: World, version: Version, clientId = 'sleeper'): void {
  const client = world.connect(version, lasting(clientId));
  subscribe(client, { filter: 'a', qos: 2 });
  client.drop();
}

/** Whether a client that connects now gets what is published to the old subscription. */
function hears(world: World, client: Client): boolean {
  const publisher = world.connect(client.version);
  publish(publisher, 'a', { payload: 'fresh', qos: 1 });
  return texts(receive(client)).includes('fresh');
}

across(
  '[v3 MQTT-3.1.2-4] [v5 MQTT-3.1.2-5] a session is resumed with its subscriptions',
  everyVersion,
  version => {
    const world = new World();
    sleeper(world, version);
    const client = world.connect(version, lasting('sleeper'));
    assert.equal(hears(world, client), true);
  },
);

across(
  '[v3 MQTT-3.1.2-4] [v5 MQTT-3.1.2-6] without a session a new one is made',
  everyVersion,
  version => {
    const world = new World();
    const client = world.connect(version, lasting('nobody-yet'));
    assert.equal(client.connack!.sessionPresent, false);
    quiet(client);
    assert.equal(world.broker.state.sessions.size, 1);
  },
);

across(
  '[v3 MQTT-3.1.2-5] [MQTT-4.5.0-1] messages for an absent client wait in its session',
  everyVersion,
  version => {
    const world = new World();
    sleeper(world, version);
    const publisher = world.connect(version);
    publish(publisher, 'a', { payload: 'one', qos: 1 });
    publish(publisher, 'a', { payload: 'two', qos: 2 });
    publish(publisher, 'other', { payload: 'three', qos: 2 });
    const messages = receive(world.connect(version, lasting('sleeper')));
    assert.deepEqual(texts(messages), ['one', 'two']);
    assert.deepEqual(
      messages.map(message => message.qos),
      [1, 2],
    );
  },
);

across('QoS 0 messages wait for an absent client only where asked for', everyVersion, version => {
  for (const queueQoS0 of [false, true]) {
    const world = new World({ queueQoS0 });
    sleeper(world, version);
    publish(world.connect(version), 'a', { payload: 'zero' });
    const messages = receive(world.connect(version, lasting('sleeper')));
    assert.deepEqual(texts(messages), queueQoS0 ? ['zero'] : []);
  }
});

across(
  '[v3 MQTT-3.1.2-6] [v3 MQTT-3.1.4-3] [v5 MQTT-3.1.2-4] [v5 MQTT-3.1.4-4] a clean start discards the session before it',
  everyVersion,
  version => {
    const world = new World();
    sleeper(world, version);
    publish(world.connect(version), 'a', { payload: 'old', qos: 1 });
    const client = world.connect(version, { clientId: 'sleeper', cleanStart: true });
    quiet(client);
    assert.equal(hears(world, client), false);
  },
);

across('[v3 MQTT-3.1.2-6] a clean session ends with its connection', before5, version => {
  const world = new World();
  const client = world.connect(version, { clientId: 'clean', cleanStart: true });
  subscribe(client, { filter: 'a', qos: 1 });
  client.drop();
  assert.equal(world.broker.state.sessions.size, 0);
  const again = world.connect(version, lasting('clean'));
  assert.equal(again.connack!.sessionPresent, false);
  assert.equal(hears(world, again), false);
});

across(
  '[v5 MQTT-3.1.2-23] a session is kept when its expiry interval is above 0',
  only5,
  version => {
    for (const [seconds, kept] of [
      [0, false],
      [1, true],
      [0xffff_ffff, true],
    ] as const) {
      const world = new World();
      const client = world.connect(version, lasting('c', seconds));
      subscribe(client, 'a');
      client.send({ type: 'disconnect' });
      assert.equal(client.closed, true);
      assert.equal(world.connect(version, lasting('c')).connack!.sessionPresent, kept);
    }
  },
);

across('[MQTT-4.1.0-1] a session outlives any expiry while connected', everyVersion, version => {
  const world = new World();
  const client = world.connect(version, lasting('c', 1));
  subscribe(client, { filter: 'a', qos: 1 });
  world.advance(3_600_000);
  assert.equal(hears(world, client), true);
});

across('[v3 MQTT-4.1.0-2] a session lasts at least as long as its connection', before5, version => {
  const world = new World();
  const client = world.connect(version, { clientId: 'clean', cleanStart: true });
  subscribe(client, { filter: 'a', qos: 1 });
  world.advance(24 * 3_600_000);
  assert.equal(hears(world, client), true);
});

across(
  '[v5 MQTT-4.1.0-2] a session ends when its expiry interval has passed after the connection',
  only5,
  version => {
    const world = new World();
    for (const [ms, kept] of [
      [9_999, true],
      [10_000, false],
    ] as const) {
      const client = world.connect(version, { ...lasting('c', 10), cleanStart: true });
      world.advance(60_000);
      client.drop();
      world.advance(ms);
      assert.equal(world.broker.state.sessions.has('c'), kept);
      assert.equal(world.connect(version, lasting('c', 10)).connack!.sessionPresent, kept);
    }
  },
);

across('[v5 §3.1.2.11.2] a session with the expiry 0xFFFFFFFF never ends', only5, version => {
  const world = new World();
  world.connect(version, lasting('c', 0xffff_ffff)).drop();
  world.advance(200 * 365 * 24 * 3_600_000);
  assert.equal(world.connect(version, lasting('c')).connack!.sessionPresent, true);
});

across('3.x sessions end at the bound of the server too', before5, version => {
  const world = new World({ sessionExpiryMaxSeconds: 60 });
  world.connect(version, lasting('c')).drop();
  world.advance(60_000);
  assert.equal(world.broker.state.sessions.has('c'), false);
});

across('[MQTT-3.1.3-2] sessions are told apart by client id', everyVersion, version => {
  const world = new World();
  sleeper(world, version, 'one');
  sleeper(world, version, 'One');
  publish(world.connect(version), 'a', { payload: 'x', qos: 1 });
  assert.deepEqual(texts(receive(world.connect(version, lasting('one')))), ['x']);
  quiet(world.connect(version, lasting('one ')));
  assert.deepEqual(texts(receive(world.connect(version, lasting('One')))), ['x']);
});

across(
  '[v3 MQTT-3.1.4-2] [v5 MQTT-3.1.4-3] a client that connects again takes over',
  everyVersion,
  version => {
    for (const cleanStart of [true, false]) {
      const world = new World();
      const old = world.connect(version, lasting('c'));
      subscribe(old, { filter: 'a', qos: 1 });
      const young = world.connect(version, { ...lasting('c'), cleanStart });
      ended(old, 0x8e);
      quiet(young);
      assert.equal(hears(world, young), !cleanStart);
      assert.equal(world.clients.size, 2);
    }
  },
);

across('a take-over happens across versions', everyVersion, version => {
  const world = new World();
  const old = world.connect(5, lasting('c'));
  const young = world.connect(version, lasting('c'));
  ended(old, 0x8e);
  quiet(young);
});

across('a client that is refused takes nothing over', everyVersion, version => {
  const world = new World({}, undefined, ({ username }) => ({
    reason: username === 'thief' ? 0x87 : 0,
  }));
  const rightful = world.connect(version, lasting('c'));
  subscribe(rightful, { filter: 'a', qos: 1 });
  const thief = world.open(version);
  thief.send({ type: 'connect', version, clientId: 'c', username: 'thief', cleanStart: true });
  assert.equal(all(thief, 'connack').length, 1);
  quiet(rightful);
  assert.equal(hears(world, rightful), true);
});

across('the bound on sessions refuses newcomers and nobody else', everyVersion, version => {
  const world = new World({ sessionsMax: 2 });
  world.connect(version, lasting('one')).drop();
  const two = world.connect(version, lasting('two'));
  const three = world.open(version);
  three.send({ type: 'connect', version, clientId: 'three' });
  assert.equal(all(three, 'connack')[0]?.reason, version === 5 ? 0x97 : 3);
  assert.equal(three.closed, true);
  quiet(two);
  quiet(world.connect(version, lasting('one')));
});

across('the end of a discarded session does not end its successor', only5, version => {
  const world = new World();
  world.connect(version, lasting('c', 10)).drop();
  world.connect(version, { ...lasting('c', 1_000), cleanStart: true }).drop();
  world.advance(999_999);
  assert.equal(world.broker.state.sessions.has('c'), true);
  world.connect(version, lasting('c', 10)).drop();
  world.advance(5_000);
  world.connect(version, lasting('c', 1_000)).drop();
  world.advance(999_999);
  assert.equal(world.broker.state.sessions.has('c'), true);
});
