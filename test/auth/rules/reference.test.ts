// Rules against a naive reference that looks at every one of them, in both dialects; what a
// subscription may bring against what its messages may; and that many rules cost what few do.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { Acl, Scope } from '../../../src/auth/rules/acl.ts';
import { parseAclFile } from '../../../src/auth/rules/acl-file.ts';
import { RuleIndex } from '../../../src/auth/rules/rule-index.ts';
import { type RuleSpec, rulesOf } from '../../../src/auth/rules/rule-spec.ts';
import type { Principal } from '../../../src/core/access.ts';
import { filterMatches, filterValid } from '../../../src/mqtt/topic.ts';
import { describe, freshSeed, rounds, test } from '../../harness.ts';
import { aclOf, principal } from './decisions.ts';

const level = fc.constantFrom('a', 'b', '', '+', '#', '%c', '%u', 'x%c', '$s');
const filter = fc
  .array(level, { minLength: 1, maxLength: 3 })
  .map(levels => levels.join('/'))
  .filter(filterValid);
const name = fc.constantFrom('a', 'b', 'a/b', '+', '#', '$s', '');
const client: fc.Arbitrary<Principal> = fc
  .record({ username: fc.option(name), clientId: name })
  .map(({ username, clientId }) => principal(username, clientId));

const topics: string[] = [];
for (let heads = [''], depth = 0; depth < 3; depth++) {
  const words = ['a', 'b', 'xa', '', '$s'];
  heads = heads.flatMap(head => words.map(word => (depth === 0 ? word : `${head}/${word}`)));
  topics.push(...heads.filter(topic => topic !== ''));
}

const words = ['publish', 'subscribe', 'receive', 'retain', 'all'];
const action = fc.oneof(
  fc.constantFrom(...words),
  fc.uniqueArray(fc.constantFrom(...words), { minLength: 1, maxLength: 3 }),
);
const spec: fc.Arbitrary<RuleSpec> = fc
  .record({
    user: fc.option(fc.constantFrom('*', '', 'a', 'b', 'a*'), { nil: undefined }),
    client: fc.option(fc.constantFrom('a', 'b', '*'), { nil: undefined }),
    verb: fc.constantFrom('allow', 'deny'),
    action,
    filter,
  })
  .map(({ verb, action: words, ...rest }) => ({ ...rest, [verb]: words }) as RuleSpec);

/** The meaning of own rules, rule by rule and topic by topic. */
function naive(specs: readonly RuleSpec[], who: Principal, asked: string[], topic: string) {
  const { clientId } = who;
  const username = who.username ?? '';
  const fits = (pattern: string | undefined, value: string) =>
    pattern === undefined ||
    (pattern === 'a*' ? value.startsWith('a') : pattern === '*' || pattern === value);
  for (const { user, client: id, allow, deny, filter: written } of specs) {
    if (!fits(user, username) || !fits(id, clientId)) continue;
    const said = [allow ?? deny ?? []].flat();
    if (!said.includes('all') && !said.some(word => asked.includes(word))) continue;
    const harmless = (text: string, at: number) =>
      text !== '' && !/[/+#]/.test(text) && !(at === 0 && text.startsWith('$'));
    let opens = true;
    const levels = String(written)
      .split('/')
      .map((part, at) => {
        const marks = [...part.matchAll(/%[uc]/g)].map(([mark]) =>
          mark === '%u' ? username : clientId,
        );
        const startsPlain = part.startsWith('%') ? 0 : 1;
        if (marks.every(text => harmless(text, at + startsPlain))) {
          return part.replaceAll('%u', username).replaceAll('%c', clientId);
        }
        opens = false;
        return '+';
      });
    if (allow !== undefined && !opens) continue;
    if (filterMatches(levels.join('/'), topic)) return allow !== undefined;
  }
  return false;
}

const parameters = () => ({ seed: freshSeed(), numRuns: 300 * rounds });

describe('own rules decide as the naive reference does', () => {
  const specs = fc.array(spec, { minLength: 1, maxLength: 8 });

  test('about every topic', () => {
    const check = fc.property(specs, client, (list, who) => {
      const acl = aclOf(list);
      for (const topic of topics) {
        const publish = naive(list, who, ['publish'], topic);
        const retain = publish && naive(list, who, ['publish', 'retain'], topic);
        assert.equal(acl.mayPublish(who, topic), publish, topic);
        assert.equal(acl.mayPublish(who, topic, true), retain, topic);
        const receive = naive(list, who, ['subscribe', 'receive'], topic);
        assert.equal(acl.mayReceive(who, topic), receive, topic);
      }
    });
    fc.assert(check, parameters());
  });

  test('a subscription that is allowed whole brings nothing that is denied', () => {
    const wanted = filter.filter(text => !text.includes('%'));
    const check = fc.property(specs, client, wanted, (list, who, text) => {
      const acl = aclOf(list);
      const { scope } = acl.scopeOf(who, text);
      assert.equal(acl.maySubscribe(who, text), scope !== Scope.None);
      if (scope !== Scope.All) return;
      for (const topic of topics) {
        if (filterMatches(text, topic)) assert.equal(acl.mayReceive(who, topic), true, topic);
      }
    });
    fc.assert(check, parameters());
  });
});

interface Line {
  readonly keyword: string;
  readonly access: string;
  readonly filter: string;
}

/** mosquitto's check: the user's lines, denials first, then the patterns, denials first. */
function naiveFile(lines: readonly Line[], who: Principal, access: string, topic: string) {
  let user: string | null = null;
  const own: Line[] = [];
  const patterns: Line[] = [];
  for (const line of lines) {
    if (line.keyword === 'user') user = line.filter;
    else if (line.keyword === 'pattern') patterns.push(line);
    else if (user === who.username) own.push(line);
  }
  const ask = (list: Line[], fill: (text: string) => string | null) => {
    const sorted = [
      ...list.filter(line => line.access === 'deny'),
      ...list.filter(line => line.access !== 'deny'),
    ];
    for (const line of sorted) {
      const text = fill(line.filter);
      if (text === null || topic.startsWith('$') !== line.filter.startsWith('$')) continue;
      if (!filterMatches(text, topic)) continue;
      if (line.access === 'deny') return false;
      if (line.access === access || line.access === 'readwrite') return true;
    }
    return null;
  };
  const said = ask(own, text => text);
  if (said !== null) return said;
  if (/[+#]/.test(who.clientId) || /[+#]/.test(who.username ?? '')) return false;
  const { username, clientId } = who;
  const fill = (text: string) =>
    text.includes('%u') && username === null
      ? null
      : text.replaceAll(/%[uc]/g, mark => (mark === '%u' ? (username ?? '') : clientId));
  return ask(patterns, fill) ?? false;
}

describe("mosquitto's file decides as mosquitto does", () => {
  const line: fc.Arbitrary<Line> = fc.oneof(
    fc.record({
      keyword: fc.constantFrom('topic', 'pattern'),
      access: fc.constantFrom('read', 'write', 'readwrite', 'deny'),
      filter,
    }),
    fc.record({
      keyword: fc.constant('user'),
      access: fc.constant(''),
      filter: fc.constantFrom('a', 'b', '+', '$s'),
    }),
  );
  const lines = fc.array(line, { maxLength: 10 });
  const write = (list: readonly Line[]) =>
    list.map(({ keyword, access, filter: text }) => `${keyword} ${access} ${text}`).join('\n');

  test('about every topic, and about subscriptions what follows from that', () => {
    const check = fc.property(lines, client, filter, (list, who, text) => {
      const { rules, faults } = parseAclFile(write(list).replaceAll('user  ', 'user '), 'acl');
      assert.deepEqual(faults, []);
      if (rules.length === 0) return;
      const acl = new Acl({ rules });
      for (const topic of topics) {
        assert.equal(acl.mayPublish(who, topic), naiveFile(list, who, 'write', topic), topic);
        assert.equal(acl.mayReceive(who, topic), naiveFile(list, who, 'read', topic), topic);
      }
      const { scope } = acl.scopeOf(who, text);
      const readable = topics.filter(topic => filterMatches(text, topic));
      const allowed = readable.filter(topic => acl.mayReceive(who, topic));
      if (scope === Scope.All) assert.deepEqual(allowed, readable);
      if (scope === Scope.None) assert.deepEqual(allowed, []);
    });
    fc.assert(check, parameters());
  });
});

describe('10,000 rules', () => {
  /** Rules of several kinds, and the ten that speak about the client at the end of each list. */
  function manyRules(count: number) {
    const specs: RuleSpec[] = [];
    for (let i = 0; i < count - 10; i++) {
      const kinds: RuleSpec[] = [
        { user: `u${i}`, allow: 'all', filter: '#' },
        { client: `c${i}`, allow: 'all', filter: '+/x' },
        { allow: 'publish', filter: `site/${i}/#` },
        { deny: 'publish', filter: `site/${i}/%c/secret` },
        { address: `10.${i % 200}.0.0/16`, allow: 'subscribe', filter: `net/${i}/+/x` },
      ];
      specs.push(kinds[i % kinds.length]);
    }
    for (let i = 0; i < 10; i++) {
      specs.push({ user: 'me', allow: i === 9 ? 'all' : 'subscribe', filter: 'site/+/me/#' });
    }
    return specs.flatMap((one, at) => rulesOf(one, `auth.rules.${at}`));
  }
  const who = principal('me', 'me');
  const few = manyRules(10);
  const many = manyRules(10_000);

  test('no more of them are looked at than of ten', () => {
    const wanted = ['site', 'none', 'me', 'x'];
    assert.equal(new RuleIndex(few).find(who, wanted).length, 10);
    assert.equal(new RuleIndex(many).find(who, wanted).length, 10);
  });

  test('cost at most twice what ten cost, remembered or not', () => {
    const nanoseconds = (acl: Acl, topicsAsked: readonly string[]) => {
      const start = performance.now();
      for (const topic of topicsAsked) if (!acl.mayPublish(who, topic)) assert.fail(topic);
      return ((performance.now() - start) / topicsAsked.length) * 1e6;
    };
    const [small, large] = [new Acl({ rules: few }), new Acl({ rules: many })];
    const same = new Array<string>(20_000).fill('site/none/me/x');
    let next = 0;
    const fresh = () => Array.from({ length: 2_000 }, () => `site/none/me/${next++}`);
    for (const kind of [() => same, fresh]) {
      // The least of many rounds: what another program took from us is not the rules' doing. More
      // of them where it took much.
      let [least, most] = [Infinity, Infinity];
      for (let round = 0; round < 40 || (round < 400 && most > 2 * least); round++) {
        least = Math.min(least, nanoseconds(small, kind()));
        most = Math.min(most, nanoseconds(large, kind()));
      }
      assert.ok(most <= 2 * least, `${most} ns, with ten rules ${least} ns`);
    }
  });
});
