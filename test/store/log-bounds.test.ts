// Where the disk or the memory ends: failing commits, backlogs, bounds, and what sessions leave.

import assert from 'node:assert/strict';
import { describe, test } from '../harness.ts';
import { away, back, payloads, persistent, publish, types } from './kept-clients.ts';
import { KeptWorld } from './kept-world.ts';

describe('a disk that fails', () => {
  test('holds acknowledgements back, refuses strict work, recovers by itself', () => {
    const kept = new KeptWorld();
    away(kept);
    const publisher = kept.world.connect(5);
    kept.store.failing = true;
    publish(publisher, 'strict/a', 'x', 1, 1);
    kept.settle();
    assert.deepEqual(types(publisher), []);
    assert.deepEqual(kept.troubles, ['io']);
    const other = kept.world.connect(5);
    publish(other, 'strict/b', 'y', 1, 2);
    const [refused] = other.take();
    assert.ok(refused.type === 'puback' && refused.reason === 0x97);
    publish(other, 'none/b', 'z', 1, 3);
    assert.deepEqual(types(other), ['puback']);
    kept.store.failing = false;
    kept.world.advance(2_001);
    kept.settle();
    assert.deepEqual(kept.troubles, ['io', 'well']);
    assert.deepEqual(types(publisher), ['puback']);
    assert.deepEqual(payloads(back(kept.cut()).packets), ['x']);
  });

  test('QoS 0 needs no disk unless it is retained', () => {
    const kept = new KeptWorld();
    away(kept);
    const subscriber = kept.world.connect(5);
    subscriber.send({ type: 'subscribe', packetId: 1, filters: [{ filter: '#', qos: 2 }] });
    const publisher = kept.world.connect(4);
    kept.store.failing = true;
    publish(publisher, 'strict/a', 'x', 1);
    kept.settle();
    subscriber.take();
    publish(publisher, 'strict/a', 'y', 0);
    const retained = { retain: true, payload: new TextEncoder().encode('z') };
    publisher.send({ type: 'publish', topic: 'strict/a', qos: 0, ...retained });
    assert.deepEqual(payloads(subscriber.take()), ['y']);
    assert.equal(publisher.closed, false);
    assert.equal(kept.world.broker.state.counters.droppedStoreFailing, 1);
  });

  test('QoS 2 from a session that is kept needs the disk, whoever listens', () => {
    const kept = new KeptWorld();
    away(kept);
    const { client } = back(kept, 'sender');
    const failing = kept.world.connect(5);
    kept.store.failing = true;
    publish(failing, 'strict/a', 'x', 1);
    kept.settle();
    client.send({ type: 'publish', topic: 'strict/other', qos: 2, packetId: 5, payload: 'y' });
    const [refused] = client.take();
    assert.ok(refused?.type === 'pubrec' && refused.reason === 0x97);
  });

  test('MQTT 3 cannot be told: such a publisher is closed, not acknowledged', () => {
    for (const version of [3, 4] as const) {
      for (const qos of [1, 2] as const) {
        const kept = new KeptWorld();
        away(kept);
        const first = kept.world.connect(5);
        kept.store.failing = true;
        publish(first, 'strict/a', 'x', 1);
        kept.settle();
        const publisher = kept.world.connect(version);
        publish(publisher, 'none/a', 'y', qos, 1);
        assert.deepEqual(types(publisher), [qos === 1 ? 'puback' : 'pubrec']);
        publish(publisher, 'strict/a', 'z', qos, 2);
        assert.deepEqual(types(publisher), []);
        assert.equal(publisher.closed, true);
      }
    }
  });
});

describe('a backlog larger than memory', () => {
  test('is read again by itself when it could not be read', () => {
    let kept = new KeptWorld();
    away(kept);
    publish(kept.world.connect(5), 'strict/a', 'x', 1);
    kept.settle();
    kept = kept.cut();
    kept.store.unreadable = true;
    const { client, packets } = back(kept);
    assert.deepEqual(payloads(packets), []);
    assert.deepEqual(kept.troubles, ['io']);
    kept.store.unreadable = false;
    kept.settle();
    assert.deepEqual(payloads(client.take()), []); // not over and over
    kept.world.advance(1_001);
    kept.settle();
    assert.deepEqual(payloads(client.take()), ['x']);
  });

  test('waits on disk, drains in order, also with new messages coming', () => {
    let kept = new KeptWorld({ log: { windowMessages: 10 } });
    away(kept);
    const publisher = kept.world.connect(5);
    for (let i = 0; i < 100; i++) publish(publisher, 'strict/a', `m${i}`, 1, i + 1);
    kept.settle();
    const outbox = kept.world.broker.state.sessions.get('away')!.outbox!;
    assert.ok(outbox.queued <= 10, `${outbox.queued} in memory`);
    assert.equal(outbox.waiting, 100);
    kept = kept.cut();
    const got: string[] = [];
    const client = kept.world.open(5);
    client.send({ type: 'connect', version: 5, clientId: 'away', ...persistent });
    const late = kept.world.connect(5);
    for (let round = 0; got.length < 150 && round < 1_000; round++) {
      if (round < 50) publish(late, 'strict/a', `m${100 + round}`, 1, round + 1);
      kept.settle();
      for (const p of client.take()) {
        if (p.type !== 'publish') continue;
        got.push(new TextDecoder().decode(p.payload));
        client.send({ type: 'puback', packetId: p.packetId! });
      }
    }
    assert.deepEqual(
      got,
      Array.from({ length: 150 }, (_, i) => `m${i}`),
    );
    kept.world.advance(2_000);
    kept.settle();
    assert.equal(kept.store.tables.messages.size, 0);
  });
});

describe('a store over its bound', () => {
  test('the session that was away longest goes first; then strict work is refused', () => {
    let free = 1_000;
    const kept = new KeptWorld({ log: { freeBytesMin: 100, freeBytes: () => free } });
    away(kept, 'first');
    kept.world.advance(10);
    away(kept, 'second');
    const { sessions } = kept.world.broker.state;
    const publisher = kept.world.connect(5);
    free = 50;
    publish(publisher, 'strict/a', 'x', 1, 1);
    kept.settle();
    assert.deepEqual(types(publisher), ['puback']);
    assert.equal(sessions.has('first'), false);
    // Its end has to be committed before the next one is asked for.
    kept.world.advance(1_001);
    kept.settle();
    assert.equal(sessions.has('second'), false);
    back(kept, 'here').client.send({
      type: 'subscribe',
      packetId: 1,
      filters: [{ filter: '#', qos: 1 }],
    });
    kept.settle();
    publish(publisher, 'strict/a', 'y', 1, 2);
    const [refused] = publisher.take();
    assert.ok(refused.type === 'puback' && refused.reason === 0x97);
    assert.deepEqual(kept.troubles, ['no room']);
    free = 1_000;
    kept.settle();
    publish(publisher, 'strict/a', 'z', 1, 3);
    kept.settle();
    const [taken] = publisher.take();
    assert.ok(taken.type === 'puback' && taken.reason === 0, 'there is room again');
    assert.deepEqual(kept.troubles, ['no room', 'room']);
  });
});

describe('the estate of a session', () => {
  test('what waited on disk for a share goes to another member, through a crash too', () => {
    let kept = new KeptWorld({ log: { windowMessages: 10 } });
    const filters = [{ filter: '$share/g/strict/#', qos: 1 }] as const;
    const one = back(kept, 'one').client;
    one.send({ type: 'subscribe', packetId: 1, filters: [...filters] });
    kept.settle();
    one.drop();
    const publisher = kept.world.connect(5);
    for (let i = 0; i < 50; i++) publish(publisher, 'strict/a', `m${i}`, 1, i + 1);
    kept.settle();
    const two = back(kept, 'two').client;
    two.send({ type: 'subscribe', packetId: 1, filters: [...filters] });
    kept.settle();
    two.take();
    // The first member's session ends; the process dies while its backlog is being passed on.
    const end = kept.world.open(5);
    end.send({ type: 'connect', version: 5, clientId: 'one', cleanStart: true });
    kept.world.turn();
    kept.store.answer();
    kept.store.answer();
    const got = new Set(payloads(two.take()));
    kept = kept.cut();
    const again = back(kept, 'two').client;
    for (let round = 0; round < 20; round++) kept.settle();
    for (const text of payloads(again.take())) got.add(text);
    for (const text of payloads(back(kept, 'two').packets)) got.add(text);
    assert.equal(got.size, 50);
    assert.equal(kept.world.broker.state.sessions.has('one'), false);
    kept.world.advance(2_000);
    kept.settle();
    const names = [...kept.store.tables.sessions.values()].map(s => s.clientId);
    assert.deepEqual(names, ['two']);
  });
});
