// Filters against filters: covers and overlaps against brute force.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { covers, overlaps } from '../../../src/auth/rules/filters.ts';
import { filterMatches, filterValid } from '../../../src/mqtt/topic.ts';
import { describe, freshSeed, rounds, test } from '../../harness.ts';

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
