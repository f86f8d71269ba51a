// Topic names and filters: validity and matching against references made of regular expressions.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import {
  countLevels,
  filterMatches,
  filterValid,
  hasWildcard,
  parseShare,
  topicNameValid,
} from '../../src/mqtt/topic.ts';
import { describe, test } from '../harness.ts';
import { bytes, text } from '../wire.ts';
import { runs } from './arbitrary.ts';

function nameValid(name: string): boolean {
  const data = text(name);
  return topicNameValid(data, 0, data.length);
}

const plainFilter = /^(?=.)(\+|[^+#/]*)(\/(\+|[^+#/]*))*(\/#)?$|^#$/su;
const sharedFilter = /^\$share\/([^+#/]+)\/(.+)$/su;

function referenceValid(filter: string): boolean {
  if (!filter.startsWith('$share/')) return plainFilter.test(filter);
  const share = sharedFilter.exec(filter);
  return share !== null && plainFilter.test(share[2]);
}

function referenceMatches(filter: string, topic: string): boolean {
  if (/^[+#]/.test(filter) && topic.startsWith('$')) return false;
  if (filter === '#') return true;
  const levels = filter.replace(/\/#$/, '').split('/');
  const pattern = levels.map(level => (level === '+' ? '[^/]*' : escapeAll(level))).join('/');
  return new RegExp(`^${pattern}${filter.endsWith('/#') ? '(/.*)?' : ''}$`, 'su').test(topic);
}

function escapeAll(level: string): string {
  return level.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** Few and short levels, so that matches and near misses are frequent. */
const level = fc.constantFrom('', 'a', 'b', 'aa', ' ', '$SYS', '$share', '温', '.');
const name = fc.array(level, { minLength: 1, maxLength: 5 }).map(levels => levels.join('/'));
const anyFilter = fc
  .array(fc.oneof(level, fc.constantFrom('+', '#', '+', 'a+', '#b')), {
    minLength: 1,
    maxLength: 5,
  })
  .map(levels => levels.join('/'));

describe('topic names', () => {
  test('valid ones', () => {
    for (const good of ['a', '/', '//', ' ', 'a/b', '$SYS/x', '\ufeff', '温/🐟', '\u0001']) {
      assert.equal(nameValid(good), true, JSON.stringify(good));
    }
  });

  test('[MQTT-4.7.3-1] [MQTT-4.7.3-2] [MQTT-3.3.2-2] invalid ones', () => {
    for (const bad of ['', '#', '+', 'a/#', 'a/+/b', 'a+b', 'a#', 'a\0b']) {
      assert.equal(nameValid(bad), false, JSON.stringify(bad));
    }
    assert.equal(topicNameValid(bytes('61 ff'), 0, 2), false);
    assert.equal(topicNameValid(bytes('61 e2 82 ac'), 0, 3), false);
  });

  test('only the range counts', () => {
    const data = text('#ab+');
    assert.equal(topicNameValid(data, 1, 3), true);
    assert.equal(topicNameValid(data, 0, 3), false);
    assert.equal(topicNameValid(data, 1, 4), false);
    assert.equal(topicNameValid(data, 1, 1), false);
  });
});

describe('topic filters', () => {
  test('[v5 MQTT-4.7.1-1] [v5 MQTT-4.7.1-2] are valid as the reference says', () => {
    fc.assert(
      fc.property(anyFilter, filter => {
        assert.equal(filterValid(filter), referenceValid(filter), JSON.stringify(filter));
      }),
      runs(5_000),
    );
  });

  test('of any characters are valid as the reference says', () => {
    const character = fc.constantFrom('a', '/', '+', '#', '$', ' ');
    fc.assert(
      fc.property(fc.array(character, { maxLength: 7 }), list => {
        const filter = list.join('');
        assert.equal(filterValid(filter), referenceValid(filter), JSON.stringify(filter));
      }),
      runs(5_000),
    );
  });

  test('[v5 MQTT-4.8.2-1] [v5 MQTT-4.8.2-2] shares have a group and a filter', () => {
    assert.deepEqual(parseShare('$share/g/a/b'), { group: 'g', filter: 'a/b' });
    assert.deepEqual(parseShare('$share/g//'), { group: 'g', filter: '/' });
    assert.deepEqual(parseShare('$share/g/#'), { group: 'g', filter: '#' });
    const none = ['$share', '$share/', '$share/g', '$share/g/', '$share//a', '$share/+/a', 'a/b'];
    for (const filter of [...none, '$share/g#/a', '$shared/g/a', '$SHARE/g/a']) {
      assert.equal(parseShare(filter), null, filter);
    }
  });

  test('levels and wildcards are counted', () => {
    fc.assert(
      fc.property(name, given => assert.equal(countLevels(given), given.split('/').length)),
    );
    assert.deepEqual(['a', 'a/+', '#', 'a/b'].map(hasWildcard), [false, true, true, false]);
  });
});

describe('matching', () => {
  const cases: [filter: string, topic: string, matches: boolean][] = [
    ['a/#', 'a', true],
    ['a/#', 'a/', true],
    ['a/#', 'a/b/c', true],
    ['a/#', 'ab', false],
    ['a/+', 'a', false],
    ['a/+', 'a/', true],
    ['a/+', 'a/b/c', false],
    ['+', '/', false],
    ['+/+', '/', true],
    ['/+', '/', true],
    ['/+', 'a', false],
    ['a', 'A', false],
    ['a', 'a/', false],
    ['#', '$SYS/x', false],
    ['+/x', '$SYS/x', false],
    ['$SYS/#', '$SYS/x', true],
    ['$SYS/+', '$SYS/x', true],
    ['/#', '/$SYS', true],
  ];
  for (const [filter, topic, matches] of cases) {
    const rule = /^[+#]/.test(filter) && topic.startsWith('$') ? '[MQTT-4.7.2-1] ' : '';
    test(`${rule}${filter} ${matches ? 'matches' : 'does not match'} ${topic}`, () => {
      assert.equal(filterMatches(filter, topic), matches);
    });
  }

  test('[MQTT-4.7.3-4] is what the reference says', () => {
    let matches = 0;
    fc.assert(
      fc.property(anyFilter.filter(referenceValid), name, (filter, topic) => {
        const expected = referenceMatches(filter, topic);
        assert.equal(filterMatches(filter, topic), expected, `${filter} on ${topic}`);
        if (expected) matches++;
      }),
      runs(5_000),
    );
    assert.ok(matches > 50, 'too few matches to mean anything');
  });

  test('a topic name matches itself', () => {
    fc.assert(
      fc.property(name, topic => assert.equal(filterMatches(topic, topic), true)),
      runs(200),
    );
  });
});
