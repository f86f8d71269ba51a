// The memory target: as it fills up work is refused step by step, in a fixed order, and what was
// accepted stays.

import assert from 'node:assert/strict';
import { memoryBytes, Pressure } from '../../../src/core/limits/memory.ts';
import type { BrokerOptions } from '../../../src/core/options.ts';
import { KB } from '../../../src/limits.ts';
import { across, everyVersion, publish, receive, subscribe, texts } from '../../conformance/kit.ts';
import { test } from '../../harness.ts';
import { away, back } from '../../store/kept-clients.ts';
import { KeptWorld } from '../../store/kept-world.ts';
import { encodePacket, type Version } from '../../wire.ts';
import { World } from '../../world.ts';

const TARGET = 1_000 * KB;

/** A world with so many kB of retained messages; the target leaves each step its room. */
function filled(kilobytes: number, options: Partial<BrokerOptions> = {}): World {
  const world = new World({ memoryTargetBytes: TARGET, ...options });
  fill(world, kilobytes);
  return world;
}

function fill(world: World, kilobytes: number): void {
  const ballast = world.connect(5, { clientId: 'ballast' });
  const { options } = world.broker.state;
  world.broker.handleOptions({ ...options, memoryTargetBytes: 0 });
  for (let i = 0; i < kilobytes / 10; i++) {
    publish(ballast, `ballast/${i}`, { retain: true, payload: 'x'.repeat(10 * KB - 80) });
  }
  world.broker.handleOptions(options);
  publish(ballast, 'nobody', {});
  ballast.send({ type: 'disconnect' });
}

function pressureOf(world: World): number {
  return world.broker.state.guard.memory!.pressure;
}

/** What each step refuses, tried out: which of the five things still work. */
function tryEverything(world: World, version: Version): string[] {
  const works: string[] = [];
  const publisher = world.connect(version, { clientId: 'publisher' });
  if (publish(publisher, 'new', { qos: 1, retain: true, payload: 'x'.repeat(100) }) !== 0x97) {
    if (world.broker.state.retained.find('new') !== null) works.push('retain');
  }
  const before = world.broker.state.counters.droppedMemoryQueued;
  publish(publisher, 'away', { qos: 1, payload: 'x' });
  if (world.broker.state.counters.droppedMemoryQueued === before) works.push('queue');
  const newcomer = world.open(version);
  newcomer.send({ type: 'connect', version, clientId: 'newcomer' });
  const connack = newcomer.take()[0];
  if (connack?.type === 'connack' && connack.reason === 0) works.push('connect');
  return works;
}

const lasting = { cleanStart: false, properties: { sessionExpiryInterval: 1_000 } };

across('each step refuses more than the one before', everyVersion, version => {
  for (const [kilobytes, pressure, works] of [
    [500, Pressure.None, ['retain', 'queue', 'connect']],
    [750, Pressure.SlowConsumers, ['retain', 'queue', 'connect']],
    [850, Pressure.Retained, ['queue', 'connect']],
    [950, Pressure.Offline, ['connect']],
    [1_050, Pressure.Newcomers, []],
  ] as const) {
    const world = new World({ memoryTargetBytes: TARGET });
    const sleeper = world.connect(version, { ...lasting, clientId: 'sleeper' });
    subscribe(sleeper, { filter: 'away', qos: 1 });
    sleeper.drop();
    world.connect(version, { ...lasting, clientId: 'publisher' }).drop();
    fill(world, kilobytes);
    assert.equal(pressureOf(world), pressure);
    assert.deepEqual(tryEverything(world, version), works, `${kilobytes} kB`);
  }
});

across('QoS 0 to slow clients goes first', everyVersion, version => {
  const world = filled(0, { memoryTargetBytes: 3_000 * KB, publisherPauseMaxMs: 10 });
  const slow = world.connect(version, { clientId: 'slow' });
  const quick = world.connect(version, { clientId: 'quick' });
  for (const client of [slow, quick]) subscribe(client, 'a');
  slow.budget = 0;
  const publisher = world.connect(version);
  const send = () => publish(publisher, 'a', { payload: 'x'.repeat(10 * KB) });
  for (let i = 0; i < 20; i++) send();
  const { counters } = world.broker.state;
  assert.equal(counters.droppedSlowConsumer, 0, '200 kB may wait when there is room');
  fill(world, 1_950);
  assert.equal(pressureOf(world), Pressure.SlowConsumers);
  const more = receive(quick).length;
  assert.equal(more, 20);
  for (let i = 0; i < 5; i++) {
    send();
    world.advance(11);
  }
  assert.equal(counters.droppedSlowConsumer, 5);
  assert.equal(receive(quick).length, 5, 'who keeps up misses nothing');
});

across('a retained message may be replaced by one that is no larger', everyVersion, version => {
  const world = filled(850);
  const client = world.connect(version);
  publish(client, 'ballast/1', { retain: true, payload: 'smaller' });
  assert.equal(world.broker.state.counters.droppedMemoryRetained, 0);
  publish(client, 'ballast/1', { retain: true, payload: 'x'.repeat(100) });
  assert.equal(world.broker.state.counters.droppedMemoryRetained, 1);
  publish(client, 'ballast/1', { retain: true, payload: '' });
  assert.equal(world.broker.state.retained.find('ballast/1'), null, 'clearing always works');
});

test('a newcomer is told what it could not have', () => {
  const world = filled(1_050);
  for (const [properties, reason] of [
    [{}, 0x89],
    [{ sessionExpiryInterval: 60 }, 0x97],
  ] as const) {
    const client = world.open(5);
    client.send({ type: 'connect', version: 5, clientId: 'new', properties });
    const connack = client.take()[0];
    assert.ok(connack?.type === 'connack');
    assert.equal(connack.reason, reason);
  }
  assert.equal(world.broker.state.counters.refusedMemory, 2);
});

test('who has a session is let in and gets what waits, and that makes room', () => {
  const world = new World({ memoryTargetBytes: TARGET });
  const sleeper = world.connect(5, { ...lasting, clientId: 'sleeper' });
  subscribe(sleeper, { filter: 'away', qos: 1 });
  sleeper.drop();
  const publisher = world.connect(5, { clientId: 'publisher' });
  fill(world, 600);
  let accepted = -1; // the one that finds it full is not
  while (pressureOf(world) < Pressure.Offline && accepted < 100) {
    publish(publisher, 'away', { qos: 1, payload: 'x'.repeat(10 * KB) });
    accepted++;
  }
  assert.equal(world.broker.state.counters.droppedMemoryQueued, 1);
  const woken = world.connect(5, { ...lasting, clientId: 'sleeper' });
  assert.equal(receive(woken).length, accepted);
  publish(publisher, 'x', {});
  assert.equal(pressureOf(world), Pressure.None);
  const events = world.log.filter(({ event }) => event === 'memory target');
  assert.deepEqual(
    events.map(({ level }) => level),
    ['warn', 'warn', 'warn', 'info'],
    'one line per step on the way up, one for the end',
  );
});

test('what can wait on disk waits there only', () => {
  const kept = new KeptWorld({ broker: { memoryTargetBytes: TARGET } });
  const { world } = kept;
  away(kept);
  const publisher = world.connect(5, { clientId: 'publisher' });
  fill(world, 950);
  const { state } = world.broker;
  const { queuedBytes } = state;
  const { droppedMemoryQueued } = state.counters;
  for (let i = 0; i < 50; i++) {
    const fields = { type: 'publish', qos: 1 } as const;
    publisher.send({ ...fields, topic: 'strict/a', payload: `${i}`, packetId: i + 1 });
    publisher.send({ ...fields, topic: 'none/a', payload: 'lost', packetId: i + 100 });
  }
  kept.settle();
  assert.equal(state.queuedBytes, queuedBytes, 'none of them is in memory');
  assert.equal(state.counters.droppedMemoryQueued - droppedMemoryQueued, 50);
  const { client, packets } = back(kept);
  client.keep(packets);
  const got: string[] = [];
  for (let rounds = 0; rounds < 100; rounds++) {
    got.push(...texts(receive(client)).filter(text => !text.startsWith('xx')));
    kept.settle();
  }
  assert.deepEqual(
    got,
    Array.from({ length: 50 }, (_, i) => `${i}`),
  );
});

across('a message in flight counts once, until the last has acknowledged it', everyVersion, v => {
  for (const qos of [1, 2] as const) {
    const world = new World();
    const { state } = world.broker;
    const subscribers = ['one', 'two', 'three'].map(clientId => {
      const client = world.connect(v, { clientId });
      subscribe(client, { filter: 'a', qos });
      return client;
    });
    const payload = 'x'.repeat(10 * KB);
    publish(world.connect(v, { clientId: 'publisher' }), 'a', { qos, payload });
    const bytes = state.inflightBytes;
    assert.ok(bytes > payload.length && bytes < 2 * payload.length, `${bytes} bytes`);
    assert.ok(memoryBytes(state) >= bytes);
    const [first, second, last] = subscribers;
    receive(first!);
    second!.drop();
    assert.equal(state.inflightBytes, bytes);
    receive(last!);
    assert.equal(state.inflightBytes, 0);
  }
});

across('so does what came of a packet that is not whole', everyVersion, version => {
  const world = new World();
  const { state } = world.broker;
  const client = world.connect(version);
  const packet = encodePacket(
    { type: 'publish', topic: 'a', payload: 'x'.repeat(10 * KB) },
    version,
  );
  client.send(packet.subarray(0, 9 * KB));
  assert.ok(memoryBytes(state) >= 9 * KB, `${memoryBytes(state)} bytes`);
  client.send(packet.subarray(9 * KB));
  assert.equal(memoryBytes(state), 0);
  client.send(packet.subarray(0, 9 * KB));
  client.drop();
  assert.equal(memoryBytes(state), 0);
});
