// Clients that end what is around MQTT, a WebSocket for instance: they part as if the transport was
// gone, but are still given what waits for them, for a while.

import assert from 'node:assert/strict';
import { limits } from '../../src/limits.ts';
import { describe, test } from '../harness.ts';
import { type Client, World } from '../world.ts';

function part(world: World, { connection }: Client, why: string): void {
  world.hold(() => world.broker.handleParted(connection!, why, world.now));
}

function subscriber(world: World): Client {
  const client = world.connect(5);
  client.send({ type: 'subscribe', packetId: 1, filters: [{ filter: '#', qos: 0 }] });
  client.take();
  return client;
}

describe('a client that parts', () => {
  test('gets the answers to what it sent, and leaves its will', () => {
    const world = new World();
    const watcher = subscriber(world);
    const client = world.connect(5, { will: { topic: 'will' } });
    client.budget = 0;
    client.send({ type: 'publish', topic: 'a', qos: 1, packetId: 7 });
    part(world, client, 'WebSocket fault 1003');
    assert.deepEqual([client.closed, client.take()], [false, []]);
    client.budget = Number.POSITIVE_INFINITY;
    world.turn();
    assert.deepEqual(
      client.take().map(({ type }) => type),
      ['puback'],
    );
    assert.ok(client.closed);
    const topics = watcher.take().map(packet => (packet as { topic?: string }).topic);
    assert.deepEqual(topics, ['a', 'will']);
    const line = world.log.find(({ event }) => event === 'disconnect');
    assert.deepEqual([line?.fields.reason, line?.fields.by], ['WebSocket fault 1003', 'network']);
    assert.equal(world.log.filter(({ event }) => event === 'disconnect').length, 1);
  });

  test('is ended when it does not take them', () => {
    const world = new World();
    const client = world.connect(5);
    client.budget = 0;
    client.send({ type: 'pingreq' });
    part(world, client, 'connection closed');
    world.advance(limits.drainTimeoutMs - 1);
    assert.ok(!client.closed);
    world.advance(1);
    assert.deepEqual([client.closed, client.take()], [true, []]);
  });

  test('is not heard any more, and parts once', () => {
    const world = new World();
    const watcher = subscriber(world);
    const client = world.connect(4, { will: { topic: 'will' } });
    client.budget = 0;
    client.send({ type: 'pingreq' });
    part(world, client, 'connection closed');
    client.send({ type: 'publish', topic: 'late' });
    part(world, client, 'connection closed');
    client.drop();
    const topics = watcher.take().map(packet => (packet as { topic?: string }).topic);
    assert.deepEqual(topics, ['will']);
  });

  test('before CONNECT is nobody yet', () => {
    const world = new World();
    const client = world.open(5);
    part(world, client, 'connection closed');
    assert.ok(client.closed);
    assert.equal(world.broker.state.connectionCount, 0);
    const line = world.log.find(({ event }) => event === 'refused');
    assert.deepEqual(
      [line?.level, line?.fields.reason],
      ['debug', 'connection closed before CONNECT'],
    );
  });
});
