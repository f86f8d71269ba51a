// Bounds: queues, outputs and connections are finite, what does not fit is dropped and counted, and
// publishers are slowed without ever locking anybody up.

import assert from 'node:assert/strict';
import type { BrokerOptions } from '../../../src/core/options.ts';
import { text, type Version } from '../../wire.ts';
import { type Client, World } from '../../world.ts';
import {
  across,
  all,
  everyVersion,
  one,
  only5,
  publish,
  quiet,
  receive,
  subscribe,
  texts,
} from '../kit.ts';

const lasting = {
  clientId: 'sleeper',
  cleanStart: false,
  properties: { sessionExpiryInterval: 1_000 },
};

/** A world whose sleeper is away, subscribed to everything below a/. */
function asleep(
  version: Version,
  options: Partial<BrokerOptions>,
): { world: World; publisher: Client } {
  const world = new World(options);
  const client = world.connect(version, lasting);
  subscribe(client, { filter: 'a/#', qos: 2 });
  client.drop();
  return { world, publisher: world.connect(version) };
}

function wake(world: World, version: Version): string[] {
  return texts(receive(world.connect(version, lasting)));
}

across('a full queue drops the newest message', everyVersion, version => {
  const { world, publisher } = asleep(version, { queueMessagesMax: 3 });
  for (let i = 0; i < 5; i++) publish(publisher, 'a', { payload: `${i}`, qos: 1 + (i % 2) });
  assert.equal(world.broker.state.counters.droppedQueueFull, 2);
  assert.deepEqual(wake(world, version), ['0', '1', '2']);
});

across('a full queue drops the oldest message where asked for', everyVersion, version => {
  const { world, publisher } = asleep(version, { queueMessagesMax: 3, queuePolicy: 'drop-oldest' });
  for (let i = 0; i < 5; i++) publish(publisher, 'a', { payload: `${i}`, qos: 1 + (i % 2) });
  assert.equal(world.broker.state.counters.droppedQueueFull, 2);
  assert.deepEqual(wake(world, version), ['2', '3', '4']);
});

across('a queue is bounded in bytes as well', everyVersion, version => {
  for (const queuePolicy of ['drop-newest', 'drop-oldest'] as const) {
    const { world, publisher } = asleep(version, { queueBytesMax: 5_000, queuePolicy });
    for (let i = 0; i < 10; i++) {
      publish(publisher, 'a', { payload: `${i}`.repeat(1_000), qos: 1 });
    }
    publish(publisher, 'a', { payload: 'z'.repeat(6_000), qos: 1 });
    const { droppedQueueFull } = world.broker.state.counters;
    const kept = wake(world, version).map(payload => payload[0]);
    assert.equal(kept.length + droppedQueueFull, 11);
    assert.ok(!kept.includes('z'), 'what is larger than the whole queue never fits');
    if (queuePolicy === 'drop-newest') assert.deepEqual(kept, ['0', '1', '2', '3']);
  }
});

across('all queues together are bounded', everyVersion, version => {
  const world = new World({ queuedBytesTotalMax: 10_000, queueBytesMax: 10_000 });
  for (const clientId of ['one', 'two', 'three']) {
    const client = world.connect(version, { ...lasting, clientId });
    subscribe(client, { filter: 'a', qos: 1 });
    client.drop();
  }
  const publisher = world.connect(version);
  for (let i = 0; i < 20; i++) publish(publisher, 'a', { payload: 'x'.repeat(1_000), qos: 1 });
  const { queuedBytes, counters } = world.broker.state;
  assert.ok(queuedBytes > 5_000 && queuedBytes <= 10_000, `${queuedBytes} bytes`);
  assert.ok(counters.droppedQueueFull > 0);
  for (const clientId of ['one', 'two', 'three']) {
    world.connect(version, { clientId, cleanStart: true }).drop();
  }
  assert.equal(world.broker.state.queuedBytes, 0);
});

across('a slow consumer costs its bound: QoS 0 is dropped and counted', everyVersion, version => {
  const options = { outputHighWater: 10_000, outputBytesMax: 20_000, publisherPauseMaxMs: 10 };
  const world = new World(options);
  const slow = world.connect(version, { clientId: 'slow' });
  const quick = world.connect(version, { clientId: 'quick' });
  for (const client of [slow, quick]) subscribe(client, 'a');
  slow.budget = 0;
  const publisher = world.connect(version);
  for (let i = 0; i < 100; i++) {
    publisher.send({ type: 'publish', topic: 'a', payload: 'x'.repeat(1_000) });
    world.advance(11);
    assert.ok((slow.connection?.out.length ?? 0) < 22_000);
  }
  assert.equal(receive(quick).length, 100, 'nobody else misses anything');
  const { droppedSlowConsumer } = world.broker.state.counters;
  slow.budget = Number.POSITIVE_INFINITY;
  world.turn();
  assert.equal(receive(slow).length + droppedSlowConsumer, 100);
  publish(publisher, 'a', { payload: 'back' });
  assert.deepEqual(texts(receive(slow)), ['back']);
});

across('QoS 1 and 2 wait for a slow consumer and arrive in order', everyVersion, version => {
  const world = new World({ outputHighWater: 5_000, publisherPauseMaxMs: 10 });
  const slow = world.connect(version, { clientId: 'slow' });
  subscribe(slow, { filter: 'a', qos: 2 });
  slow.budget = 0;
  const publisher = world.connect(version);
  for (let i = 0; i < 60; i++) {
    const payload = `${i}`.padEnd(1_000);
    publisher.send({ type: 'publish', topic: 'a', payload, qos: 1 + (i % 2), packetId: i + 1 });
    publisher.send({ type: 'pubrel', packetId: i + 1 });
    world.advance(11);
  }
  slow.budget = 3_000;
  const seen: string[] = [];
  for (let turns = 0; seen.length < 60 && turns < 500; turns++) {
    world.turn();
    seen.push(...texts(receive(slow)));
  }
  assert.deepEqual(
    seen.map(payload => Number.parseInt(payload, 10)),
    Array.from({ length: 60 }, (_, i) => i),
  );
});

across('a publisher is slowed for a slow consumer, for a bounded time', everyVersion, version => {
  const world = new World({ outputHighWater: 5_000, publisherPauseMaxMs: 2_000 });
  const slow = world.connect(version, { clientId: 'slow' });
  subscribe(slow, 'a');
  slow.budget = 1;
  const publisher = world.connect(version, { keepAlive: 1 });
  publisher.send({ type: 'publish', topic: 'a', payload: 'x'.repeat(6_000) });
  assert.equal(publisher.stopped, true);
  publisher.send({ type: 'pingreq' });
  world.advance(1_999);
  quiet(publisher);
  assert.equal(world.broker.state.counters.publishersPaused, 1);
  world.advance(1);
  one(publisher, 'pingresp');
  assert.equal(publisher.stopped, false, 'its keep alive stood still meanwhile');
});

across('a publisher goes on as soon as the consumer has caught up', everyVersion, version => {
  const world = new World({ outputHighWater: 5_000, publisherPauseMaxMs: 60_000 });
  const slow = world.connect(version, { clientId: 'slow' });
  subscribe(slow, 'a');
  slow.budget = 0;
  const publisher = world.connect(version);
  publisher.send({ type: 'publish', topic: 'a', payload: 'x'.repeat(6_000) });
  publisher.send({ type: 'pingreq' });
  quiet(publisher);
  slow.budget = Number.POSITIVE_INFINITY;
  world.turn();
  one(publisher, 'pingresp');
});

across('the end of a slow consumer lets its publishers go on', everyVersion, version => {
  const world = new World({ outputHighWater: 5_000, publisherPauseMaxMs: 60_000 });
  const slow = world.connect(version, { clientId: 'slow' });
  subscribe(slow, 'a');
  slow.budget = 0;
  const publisher = world.connect(version);
  publisher.send({ type: 'publish', topic: 'a', payload: 'x'.repeat(6_000) });
  publisher.send({ type: 'pingreq' });
  slow.drop();
  one(publisher, 'pingresp');
});

/** Two clients that publish to one another, read slowly and acknowledge everything they get. */
function talkers(version: Version, world: World): [Client, Client] {
  const [left, right] = ['left', 'right'].map(clientId => world.connect(version, { clientId }));
  subscribe(left!, { filter: 'to/left', qos: 1 });
  subscribe(right!, { filter: 'to/right', qos: 1 });
  return [left!, right!];
}

across('clients that publish to one another never lock up', everyVersion, version => {
  const options = {
    outputHighWater: 3_000,
    inflightMax: 5,
    queueMessagesMax: 20,
    publisherPauseMaxMs: 600_000,
  };
  const world = new World(options);
  const [left, right] = talkers(version, world);
  left.budget = 500;
  right.budget = 500;
  const got = { left: 0, right: 0, acks: 0 };
  const exchange = (client: Client, name: 'left' | 'right') => {
    for (const packet of client.take()) {
      if (packet.type === 'puback') got.acks++;
      if (packet.type !== 'publish') continue;
      got[name]++;
      client.send({ type: 'puback', packetId: packet.packetId });
    }
  };
  for (let i = 0; i < 100; i++) {
    const payload = 'x'.repeat(300);
    left.send({ type: 'publish', topic: 'to/right', payload, qos: 1, packetId: i + 1 });
    right.send({ type: 'publish', topic: 'to/left', payload, qos: 1, packetId: i + 1 });
    exchange(left, 'left');
    exchange(right, 'right');
  }
  for (let turns = 0; turns < 2_000 && got.acks < 200; turns++) {
    world.turn();
    exchange(left, 'left');
    exchange(right, 'right');
  }
  const { droppedQueueFull } = world.broker.state.counters;
  assert.equal(got.acks, 200, 'every PUBLISH was acknowledged without a pause running out');
  for (let turns = 0; turns < 2_000; turns++) {
    world.turn();
    exchange(left, 'left');
    exchange(right, 'right');
  }
  assert.equal(got.left + got.right + droppedQueueFull, 200);
});

across('a client that publishes to itself never locks up', everyVersion, version => {
  const world = new World({ outputHighWater: 1_000, publisherPauseMaxMs: 600_000, inflightMax: 2 });
  const client = world.connect(version);
  subscribe(client, { filter: 'me', qos: 1 });
  client.budget = 100;
  for (let i = 0; i < 50; i++) {
    client.send({
      type: 'publish',
      topic: 'me',
      payload: 'x'.repeat(200),
      qos: 1,
      packetId: i + 1,
    });
  }
  let messages = 0;
  let acks = 0;
  for (let turns = 0; turns < 2_000; turns++) {
    world.turn();
    for (const packet of client.take()) {
      if (packet.type === 'puback') acks++;
      if (packet.type !== 'publish') continue;
      messages++;
      client.send({ type: 'puback', packetId: packet.packetId });
    }
  }
  assert.deepEqual([messages, acks], [50, 50]);
});

across(
  'connections beyond the bound are refused, and room is made by those who leave',
  everyVersion,
  version => {
    const world = new World({ connectionsMax: 2 });
    const first = world.connect(version);
    world.connect(version);
    assert.equal(world.broker.handleOpen('192.0.2.9:1', world.now), null);
    first.drop();
    quiet(world.connect(version));
  },
);

across('nothing is left behind by sessions that ended', everyVersion, version => {
  const world = new World();
  for (let i = 0; i < 50; i++) {
    const client = world.connect(version, { clientId: `c${i}`, keepAlive: 60 });
    subscribe(client, [{ filter: `a/${i}`, qos: 2 }, 'a/+', '$share/g/a/#']);
    client.send({ type: 'publish', topic: `a/${i}`, qos: 2, packetId: 9 });
    client.drop();
  }
  const { sessions, router, connections, queuedBytes, timers } = world.broker.state;
  assert.equal(sessions.size, 0);
  assert.equal(router.subscriptionCount + router.groupCount, 0);
  assert.equal(connections.filter(c => c !== undefined).length, 0);
  assert.equal(queuedBytes, 0);
  assert.equal(timers.size, 0);
});

across('dropped messages are told in $SYS', everyVersion, version => {
  const { world, publisher } = asleep(version, { queueMessagesMax: 1, sysIntervalMs: 1_000 });
  for (let i = 0; i < 4; i++) publish(publisher, 'a', { qos: 1 });
  publish(publisher, 'a', { qos: 0 });
  world.advance(1_000);
  subscribe(publisher, '$SYS/broker/dropped/#');
  const told = new Map(
    all(publisher, 'publish').map(message => [message.topic, texts([message])[0]]),
  );
  assert.equal(told.get('$SYS/broker/dropped/queue full'), '3');
  assert.equal(told.get('$SYS/broker/dropped/offline'), '1');
});

across('a publisher waits once for a consumer that does not move', everyVersion, version => {
  const world = new World({ outputHighWater: 5_000, publisherPauseMaxMs: 2_000 });
  const slow = world.connect(version, { clientId: 'slow' });
  subscribe(slow, 'a');
  slow.budget = 0;
  const publisher = world.connect(version);
  const flood = () => {
    publisher.send({ type: 'publish', topic: 'a', payload: 'x'.repeat(6_000) });
    return publisher.stopped;
  };
  assert.equal(flood(), true);
  world.advance(2_000);
  assert.equal(flood(), false, 'it had its chance');
  slow.budget = Number.POSITIVE_INFINITY;
  world.turn();
  slow.take();
  slow.budget = 0;
  assert.equal(flood(), true, 'it had caught up');
});

across('keep alive goes on when a pause is over', everyVersion, version => {
  const world = new World({ outputHighWater: 5_000, publisherPauseMaxMs: 2_000 });
  const slow = world.connect(version, { clientId: 'slow' });
  subscribe(slow, 'a');
  slow.budget = 1;
  const publisher = world.connect(version, { keepAlive: 1 });
  publisher.send({ type: 'publish', topic: 'a', payload: 'x'.repeat(6_000) });
  world.advance(2_000 + 1_499);
  assert.equal(publisher.closed, false);
  world.advance(1);
  assert.equal(publisher.closed, true);
});

across('places of closed connections are used again', everyVersion, version => {
  const world = new World();
  for (let i = 0; i < 20; i++) world.connect(version, { keepAlive: 60 }).drop();
  assert.equal(world.broker.state.connections.length, 1);
});

across('a full queue first gives up what has expired', only5, version => {
  const { world, publisher } = asleep(version, { queueMessagesMax: 3 });
  const brief = { messageExpiryInterval: 1 };
  publish(publisher, 'a', { payload: 'old 1', qos: 1, properties: brief });
  publish(publisher, 'a', { payload: 'old 2', qos: 1, properties: brief });
  publish(publisher, 'a', { payload: 'lasting', qos: 1 });
  world.advance(1_000);
  publish(publisher, 'a', { payload: 'new 1', qos: 1 });
  publish(publisher, 'a', { payload: 'new 2', qos: 1 });
  const { droppedExpired, droppedQueueFull } = world.broker.state.counters;
  assert.deepEqual([droppedExpired, droppedQueueFull], [2, 0]);
  assert.deepEqual(wake(world, version), ['lasting', 'new 1', 'new 2']);
  assert.equal(world.broker.state.queuedBytes, 0);
});

across(
  'a paused client is read from when its acknowledgements are needed',
  everyVersion,
  version => {
    const options = { outputHighWater: 5_000, publisherPauseMaxMs: 600_000, inflightMax: 2 };
    const world = new World(options);
    const stuck = world.connect(version, { clientId: 'stuck' });
    subscribe(stuck, 'a');
    stuck.budget = 0;
    const client = world.connect(version, { clientId: 'c' });
    subscribe(client, { filter: 'me', qos: 1 });
    client.send({ type: 'publish', topic: 'a', payload: 'x'.repeat(6_000) });
    assert.equal(client.stopped, true);
    const other = world.connect(version);
    for (let i = 0; i < 6; i++) publish(other, 'me', { payload: `${i}`, qos: 1 });
    assert.deepEqual(texts(receive(client)), ['0', '1', '2', '3', '4', '5']);
  },
);

across('only those who publish to a slow consumer are slowed', everyVersion, version => {
  const world = new World({ outputHighWater: 5_000, sysIntervalMs: 1_000 });
  const slow = world.connect(version, { clientId: 'slow' });
  subscribe(slow, ['a', 'gone', '$SYS/#']);
  slow.budget = 0;
  const publisher = world.connect(version);
  const bystander = world.connect(version);
  publisher.send({ type: 'publish', topic: 'a', payload: 'x'.repeat(6_000) });
  bystander.send({ type: 'publish', topic: 'b' });
  assert.equal(publisher.stopped, true);
  assert.equal(bystander.stopped, false);
  const will = { topic: 'gone', payload: text('y'.repeat(6_000)) };
  world.connect(version, { will }).drop();
  world.advance(1_000);
  bystander.send({ type: 'publish', topic: 'b' });
  assert.equal(bystander.stopped, false, "wills and $SYS are nobody else's doing");
});

across('a client whose acknowledgements are awaited is never paused', everyVersion, version => {
  const options = { outputHighWater: 5_000, publisherPauseMaxMs: 600_000, inflightMax: 2 };
  const world = new World(options);
  const stuck = world.connect(version, { clientId: 'stuck' });
  subscribe(stuck, 'a');
  stuck.budget = 0;
  const client = world.connect(version, { clientId: 'c' });
  subscribe(client, { filter: 'me', qos: 1 });
  const other = world.connect(version);
  for (const count of [1, 4]) {
    for (let i = 0; i < count; i++) publish(other, 'me', { payload: `${i}`, qos: 1 });
    client.send({ type: 'publish', topic: 'a', payload: 'x'.repeat(6_000) });
    assert.equal(client.stopped, false);
    assert.equal(receive(client).length, count);
  }
});

across(
  'a publisher waits until the queue of the consumer is short again',
  everyVersion,
  version => {
    const options = { queueMessagesMax: 20, inflightMax: 1, publisherPauseMaxMs: 600_000 };
    const world = new World(options);
    const slow = world.connect(version, { clientId: 'slow' });
    subscribe(slow, { filter: 'a', qos: 1 });
    const publisher = world.connect(version);
    let sent = 0;
    while (!publisher.stopped && sent < 30) {
      publisher.send({ type: 'publish', topic: 'a', payload: `${sent++}`, qos: 1 });
    }
    assert.equal(sent, 12, 'one in flight, eleven waiting: more than half of the queue');
    let taken = 0;
    while (publisher.stopped && taken < sent) {
      const { packetId } = one(slow, 'publish');
      slow.send({ type: 'puback', packetId });
      taken++;
    }
    assert.equal(taken, 6, 'five wait: a quarter of the queue');
  },
);

across('a second pause has its full length', everyVersion, version => {
  const world = new World({ outputHighWater: 5_000, publisherPauseMaxMs: 2_000 });
  const slow = world.connect(version, { clientId: 'slow' });
  subscribe(slow, 'a');
  const publisher = world.connect(version);
  for (const ms of [1_500, 1_999]) {
    slow.budget = 1;
    publisher.send({ type: 'publish', topic: 'a', payload: 'x'.repeat(6_000) });
    world.advance(ms);
    assert.equal(publisher.stopped, true);
    slow.budget = Number.POSITIVE_INFINITY;
    world.turn();
    slow.take();
    assert.equal(publisher.stopped, false);
  }
});
