// What broker and client remember differently after a crash: packet identifiers of QoS 2 messages
// whose class lets the broker forget them. A stronger message must not pass for one of those.

import assert from 'node:assert/strict';
import { Message } from '../../src/core/routing/message.ts';
import { Delivery, DeliveryState, Outbox } from '../../src/core/session/outbox.ts';
import { describe, test } from '../harness.ts';
import { away, back, payloads, publish, types } from '../store/kept-clients.ts';
import { KeptWorld } from '../store/kept-world.ts';
import type { PublishWire, WirePacket } from '../wire.ts';

/** Identifiers below are for what the store has before it leaves. */
const FORGETTABLE = 0x8000;

function published(packets: readonly WirePacket[]): PublishWire[] {
  return packets.filter(packet => packet.type === 'publish');
}

describe('QoS 2 messages that a crash makes the broker forget', () => {
  for (const weak of ['none', 'batched', 'written']) {
    test(`a strict message has no identifier that one of class ${weak} had`, () => {
      let kept = new KeptWorld();
      away(kept);
      const { client } = back(kept);
      publish(kept.world.connect(5), `${weak}/a`, 'weak', 2);
      kept.settle();
      const [weakly] = published(client.take());
      assert.ok(weakly !== undefined);
      kept = kept.cut();
      const { client: again } = back(kept);
      publish(kept.world.connect(5), 'strict/a', 'strict', 2);
      kept.settle();
      const strictly = published(again.take()).find(({ topic }) => topic === 'strict/a');
      // The client has the first and was not released from it: it would take this for the same.
      assert.notEqual(strictly?.packetId, weakly.packetId);
    });
  }

  test('their identifiers are apart, whatever is in flight', () => {
    const outbox = new Outbox();
    const begun: Delivery[] = [];
    const start = 0x7ff0;
    for (let i = 0; i < 200_000; i++) {
      const delivery = new Delivery(new Message(), 2, false, null, null);
      const forgettable = i % 3 === 0;
      if (forgettable) outbox.beginForgettable(delivery, start);
      else outbox.begin(delivery, true);
      assert.equal(delivery.packetId >= FORGETTABLE, forgettable);
      assert.ok(delivery.packetId > 0 && delivery.packetId <= 0xffff);
      assert.equal(outbox.find(delivery.packetId), delivery);
      begun.push(delivery);
      if (i % 100 >= 50) for (const old of begun.splice(0, 2)) outbox.finish(old);
    }
    assert.equal(outbox.inflight, begun.length);
  });

  test('each start begins elsewhere, and uses few: it seldom meets what is forgotten', () => {
    const outbox = new Outbox();
    const used = new Set<number>();
    for (let i = 0; i < 10_000; i++) {
      const delivery = new Delivery(new Message(), 2, false, null, null);
      outbox.beginForgettable(delivery, 0x1234);
      used.add(delivery.packetId);
      outbox.release(delivery);
      outbox.finish(delivery);
      assert.equal(delivery.state, DeliveryState.Done);
    }
    assert.ok(used.size <= 16, `${used.size} identifiers for one message in flight at a time`);
    assert.ok([...used].every(id => id >= FORGETTABLE + 0x1234 && id < FORGETTABLE + 0x1244));
  });

  test('what was in flight is in flight again, with the identifiers it had', () => {
    let kept = new KeptWorld();
    away(kept);
    const { client } = back(kept);
    const publisher = kept.world.connect(5);
    publish(publisher, 'batched/a', 'weak', 2, 1);
    publish(publisher, 'strict/a', 'strict', 2, 2);
    kept.settle();
    const before = published(client.take()).map(({ packetId }) => packetId);
    kept = kept.cut();
    const { client: again, packets } = back(kept);
    assert.deepEqual(
      published(packets).map(({ packetId }) => packetId),
      before,
    );
    assert.deepEqual(
      published(packets).map(({ dup }) => dup),
      [true, true],
    );
    publish(kept.world.connect(5), 'strict/a', 'later', 2, 3);
    kept.settle();
    const [later] = published(again.take());
    assert.ok(later !== undefined && !before.includes(later.packetId));
    assert.ok(later.packetId < FORGETTABLE);
  });
});

describe('QoS 2 identifiers of clients whose release a crash makes the broker forget', () => {
  /** A message of class batched has come, was released, and only the first of it is on disk. */
  function released(): KeptWorld {
    const kept = new KeptWorld();
    away(kept);
    const { client: sender } = back(kept, 'sender');
    publish(sender, 'batched/a', 'first', 2, 5);
    kept.settle();
    kept.world.advance(1_001);
    kept.settle();
    sender.send({ type: 'pubrel', packetId: 5 });
    assert.deepEqual(types(sender), ['pubrec', 'pubcomp']);
    return kept.kill();
  }

  test('a new message under such an identifier is no duplicate', () => {
    const kept = released();
    const { client } = back(kept);
    const { client: sender } = back(kept, 'sender');
    publish(sender, 'strict/a', 'second', 2, 5);
    kept.settle();
    assert.deepEqual(payloads(client.take()), ['second']);
    assert.deepEqual(types(sender), ['pubrec']);
    // From here on it is an identifier as any other.
    publish(sender, 'strict/a', 'second', 2, 5);
    kept.settle();
    assert.deepEqual(payloads(client.take()), []);
  });

  test('one that is not stored takes the place of what is', () => {
    const kept = released();
    const { client: sender } = back(kept, 'sender');
    publish(sender, 'none/a', 'second', 2, 5);
    kept.settle();
    kept.world.advance(1_001);
    kept.settle();
    const { receipts } = kept.kill().world.broker.state.sessions.get('sender')!;
    assert.equal(receipts, null);
  });

  test('a message sent again is one, and its identifier free once it is released', () => {
    let kept = new KeptWorld();
    away(kept);
    const { client: sender } = back(kept, 'sender');
    publish(sender, 'strict/a', 'first', 2, 5);
    kept.settle();
    kept = kept.cut();
    const { client, packets } = back(kept);
    assert.deepEqual(payloads(packets), ['first']);
    const { client: again } = back(kept, 'sender');
    again.send({ type: 'publish', topic: 'strict/a', qos: 2, packetId: 5, dup: true });
    kept.settle();
    again.send({ type: 'pubrel', packetId: 5 });
    kept.settle();
    assert.deepEqual(types(again), ['pubrec', 'pubcomp']);
    assert.deepEqual(payloads(client.take()), []);
    publish(again, 'strict/a', 'second', 2, 5);
    kept.settle();
    assert.deepEqual(payloads(client.take()), ['second']);
  });
});
