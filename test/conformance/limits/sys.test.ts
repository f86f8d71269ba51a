// The $SYS topics.

import assert from 'node:assert/strict';
import { text, type Version } from '../../wire.ts';
import { type Client, World } from '../../world.ts';
import { across, everyVersion, publish, quiet, receive, subscribe, texts } from '../kit.ts';

function reported(client: Client): Map<string, string> {
  return new Map(receive(client).map(message => [message.topic, texts([message])[0]!]));
}

function watching(version: Version): { world: World; watcher: Client } {
  const world = new World({ sysIntervalMs: 10_000, version: 'minnow test' });
  const watcher = world.connect(version);
  subscribe(watcher, '$SYS/#');
  return { world, watcher };
}

across('$SYS tells version, uptime, clients, messages, bytes and more', everyVersion, version => {
  const { world, watcher } = watching(version);
  const publisher = world.connect(version, { clientId: 'p' });
  publish(publisher, 'kept', { payload: 'x', retain: true });
  subscribe(publisher, ['a', 'b']);
  world.connect(version, { clientId: 'gone' }).drop();
  world.advance(61_000); // the first time after a second
  const seen = reported(watcher);
  const value = (name: string) => seen.get(`$SYS/broker/${name}`);
  assert.equal(value('version'), 'minnow test');
  assert.equal(value('uptime'), '61 seconds');
  assert.equal(value('clients/connected'), '2');
  assert.equal(value('clients/total'), '2');
  assert.equal(value('clients/maximum'), '3');
  assert.equal(value('subscriptions/count'), '3');
  const retained = Number(value('retained messages/count'));
  assert.equal(retained, world.broker.state.retained.count);
  for (const name of ['messages/received', 'messages/sent', 'bytes/received', 'bytes/sent']) {
    assert.ok(Number(value(name)) > 0, name);
  }
  for (const minutes of [1, 5, 15]) {
    assert.ok(Number(value(`load/publish/received/${minutes}min`)) > 0);
  }
});

across(
  '$SYS is told anew when it has changed, and kept for those who come later',
  everyVersion,
  version => {
    const { world, watcher } = watching(version);
    world.advance(10_000);
    reported(watcher);
    world.connect(version, { clientId: 'new' });
    world.advance(10_000);
    assert.equal(reported(watcher).get('$SYS/broker/clients/connected'), '2');
    world.advance(10_000);
    assert.equal(reported(watcher).has('$SYS/broker/clients/connected'), false);
    const late = world.connect(version);
    subscribe(late, '$SYS/broker/clients/connected');
    assert.deepEqual(texts(receive(late)), ['2']);
  },
);

across('$SYS reaches nobody who asked for #', everyVersion, version => {
  const { world } = watching(version);
  const client = world.connect(version);
  subscribe(client, ['#', '+/broker/#']);
  world.advance(60_000);
  quiet(client);
});

across('clients cannot publish below $SYS, nor can their wills', everyVersion, version => {
  const { world, watcher } = watching(version);
  world.advance(10_000);
  reported(watcher);
  const topic = '$SYS/broker/version';
  const client = world.connect(version, { will: { topic, payload: text('forged'), retain: true } });
  assert.equal(publish(client, topic, { payload: 'x', qos: 1 }), version === 5 ? 0x87 : 0);
  assert.equal(publish(client, '$SYS', { payload: 'x', qos: 2 }), version === 5 ? 0x87 : 0);
  client.drop();
  quiet(watcher);
  const late = world.connect(version);
  subscribe(late, topic);
  assert.deepEqual(texts(receive(late)), ['minnow test']);
});

across('without an interval there is no $SYS', everyVersion, version => {
  const world = new World({ sysIntervalMs: 0 });
  const client = world.connect(version);
  subscribe(client, '$SYS/#');
  world.advance(3_600_000);
  quiet(client);
});
