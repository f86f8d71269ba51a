// Topic names and filters: which are valid, which filter matches which name.

import assert from 'node:assert/strict';
import { World } from '../../world.ts';
import {
  across,
  ended,
  everyVersion,
  one,
  publish,
  quiet,
  receive,
  since311,
  subscribe,
  texts,
} from '../kit.ts';

/** Filter, topic name, whether they match. */
const matches: readonly [string, string, boolean][] = [
  ['a', 'a', true],
  ['a', 'b', false],
  ['a', 'a/', false],
  ['a', '/a', false],
  ['a/', 'a/', true],
  ['/', '/', true],
  ['//', '/', false],
  ['#', 'a', true],
  ['#', 'a/b/c', true],
  ['#', '/', true],
  ['a/#', 'a', true],
  ['a/#', 'a/', true],
  ['a/#', 'a/b/c', true],
  ['a/#', 'ab', false],
  ['a/#', 'b/a', false],
  ['a/b/#', 'a', false],
  ['+', 'a', true],
  ['+', '', false],
  ['+', 'a/b', false],
  ['+', '/a', false],
  ['+/+', '/a', true],
  ['/+', '/a', true],
  ['/+', '/', true],
  ['a/+', 'a', false],
  ['a/+', 'a/', true],
  ['a/+', 'a/b', true],
  ['a/+', 'a/b/c', false],
  ['a/+/c', 'a/b/c', true],
  ['a/+/c', 'a//c', true],
  ['a/+/c', 'a/b/d', false],
  ['+/b/#', 'a/b', true],
  ['+/b/#', 'a/b/c/d', true],
  ['+/+/#', 'a', false],
  ['+/#', 'a', true],
  ['a b', 'a b', true],
  ['A', 'a', false],
];

across(
  '[v3 MQTT-4.7.1-3] [v3 MQTT-4.7.1-2] [v5 MQTT-4.7.1-1] [v5 MQTT-4.7.1-2] [v5 MQTT-4.7.0-1] wildcards match whole levels and nothing else',
  everyVersion,
  version => {
    const world = new World();
    const publisher = world.connect(version);
    for (const [filter, topic, expected] of matches) {
      if (topic === '') continue;
      const client = world.connect(version);
      assert.deepEqual(subscribe(client, filter).reasons, [0], filter);
      publish(publisher, topic, { payload: 'live', retain: true });
      const late = world.connect(version);
      subscribe(late, filter);
      const seen = [receive(client).length, receive(late).length];
      assert.deepEqual(seen, expected ? [1, 1] : [0, 0], `${filter} against ${topic}`);
      publish(publisher, topic, { payload: '', retain: true });
      client.drop();
      late.drop();
    }
  },
);

const invalid = ['a#', 'a/b#', '#/a', 'a/#/b', '##', 'a+', '+a', 'a/+b', 'a/b+/c', '++', '#+'];

across(
  '[v3 MQTT-4.7.1-2] [v3 MQTT-4.7.1-3] [v5 MQTT-4.7.1-1] [v5 MQTT-4.7.1-2] filters with misplaced wildcards are refused',
  everyVersion,
  version => {
    const client = new World().connect(version);
    const code = version === 5 ? 0x8f : 0x80;
    for (const filter of invalid)
      assert.deepEqual(subscribe(client, filter).reasons, [code], filter);
    assert.deepEqual(subscribe(client, '$share/g/a#').reasons, [code]);
  },
);

across('[MQTT-4.7.3-1] an empty filter is refused', everyVersion, version => {
  const client = new World().connect(version);
  assert.deepEqual(subscribe(client, '').reasons, [version === 5 ? 0x8f : 0x80]);
  assert.deepEqual(subscribe(client, '$share/g/').reasons, [version === 5 ? 0x8f : 0x80]);
});

across(
  '[MQTT-4.7.2-1] leading wildcards do not match topics that begin with $',
  everyVersion,
  version => {
    const world = new World();
    const publisher = world.connect(version);
    publish(publisher, '$store/kept', { payload: 'kept', retain: true });
    for (const [filter, seen] of [
      ['#', 0],
      ['+/kept', 0],
      ['+/#', 0],
      ['$share/g/#', 0],
      ['$store/#', 2],
      ['$store/+', 2],
      ['$store/kept', 2],
    ] as const) {
      const client = world.connect(version);
      subscribe(client, filter);
      publish(publisher, '$store/kept', { payload: 'live' });
      assert.equal(receive(client).length, seen, filter);
      client.drop();
    }
  },
);

across('[MQTT-4.7.3-3] topic names and filters may have 65,535 bytes', everyVersion, version => {
  const world = new World();
  const client = world.connect(version);
  const topic = `${'é'.repeat(32_767)}x`;
  assert.deepEqual(subscribe(client, topic).reasons, [0]);
  publish(client, topic, { payload: 'long' });
  const [message] = receive(client);
  assert.equal(message?.topic, topic);
});

across(
  '[MQTT-4.7.3-4] levels are compared as they are: empty, blank, cased',
  everyVersion,
  version => {
    const world = new World();
    const names = ['a/b', 'a//b', '/a/b', 'a/b/', 'A/B', 'a /b', 'a/./b', 'a/b%20'];
    const clients = names.map(name => {
      const client = world.connect(version);
      subscribe(client, name);
      return client;
    });
    const publisher = world.connect(version);
    for (const topic of names) publish(publisher, topic, { payload: topic });
    assert.deepEqual(
      clients.map(client => texts(receive(client))),
      names.map(name => [name]),
    );
  },
);

across('topics deeper than the bound are refused', since311, version => {
  const world = new World({ topicLevelsMax: 4 });
  const client = world.connect(version);
  assert.deepEqual(subscribe(client, ['a/b/c/d', 'a/b/c/d/e']).reasons, [
    0,
    version === 5 ? 0x8f : 0x80,
  ]);
  publish(client, 'a/b/c/d');
  one(client, 'publish');
  client.send({ type: 'publish', topic: 'a/b/c/d/e' });
  ended(client, 0x90);
  const will = world.open(version);
  will.send({ type: 'connect', version, clientId: 'w', will: { topic: '/////' } });
  assert.ok(one(will, 'connack').reason > 0);
});

across('$share without a name or a filter is refused', everyVersion, version => {
  const client = new World().connect(version);
  const code = version === 5 ? 0x8f : 0x80;
  for (const filter of ['$share/', '$share/g', '$share//a', '$share/g/']) {
    assert.deepEqual(subscribe(client, filter).reasons, [code], filter);
  }
  quiet(client);
});
