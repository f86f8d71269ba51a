// SUBSCRIBE and SUBACK, the options of a subscription, and what overlapping ones make of a message.

import assert from 'node:assert/strict';
import type { Access } from '../../../src/core/access.ts';
import { bytes, frame, join, string, u16, type Version } from '../../wire.ts';
import { type Client, World } from '../../world.ts';
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
  rawSubscribe,
  receive,
  since311,
  subscribe,
  texts,
} from '../kit.ts';

/** Sends one packet that has to end the connection with `reason`. */
function refused(version: Version, packet: Uint8Array, reason: number): void {
  const client = new World().connect(version);
  client.send(packet);
  ended(client, reason);
}

across('[MQTT-3.8.1-1] SUBSCRIBE with other flags than 0010 is malformed', since311, version => {
  for (const flags of [0, 1, 3, 4, 6, 8, 10]) {
    refused(version, rawSubscribe(version, 0x80 | flags, string('a'), bytes('00')), 0x81);
  }
});

across(
  '[v3 MQTT-2.3.1-1] [v5 MQTT-2.2.1-3] packet id 0 in SUBSCRIBE is refused',
  everyVersion,
  version => {
    const client = new World().connect(version);
    client.send({ type: 'subscribe', packetId: 0, filters: ['a'] });
    ended(client, 0x82);
  },
);

across('[MQTT-3.8.3-1] a filter that is not UTF-8 is malformed', everyVersion, version => {
  for (const filter of [bytes('c0 80'), bytes('ff'), bytes('ed a0 80')]) {
    refused(version, rawSubscribe(version, 0x82, field(filter), bytes('00')), 0x81);
  }
});

across(
  '[v3 MQTT-3.8.3-3] [v5 MQTT-3.8.3-2] SUBSCRIBE without a filter is a protocol error',
  everyVersion,
  version => refused(version, rawSubscribe(version, 0x82), 0x82),
);

across('a filter without its options is malformed', everyVersion, version => {
  refused(version, rawSubscribe(version, 0x82, string('a')), 0x81);
  refused(version, rawSubscribe(version, 0x82, bytes('00 05 61 00')), 0x81);
});

across('[v3 MQTT-3.8.3-4] reserved bits and QoS 3 are malformed', before5, version => {
  for (const options of [0x03, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80]) {
    const client = new World().connect(version);
    client.send(rawSubscribe(version, 0x82, string('a'), bytes(options)));
    ended(client, 0x81);
  }
});

across('[v5 MQTT-3.8.3-5] reserved bits in the options are malformed', only5, version => {
  for (const options of [0x40, 0x80, 0xc0, 0x41]) {
    refused(version, rawSubscribe(version, 0x82, string('a'), bytes(options)), 0x81);
  }
});

across('[v5 §3.8.3.1] QoS 3 and retain handling 3 are protocol errors', only5, version => {
  for (const options of [0x03, 0x30]) {
    refused(version, rawSubscribe(version, 0x82, string('a'), bytes(options)), 0x82);
  }
});

across(
  '[MQTT-3.8.4-1] [MQTT-3.8.4-2] [v3 MQTT-2.3.1-7] [v5 MQTT-2.2.1-6] SUBSCRIBE is answered with SUBACK with its packet id',
  everyVersion,
  version => {
    const client = new World().connect(version);
    for (const packetId of [1, 500, 65_535, 1]) {
      client.send({ type: 'subscribe', packetId, filters: ['a'] });
      assert.equal(one(client, 'suback').packetId, packetId);
    }
  },
);

across(
  '[v3 MQTT-3.8.4-4] [v3 MQTT-3.8.4-5] [v5 MQTT-3.8.4-5] [v5 MQTT-3.8.4-6] [v5 MQTT-3.8.4-7] [MQTT-3.9.3-1] many filters are answered with one SUBACK, a code for each in order',
  everyVersion,
  version => {
    const client = new World().connect(version);
    const filters = [
      { filter: 'a', qos: 2 },
      { filter: 'b', qos: 0 },
      { filter: 'bad/#/filter', qos: 1 },
      { filter: 'c', qos: 1 },
    ];
    client.send({ type: 'subscribe', packetId: 3, filters });
    const { reasons } = one(client, 'suback');
    assert.deepEqual(reasons, [2, 0, version === 5 ? 0x8f : 0x80, 1]);
    for (const topic of ['a', 'b', 'c']) publish(client, topic, { payload: topic, qos: 2 });
    assert.deepEqual(
      receive(client).map(message => [message.topic, message.qos]),
      [
        ['a', 2],
        ['b', 0],
        ['c', 1],
      ],
    );
  },
);

const only: Access = { mayPublish: () => true, maySubscribe: (_, filter) => filter !== 'no' };

across(
  '[MQTT-3.9.3-2] [v5 MQTT-3.8.4-7] SUBACK says why a filter was refused, in the words of its version',
  everyVersion,
  version => {
    const world = new World({ wildcardSubscriptionAvailable: false, topicLevelsMax: 3 }, only);
    const client = world.connect(version);
    const filters = ['yes', 'no', 'a/+', '$share/g/no', 'a/b/c/d'];
    const codes = version === 5 ? [0, 0x87, 0xa2, 0x87, 0x8f] : [0, 0x80, 0x80, 0x80, 0x80];
    assert.deepEqual(subscribe(client, filters).reasons, codes);
    publish(client, 'no');
    quiet(client);
  },
);

across(
  '[v3 MQTT-3.8.3-2] filters with wildcards are refused where there are none',
  everyVersion,
  version => {
    const client = new World({ wildcardSubscriptionAvailable: false }).connect(version);
    for (const filter of ['#', 'a/+', '$share/g/a/#']) {
      assert.deepEqual(subscribe(client, filter).reasons, [version === 5 ? 0xa2 : 0x80]);
    }
    publish(client, 'a/b');
    quiet(client);
    assert.deepEqual(subscribe(client, 'a/b').reasons, [0]);
  },
);

across(
  '[v5 §3.2.2.3.13] shared subscriptions are refused where there are none',
  everyVersion,
  version => {
    const client = new World({ sharedSubscriptionAvailable: false }).connect(version);
    assert.deepEqual(subscribe(client, '$share/g/a').reasons, [version === 5 ? 0x9e : 0x80]);
  },
);

across(
  '[v5 §3.2.2.3.12] subscription identifiers end in 0xA1 where there are none',
  only5,
  version => {
    const client = new World({ subscriptionIdentifierAvailable: false }).connect(version);
    const properties = { subscriptionIdentifiers: [1] };
    client.send({ type: 'subscribe', filters: ['a'], properties });
    ended(client, 0xa1);
  },
);

across(
  '[v5 §3.8.2.1.2] subscription identifier 0, or two of them, are protocol errors',
  only5,
  version => {
    for (const list of ['0b 00', '0b 01 0b 02']) {
      const properties = bytes(list);
      const body = [u16(1), bytes(properties.length, properties), string('a'), bytes('00')];
      refused(version, frame(0x82, ...body), 0x82);
    }
  },
);

across('the bound on subscriptions refuses new ones only', everyVersion, version => {
  const client = new World({ subscriptionsPerSessionMax: 2 }).connect(version);
  const over = version === 5 ? 0x97 : 0x80;
  assert.deepEqual(subscribe(client, ['a', 'b', 'c', 'a']).reasons, [0, 0, over, 0]);
});

across(
  '[v3 MQTT-3.8.4-6] [v5 MQTT-3.8.4-8] a message arrives at the lower of the published and the granted QoS',
  everyVersion,
  version => {
    const world = new World();
    const publisher = world.connect(version);
    for (const granted of [0, 1, 2]) {
      const client = world.connect(version);
      subscribe(client, { filter: 'a', qos: granted });
      for (const qos of [0, 1, 2]) {
        publish(publisher, 'a', { qos });
        assert.equal(receive(client)[0]!.qos, Math.min(qos, granted));
      }
    }
  },
);

across('[MQTT-3.8.4-3] the same filter again replaces the subscription', everyVersion, version => {
  const world = new World();
  const client = world.connect(version);
  const publisher = world.connect(version);
  for (const qos of [0, 2, 1]) {
    subscribe(client, { filter: 'a/+', qos }, { subscriptionIdentifiers: [qos + 1] });
    publish(publisher, 'a/b', { qos: 2 });
    const messages = receive(client);
    assert.equal(messages.length, 1);
    assert.equal(messages[0]!.qos, qos);
    const ids = version === 5 ? [qos + 1] : undefined;
    assert.deepEqual(messages[0]!.properties.subscriptionIdentifiers, ids);
  }
  subscribe(client, { filter: 'a/+', noLocal: true });
  publish(client, 'a/b');
  assert.equal(receive(client).length, version === 5 ? 0 : 1);
  assert.equal(world.broker.state.router.subscriptionCount, 1);
});

across(
  '[MQTT-3.8.4-3] a replaced subscription counts where several overlap',
  everyVersion,
  version => {
    const world = new World();
    const client = world.connect(version);
    const publisher = world.connect(version);
    subscribe(client, [
      { filter: 'a', qos: 0 },
      { filter: '#', qos: 0 },
    ]);
    const arrivals = () => {
      publish(publisher, 'a', { qos: 2, retain: true });
      return receive(client).map(message => [message.qos, message.retain]);
    };
    assert.deepEqual(arrivals(), [[0, false]]);
    subscribe(client, { filter: 'a', qos: 2, retainAsPublished: true, retainHandling: 2 });
    assert.deepEqual(arrivals(), [[2, version === 5]]);
    subscribe(client, { filter: 'a', qos: 1, retainHandling: 2 });
    assert.deepEqual(arrivals(), [[1, false]]);
  },
);

across(
  '[v3 MQTT-3.8.4-3] [v5 MQTT-3.8.4-4] replacing sends retained messages again and loses none',
  everyVersion,
  version => {
    const world = new World({ inflightMax: 2 });
    const client = world.connect(version);
    const publisher = world.connect(version);
    publish(publisher, 'a', { payload: 'kept', retain: true });
    subscribe(client, { filter: 'a', qos: 1 });
    assert.deepEqual(texts(receive(client)), ['kept']);
    const sent = Array.from({ length: 20 }, (_, i) => `${i}`);
    for (const [i, payload] of sent.entries()) {
      publish(publisher, 'a', { payload, qos: 1 });
      if (i % 5 === 4) subscribe(client, { filter: 'a', qos: 1 });
    }
    const seen = texts(receive(client));
    assert.deepEqual(
      seen.filter(payload => payload !== 'kept'),
      sent,
    );
    assert.equal(seen.length - sent.length, 4, 'the retained message came with every SUBSCRIBE');
  },
);

across(
  '[v3 MQTT-3.3.5-1] [v5 MQTT-3.3.4-2] overlapping subscriptions deliver once, at the highest QoS',
  everyVersion,
  version => {
    const world = new World();
    const client = world.connect(version);
    subscribe(client, [
      { filter: 'a/b', qos: 0 },
      { filter: 'a/+', qos: 2 },
      { filter: '#', qos: 1 },
      { filter: 'other/#', qos: 2 },
    ]);
    const publisher = world.connect(version);
    for (const qos of [0, 1, 2]) {
      publish(publisher, 'a/b', { qos });
      const messages = receive(client);
      assert.deepEqual(
        messages.map(message => message.qos),
        [qos],
      );
    }
  },
);

across(
  '[v5 MQTT-3.3.4-3] [v5 MQTT-3.3.4-4] a message carries the identifiers of all matching subscriptions',
  only5,
  version => {
    const world = new World();
    const client = world.connect(version);
    subscribe(client, 'a/b', { subscriptionIdentifiers: [1] });
    subscribe(client, 'a/+', { subscriptionIdentifiers: [268_435_455] });
    subscribe(client, 'a/#');
    subscribe(client, 'x', { subscriptionIdentifiers: [7] });
    subscribe(client, ['+/b', '#'], { subscriptionIdentifiers: [200] });
    publish(world.connect(version), 'a/b');
    const { subscriptionIdentifiers = [] } = one(client, 'publish').properties;
    const sorted = subscriptionIdentifiers.sort((a, b) => a - b);
    assert.deepEqual([...new Set(sorted)], [1, 200, 268_435_455]);
  },
);

across(
  '[v5 MQTT-3.3.4-5] copies for a share and for a subscription carry the identifier of their own',
  only5,
  version => {
    const world = new World();
    const client = world.connect(version);
    subscribe(client, 'a', { subscriptionIdentifiers: [1] });
    subscribe(client, '$share/g/a', { subscriptionIdentifiers: [2] });
    publish(world.connect(version), 'a');
    const ids = all(client, 'publish').map(m => m.properties.subscriptionIdentifiers);
    assert.deepEqual(ids.sort(), [[1], [2]]);
  },
);

across(
  '[v5 MQTT-3.3.4-3] identifiers stay with messages that wait and are sent again',
  only5,
  version => {
    const world = new World();
    const fields = {
      clientId: 'c',
      cleanStart: false,
      properties: { sessionExpiryInterval: 1_000 },
    };
    const client = world.connect(version, fields);
    subscribe(client, { filter: 'a', qos: 1 }, { subscriptionIdentifiers: [5] });
    client.drop();
    publish(world.connect(version), 'a', { qos: 1 });
    for (let i = 0; i < 2; i++) {
      const again = world.connect(version, fields);
      assert.deepEqual(one(again, 'publish').properties.subscriptionIdentifiers, [5]);
      again.drop();
    }
  },
);

across('[v5 MQTT-3.8.3-3] no local: a client does not get its own messages', only5, version => {
  const world = new World();
  const client = world.connect(version, { clientId: 'c' });
  const other = world.connect(version);
  subscribe(client, { filter: 'a', noLocal: true, qos: 1 });
  for (const qos of [0, 1]) publish(client, 'a', { payload: 'mine', qos });
  quiet(client);
  publish(other, 'a', { payload: 'yours' });
  assert.deepEqual(texts(receive(client)), ['yours']);
  assert.equal(publish(client, 'a', { qos: 1 }), 0x10, 'nobody else subscribed');
  subscribe(client, { filter: '#', qos: 0 }, { subscriptionIdentifiers: [4] });
  publish(client, 'a', { payload: 'through the other filter', qos: 1 });
  const [message] = receive(client);
  assert.deepEqual([message?.qos, message?.properties.subscriptionIdentifiers], [0, [4]]);
});

across('no local also holds for the will of its own client', only5, version => {
  const world = new World();
  const fields = {
    clientId: 'c',
    cleanStart: false,
    will: { topic: 'a' },
    properties: { sessionExpiryInterval: 1_000 },
  };
  const client = world.connect(version, fields);
  subscribe(client, { filter: 'a', noLocal: true, qos: 1 });
  client.drop();
  quiet(world.connect(version, fields));
});

function sameChunk(client: Client): Uint8Array {
  const twice = rawSubscribe(client.version, 0x82, string('a'), bytes('00'));
  return join([twice, twice]);
}

across('SUBSCRIBEs in one piece are answered one by one', everyVersion, version => {
  const client = new World().connect(version);
  client.send(sameChunk(client));
  assert.equal(all(client, 'suback').length, 2);
});
