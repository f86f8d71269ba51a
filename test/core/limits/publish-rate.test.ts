// How fast clients may publish: who is too fast waits, and nobody else; who is far too fast goes.

import assert from 'node:assert/strict';
import { Reason } from '../../../src/mqtt/reason.ts';
import {
  across,
  ended,
  everyVersion,
  one,
  publish,
  quiet,
  receive,
  subscribe,
  texts,
} from '../../conformance/kit.ts';
import { describe, test } from '../../harness.ts';
import { encodePacket, join, type Version } from '../../wire.ts';
import { type Client, World } from '../../world.ts';

/** So many messages in one piece. */
function burst(client: Client, count: number, payload = 'x'): void {
  const packets = Array.from({ length: count }, () =>
    encodePacket({ type: 'publish', topic: 'a', payload }, client.version),
  );
  client.send(join(packets));
}

function listener(world: World, version: Version): Client {
  const client = world.connect(version, { clientId: 'listener' });
  subscribe(client, 'a');
  return client;
}

/** How many arrive in each of so many seconds. */
function arrivals(world: World, client: Client, seconds: number): number[] {
  return Array.from({ length: seconds }, () => {
    world.advance(1_000);
    return receive(client).length;
  });
}

across('a client is held to its rate, whatever it sends at once', everyVersion, version => {
  const world = new World({ clientMessagesPerSecond: 20 });
  const reader = listener(world, version);
  const client = world.connect(version);
  burst(client, 100);
  const atOnce = receive(reader).length;
  // A second's worth, and what a pause of the shortest length is about.
  assert.ok(atOnce >= 20 && atOnce <= 22, `${atOnce} at once`);
  assert.equal(client.stopped, true);
  const each = arrivals(world, reader, 5);
  for (const count of each.slice(0, 3)) assert.ok(count >= 18 && count <= 22, `${each}`);
  assert.equal(atOnce + each.reduce((sum, count) => sum + count), 100, 'nothing is lost');
  assert.equal(client.stopped, false);
});

across('a client that keeps to its rate is never slowed', everyVersion, version => {
  const world = new World({ clientMessagesPerSecond: 10, clientBytesPerSecond: 1_000 });
  const client = world.connect(version);
  for (let i = 0; i < 100; i++) {
    publish(client, 'a', { qos: 1, payload: 'x'.repeat(50) });
    assert.equal(client.stopped, false);
    world.advance(100);
  }
  assert.equal(world.broker.state.counters.publishersSlowed, 0);
});

across('bytes count as well', everyVersion, version => {
  const world = new World({ clientBytesPerSecond: 1_000 });
  const client = world.connect(version);
  burst(client, 1, 'x'.repeat(3_000));
  assert.equal(client.stopped, true);
  world.advance(1_990);
  assert.equal(client.stopped, true);
  world.advance(30);
  assert.equal(client.stopped, false);
});

across('keep alive stands still while a client waits', everyVersion, version => {
  const world = new World({ clientBytesPerSecond: 1_000, ratePauseMaxMs: 60_000 });
  const client = world.connect(version, { keepAlive: 1 });
  burst(client, 1, 'x'.repeat(30_000));
  client.send({ type: 'pingreq' });
  world.advance(20_000);
  quiet(client);
  world.advance(10_000);
  one(client, 'pingresp');
  world.advance(1_600);
  assert.equal(client.closed, true, 'it goes on afterwards');
});

across('who would have to wait too long is disconnected', everyVersion, version => {
  const world = new World({ clientBytesPerSecond: 1_000, ratePauseMaxMs: 5_000 });
  const reader = listener(world, version);
  const client = world.connect(version);
  burst(client, 1, 'x'.repeat(7_000));
  ended(client, Reason.MessageRateTooHigh);
  quiet(reader);
  const { counters } = world.broker.state;
  assert.equal(counters.disconnectedRate, 1);
  assert.equal(counters.protocolErrors, 0);
});

/** Sends what takes a second and a quarter, again and again, as soon as the broker reads on. */
function flood(world: World, client: Client, seconds: number): void {
  for (let i = 0; i < seconds * 10 && !client.closed; i++) {
    if (!client.stopped && client.unread.length === 0) burst(client, 25);
    world.advance(100);
  }
}

across('who is at the bound without a rest is disconnected', everyVersion, version => {
  const world = new World({ clientMessagesPerSecond: 20, rateSlowedMaxMs: 60_000 });
  const client = world.connect(version);
  flood(world, client, 59);
  quiet(client);
  flood(world, client, 4);
  ended(client, Reason.MessageRateTooHigh);
  assert.equal(world.broker.state.counters.disconnectedRate, 1);
});

across('who rests now and then may be at the bound for ever', everyVersion, version => {
  const world = new World({ clientMessagesPerSecond: 20, rateSlowedMaxMs: 60_000 });
  const client = world.connect(version);
  for (let i = 0; i < 20; i++) {
    flood(world, client, 50);
    assert.equal(client.stopped || client.unread.length > 0, true, 'it is slowed');
    world.advance(5_000);
  }
  quiet(client);
});

across('without such a bound a flood is slowed for ever', everyVersion, version => {
  const world = new World({ clientMessagesPerSecond: 20 });
  const client = world.connect(version);
  flood(world, client, 600);
  quiet(client);
});

across(
  'what a user does counts as well, what others of a listener do does not',
  everyVersion,
  version => {
    const bounds = { userMessagesPerSecond: 20, rateSlowedMaxMs: 10_000 };
    const world = new World(bounds);
    const client = world.connect(version, { username: 'ada' });
    flood(world, client, 15);
    ended(client, Reason.MessageRateTooHigh);
    const crowd = new World({ listenerMessagesPerSecond: 20, rateSlowedMaxMs: 10_000 });
    const loud = crowd.connect(version);
    flood(crowd, loud, 60);
    quiet(loud);
  },
);

across('the clients of one user share what the user may do', everyVersion, version => {
  const world = new World({ userMessagesPerSecond: 10 });
  const reader = listener(world, version);
  const clients = Array.from({ length: 5 }, () => world.connect(version, { username: 'ada' }));
  const other = world.connect(version, { username: 'bob' });
  for (const client of clients) burst(client, 20);
  burst(other, 10);
  const atOnce = receive(reader).length;
  assert.ok(atOnce >= 20 && atOnce <= 26, `${atOnce} at once`);
  assert.equal(other.stopped, false);
  const each = arrivals(world, reader, 4);
  for (const count of each) assert.ok(count >= 5 && count <= 15, `${each}`);
});

across('the clients of one listener share what it may do', everyVersion, version => {
  const world = new World({ listenerMessagesPerSecond: 10 });
  const reader = listener(world, version);
  const [a, b] = ['door', 'door'].map(name => world.connect(version, {}, { listener: name }));
  const elsewhere = world.connect(version, {}, { listener: 'other' });
  burst(a!, 10);
  assert.equal(a!.stopped, false);
  burst(b!, 3);
  assert.equal(b!.stopped, true);
  burst(elsewhere, 3);
  assert.equal(elsewhere.stopped, false);
  assert.ok(receive(reader).length >= 14);
});

across('messages for a client that waits are delivered to it', everyVersion, version => {
  const world = new World({ clientMessagesPerSecond: 1 });
  const client = world.connect(version);
  subscribe(client, { filter: 'b', qos: 1 });
  burst(client, 5);
  assert.equal(client.stopped, true);
  const other = world.connect(version);
  publish(other, 'b', { qos: 1, payload: 'hello' });
  assert.deepEqual(texts(client.take().filter(packet => packet.type === 'publish')), ['hello']);
  assert.equal(client.stopped, true, 'it waits on');
});

across('what a client sent before it left is not lost', everyVersion, version => {
  const world = new World({ clientMessagesPerSecond: 10 });
  const reader = listener(world, version);
  subscribe(reader, 'will');
  const client = world.connect(version, { will: { topic: 'will' } });
  const messages = Array.from({ length: 50 }, (_, i) =>
    encodePacket({ type: 'publish', topic: 'a', payload: `${i}` }, version),
  );
  client.send(...messages, { type: 'disconnect' });
  assert.equal(client.stopped, true);
  client.drop();
  assert.deepEqual(
    texts(receive(reader)),
    Array.from({ length: 50 }, (_, i) => `${i}`),
    'and no will: it said goodbye',
  );
  assert.equal(world.broker.state.connectionCount, 1);
});

across('nor what it sent while it waited for a slow consumer', everyVersion, version => {
  const world = new World({ outputHighWater: 5_000, publisherPauseMaxMs: 60_000 });
  const slow = world.connect(version, { clientId: 'slow' });
  subscribe(slow, 'a');
  slow.budget = 0;
  const reader = world.connect(version);
  subscribe(reader, ['b', 'will']);
  const client = world.connect(version, { will: { topic: 'will' } });
  client.send(
    { type: 'publish', topic: 'a', payload: 'x'.repeat(6_000) },
    { type: 'publish', topic: 'b', payload: 'last' },
    { type: 'publish', topic: 'a', payload: 'x' },
    { type: 'disconnect' },
  );
  quiet(reader);
  client.drop();
  assert.deepEqual(texts(receive(reader)), ['last']);
});

describe('rates that change while clients are connected', () => {
  test('hold from then on', () => {
    const world = new World();
    const client = world.connect(5, { username: 'ada' });
    burst(client, 100);
    assert.equal(client.stopped, false);
    const { options } = world.broker.state;
    world.broker.handleOptions({ ...options, userMessagesPerSecond: 10 });
    burst(client, 12);
    assert.equal(client.stopped, true);
    world.advance(10_000);
    world.broker.handleOptions(options);
    burst(client, 100);
    assert.equal(client.stopped, false);
  });
});

test('a client that is slowed is told about in the log, once', () => {
  const world = new World({ clientMessagesPerSecond: 10 });
  const client = world.connect(5, { clientId: 'fast' });
  burst(client, 50);
  world.advance(3_000);
  const lines = world.log.filter(({ event }) => event === 'publishes too fast');
  assert.equal(lines.length, 1);
  assert.equal(lines[0]!.fields.clientId, 'fast');
  assert.equal(lines[0]!.fields.rateOf, 'client');
});
