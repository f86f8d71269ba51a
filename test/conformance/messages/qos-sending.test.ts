// QoS 1 and 2 towards clients: the broker as sender, and what it sends again after a reconnect.

import assert from 'node:assert/strict';
import type { PublishWire, Version } from '../../wire.ts';
import { type Client, type ConnectFields, World } from '../../world.ts';
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
  subscribe,
  texts,
} from '../kit.ts';

const persistent: ConnectFields = {
  clientId: 'subscriber',
  cleanStart: false,
  properties: { sessionExpiryInterval: 1_000 },
};

/** A subscriber at QoS 2 whose session lasts, and a publisher. */
function pair(version: Version): { world: World; subscriber: Client; publisher: Client } {
  const world = new World();
  const subscriber = world.connect(version, persistent);
  subscribe(subscriber, { filter: '#', qos: 2 });
  return { world, subscriber, publisher: world.connect(version) };
}

function back(world: World, version: Version): Client {
  return world.connect(version, persistent);
}

/** Packet type, packet id and payload of what a client received. */
function outline(client: Client): [string, number, string, boolean][] {
  return client.take().map(packet => {
    const id = 'packetId' in packet ? packet.packetId : 0;
    const message = packet.type === 'publish' ? packet : null;
    return [packet.type, id, message ? texts([message])[0]! : '', message?.dup ?? false];
  });
}

across(
  '[v3 MQTT-4.3.2-1] [v5 MQTT-4.3.2-2] QoS 1 is sent with QoS 1, a packet id and DUP 0',
  everyVersion,
  version => {
    const { subscriber, publisher } = pair(version);
    publish(publisher, 'a', { qos: 1 });
    const { qos, dup, packetId } = one(subscriber, 'publish');
    assert.deepEqual([qos, dup], [1, false]);
    assert.notEqual(packetId, 0);
  },
);

across(
  '[v3 MQTT-4.3.3-1] [v5 MQTT-4.3.3-2] QoS 2 is sent with QoS 2, a packet id and DUP 0',
  everyVersion,
  version => {
    const { subscriber, publisher } = pair(version);
    publish(publisher, 'a', { qos: 2 });
    const { qos, dup, packetId } = one(subscriber, 'publish');
    assert.deepEqual([qos, dup], [2, false]);
    assert.notEqual(packetId, 0);
  },
);

across(
  '[v3 MQTT-2.3.1-4] [v5 MQTT-2.2.1-4] [v3 MQTT-4.3.2-1] [v3 MQTT-4.3.3-1] [v5 MQTT-4.3.2-1] [v5 MQTT-4.3.3-1] packet ids in use are not given out, and come free with the last acknowledgement',
  everyVersion,
  version => {
    const { subscriber, publisher } = pair(version);
    const held = new Map<number, PublishWire>();
    // Two messages are never acknowledged while the ids go around more than once.
    for (const qos of [1, 2]) {
      publish(publisher, 'held', { qos });
      const message = one(subscriber, 'publish');
      held.set(message.packetId, message);
    }
    assert.equal(held.size, 2);
    for (let i = 0; i < 66_000; i++) {
      publisher.send({ type: 'publish', topic: 'a', qos: 1 });
      const { packetId } = one(subscriber, 'publish');
      assert.ok(packetId !== 0 && !held.has(packetId), `packet id ${packetId} is in use`);
      subscriber.send({ type: 'puback', packetId });
    }
  },
);

across('all 65,535 packet ids can be in flight, and no more', only5, version => {
  const world = new World({ inflightMax: 65_535, queueMessagesMax: 100_000 });
  const subscriber = world.connect(version, { clientId: 's' });
  subscribe(subscriber, { filter: 'a', qos: 1 });
  const publisher = world.connect(version);
  const count = 65_540;
  for (let i = 0; i < count; i++) publisher.send({ type: 'publish', topic: 'a', qos: 1 });
  const ids = new Set(all(subscriber, 'publish').map(message => message.packetId));
  assert.equal(ids.size, 65_535);
  subscriber.send({ type: 'puback', packetId: 500 });
  assert.equal(one(subscriber, 'publish').packetId, 500);
});

across(
  '[v5 MQTT-4.3.2-3] [v5 MQTT-4.3.3-3] [MQTT-4.4.0-1] [MQTT-3.3.1-1] [v3 MQTT-2.3.1-4] unacknowledged messages are sent again with DUP and their packet ids',
  everyVersion,
  version => {
    for (const qos of [1, 2]) {
      const { world, subscriber, publisher } = pair(version);
      publish(publisher, 'a', { payload: 'x', qos });
      const first = one(subscriber, 'publish');
      for (let i = 0; i < 3; i++) {
        (i === 0 ? subscriber : [...world.clients.values()].at(-1)!).drop();
        const again = one(back(world, version), 'publish');
        assert.deepEqual({ ...again, dup: false }, first);
        assert.equal(again.dup, true);
      }
    }
  },
);

across(
  '[v3 MQTT-4.3.2-1] [v5 MQTT-4.3.2-3] what was acknowledged is not sent again',
  everyVersion,
  version => {
    const { world, subscriber, publisher } = pair(version);
    for (const qos of [1, 2]) publish(publisher, 'a', { qos });
    assert.equal(receive(subscriber).length, 2);
    subscriber.drop();
    quiet(back(world, version));
  },
);

across(
  '[MQTT-4.4.0-1] nothing is sent again while the connection stands',
  everyVersion,
  version => {
    const { world, subscriber, publisher } = pair(version);
    for (const qos of [1, 2]) publish(publisher, 'a', { qos });
    assert.equal(all(subscriber, 'publish').length, 2);
    world.advance(24 * 3_600_000);
    quiet(subscriber);
  },
);

across(
  '[v3 MQTT-4.3.3-1] [v3 MQTT-2.3.1-6] [v5 MQTT-4.3.3-4] PUBREC is answered with PUBREL with the packet id',
  everyVersion,
  version => {
    const { subscriber, publisher } = pair(version);
    publish(publisher, 'a', { qos: 2 });
    const { packetId } = one(subscriber, 'publish');
    subscriber.send({ type: 'pubrec', packetId });
    const pubrel = one(subscriber, 'pubrel');
    assert.deepEqual([pubrel.packetId, pubrel.reason], [packetId, 0]);
    subscriber.send({ type: 'pubcomp', packetId });
    quiet(subscriber);
  },
);

across(
  '[v3 MQTT-4.3.3-1] [v5 MQTT-4.3.3-5] [v5 MQTT-4.3.3-6] [MQTT-4.4.0-1] after PUBREC only PUBREL is sent again, until PUBCOMP',
  everyVersion,
  version => {
    const { world, subscriber, publisher } = pair(version);
    publish(publisher, 'a', { qos: 2 });
    const { packetId } = one(subscriber, 'publish');
    subscriber.send({ type: 'pubrec', packetId });
    one(subscriber, 'pubrel');
    subscriber.drop();
    const again = back(world, version);
    assert.equal(one(again, 'pubrel').packetId, packetId);
    again.drop();
    const third = back(world, version);
    assert.equal(one(third, 'pubrel').packetId, packetId);
    third.send({ type: 'pubcomp', packetId });
    third.drop();
    quiet(back(world, version));
  },
);

across('a second PUBREC is answered with PUBREL again', everyVersion, version => {
  const { subscriber, publisher } = pair(version);
  publish(publisher, 'a', { qos: 2 });
  const { packetId } = one(subscriber, 'publish');
  for (let i = 0; i < 2; i++) {
    subscriber.send({ type: 'pubrec', packetId });
    assert.equal(one(subscriber, 'pubrel').packetId, packetId);
  }
});

across(
  '[v5 MQTT-3.6.2-1] PUBREC for an unknown packet id is answered with PUBREL 0x92',
  only5,
  version => {
    const client = new World().connect(version);
    client.send({ type: 'pubrec', packetId: 3 });
    const { packetId, reason } = one(client, 'pubrel');
    assert.deepEqual([packetId, reason], [3, 0x92]);
  },
);

across(
  '[v3 MQTT-4.6.0-1] what is sent again comes in the order of the first sending, then what waited',
  everyVersion,
  version => {
    const { world, subscriber, publisher } = pair(version);
    for (const payload of ['1', '2', '3', '4', '5', '6']) {
      publish(publisher, 'a', { payload, qos: 1 + (Number(payload) % 2) });
    }
    const sent = all(subscriber, 'publish');
    // The fourth is acknowledged out of turn, the first half way.
    subscriber.send({ type: 'puback', packetId: sent[3]!.packetId });
    subscriber.send({ type: 'pubrec', packetId: sent[0]!.packetId });
    subscriber.drop();
    publish(publisher, 'a', { payload: '7', qos: 1 });
    publish(publisher, 'a', { payload: '8', qos: 2 });
    const expected = [0, 1, 2, 4, 5].map(i => [
      i === 0 ? 'pubrel' : 'publish',
      sent[i]!.packetId,
      i === 0 ? '' : `${i + 1}`,
      i !== 0,
    ]);
    const again = outline(back(world, version));
    assert.deepEqual(again.slice(0, 5), expected);
    assert.deepEqual(
      again.slice(5).map(([, , payload, dup]) => [payload, dup]),
      [
        ['7', false],
        ['8', false],
      ],
    );
  },
);

across('[v3 MQTT-4.6.0-4] PUBRELs leave in the order of the PUBRECs', everyVersion, version => {
  const { world, subscriber, publisher } = pair(version);
  for (let i = 0; i < 4; i++) publish(publisher, 'a', { qos: 2 });
  const ids = all(subscriber, 'publish').map(message => message.packetId);
  const order = [ids[2]!, ids[0]!, ids[3]!, ids[1]!];
  world.hold(() => {
    for (const packetId of order) subscriber.send({ type: 'pubrec', packetId });
  });
  assert.deepEqual(
    all(subscriber, 'pubrel').map(packet => packet.packetId),
    order,
  );
});

across('[v5 MQTT-4.4.0-2] PUBACK or PUBREC of 0x80 or above ends the delivery', only5, version => {
  for (const [qos, type] of [
    [1, 'puback'],
    [2, 'pubrec'],
  ] as const) {
    const { world, subscriber, publisher } = pair(version);
    publish(publisher, 'a', { qos });
    const { packetId } = one(subscriber, 'publish');
    subscriber.send({ type, packetId, reason: 0x80 });
    quiet(subscriber);
    subscriber.drop();
    quiet(back(world, version));
    assert.equal(world.broker.state.counters.rejectedByClient, 1);
  }
});

across('[v5 MQTT-4.3.3-7] a QoS 2 message that was sent does not expire', only5, version => {
  for (const qos of [1, 2]) {
    const { world, subscriber, publisher } = pair(version);
    publish(publisher, 'a', { qos, properties: { messageExpiryInterval: 1 } });
    const { packetId } = one(subscriber, 'publish');
    subscriber.drop();
    world.advance(60_000);
    const again = one(back(world, version), 'publish');
    assert.equal(again.packetId, packetId);
    assert.equal(again.properties.messageExpiryInterval, 0);
  }
});

across('an acknowledgement of the wrong kind is a protocol error', everyVersion, version => {
  for (const [qos, type] of [
    [1, 'pubrec'],
    [1, 'pubcomp'],
    [2, 'puback'],
    [2, 'pubcomp'],
  ] as const) {
    const { subscriber, publisher } = pair(version);
    publish(publisher, 'a', { qos });
    const { packetId } = one(subscriber, 'publish');
    subscriber.send({ type, packetId });
    ended(subscriber, 0x82);
  }
});

across('a QoS 0 message is not sent again', everyVersion, version => {
  const { world, subscriber, publisher } = pair(version);
  publish(publisher, 'a', { payload: 'gone' });
  subscriber.drop();
  quiet(back(world, version));
});

across('a PUBREC of 0x80 or above after a good one is a protocol error', only5, version => {
  const { subscriber, publisher } = pair(version);
  publish(publisher, 'a', { qos: 2 });
  const { packetId } = one(subscriber, 'publish');
  subscriber.send({ type: 'pubrec', packetId });
  one(subscriber, 'pubrel');
  subscriber.send({ type: 'pubrec', packetId, reason: 0x80 });
  ended(subscriber, 0x82);
});
