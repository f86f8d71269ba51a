// PUBLISH in both directions: its flags, its topic, who gets it, how it is answered.

import assert from 'node:assert/strict';
import type { Access } from '../../../src/core/access.ts';
import { bytes, frame, string, text, u16 } from '../../wire.ts';
import { World } from '../../world.ts';
import {
  across,
  all,
  before5,
  ended,
  everyVersion,
  field,
  one,
  only5,
  publish,
  quiet,
  rawPublish,
  receive,
  subscribe,
  texts,
} from '../kit.ts';

across('[MQTT-3.3.1-4] a PUBLISH with QoS 3 is malformed', everyVersion, version => {
  for (const first of [0x36, 0x37, 0x3e]) {
    const client = new World().connect(version);
    client.send(frame(first, string('a'), u16(1), version === 5 ? bytes('00') : bytes()));
    ended(client, 0x81);
  }
});

across('[MQTT-3.3.1-2] DUP with QoS 0 is malformed', everyVersion, version => {
  const client = new World().connect(version);
  client.send({ type: 'publish', topic: 'a', dup: true });
  ended(client, 0x81);
});

across(
  '[MQTT-3.3.1-2] [MQTT-4.3.1-1] QoS 0 is forwarded with QoS 0 and DUP 0',
  everyVersion,
  version => {
    const world = new World();
    const client = world.connect(version);
    subscribe(client, { filter: 'a', qos: 2 });
    publish(world.connect(version), 'a', { payload: 'x' });
    const { qos, dup, packetId } = one(client, 'publish');
    assert.deepEqual([qos, dup, packetId], [0, false, 0]);
  },
);

across('[MQTT-3.3.1-3] DUP of the publisher is not passed on', everyVersion, version => {
  const world = new World();
  const client = world.connect(version);
  subscribe(client, { filter: 'a', qos: 2 });
  const publisher = world.connect(version);
  for (const qos of [1, 2]) {
    publish(publisher, 'a', { qos, dup: true, packetId: qos });
    assert.equal(receive(client)[0]!.dup, false);
  }
});

across('[v3 MQTT-2.3.1-1] [v5 MQTT-2.2.1-3] packet id 0 is refused', everyVersion, version => {
  for (const qos of [1, 2]) {
    const client = new World().connect(version);
    client.send({ type: 'publish', topic: 'a', qos, packetId: 0 });
    ended(client, 0x82);
  }
});

across(
  '[v3 MQTT-2.3.1-5] [v5 MQTT-2.2.1-2] a QoS 0 PUBLISH has no packet id',
  everyVersion,
  version => {
    const world = new World();
    const client = world.connect(version);
    subscribe(client, { filter: 'a', qos: 0 });
    const payload = bytes('00 01 02 03');
    publish(world.connect(version), 'a', { payload, qos: 2 });
    publish(world.connect(version), 'a', { payload });
    for (const message of all(client, 'publish')) assert.deepEqual(message.payload, payload);
  },
);

across(
  '[MQTT-3.3.2-1] a topic name that is missing or not UTF-8 is malformed',
  everyVersion,
  version => {
    for (const topic of [bytes(), bytes('00'), bytes('00 05 61'), field([0xc3, 0x28])]) {
      const world = new World();
      const watcher = world.connect(version);
      subscribe(watcher, '#');
      const client = world.connect(version);
      client.send(frame(0x30, topic, version === 5 && topic.length > 3 ? bytes('00') : bytes()));
      ended(client, 0x81);
      quiet(watcher);
    }
  },
);

across(
  '[MQTT-3.3.2-2] [v3 MQTT-4.7.1-1] [v5 MQTT-4.7.0-1] a topic name with wildcards is refused',
  everyVersion,
  version => {
    for (const topic of ['#', '+', 'a/#', 'a/+/b', 'a+', 'b#c']) {
      const world = new World();
      const watcher = world.connect(version);
      subscribe(watcher, '#');
      const client = world.connect(version);
      client.send({ type: 'publish', topic });
      ended(client, 0x90);
      quiet(watcher);
    }
  },
);

across('[MQTT-4.7.3-1] an empty topic name is refused', everyVersion, version => {
  const client = new World().connect(version);
  client.send(rawPublish(version, field([])));
  ended(client, 0x82);
});

across(
  '[MQTT-3.3.2-3] subscribers get what matches, under the name it was published with',
  everyVersion,
  version => {
    const world = new World();
    const client = world.connect(version);
    subscribe(client, ['a/+', 'b/#']);
    const publisher = world.connect(version);
    for (const topic of ['a', 'a/1', 'a/1/2', 'b', 'b/1/2', 'c', 'A/1']) {
      publish(publisher, topic, { payload: topic });
    }
    const messages = receive(client);
    assert.deepEqual(
      messages.map(message => message.topic),
      ['a/1', 'b', 'b/1/2'],
    );
    assert.deepEqual(texts(messages), ['a/1', 'b', 'b/1/2']);
  },
);

across('[MQTT-3.3.4-1] a PUBLISH is answered as its QoS says', everyVersion, version => {
  const client = new World().connect(version);
  client.send({ type: 'publish', topic: 'a', qos: 0 });
  quiet(client);
  client.send({ type: 'publish', topic: 'a', qos: 1, packetId: 5 });
  assert.equal(one(client, 'puback').packetId, 5);
  client.send({ type: 'publish', topic: 'a', qos: 2, packetId: 6 });
  assert.equal(one(client, 'pubrec').packetId, 6);
});

across('a message goes to its own publisher too', everyVersion, version => {
  const client = new World().connect(version);
  subscribe(client, { filter: 'a', qos: 1 });
  publish(client, 'a', { payload: 'me', qos: 1 });
  assert.deepEqual(texts(receive(client)), ['me']);
});

across('a payload may be empty or any bytes', everyVersion, version => {
  const client = new World().connect(version);
  subscribe(client, 'a');
  const payload = Uint8Array.from({ length: 256 }, (_, i) => i);
  publish(client, 'a', { payload });
  publish(client, 'a');
  assert.deepEqual(
    receive(client).map(message => message.payload),
    [payload, bytes()],
  );
});

const noPublishing: Access = { mayPublish: (_, topic) => topic !== 'no', maySubscribe: () => true };

across(
  '[v3 MQTT-3.3.5-2] a PUBLISH that is not allowed is acknowledged and goes nowhere',
  before5,
  version => {
    const world = new World({}, noPublishing);
    const watcher = world.connect(version);
    subscribe(watcher, '#');
    const client = world.connect(version);
    for (const qos of [0, 1, 2]) assert.equal(publish(client, 'no', { qos }), 0);
    quiet(client);
    quiet(watcher);
  },
);

across(
  '[v5 MQTT-3.4.2-1] [v5 MQTT-3.5.2-1] PUBACK and PUBREC say why a PUBLISH went nowhere',
  only5,
  version => {
    const world = new World({}, noPublishing);
    const watcher = world.connect(version);
    subscribe(watcher, '#');
    const client = world.connect(version);
    for (const qos of [1, 2]) assert.equal(publish(client, 'no', { qos }), 0x87);
    quiet(client);
    quiet(watcher);
  },
);

across('[v5 §3.4.2.1] PUBACK and PUBREC say 0x10 when nobody subscribed', only5, version => {
  const world = new World();
  const client = world.connect(version);
  for (const qos of [1, 2]) assert.equal(publish(client, 'a', { qos }), 0x10);
  subscribe(world.connect(version), 'a');
  for (const qos of [1, 2]) assert.equal(publish(client, 'a', { qos }), 0);
  const sharers = new World();
  const lonely = sharers.connect(version);
  subscribe(sharers.connect(version), '$share/g/a');
  for (const qos of [1, 2]) assert.equal(publish(lonely, 'a', { qos }), 0);
});

across(
  '[MQTT-4.6.0-5] [MQTT-4.6.0-6] messages of a client arrive in the order they were sent',
  everyVersion,
  version => {
    const world = new World();
    const client = world.connect(version, { properties: { receiveMaximum: 3 } });
    subscribe(client, { filter: 'a/#', qos: 2 });
    const publisher = world.connect(version);
    const sent = Array.from({ length: 50 }, (_, i) => `${i}`);
    for (const qos of [0, 1, 2]) {
      world.hold(() => {
        for (const payload of sent) {
          const packetId = Number(payload) + 1;
          publisher.send({ type: 'publish', topic: `a/${qos}`, payload, qos, packetId });
        }
      });
      assert.deepEqual(texts(receive(client)), sent);
      publisher.take();
      for (let packetId = 1; packetId <= 50; packetId++) {
        publisher.send({ type: 'pubrel', packetId });
      }
    }
  },
);

across('versions talk to one another', everyVersion, version => {
  const world = new World();
  const listeners = everyVersion.map(other => {
    const listener = world.connect(other);
    subscribe(listener, { filter: 'a', qos: 2 });
    return listener;
  });
  const client = world.connect(version);
  const properties = { contentType: 'text/plain', messageExpiryInterval: 60 };
  for (const qos of [0, 1, 2]) publish(client, 'a', { payload: `q${qos}`, qos, properties });
  for (const listener of listeners) {
    const messages = receive(listener);
    assert.deepEqual(texts(messages), ['q0', 'q1', 'q2']);
    const both = version === 5 && listener.version === 5;
    for (const message of messages) assert.deepEqual(message.properties, both ? properties : {});
  }
});

across('a packet may come in any pieces', everyVersion, version => {
  const world = new World();
  const client = world.connect(version);
  subscribe(client, { filter: 'a', qos: 1 });
  const publisher = world.connect(version);
  const payload = text('z'.repeat(200));
  const list = version === 5 ? bytes('00') : bytes();
  const packet = frame(0x32, string('a'), u16(7), list, payload);
  for (const byte of packet) publisher.send(Uint8Array.of(byte));
  assert.equal(one(publisher, 'puback').packetId, 7);
  for (let cut = 1; cut < packet.length; cut += 7) {
    publisher.send(packet.slice(0, cut));
    publisher.send(packet.slice(cut));
  }
  assert.ok(receive(client).every(message => message.payload.length === 200));
});
