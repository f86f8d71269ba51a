// CONNACK: when it is sent, what it says about the session, and what it tells MQTT 5 clients about
// the server.

import assert from 'node:assert/strict';
import { bytes, encodePacket, text } from '../../wire.ts';
import type { WireProperties } from '../../wire-properties.ts';
import { World } from '../../world.ts';
import {
  across,
  before5,
  closedSilently,
  ended,
  everyVersion,
  one,
  only5,
  publish,
  quiet,
  receive,
  since311,
  subscribe,
  texts,
} from '../kit.ts';

/** The properties of the CONNACK of a client that connects with `fields`. */
function told(world: World, properties: WireProperties = {}, clientId = 'told'): WireProperties {
  return world.connect(5, { clientId, properties }).connack!.properties;
}

/** The reason of the CONNACK that refuses this CONNECT. */
function refusal(world: World, version: 3 | 4 | 5, fields: object): number {
  const client = world.open(version);
  client.send({ type: 'connect', version, clientId: 'c', ...fields });
  const { reason } = one(client, 'connack');
  assert.equal(client.closed, true);
  return reason;
}

across(
  '[v3 MQTT-3.1.4-4] [v5 MQTT-3.1.4-5] a valid CONNECT is acknowledged with success',
  everyVersion,
  version => {
    const client = new World().open(version);
    client.send({ type: 'connect', version, clientId: 'c' });
    assert.equal(one(client, 'connack').reason, 0);
    quiet(client);
  },
);

across('[MQTT-3.2.0-1] CONNACK comes before what waits in the session', everyVersion, version => {
  const world = new World();
  const fields = {
    clientId: 'sleeper',
    cleanStart: false,
    properties: { sessionExpiryInterval: 100 },
  };
  const before = world.connect(version, fields);
  subscribe(before, { filter: 'a', qos: 1 });
  before.drop();
  publish(world.connect(version), 'a', { payload: 'waiting', qos: 1 });
  const client = world.open(version);
  client.send({ type: 'connect', version, ...fields });
  const types = client.take().map(packet => packet.type);
  assert.deepEqual(types, ['connack', 'publish']);
});

across('[v5 MQTT-3.2.0-2] there is one CONNACK per connection', only5, version => {
  const world = new World();
  const client = world.connect(version, { clientId: 'c' });
  client.send({ type: 'connect', version, clientId: 'c' });
  assert.ok(client.take().every(packet => packet.type !== 'connack'));
});

across('[v5 MQTT-3.2.2-1] the reserved acknowledge flags are 0', only5, version => {
  const world = new World();
  const seen: number[] = [];
  for (const cleanStart of [true, false, false]) {
    const client = world.open(version);
    client.arrive = chunk => seen.push(chunk[2]!);
    const properties = { sessionExpiryInterval: 100 };
    client.send({ type: 'connect', version, clientId: 'c', cleanStart, properties });
    client.drop();
  }
  assert.deepEqual(seen, [0, 1, 1]);
});

across(
  '[v3 MQTT-3.2.2-1] [v5 MQTT-3.2.2-2] a clean start says that no session is present',
  since311,
  version => {
    const world = new World();
    const properties = { sessionExpiryInterval: 100 };
    world.connect(version, { clientId: 'c', cleanStart: false, properties }).drop();
    const client = world.connect(version, { clientId: 'c', cleanStart: true });
    assert.equal(client.connack!.sessionPresent, false);
  },
);

across(
  '[v3 MQTT-3.2.2-2] [v3 MQTT-3.2.2-3] [v5 MQTT-3.2.2-3] session present tells whether a session was resumed',
  since311,
  version => {
    const world = new World();
    const fields = {
      clientId: 'c',
      cleanStart: false,
      properties: { sessionExpiryInterval: 100 },
    };
    const first = world.connect(version, fields);
    assert.equal(first.connack!.sessionPresent, false);
    first.drop();
    assert.equal(world.connect(version, fields).connack!.sessionPresent, true);
  },
);

across(
  '[v3 MQTT-3.2.2-4] [v5 MQTT-3.2.2-6] a refusal never says that a session is present',
  since311,
  version => {
    let open = true;
    const world = new World({}, undefined, () => ({ reason: open ? 0 : 0x87 }));
    const fields = {
      clientId: 'c',
      cleanStart: false,
      properties: { sessionExpiryInterval: 100 },
    };
    world.connect(version, fields).drop();
    open = false;
    const client = world.open(version);
    client.send({ type: 'connect', version, ...fields });
    assert.equal(one(client, 'connack').sessionPresent, false);
  },
);

across(
  '[v3 MQTT-3.2.2-5] [v5 MQTT-3.2.2-7] [v5 MQTT-4.13.2-1] a refusal in CONNACK is followed by a close',
  everyVersion,
  version => {
    const world = new World({}, undefined, () => ({ reason: 0x88 }));
    assert.equal(refusal(world, version, {}), version === 5 ? 0x88 : 3);
  },
);

across(
  '[v3 MQTT-3.2.2-6] what no return code describes is closed without a CONNACK',
  before5,
  version => {
    const client = new World().open(version);
    client.send(encodePacket({ type: 'connect', version, clientId: 'c\0' }, version));
    closedSilently(client);
  },
);

across('[v5 MQTT-3.2.2-9] a server with less than QoS 2 announces it', only5, () => {
  assert.equal(told(new World({ maximumQoS: 1 })).maximumQoS, 1);
  assert.equal(told(new World({ maximumQoS: 0 })).maximumQoS, 0);
  assert.equal(told(new World({ maximumQoS: 2 })).maximumQoS, undefined);
});

across(
  '[v5 MQTT-3.2.2-10] a server with less than QoS 2 grants subscriptions what it has',
  only5,
  version => {
    const client = new World({ maximumQoS: 1 }).connect(version);
    const filters = [0, 1, 2].map(qos => ({ filter: `a/${qos}`, qos }));
    assert.deepEqual(subscribe(client, filters).reasons, [0, 1, 1]);
  },
);

across('[v5 MQTT-3.2.2-11] a PUBLISH above the maximum QoS ends in 0x9B', only5, version => {
  const client = new World({ maximumQoS: 1 }).connect(version);
  assert.equal(publish(client, 'a', { qos: 1 }), 0x10);
  client.send({ type: 'publish', topic: 'a', qos: 2 });
  ended(client, 0x9b);
});

across('[v5 MQTT-3.2.2-12] a will above the maximum QoS is refused', only5, version => {
  const will = { topic: 'w', qos: 2 };
  assert.equal(refusal(new World({ maximumQoS: 1 }), version, { will }), 0x9b);
});

across(
  '[v5 MQTT-3.2.2-13] a retained will is refused where nothing is retained',
  only5,
  version => {
    const world = new World({ retainAvailable: false });
    assert.equal(told(world).retainAvailable, 0);
    assert.equal(refusal(world, version, { will: { topic: 'w', retain: true } }), 0x9a);
  },
);

across(
  '[v5 MQTT-3.2.2-14] a retained PUBLISH ends in 0x9A where nothing is retained',
  only5,
  version => {
    const client = new World({ retainAvailable: false }).connect(version);
    client.send({ type: 'publish', topic: 'a', payload: 'x', retain: true });
    ended(client, 0x9a);
  },
);

across(
  '[v5 MQTT-3.2.2-15] a packet above the announced maximum size ends in 0x95',
  only5,
  version => {
    const world = new World({ packetSizeMax: 200 });
    const client = world.connect(version);
    assert.equal(client.connack!.properties.maximumPacketSize, 200);
    const rest = 200 - encodePacket({ type: 'publish', topic: 'a' }, version).length - 1;
    client.send({ type: 'publish', topic: 'a', payload: 'x'.repeat(rest) });
    quiet(client);
    client.send({ type: 'publish', topic: 'a', payload: 'x'.repeat(rest + 1) });
    ended(client, 0x95);
  },
);

across('a packet above the maximum size closes before its body has come', everyVersion, version => {
  const client = new World({ packetSizeMax: 200 }).connect(version);
  client.send(bytes('30 ff 01'));
  ended(client, 0x95);
});

across(
  '[v5 MQTT-3.2.2-16] [v5 MQTT-3.1.3-6] [v5 MQTT-3.1.3-7] an empty client id is given a new one, which CONNACK tells',
  only5,
  version => {
    const world = new World();
    const ids = [1, 2, 3].map(() => {
      const { properties } = world.connect(version, { clientId: '' }).connack!;
      return properties.assignedClientIdentifier;
    });
    assert.ok(ids.every(id => id !== undefined && world.broker.state.sessions.has(id)));
    assert.equal(new Set(ids).size, 3);
    assert.equal(told(world).assignedClientIdentifier, undefined);
  },
);

across(
  '[v5 MQTT-3.1.3-7] a client finds its session under the assigned client id',
  only5,
  version => {
    const world = new World();
    const properties = { sessionExpiryInterval: 100 };
    const first = world.connect(version, { clientId: '', properties });
    first.drop();
    const clientId = first.connack!.properties.assignedClientIdentifier!;
    const second = world.connect(version, { clientId, cleanStart: false, properties });
    assert.equal(second.connack!.sessionPresent, true);
  },
);

across(
  '[v5 MQTT-3.2.2-22] without a server keep alive the keep alive of the client holds',
  only5,
  version => {
    const world = new World();
    const client = world.connect(version, { keepAlive: 40 });
    assert.equal(client.connack!.properties.serverKeepAlive, undefined);
    world.advance(59_999);
    quiet(client);
    world.advance(1);
    ended(client, 0x8d);
  },
);

across(
  '[v5 §3.2.2.3.14] the server may ask for a shorter keep alive, and holds to it',
  only5,
  version => {
    const world = new World({ keepAliveMaxSeconds: 20 });
    for (const keepAlive of [0, 21, 60]) {
      const client = world.connect(version, { keepAlive });
      assert.equal(client.connack!.properties.serverKeepAlive, 20);
      world.advance(29_999);
      quiet(client);
      world.advance(1);
      ended(client, 0x8d);
    }
    assert.equal(told(world).serverKeepAlive, 20);
    assert.equal(
      world.connect(version, { keepAlive: 20 }).connack!.properties.serverKeepAlive,
      undefined,
    );
  },
);

across('[v5 §3.2.2.3] every capability is announced as it is', only5, () => {
  const options = {
    receiveMaximum: 12,
    packetSizeMax: 4_567,
    topicAliasMaximum: 3,
    wildcardSubscriptionAvailable: false,
    sharedSubscriptionAvailable: false,
    subscriptionIdentifierAvailable: false,
    retainAvailable: false,
    maximumQoS: 0,
  } as const;
  assert.deepEqual(told(new World(options)), {
    receiveMaximum: 12,
    maximumQoS: 0,
    retainAvailable: 0,
    maximumPacketSize: 4_567,
    topicAliasMaximum: 3,
    wildcardSubscriptionAvailable: 0,
    subscriptionIdentifiersAvailable: 0,
    sharedSubscriptionAvailable: 0,
  });
});

across(
  '[v5 §3.2.2.3.2] a session expiry above the bound of the server is cut and told',
  only5,
  () => {
    const world = new World({ sessionExpiryMaxSeconds: 60 });
    assert.equal(told(world, { sessionExpiryInterval: 61 }).sessionExpiryInterval, 60);
    assert.equal(told(world, { sessionExpiryInterval: 60 }).sessionExpiryInterval, undefined);
  },
);

across('[v5 MQTT-3.1.2-28] response information is given only to those who ask', only5, () => {
  const world = new World({ responseInformation: 'replies/here' });
  assert.equal(told(world).responseInformation, undefined);
  const no = told(world, { requestResponseInformation: 0 });
  assert.equal(no.responseInformation, undefined);
  const yes = told(world, { requestResponseInformation: 1 });
  assert.equal(yes.responseInformation, 'replies/here');
});

across(
  '[v5 MQTT-3.2.2-19] [v5 MQTT-3.2.2-20] words never make CONNACK larger than the client takes',
  only5,
  () => {
    const world = new World();
    for (let maximumPacketSize = 4; maximumPacketSize < 64; maximumPacketSize++) {
      const client = world.open(5);
      let largest = 0;
      client.arrive = chunk => {
        largest = Math.max(largest, chunk.length);
      };
      client.send({
        type: 'connect',
        clientId: '',
        properties: { maximumPacketSize },
        will: { topic: 'w', qos: 1 },
      });
      assert.ok(largest <= maximumPacketSize, `${largest} bytes for ${maximumPacketSize}`);
    }
  },
);

across('[v5 MQTT-3.2.2-19] a refusal in few bytes comes without words', only5, () => {
  const full = new World({ sessionsMax: 0 });
  for (const [maximumPacketSize, words] of [
    [200, true],
    [6, false],
  ] as const) {
    const client = full.open(5);
    client.send({ type: 'connect', clientId: 'c', properties: { maximumPacketSize } });
    const { reason, properties } = one(client, 'connack');
    assert.equal(reason, 0x97);
    assert.equal(properties.reasonString !== undefined, words);
    assert.equal(client.closed, true);
  }
});

across('payloads and logins of any size up to the bound are taken', everyVersion, version => {
  const world = new World();
  const client = world.connect(version, { username: 'u'.repeat(60_000), password: text('p') });
  subscribe(client, 'a');
  publish(client, 'a', { payload: 'y'.repeat(100_000) });
  assert.deepEqual(texts(receive(client)), ['y'.repeat(100_000)]);
});
