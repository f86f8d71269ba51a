// The router's index and the retained store's tree against the naive reference for matching
// (src/mqtt/topic.ts), while subscriptions and messages come and go.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { makeMessage, NO_BYTES } from '../../../src/core/routing/message.ts';
import { RetainedStore } from '../../../src/core/routing/retained.ts';
import { Router } from '../../../src/core/routing/router.ts';
import type { ShareGroup } from '../../../src/core/routing/share-group.ts';
import { Subscription } from '../../../src/core/routing/subscription.ts';
import { Session } from '../../../src/core/session/session.ts';
import type { QoS } from '../../../src/mqtt/packet.ts';
import { filterMatches, filterValid, parseShare } from '../../../src/mqtt/topic.ts';
import { describe, test } from '../../harness.ts';
import { runs } from '../../mqtt/arbitrary.ts';
import { text } from '../../wire.ts';

/** Few and short levels, so that matches and near misses are frequent. */
const level = fc.constantFrom('', 'a', 'b', 'aa', '$SYS');
const name = fc
  .array(level, { minLength: 1, maxLength: 4 })
  .map(levels => levels.join('/'))
  .filter(topic => topic !== '');
const filter = fc
  .array(fc.oneof(level, fc.constantFrom('+', '#')), { minLength: 1, maxLength: 4 })
  .map(levels => levels.join('/'))
  .filter(filterValid);
const share = fc
  .tuple(fc.constantFrom('g', 'h'), filter)
  .map(([group, inner]) => `$share/${group}/${inner}`);
const client = fc.nat(3);
const change = fc.oneof(
  { weight: 4, arbitrary: fc.record({ add: fc.oneof(filter, share), client, qos: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ remove: fc.nat(20) }) },
);

function expectedHits(subscriptions: readonly Subscription[], topic: string): Map<string, number> {
  const hits = new Map<string, number>();
  for (const { session, filter: own, qos, group } of subscriptions) {
    if (group !== null || !filterMatches(own, topic)) continue;
    hits.set(session.clientId, Math.max(qos, hits.get(session.clientId) ?? 0));
  }
  return hits;
}

function expectedGroups(subscriptions: readonly Subscription[], topic: string): string[] {
  const groups = subscriptions
    .filter(({ group }) => group !== null && filterMatches(group.filter, topic))
    .map(({ group }) => `${group!.name} ${group!.filter}`);
  return [...new Set(groups)].sort();
}

describe('the router', () => {
  test('finds each session once, at its highest QoS, and each share', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), fc.array(name), (changes, topics) => {
        const router = new Router();
        const sessions = [0, 1, 2, 3].map(id => new Session(id, `c${id}`));
        const held: Subscription[] = [];
        for (const one of changes) {
          if ('remove' in one) {
            const [gone] = held.splice(one.remove, 1);
            if (gone !== undefined) router.remove(gone);
            continue;
          }
          const session = sessions[one.client]!;
          if (held.some(s => s.session === session && s.filter === one.add)) continue;
          const qos = one.qos as QoS;
          const group = router.shareFor(one.add);
          const made = new Subscription(session, one.add, qos, false, false, null, group);
          router.add(made);
          held.push(made);
        }
        for (const topic of topics) {
          const hits: Subscription[] = [];
          const groups: ShareGroup[] = [];
          router.match(topic, hits, groups);
          assert.equal(new Set(hits.map(hit => hit.session)).size, hits.length);
          const found = new Map(hits.map(hit => [hit.session.clientId, hit.qos as number]));
          assert.deepEqual([...found].sort(), [...expectedHits(held, topic)].sort());
          const shares = groups.map(group => `${group.name} ${group.filter}`).sort();
          assert.deepEqual(shares, expectedGroups(held, topic));
        }
        assert.equal(router.subscriptionCount, held.length);
        assert.equal(router.groupCount, new Set(held.map(s => s.group).filter(Boolean)).size);
      }),
      runs(400),
    );
  });

  test('holds nothing when everything was removed', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(filter, share)), filters => {
        const router = new Router();
        const session = new Session(1, 'c');
        const held = [...new Set(filters)].map(own => {
          const group = router.shareFor(own);
          const made = new Subscription(session, own, 0, false, false, null, group);
          router.add(made);
          return made;
        });
        for (const gone of held) router.remove(gone);
        assert.equal(router.subscriptionCount + router.groupCount, 0);
        const hits: Subscription[] = [];
        const groups: ShareGroup[] = [];
        for (const own of filters) router.match(parseShare(own)?.filter ?? own, hits, groups);
        assert.equal(hits.length + groups.length, 0);
      }),
      runs(200),
    );
  });
});

describe('the retained store', () => {
  // Few topics, each of which comes and goes often, side by side with others and alone.
  const topics = fc.array(name, { minLength: 1, maxLength: 8 });
  const write = fc.record({ pick: fc.nat(), size: fc.nat(50), clear: fc.boolean() });

  test('finds what a filter matches, counts what it holds, and keeps its bounds', () => {
    fc.assert(
      fc.property(topics, fc.array(write, { maxLength: 40 }), fc.array(filter), (...drawn) => {
        const [names, writes, filters] = drawn;
        const store = new RetainedStore(5, 1_000);
        const held = new Map<string, number>();
        for (const { pick, size, clear } of writes) {
          const topic = names[pick % names.length]!;
          if (clear) {
            const node = store.find(topic);
            if (node !== null) store.clear(node);
            held.delete(topic);
            continue;
          }
          const message = makeMessage(topic, text(topic), NO_BYTES, new Uint8Array(size), 0, true);
          const others = [...held].filter(([other]) => other !== topic);
          const bytes = others.reduce((sum, [, cost]) => sum + cost, message.size);
          assert.equal(store.accepts(message), others.length < 5 && bytes <= 1_000);
          if (!store.accepts(message)) continue;
          store.set(message);
          held.set(topic, message.size);
        }
        for (const topic of names) {
          assert.equal(store.find(topic)?.message?.topic, held.has(topic) ? topic : undefined);
        }
        assert.equal(store.count, held.size);
        assert.equal(
          store.bytes,
          [...held.values()].reduce((sum, cost) => sum + cost, 0),
        );
        for (const one of [...filters, '#']) {
          const found = [...store.match(one)].map(node => node.message!.topic).sort();
          const expected = [...held.keys()].filter(topic => filterMatches(one, topic)).sort();
          assert.deepEqual(found, expected);
        }
      }),
      runs(400),
    );
  });
});
