// When a batch goes to the store, how large it is, and when what is in it is past a power cut.

import assert from 'node:assert/strict';
import { Durability } from '../../src/core/journal.ts';
import { type Op, OpKind } from '../../src/store/ops.ts';
import { Pending } from '../../src/store/pending.ts';
import { describe, test } from '../harness.ts';
import type { Client } from '../world.ts';
import { away, back, payloads, publish, types } from './kept-clients.ts';
import { KeptWorld } from './kept-world.ts';

/** One more QoS 1 message in `topic` that is acknowledged at once by whoever gets it. */
function exchange(publisher: Client, subscriber: Client, topic: string): void {
  publish(publisher, topic, 'x'.repeat(100), 1);
  for (const packet of subscriber.take()) {
    if (packet.type !== 'publish' || packet.packetId === undefined) continue;
    subscriber.send({ type: 'puback', packetId: packet.packetId });
  }
}

function isQueuePut({ kind }: Op): boolean {
  return kind === OpKind.QueuePut;
}

/** A client with a session that is kept, subscribed to everything with QoS 1. */
function listening(kept: KeptWorld): Client {
  const { client } = back(kept, 'here');
  client.send({ type: 'subscribe', packetId: 1, filters: [{ filter: '#', qos: 1 }] });
  kept.settle();
  client.take();
  return client;
}

describe('a batched operation', () => {
  test('is past a power cut by its deadline also in a batch that was written for others', () => {
    const kept = new KeptWorld();
    away(kept);
    const publisher = kept.world.connect(5);
    kept.world.hold(() => {
      publish(publisher, 'batched/a', 'x', 1, 1);
      publish(publisher, 'written/a', 'y', 1, 2);
    });
    kept.settle();
    assert.equal(kept.disk.written.length, 1, 'nobody waits for a sync yet');
    kept.world.advance(1_000);
    kept.settle();
    assert.deepEqual(payloads(back(kept.cut()).packets), ['x', 'y']);
  });

  test('is so too while others keep the store busy, one sync per deadline', () => {
    const kept = new KeptWorld();
    away(kept);
    const publisher = kept.world.connect(5);
    publish(publisher, 'batched/a', 'x', 1, 1);
    for (let i = 0; i < 30; i++) {
      publish(publisher, 'written/a', 'y', 1, 2 + i);
      kept.settle();
      kept.world.advance(100);
    }
    const syncs = kept.disk.synced.filter(batch => batch.sync).length;
    assert.equal(payloads(back(kept.cut()).packets)[0], 'x');
    assert.ok(syncs <= 4, `${syncs} syncs`);
  });

  test('is synced after the disk failed to do so, too', () => {
    const kept = new KeptWorld();
    away(kept);
    const publisher = kept.world.connect(5);
    kept.world.hold(() => {
      publish(publisher, 'batched/a', 'x', 1, 1);
      publish(publisher, 'written/a', 'y', 1, 2);
    });
    kept.settle();
    kept.store.failing = true;
    kept.world.advance(1_000);
    kept.settle();
    kept.store.failing = false;
    kept.world.advance(1_000);
    kept.settle();
    assert.equal(kept.disk.written.length, 0);
    assert.deepEqual(payloads(back(kept.cut()).packets), ['x', 'y']);
  });

  test('costs a sync no more once it has been synced for somebody else', () => {
    const kept = new KeptWorld();
    away(kept);
    const publisher = kept.world.connect(5);
    kept.world.hold(() => {
      publish(publisher, 'batched/a', 'x', 1, 1);
      publish(publisher, 'written/a', 'y', 1, 2);
    });
    kept.settle();
    publish(publisher, 'strict/a', 'z', 1, 3);
    kept.settle();
    const batches = kept.disk.synced.length;
    kept.world.advance(5_000);
    kept.settle();
    assert.equal(kept.disk.synced.length + kept.disk.written.length, batches);
  });
});

describe('what is young', () => {
  test('makes no batch go by its deadline: it may still cancel out', () => {
    const kept = new KeptWorld();
    const subscriber = listening(kept);
    const publisher = kept.world.connect(5);
    const before = kept.disk.synced.length;
    let last = 0;
    for (let ms = 0; ms < 5_000; ms += 10) {
      publish(publisher, 'batched/a', 'x', 1);
      const [message] = subscriber.take();
      assert.ok(message?.type === 'publish');
      // One is always alive, none of them for long.
      if (last !== 0) subscriber.send({ type: 'puback', packetId: last });
      last = message.packetId!;
      kept.world.advance(10);
      kept.settle();
    }
    assert.equal(kept.disk.synced.length, before);
  });

  test('is on the disk within the time of a batch all the same', () => {
    const kept = new KeptWorld();
    away(kept);
    const publisher = kept.world.connect(5);
    let noted = 0;
    for (let ms = 0; ms < 3_000; ms += 7) {
      publish(publisher, 'batched/a', `${ms}`, 1, 1 + (noted++ % 100));
      kept.world.advance(7);
      kept.settle();
      const onDisk = kept.disk.synced.flatMap(batch => batch.ops).filter(isQueuePut).length;
      const due = Math.max(0, noted - Math.ceil(1_000 / 7) - 1);
      assert.ok(onDisk >= due, `${onDisk} of ${noted} after ${ms} ms`);
    }
  });
});

describe('what an acknowledgement waits for', () => {
  test('gathers for a moment when commits take long, and is done without one if it can be', () => {
    const kept = new KeptWorld();
    const subscriber = listening(kept);
    const publisher = kept.world.connect(5);
    kept.store.usage.commitMs = 40;
    const before = kept.disk.synced.length;
    publish(publisher, 'strict/a', 'x', 1);
    assert.deepEqual(types(publisher), []);
    const [message] = subscriber.take();
    assert.ok(message?.type === 'publish', 'nobody who is there waits for the disk');
    kept.world.advance(9);
    kept.settle();
    assert.deepEqual(types(publisher), []);
    subscriber.send({ type: 'puback', packetId: message.packetId! });
    assert.deepEqual(types(publisher), ['puback']);
    assert.equal(kept.disk.synced.length, before);
    publish(publisher, 'strict/a', 'y', 1);
    kept.world.advance(10);
    kept.settle();
    assert.deepEqual(types(publisher), ['puback'], 'a moment, and no longer');
  });

  test('goes at the end of the turn when nothing in it could cancel out', () => {
    const kept = new KeptWorld();
    const publisher = kept.world.connect(5);
    kept.store.usage.commitMs = 40;
    const fields = { topic: 'strict/a', payload: 'x', qos: 1, retain: true, packetId: 1 } as const;
    publisher.send({ type: 'publish', ...fields });
    kept.settle();
    assert.deepEqual(types(publisher), ['puback']);
  });

  test('goes at the end of the turn when commits take no time', () => {
    const kept = new KeptWorld();
    listening(kept);
    const publisher = kept.world.connect(5);
    kept.store.usage.commitMs = 0.9;
    publish(publisher, 'strict/a', 'x', 1);
    kept.settle();
    assert.deepEqual(types(publisher), ['puback']);
  });
});

describe('the size of a batch', () => {
  test('is that of what is alive: what cancelled out fills nothing', () => {
    const kept = new KeptWorld({ log: { batchBytes: 2_000 } });
    const subscriber = listening(kept);
    const publisher = kept.world.connect(5);
    const before = kept.disk.synced.length;
    publish(publisher, 'batched/a', 'x', 1); // not acknowledged: alive all the while
    subscriber.take();
    for (let i = 0; i < 1_000; i++) exchange(publisher, subscriber, 'batched/a');
    kept.settle();
    assert.equal(kept.disk.synced.length, before);
  });

  test('is kept to, and what came of it is on disk', () => {
    const kept = new KeptWorld({ log: { batchBytes: 2_000 } });
    away(kept);
    const publisher = kept.world.connect(5);
    for (let i = 0; i < 20; i++) publish(publisher, 'batched/a', 'x'.repeat(100), 1, i + 1);
    kept.world.advance(600);
    kept.settle();
    assert.ok(payloads(back(kept.cut()).packets).length >= 5);
  });

  test('an operation that waits long costs no memory for those that cancelled behind it', () => {
    const pending = new Pending();
    const drop = { kind: OpKind.SessionDrop, sid: 1 } as const;
    pending.add(drop, Durability.Batched, 16);
    for (let i = 2; i < 20_000; i++) pending.cancel(pending.add(drop, Durability.Strict, 16));
    assert.ok(pending.length <= 2_048, `${pending.length} entries`);
    const { alive, bytes, promised, strict } = pending;
    assert.deepEqual(
      { alive, bytes, promised, strict },
      { alive: 1, bytes: 16, promised: 0, strict: 0 },
    );
    assert.equal(pending.take().length, 1);
  });
});
