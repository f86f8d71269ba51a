// A QoS 2 identifier whose release a crash took back, used again before it: what came under it
// then passes for the message before only where it may be as weak as that one.

import assert from 'node:assert/strict';
import { Durability } from '../../src/core/journal.ts';
import { describe, test } from '../harness.ts';
import type { Client } from '../world.ts';
import { away, back, payloads, persistent, publish, types } from './kept-clients.ts';
import { KeptWorld } from './kept-world.ts';

const ID = 5;
const encoder = new TextEncoder();

function publishAgain(client: Client, topic: string, payload: string): void {
  const bytes = encoder.encode(payload);
  client.send({ type: 'publish', topic, payload: bytes, qos: 2, packetId: ID, dup: true });
}

/**
 * A client has published «first» to `topic` with QoS 2; its identifier is on the disk, its release
 * is not.
 */
function released(topic: string): { kept: KeptWorld; client: Client } {
  const kept = new KeptWorld({ log: { defaultClass: Durability.Strict } });
  away(kept);
  const { client } = back(kept, 'sender');
  publish(client, topic, 'first', 2, ID);
  publish(client, 'strict/other', 'takes it along', 2, ID + 1);
  kept.settle();
  client.send({ type: 'pubrel', packetId: ID });
  assert.deepEqual(types(client), ['pubrec', 'pubrec', 'pubcomp']);
  return { kept, client };
}

/** What the subscriber that was away has been sent in the end. */
function arrived(kept: KeptWorld): string[] {
  return payloads(back(kept).packets).sort();
}

describe('an identifier used again before a crash', () => {
  test('brings a strict message behind a batched one, and brings it once', () => {
    const { kept, client } = released('batched/a');
    publish(client, 'strict/a', 'second', 2, ID);
    assert.deepEqual(types(client), []); // no PUBREC before the disk has it
    const next = kept.cut();
    const { client: again } = back(next, 'sender');
    publishAgain(again, 'strict/a', 'second');
    next.settle();
    assert.deepEqual(types(again), ['pubrec']);
    // Within this run it is known by its identifier alone.
    publishAgain(again, 'strict/a', 'second');
    next.settle();
    assert.deepEqual(types(again), ['pubrec']);
    const last = next.cut();
    const { client: third } = back(last, 'sender');
    publishAgain(third, 'strict/a', 'second');
    third.send({ type: 'pubrel', packetId: ID });
    last.settle();
    assert.deepEqual(types(third), ['pubrec', 'pubcomp']);
    assert.deepEqual(arrived(last), ['first', 'second', 'takes it along']);
  });

  test('brings one that is never stored, and is forgotten with it', () => {
    const { kept } = released('batched/a');
    const next = kept.cut();
    const { client: here } = back(next); // what is not stored reaches those who are there
    const { client } = back(next, 'sender');
    publishAgain(client, 'none/a', 'second');
    next.settle();
    assert.deepEqual(types(client), ['pubrec']);
    assert.ok(payloads(here.take()).includes('second'));
    next.world.advance(2_000);
    next.settle();
    const { receipts } = next.kill().world.broker.state.sessions.get('sender')!;
    assert.deepEqual([...receipts!.identifiers()], [ID + 1]);
  });

  test('is known again where the topic is the same', () => {
    const { kept } = released('batched/a');
    const next = kept.cut();
    const { client } = back(next, 'sender');
    publishAgain(client, 'batched/a', 'first');
    next.settle();
    assert.deepEqual(types(client), ['pubrec']);
    assert.deepEqual(arrived(next), ['first', 'takes it along']);
  });

  test('is known whatever the topic where an older minnow wrote it', () => {
    const { kept } = released('batched/a');
    for (const batch of kept.disk.synced) {
      for (const op of batch.ops) if ('topicHash' in op) Object.assign(op, { topicHash: null });
    }
    const next = kept.cut();
    const { client } = back(next, 'sender');
    publishAgain(client, 'strict/a', 'second');
    next.settle();
    assert.deepEqual(types(client), ['pubrec']);
    assert.deepEqual(arrived(next), ['first', 'takes it along']);
  });

  test('is told by the whole name below a mount point', () => {
    const place = { mountPoint: 'strict/' };
    const connect = (kept: KeptWorld) => {
      const client = kept.world.open(5, place);
      client.send({ type: 'connect', version: 5, clientId: 'mounted', ...persistent });
      kept.settle();
      client.take();
      return client;
    };
    const kept = new KeptWorld();
    away(kept);
    publish(connect(kept), 'a', 'first', 2, ID);
    kept.settle();
    const next = kept.cut();
    const client = connect(next);
    publishAgain(client, 'a', 'first');
    next.settle();
    assert.deepEqual(arrived(next), ['first']);
    publishAgain(client, 'strict/a', 'second'); // below the mount point: another topic
    next.settle();
    assert.ok(payloads(back(next).packets).includes('second'));
  });

  test('is told by a topic alias as by the name', () => {
    const options = { broker: { topicAliasMaximum: 1 } };
    const kept = new KeptWorld(options);
    away(kept);
    const aliased = (topic: string, packetId: number, dup: boolean) => ({
      ...({ type: 'publish', topic, qos: 2, packetId, dup } as const),
      ...{ payload: encoder.encode('first'), properties: { topicAlias: 1 } },
    });
    back(kept, 'sender').client.send(aliased('strict/a', ID, false));
    kept.settle();
    const next = kept.cut();
    const { client } = back(next, 'sender');
    client.send(aliased('strict/a', ID, true), aliased('', ID, true));
    next.settle();
    assert.deepEqual(types(client), ['pubrec', 'pubrec']);
    assert.deepEqual(arrived(next), ['first']);
  });
});

describe('the hash of a topic', () => {
  const { topics } = new KeptWorld().world.broker.state;
  const hashOf = (name: string) => topics.named(name).hash;

  test('is on disks, and so stays what it was', () => {
    assert.equal(hashOf('a'), 0xe40c_292c | 0);
    assert.equal(hashOf('foobar'), 0xbf9c_f968 | 0);
  });

  test('differs where names differ in two characters', () => {
    const ends = Array.from({ length: 94 }, (_, i) => String.fromCharCode(0x21 + i));
    const plain = ends.filter(end => end !== '+' && end !== '#');
    const names = plain.flatMap(a => plain.map(b => `plant/line/${a}${b}`));
    assert.equal(new Set(names.map(hashOf)).size, names.length);
  });
});
