// Rules over topic filters: covers and overlaps against brute force, then what rules decide.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { covers, overlaps, Rules } from '../../src/auth/rules.ts';
import type { AuthRule } from '../../src/config/config.ts';
import { filterMatches, filterValid } from '../../src/mqtt/topic.ts';
import { describe, freshSeed, rounds, test } from '../harness.ts';

/** Every topic of up to four levels over a few words; no filter below says z or has four levels.
 *  The empty one is no valid topic, but it makes the two operations exact: "/#" matches it. */
const topics: string[] = [];
for (let level = [''], depth = 0; depth < 4; depth++) {
  const words = ['a', 'z', '', '$s'];
  level = level.flatMap(head => words.map(word => (depth === 0 ? word : `${head}/${word}`)));
  topics.push(...level);
}

const filter = fc
  .array(fc.constantFrom('a', '', '+', '#', '$s'), { minLength: 1, maxLength: 3 })
  .map(levels => levels.join('/'))
  .filter(filterValid);

describe('filters against filters', () => {
  const parameters = () => ({ seed: freshSeed(), numRuns: 2_000 * rounds });

  test('covers: every topic of the one is a topic of the other', () => {
    const check = fc.property(filter, filter, (rule, wanted) => {
      // "+/#" says what "#" says in other words; as a rule it counts for less, never for more.
      fc.pre(!rule.startsWith('+/#'));
      const outside = topics.find(t => filterMatches(wanted, t) && !filterMatches(rule, t));
      assert.equal(
        covers(rule.split('/'), wanted.split('/')),
        outside === undefined,
        outside ?? '',
      );
    });
    fc.assert(check, parameters());
  });

  test('overlaps: some topic belongs to both', () => {
    const check = fc.property(filter, filter, (a, b) => {
      const shared = topics.find(t => filterMatches(a, t) && filterMatches(b, t));
      assert.equal(overlaps(a.split('/'), b.split('/')), shared !== undefined, shared ?? '');
    });
    fc.assert(check, parameters());
  });
});

describe('what rules decide', () => {
  const who = (username: string | null, clientId = 'c1') => ({ username, clientId, peer: '' });
  const rules = (...list: [user: string, filter: string, allow: AuthRule['allow']][]) =>
    new Rules(list.map(([user, text, allow]) => ({ user, filter: text, allow })));

  test('no rule that fits forbids', () => {
    assert.equal(rules(['alice', 'a/#', 'both']).allow(who('alice'), 'publish', 'b'), false);
    assert.equal(rules(['alice', 'a/#', 'both']).allow(who('bob'), 'publish', 'a/1'), false);
  });

  test('a rule speaks for its user, for all, or for the anonymous', () => {
    const table = rules(['alice', 'a', 'both'], ['*', 'all', 'both'], ['', 'anon', 'both']);
    assert.equal(table.allow(who('alice'), 'publish', 'a'), true);
    assert.equal(table.allow(who(null), 'publish', 'a'), false);
    assert.equal(table.allow(who('alice'), 'publish', 'all'), true);
    assert.equal(table.allow(who(null), 'publish', 'all'), true);
    assert.equal(table.allow(who(null), 'publish', 'anon'), true);
    assert.equal(table.allow(who('alice'), 'publish', 'anon'), false);
  });

  test('publish and subscribe are separate and add up', () => {
    const table = rules(['*', 'p/#', 'publish'], ['*', '+/x', 'subscribe']);
    assert.equal(table.allow(who('u'), 'publish', 'p/x'), true);
    assert.equal(table.allow(who('u'), 'subscribe', 'p/x'), true);
    assert.equal(table.allow(who('u'), 'subscribe', 'p/y'), false);
    assert.equal(table.allow(who('u'), 'publish', 'q/x'), false);
  });

  test('a subscription must be covered whole', () => {
    const table = rules(['*', 'a/+', 'subscribe']);
    assert.equal(table.allow(who('u'), 'subscribe', 'a/+'), true);
    assert.equal(table.allow(who('u'), 'subscribe', 'a/b'), true);
    assert.equal(table.allow(who('u'), 'subscribe', 'a/#'), false);
    assert.equal(table.allow(who('u'), 'subscribe', '#'), false);
  });

  test('what is forbidden is not let out through a wider subscription', () => {
    const table = rules(['*', 'secret/#', 'none'], ['*', '#', 'both']);
    assert.equal(table.allow(who('u'), 'subscribe', 'open/#'), true);
    assert.equal(table.allow(who('u'), 'subscribe', '#'), false);
    assert.equal(table.allow(who('u'), 'subscribe', '+/x'), false);
    assert.equal(table.allow(who('u'), 'publish', 'secret'), false);
    assert.equal(table.allow(who('u'), 'publish', 'secrets'), true);
  });

  test('the first one wins', () => {
    const table = rules(['bob', 'secret/#', 'both'], ['*', 'secret/#', 'none'], ['*', '#', 'both']);
    assert.equal(table.allow(who('bob'), 'publish', 'secret/1'), true);
    assert.equal(table.allow(who('eve'), 'publish', 'secret/1'), false);
  });

  test('# does not reach $SYS, $SYS/# does', () => {
    assert.equal(rules(['*', '#', 'both']).allow(who('u'), 'subscribe', '$SYS/#'), false);
    assert.equal(rules(['*', '$SYS/#', 'both']).allow(who('u'), 'subscribe', '$SYS/a/+'), true);
  });

  test('%u and %c are the user name and the client id', () => {
    const table = rules(['*', 'u/%u/#', 'both'], ['*', 'c/dev-%c', 'publish']);
    assert.equal(table.allow(who('alice'), 'subscribe', 'u/alice/#'), true);
    assert.equal(table.allow(who('alice'), 'subscribe', 'u/bob/#'), false);
    assert.equal(table.allow(who(null), 'subscribe', 'u//#'), false);
    assert.equal(table.allow(who(null, '7'), 'publish', 'c/dev-7'), true);
    assert.equal(table.allow(who(null, '7'), 'publish', 'c/dev-8'), false);
  });

  test('a name made of wildcards or slashes opens nothing', () => {
    const table = rules(['*', 'u/%u', 'both'], ['*', 'c/%c/x', 'both']);
    for (const name of ['+', '#', 'a/b', '']) {
      for (const topic of ['u/+', 'u/#', 'u/a', 'u/a/b', 'c/+/x', 'c/a/b/x', 'c//x', '#']) {
        assert.equal(table.allow(who(name, name), 'subscribe', topic), false, `${name} ${topic}`);
      }
    }
  });

  test('a name made of wildcards escapes no ban', () => {
    const table = rules(['*', 'ban/%c', 'none'], ['*', '#', 'both']);
    assert.equal(table.allow(who('u', 'me'), 'publish', 'ban/me'), false);
    assert.equal(table.allow(who('u', 'me'), 'publish', 'ban/you'), true);
    assert.equal(table.allow(who('u', 'm/e'), 'publish', 'ban/you'), false);
  });
});
