// QoS 1 and 2 from clients: the broker as receiver.

import assert from 'node:assert/strict';
import { bytes, frame, u16 } from '../../wire.ts';
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
  receive,
  since311,
  subscribe,
  texts,
} from '../kit.ts';

const persistent = {
  clientId: 'publisher',
  cleanStart: false,
  properties: { sessionExpiryInterval: 1_000 },
};

function withWatcher(version: 3 | 4 | 5): { world: World; watcher: Client; publisher: Client } {
  const world = new World();
  const watcher = world.connect(version);
  subscribe(watcher, { filter: '#', qos: 2 });
  return { world, watcher, publisher: world.connect(version, persistent) };
}

across(
  '[v3 MQTT-2.3.1-6] [v3 MQTT-4.3.2-2] [v5 MQTT-2.2.1-5] [v5 MQTT-4.3.2-4] QoS 1 is answered with PUBACK with its packet id',
  everyVersion,
  version => {
    const { publisher, watcher } = withWatcher(version);
    for (const packetId of [1, 77, 65_535]) {
      publisher.send({ type: 'publish', topic: 'a', payload: 'x', qos: 1, packetId });
      assert.equal(one(publisher, 'puback').packetId, packetId);
    }
    assert.equal(receive(watcher).length, 3);
  },
);

across(
  '[v3 MQTT-4.3.2-2] [v5 MQTT-4.3.2-5] after PUBACK the packet id means a new message, DUP or not',
  everyVersion,
  version => {
    const { publisher, watcher } = withWatcher(version);
    for (const [payload, dup] of [
      ['one', false],
      ['two', false],
      ['three', true],
    ] as const) {
      publish(publisher, 'a', { payload, dup, qos: 1, packetId: 7 });
    }
    assert.deepEqual(texts(receive(watcher)), ['one', 'two', 'three']);
  },
);

across(
  '[v3 MQTT-2.3.1-6] [v3 MQTT-4.3.3-2] [v5 MQTT-2.2.1-5] [v5 MQTT-4.3.3-8] QoS 2 is answered with PUBREC with its packet id',
  everyVersion,
  version => {
    const { publisher, watcher } = withWatcher(version);
    for (const packetId of [1, 77, 65_535]) {
      publisher.send({ type: 'publish', topic: 'a', payload: 'x', qos: 2, packetId });
      const { packetId: answered, reason } = one(publisher, 'pubrec');
      assert.deepEqual([answered, reason], [packetId, 0]);
    }
    assert.equal(receive(watcher).length, 3);
  },
);

across(
  '[v3 MQTT-4.3.3-2] [v5 MQTT-4.3.3-11] [v5 MQTT-2.2.1-5] PUBREL is answered with PUBCOMP with its packet id',
  everyVersion,
  version => {
    const { publisher } = withWatcher(version);
    for (const packetId of [3, 2, 1]) {
      publisher.send({ type: 'publish', topic: 'a', qos: 2, packetId });
      one(publisher, 'pubrec');
    }
    for (const packetId of [2, 1, 3]) {
      publisher.send({ type: 'pubrel', packetId });
      const { packetId: answered, reason } = one(publisher, 'pubcomp');
      assert.deepEqual([answered, reason], [packetId, 0]);
    }
  },
);

across(
  '[v3 MQTT-4.3.3-2] [v5 MQTT-4.3.3-10] until PUBREL the packet id is answered with PUBREC and delivered no second time',
  everyVersion,
  version => {
    const { world, publisher, watcher } = withWatcher(version);
    const message = { type: 'publish', topic: 'a', payload: 'once', qos: 2, packetId: 5 } as const;
    publisher.send(message);
    one(publisher, 'pubrec');
    publisher.send({ ...message, dup: true });
    assert.equal(one(publisher, 'pubrec').packetId, 5);
    publisher.drop();
    const again = world.connect(version, persistent);
    again.send({ ...message, dup: true });
    assert.equal(one(again, 'pubrec').packetId, 5);
    assert.deepEqual(texts(receive(watcher)), ['once']);
    again.send({ type: 'pubrel', packetId: 5 });
    assert.equal(one(again, 'pubcomp').reason, 0);
  },
);

across(
  '[v3 MQTT-4.3.3-2] [v5 MQTT-4.3.3-12] after PUBCOMP the packet id means a new message',
  everyVersion,
  version => {
    const { publisher, watcher } = withWatcher(version);
    for (const payload of ['one', 'two']) {
      publish(publisher, 'a', { payload, qos: 2, packetId: 9, dup: payload === 'two' });
    }
    assert.deepEqual(texts(receive(watcher)), ['one', 'two']);
  },
);

across(
  '[v3 §4.1] [v5 §4.1] a clean start forgets the packet ids received',
  everyVersion,
  version => {
    const { world, publisher, watcher } = withWatcher(version);
    const message = { type: 'publish', topic: 'a', payload: 'x', qos: 2, packetId: 5 } as const;
    publisher.send(message);
    publisher.drop();
    const again = world.connect(version, { clientId: 'publisher', cleanStart: true });
    again.send(message);
    assert.equal(one(again, 'pubrec').packetId, 5);
    assert.equal(receive(watcher).length, 2);
  },
);

across(
  '[v5 MQTT-4.3.3-9] after a PUBREC of 0x80 or above the packet id means a new message',
  only5,
  version => {
    let allowed = false;
    const world = new World({}, { mayPublish: () => allowed, maySubscribe: () => true });
    const watcher = world.connect(version);
    subscribe(watcher, { filter: '#', qos: 2 });
    const publisher = world.connect(version);
    assert.equal(publish(publisher, 'a', { payload: 'no', qos: 2, packetId: 4 }), 0x87);
    allowed = true;
    assert.equal(publish(publisher, 'a', { payload: 'yes', qos: 2, packetId: 4 }), 0);
    assert.deepEqual(texts(receive(watcher)), ['yes']);
  },
);

across(
  '[v5 MQTT-3.7.2-1] PUBREL with an unknown packet id is answered with 0x92',
  only5,
  version => {
    const client = new World().connect(version);
    client.send({ type: 'pubrel', packetId: 12 });
    const { packetId, reason } = one(client, 'pubcomp');
    assert.deepEqual([packetId, reason], [12, 0x92]);
  },
);

across('[v5 MQTT-4.3.3-13] the exchange goes on though the message expired', only5, version => {
  const { world, publisher } = withWatcher(version);
  const properties = { messageExpiryInterval: 1 };
  publisher.send({ type: 'publish', topic: 'a', qos: 2, packetId: 3, properties });
  one(publisher, 'pubrec');
  world.advance(60_000);
  publisher.send({ type: 'publish', topic: 'a', qos: 2, packetId: 3, dup: true, properties });
  assert.equal(one(publisher, 'pubrec').reason, 0);
  publisher.send({ type: 'pubrel', packetId: 3 });
  assert.equal(one(publisher, 'pubcomp').reason, 0);
});

across('[MQTT-3.6.1-1] PUBREL with other flags than 0010 is malformed', since311, version => {
  for (const flags of [0, 1, 3, 4, 6, 8, 10]) {
    const { publisher } = withWatcher(version);
    publisher.send({ type: 'publish', topic: 'a', qos: 2, packetId: 3 });
    one(publisher, 'pubrec');
    publisher.send(frame(0x60 | flags, u16(3)));
    ended(publisher, 0x81);
  }
});

across(
  '[v3 MQTT-4.6.0-2] [v3 MQTT-4.6.0-3] PUBACKs and PUBRECs leave in the order of the messages',
  everyVersion,
  version => {
    const { world, publisher } = withWatcher(version);
    world.hold(() => {
      for (const packetId of [5, 1, 9, 3, 7]) {
        publisher.send({
          type: 'publish',
          topic: 'a',
          qos: packetId > 4 ? 2 : 1,
          packetId,
        });
      }
    });
    const answers = publisher.take();
    assert.deepEqual(
      answers.map(packet => 'packetId' in packet && packet.packetId),
      [5, 1, 9, 3, 7],
    );
  },
);

across('an acknowledgement comes after the message was routed', everyVersion, version => {
  const world = new World();
  const client = world.connect(version);
  subscribe(client, 'a');
  for (const qos of [1, 2]) {
    client.send({ type: 'publish', topic: 'a', qos, packetId: qos });
    const types = client.take().map(packet => packet.type);
    assert.deepEqual(types, ['publish', qos === 1 ? 'puback' : 'pubrec']);
  }
});

across('acknowledgements without a packet id, or with 0, are refused', everyVersion, version => {
  for (const first of [0x40, 0x50, 0x62, 0x70]) {
    for (const [body, reason] of [
      [bytes(), 0x81],
      [bytes('00'), 0x81],
      [bytes('00 00'), 0x82],
    ] as const) {
      const client = new World().connect(version);
      client.send(frame(first, body));
      ended(client, reason);
    }
  }
});

across('acknowledgements nobody waits for are taken without harm', everyVersion, version => {
  const client = new World().connect(version);
  client.send({ type: 'puback', packetId: 12 });
  client.send({ type: 'pubcomp', packetId: 12 });
  quiet(client);
  client.send({ type: 'pubrec', packetId: 12 });
  const { packetId, reason } = all(client, 'pubrel')[0]!;
  assert.deepEqual([packetId, reason], [12, version === 5 ? 0x92 : 0]);
});
