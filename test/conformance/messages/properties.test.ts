// Strings and properties on the wire, and the properties of a message on their way through.

import assert from 'node:assert/strict';
import {
  binary,
  bytes,
  frame,
  join,
  string,
  text,
  u16,
  u32,
  type Version,
  varint,
} from '../../wire.ts';
import type { WireProperties } from '../../wire-properties.ts';
import { type Client, World } from '../../world.ts';
import {
  across,
  all,
  ended,
  everyVersion,
  field,
  one,
  only5,
  publish,
  quiet,
  rawPublish,
  rawSubscribe,
  receive,
  subscribe,
  texts,
} from '../kit.ts';

/** Byte sequences that are no UTF-8 (overlong, truncated, beyond U+10FFFF), and a surrogate. */
const illFormed = [
  'c0 80',
  'c1 bf',
  'e0 80 af',
  'f0 80 80 af',
  'f8 88 80 80 80',
  'c3',
  'e2 82',
  'f0 9f 98',
  '80',
  'ff',
  'c3 28',
  'f4 90 80 80',
  'ed a0 80',
  'ed bf bf',
].map(hex => bytes(hex));

/** Sends one packet to a broker of its own and sees the connection end with `reason`. */
function refused(version: Version, packet: Uint8Array, reason: number): void {
  const world = new World();
  const watcher = world.connect(version);
  subscribe(watcher, '#');
  const client = world.connect(version);
  client.send(packet);
  ended(client, reason);
  quiet(watcher);
}

/** A PUBLISH with this one property, as bytes. */
function withProperty(...property: Uint8Array[]): Uint8Array {
  return rawPublish(5, string('a'), join(property));
}

across(
  '[v3 MQTT-1.5.3-1] [v5 MQTT-1.5.4-1] a string that is not UTF-8, or has a surrogate, is malformed',
  everyVersion,
  version => {
    for (const content of illFormed) {
      refused(version, rawPublish(version, field(content)), 0x81);
      refused(version, rawSubscribe(version, 0x82, field(content), bytes('00')), 0x81);
      refused(version, rawSubscribe(version, 0xa2, field(content)), 0x81);
      if (version === 5) refused(version, withProperty(bytes('03'), field(content)), 0x81);
    }
  },
);

across(
  '[v3 MQTT-1.5.3-2] [v5 MQTT-1.5.4-2] a string with U+0000 ends the connection',
  everyVersion,
  version => {
    for (const content of [bytes('00'), bytes('61 00'), bytes('00 61'), bytes('61 00 62')]) {
      const client = new World().connect(version);
      client.send(rawPublish(version, field(content)));
      assert.equal(client.closed, true);
      refused(version, rawSubscribe(version, 0x82, field(content), bytes('00')), 0x81);
      refused(version, rawSubscribe(version, 0xa2, field(content)), 0x81);
    }
  },
);

across('[MQTT-4.7.3-2] topic names and filters with U+0000 go nowhere', everyVersion, version => {
  const world = new World();
  const watcher = world.connect(version);
  subscribe(watcher, '#');
  const client = world.connect(version);
  client.send(rawPublish(version, field(bytes('61 00 62'))));
  assert.equal(client.closed, true);
  quiet(watcher);
  const other = world.connect(version);
  other.send(rawSubscribe(version, 0x82, field(bytes('61 00 62')), bytes('00')));
  assert.equal(other.closed, true);
  assert.ok(other.take().every(packet => packet.type === 'disconnect'));
});

across(
  '[v3 MQTT-1.5.3-3] [v5 MQTT-1.5.4-3] U+FEFF is kept wherever it stands',
  everyVersion,
  version => {
    const world = new World();
    const client = world.connect(version);
    const topic = '\ufeffa/\ufeff/b\ufeff';
    const stripped = world.connect(version);
    subscribe(client, topic);
    subscribe(stripped, ['a/\ufeff/b\ufeff', 'a//b']);
    client.send(rawPublish(version, field(bytes('efbbbf 61 2f efbbbf 2f 62 efbbbf'))));
    assert.equal(one(client, 'publish').topic, topic);
    quiet(stripped);
  },
);

across(
  '[MQTT-4.7.3-4] names are matched character by character, nothing is normalised',
  everyVersion,
  version => {
    const world = new World();
    const publisher = world.connect(version);
    const one = 'caf\u00e9';
    // The same letter decomposed, another case, another width, a space, one more level.
    for (const other of ['cafe\u0301', 'CAF\u00c9', '\uff43af\u00e9', 'caf\u00e9 ', 'caf\u00e9/']) {
      for (const [filter, alien] of [
        [one, other],
        [other, one],
      ] as const) {
        const client = world.connect(version);
        subscribe(client, filter);
        publish(publisher, alien);
        quiet(client);
        publish(publisher, filter);
        assert.deepEqual(
          receive(client).map(message => message.topic),
          [filter],
        );
        client.drop();
      }
    }
  },
);

across(
  '[v5 MQTT-1.5.5-1] a variable byte integer with more bytes than it needs is malformed',
  everyVersion,
  version => {
    const body = version === 5 ? bytes('00 01 61 00') : bytes('00 01 61');
    for (const length of ['83 00', '84 00', '83 80 00', '83 80 80 00']) {
      refused(version, join([bytes('30'), bytes(length), body]), 0x81);
    }
    refused(version, bytes('30 80 80 80 80 01'), 0x81);
    if (version === 5) refused(version, frame(0x30, string('a'), bytes('80 00')), 0x81);
  },
);

across('[v5 MQTT-1.5.7-1] both strings of a user property have to be UTF-8', only5, version => {
  for (const content of [...illFormed, bytes('00')]) {
    refused(version, withProperty(bytes('26'), field(content), string('value')), 0x81);
    refused(version, withProperty(bytes('26'), string('name'), field(content)), 0x81);
  }
});

across(
  '[v5 MQTT-2.2.2-1] a packet without properties says so with a length of 0',
  only5,
  version => {
    // Without the length, the payload or the filter is read as properties.
    refused(version, frame(0x30, string('a')), 0x81);
    refused(version, frame(0x82, u16(1), string('a'), bytes('00')), 0x81);
    const client = new World().connect(version);
    const chunks: number[][] = [];
    client.arrive = chunk => chunks.push([...chunk]);
    client.send({ type: 'subscribe', packetId: 1, filters: ['a'] });
    client.send({ type: 'publish', topic: 'a', payload: 'x' });
    assert.deepEqual(chunks, [
      [0x90, 4, 0, 1, 0, 0],
      [0x30, 5, 0, 1, 0x61, 0, 0x78],
    ]);
  },
);

across(
  '[v3 MQTT-2.2.2-1] [v3 MQTT-2.2.2-2] [v5 MQTT-2.1.3-1] reserved flags are checked',
  everyVersion,
  version => {
    const packets: [number, Uint8Array][] = [
      [0x40, u16(1)],
      [0x50, u16(1)],
      [0x70, u16(1)],
      [0xc0, bytes()],
      [0xe0, bytes()],
    ];
    for (const [first, body] of packets) {
      for (const flags of [1, 2, 4, 8]) refused(version, frame(first | flags, body), 0x81);
    }
    const client = new World().open(version);
    client.send(frame(0x11, string('MQTT'), bytes('04 02 0000'), string('c')));
    assert.equal(client.closed, true);
  },
);

/** What a subscriber is told of a message published with these properties. */
function through(properties: WireProperties, qos = 1): WireProperties {
  const world = new World();
  const client = world.connect(5);
  subscribe(client, { filter: 'a', qos: 2 });
  publish(world.connect(5), 'a', { properties, qos, payload: 'text' });
  const [live] = receive(client);
  publish(world.connect(5), 'a', { properties, qos, payload: 'text', retain: true });
  const late = world.connect(5);
  subscribe(late, { filter: 'a', qos: 2 });
  const [kept] = receive(late);
  assert.deepEqual(kept!.properties, live!.properties, 'retained as well');
  return live!.properties;
}

across('[v5 MQTT-3.3.2-4] the payload format indicator travels unaltered', only5, () => {
  for (const payloadFormatIndicator of [0, 1]) {
    assert.deepEqual(through({ payloadFormatIndicator }), { payloadFormatIndicator });
  }
});

across('[v5 MQTT-3.3.2-15] the response topic travels unaltered', only5, () => {
  assert.deepEqual(through({ responseTopic: 'answer/é' }), { responseTopic: 'answer/é' });
});

across('[v5 MQTT-3.3.2-16] correlation data travels unaltered', only5, () => {
  const correlationData = bytes('00 ff 80 00 01');
  assert.deepEqual(through({ correlationData }), { correlationData });
});

across('[v5 MQTT-3.3.2-20] the content type travels unaltered', only5, () => {
  assert.deepEqual(through({ contentType: 'x/y; é' }), { contentType: 'x/y; é' });
});

across(
  '[v5 MQTT-3.3.2-17] [v5 MQTT-3.3.2-18] user properties travel unaltered and in order',
  only5,
  () => {
    const userProperties: [string, string][] = [
      ['z', '1'],
      ['a', '2'],
      ['z', '1'],
      ['', ''],
      ['a', '1'],
    ];
    assert.deepEqual(through({ userProperties }), { userProperties });
    const mixed: WireProperties = { messageExpiryInterval: 60, userProperties, topicAlias: 3 };
    assert.deepEqual(through(mixed), { messageExpiryInterval: 60, userProperties });
  },
);

across('every property of a message travels, beside one another', only5, () => {
  const properties: WireProperties = {
    payloadFormatIndicator: 1,
    messageExpiryInterval: 100,
    contentType: 'text/plain',
    responseTopic: 'answer',
    correlationData: bytes('01 02'),
    userProperties: [['k', 'v'.repeat(300)]],
  };
  for (const qos of [0, 1, 2]) assert.deepEqual(through(properties, qos), properties);
});

across('[v5 MQTT-3.3.2-13] a response topic that is not UTF-8 is malformed', only5, version => {
  for (const content of [...illFormed, bytes('61 00')]) {
    refused(version, withProperty(bytes('08'), field(content)), 0x81);
  }
});

across('[v5 MQTT-3.3.2-14] wildcards in a response topic are a protocol error', only5, version => {
  for (const topic of ['#', 'a/+', 'b#']) {
    refused(version, withProperty(bytes('08'), string(topic)), 0x82);
  }
});

across('[v5 MQTT-3.3.2-19] a content type that is not UTF-8 is malformed', only5, version => {
  for (const content of illFormed) {
    refused(version, withProperty(bytes('03'), field(content)), 0x81);
  }
});

across(
  '[v5 MQTT-3.3.4-6] a subscription identifier in a PUBLISH from a client is a protocol error',
  only5,
  version => refused(version, withProperty(bytes('0b 01')), 0x82),
);

across('[v5 §3.3.2.3] a property that stands twice is a protocol error', only5, version => {
  const twice = [
    bytes('01 01'),
    join([bytes('02'), u32(9)]),
    join([bytes('03'), string('x')]),
    join([bytes('08'), string('x')]),
    join([bytes('09'), binary(text('x'))]),
    bytes('23 00 01'),
  ];
  for (const property of twice) refused(version, withProperty(property, property), 0x82);
});

across('[v5 §2.2.2.2] a property where it does not belong is refused', only5, version => {
  for (const property of ['11 00000001', '21 0001', '24 01', '12 0001 61', '1f 0001 61']) {
    const client = new World().connect(version);
    client.send(withProperty(bytes(property)));
    assert.equal(client.closed, true);
  }
  for (const property of ['00', '04 01', '7f 01'])
    refused(version, withProperty(bytes(property)), 0x81);
});

across('properties that reach beyond their length are malformed', only5, version => {
  for (const property of ['02 0000', '03 0005 61', '26 0001 61', '23 00', '01']) {
    refused(version, withProperty(bytes(property)), 0x81);
  }
  refused(version, frame(0x30, string('a'), varint(50), bytes('01 00')), 0x81);
});

/** What a CONNECT with these property bytes is answered with. */
function connectRefused(properties: Uint8Array): number {
  const client: Client = new World().open(5);
  const list = join([varint(properties.length), properties]);
  client.send(frame(0x10, string('MQTT'), bytes('05 02 0000'), list, string('c')));
  const { reason } = one(client, 'connack');
  assert.equal(client.closed, true);
  return reason;
}

across('[v5 §3.1.2.11] CONNECT properties outside their range are protocol errors', only5, () => {
  const wrong = ['21 0000', '27 00000000', '17 02', '19 02', '16 0001 61'];
  for (const property of wrong) assert.equal(connectRefused(bytes(property)), 0x82, property);
  for (const property of ['11 00000001', '21 0001', '22 0001', '15 0001 61']) {
    assert.equal(connectRefused(bytes(property, property)), 0x82, `${property} twice`);
  }
});

across('[v5 §3.3.2.3.2] a payload that claims to be UTF-8 and is not gets 0x99', only5, version => {
  const world = new World();
  const watcher = world.connect(version);
  subscribe(watcher, '#');
  const client = world.connect(version);
  const properties = { payloadFormatIndicator: 1 };
  const payload = bytes('61 c0 80');
  for (const qos of [1, 2]) assert.equal(publish(client, 'a', { payload, properties, qos }), 0x99);
  for (const qos of [0, 1]) publish(client, 'a', { payload: 'a\0é😀', properties, qos });
  assert.equal(receive(watcher).length, 2);
  publish(client, 'a', { payload, properties }); // no acknowledgement could say it
  ended(client, 0x99);
  quiet(watcher);
  assert.equal(world.broker.state.counters.droppedPayloadFormat, 3);
  const lenient = new World({ checkPayloadFormat: false }).connect(version);
  subscribe(lenient, 'a');
  publish(lenient, 'a', { payload, properties });
  assert.equal(receive(lenient).length, 1);
});

across('[v5 MQTT-3.3.2-5] an expired message that waited is not delivered', only5, version => {
  const world = new World();
  const fields = {
    clientId: 's',
    cleanStart: false,
    properties: { sessionExpiryInterval: 1_000 },
  };
  const subscriber = world.connect(version, fields);
  subscribe(subscriber, { filter: 'a', qos: 2 });
  subscriber.drop();
  const publisher = world.connect(version);
  for (const [payload, seconds] of [
    ['short', 10],
    ['long', 100],
    ['zero', 0],
  ] as const) {
    publish(publisher, 'a', { payload, qos: 1, properties: { messageExpiryInterval: seconds } });
  }
  world.advance(10_000);
  const messages = receive(world.connect(version, fields));
  assert.deepEqual(texts(messages), ['long']);
  assert.ok(world.broker.state.counters.droppedExpired >= 1);
});

across(
  '[v5 MQTT-3.3.2-6] the message expiry is forwarded less the time the message waited',
  only5,
  version => {
    const world = new World();
    const fields = {
      clientId: 's',
      cleanStart: false,
      properties: { sessionExpiryInterval: 1_000 },
    };
    const subscriber = world.connect(version, fields);
    subscribe(subscriber, { filter: 'a', qos: 1 });
    const publisher = world.connect(version);
    const properties = { messageExpiryInterval: 100 };
    publish(publisher, 'a', { qos: 1, properties });
    assert.equal(receive(subscriber)[0]!.properties.messageExpiryInterval, 100);
    subscriber.drop();
    publish(publisher, 'a', { qos: 1, properties });
    world.advance(30_000);
    const again = world.connect(version, fields);
    assert.equal(all(again, 'publish')[0]!.properties.messageExpiryInterval, 70);
  },
);
