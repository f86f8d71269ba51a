// Mount points: who comes in by a listener with one lives below it without knowing.

import assert from 'node:assert/strict';
import type { Access } from '../../../src/core/access.ts';
import {
  across,
  all,
  everyVersion,
  one,
  publish,
  quiet,
  receive,
  subscribe,
  texts,
} from '../../conformance/kit.ts';
import { test } from '../../harness.ts';
import { type Client, World } from '../../world.ts';

const site = { listener: 'site', mountPoint: 'site/7/' } as const;

/** Topic and payload of everything that `client` receives. */
function got(client: Client): [string, string][] {
  return receive(client).map(message => [message.topic, texts([message])[0]!]);
}

across('what is named below is elsewhere known by its whole name', everyVersion, version => {
  const world = new World();
  const inside = world.connect(version, {}, site);
  const beside = world.connect(version, {}, site);
  const outside = world.connect(version);
  subscribe(outside, { filter: '#', qos: 1 });
  subscribe(beside, { filter: '#', qos: 1 });
  publish(inside, 'lamp', { payload: 'in', qos: 1 });
  publish(inside, 'lamp', { payload: 'again' });
  assert.deepEqual(got(outside), [
    ['site/7/lamp', 'in'],
    ['site/7/lamp', 'again'],
  ]);
  assert.deepEqual(got(beside), [
    ['lamp', 'in'],
    ['lamp', 'again'],
  ]);
  publish(outside, 'site/7/lamp', { payload: 'out' });
  publish(outside, 'site/8/lamp', { payload: 'another' });
  publish(outside, 'lamp', { payload: 'none' });
  assert.deepEqual(got(beside), [['lamp', 'out']]);
  publish(inside, 'site/7/lamp', { payload: 'deep' });
  assert.deepEqual(got(beside), [['site/7/lamp', 'deep']]);
});

across('many recipients below and outside get one message each', everyVersion, version => {
  const world = new World();
  const inside = [1, 2, 3].map(() => world.connect(version, {}, site));
  const outside = [1, 2, 3].map(() => world.connect(version));
  for (const client of inside) subscribe(client, { filter: 'a/+', qos: 1 });
  for (const client of outside) subscribe(client, { filter: 'site/+/a/b', qos: 2 });
  publish(inside[0]!, 'a/b', { qos: 2, payload: 'x' });
  for (const client of inside) assert.deepEqual(got(client), [['a/b', 'x']]);
  for (const client of outside) assert.deepEqual(got(client), [['site/7/a/b', 'x']]);
});

across('UNSUBSCRIBE names what SUBSCRIBE named', everyVersion, version => {
  const world = new World();
  const client = world.connect(version, {}, site);
  subscribe(client, ['a', '$share/g/b']);
  client.send({ type: 'unsubscribe', packetId: 5, filters: ['a', '$share/g/b', 'site/7/a'] });
  const { reasons } = one(client, 'unsuback');
  if (version === 5) assert.deepEqual(reasons, [0, 0, 0x11]);
  publish(client, 'a');
  publish(client, 'b');
  quiet(client);
});

across('retained messages', everyVersion, version => {
  const world = new World();
  const inside = world.connect(version, {}, site);
  const outside = world.connect(version);
  publish(inside, 'a', { retain: true, payload: 'kept' });
  publish(outside, 'a', { retain: true, payload: 'not below' });
  assert.notEqual(world.broker.state.retained.find('site/7/a'), null);
  subscribe(inside, 'a');
  assert.deepEqual(got(inside), [['a', 'kept']]);
  publish(inside, 'a', { retain: true, payload: '' });
  assert.equal(world.broker.state.retained.find('site/7/a'), null);
});

across('wills', everyVersion, version => {
  const world = new World();
  const outside = world.connect(version);
  subscribe(outside, 'site/7/gone');
  const will = { topic: 'gone', payload: new Uint8Array([0x78]) };
  world.connect(version, { will }, site).drop();
  assert.deepEqual(got(outside), [['site/7/gone', 'x']]);
});

across('shares have members below and outside', everyVersion, version => {
  const world = new World();
  const inside = world.connect(version, {}, site);
  const outside = world.connect(version);
  subscribe(inside, '$share/g/jobs');
  subscribe(outside, '$share/g/site/7/jobs');
  for (let i = 0; i < 4; i++) publish(outside, 'site/7/jobs', { payload: `${i}` });
  const below = got(inside);
  const above = got(outside);
  assert.deepEqual(
    below.map(([topic]) => topic),
    ['jobs', 'jobs'],
  );
  assert.deepEqual(
    above.map(([topic]) => topic),
    ['site/7/jobs', 'site/7/jobs'],
  );
});

across('$SYS stands for itself, and is not for publishing', everyVersion, version => {
  const world = new World({ sysIntervalMs: 1_000 });
  const inside = world.connect(version, {}, site);
  subscribe(inside, '$SYS/broker/version');
  world.advance(2_000);
  assert.equal(got(inside)[0]?.[0], '$SYS/broker/version');
  publish(inside, '$SYSTEM', { retain: true, payload: 'x' });
  assert.notEqual(world.broker.state.retained.find('site/7/$SYSTEM'), null);
  const { counters } = world.broker.state;
  publish(inside, '$SYS/broker/version', { payload: 'x' });
  assert.equal(counters.droppedNotAuthorized, 1);
});

across('what is not below is not sent, not even by its parent', everyVersion, version => {
  const world = new World();
  const inside = world.connect(version, {}, site);
  const outside = world.connect(version);
  subscribe(inside, { filter: '#', qos: 1 });
  publish(outside, 'site/7', { qos: 1, payload: 'the parent' });
  publish(outside, 'site/7/', { qos: 1, payload: 'nothing is left of its name' });
  quiet(inside);
  publish(outside, 'site/7//', { qos: 1, payload: 'an empty level' });
  assert.deepEqual(got(inside), [['/', 'an empty level']]);
  assert.equal(world.broker.state.queuedBytes, 0);
});

across(
  'a session that comes back by another listener keeps what it named',
  everyVersion,
  version => {
    const world = new World();
    const lasting = {
      clientId: 'mover',
      cleanStart: false,
      properties: { sessionExpiryInterval: 60 },
    };
    const first = world.connect(version, lasting, site);
    subscribe(first, { filter: 'a', qos: 1 });
    first.drop();
    const publisher = world.connect(version, {}, site);
    publish(publisher, 'a', { qos: 1, payload: 'x' });
    assert.deepEqual(got(world.connect(version, lasting)), [['site/7/a', 'x']]);
  },
);

across('rules are asked about whole names', everyVersion, version => {
  const asked: string[] = [];
  const note = (what: string) => {
    asked.push(what);
    return true;
  };
  const access: Access = {
    mayPublish: (_who, topic) => note(`publish ${topic}`),
    maySubscribe: (_who, filter) => note(`subscribe ${filter}`),
    mayReceive: (_who, topic) => note(`receive ${topic}`),
  };
  const world = new World({}, access);
  const will = { topic: 'w' };
  const client = world.connect(version, { will }, site);
  subscribe(client, ['a/+', '$share/g/b']);
  publish(client, 'a/b');
  client.drop();
  assert.deepEqual(asked, [
    'subscribe site/7/a/+',
    'subscribe site/7/b',
    'publish site/7/a/b',
    'receive site/7/a/b',
    'publish site/7/w',
  ]);
});

test('topic aliases, both ways', () => {
  const world = new World();
  const inside = world.connect(5, { properties: { topicAliasMaximum: 5 } }, site);
  subscribe(inside, '#');
  const properties = { topicAlias: 3 };
  inside.send(
    { type: 'publish', topic: 'a', payload: '1', properties },
    { type: 'publish', topic: '', payload: '2', properties },
    { type: 'publish', topic: 'a', payload: '3' },
  );
  const messages = all(inside, 'publish');
  assert.deepEqual(texts(messages), ['1', '2', '3']);
  assert.deepEqual(
    messages.map(({ topic }) => topic),
    ['a', '', ''],
  );
});

test('response topics stay as they are', () => {
  const world = new World();
  const inside = world.connect(5, {}, site);
  const outside = world.connect(5);
  subscribe(outside, 'site/7/ask');
  publish(inside, 'ask', { properties: { responseTopic: 'answers' } });
  assert.equal(one(outside, 'publish').properties.responseTopic, 'answers');
});

across('names that are too long with what is in front are refused', everyVersion, version => {
  const world = new World();
  const long = 'x'.repeat(65_535 - 'site/7/'.length);
  const inside = world.connect(version, {}, site);
  subscribe(inside, [long]);
  publish(inside, long, { payload: 'fits' });
  assert.deepEqual(got(inside), [[long, 'fits']]);
  const { reasons } = subscribe(inside, `${long}x`);
  assert.deepEqual(reasons, [version === 5 ? 0x8f : 0x80]);
  inside.send({ type: 'publish', topic: `${long}x` });
  assert.equal(inside.closed, true);
});
