// What rules decide: the tables, where a client comes from, what it brings, what is remembered.

import assert from 'node:assert/strict';
import { parseAclFile } from '../../../src/auth/rules/acl-file.ts';
import { rulesFromOutside } from '../../../src/auth/rules/rule-spec.ts';
import { describe, test } from '../../harness.ts';
import { aclOf, originWith, principal, rowsOf } from './decisions.ts';
import { tables } from './tables.ts';

describe('decisions', () => {
  let count = 0;
  for (const [title, { acl, table }] of Object.entries(tables)) {
    const rows = rowsOf(table);
    count += rows.length;
    test(`${title} (${rows.length})`, () => {
      for (const row of rows) {
        try {
          row.check(acl);
        } catch (error) {
          throw new Error(`${row.text}: ${error instanceof Error ? error.message : error}`);
        }
      }
    });
  }

  test('there are at least 200 of them', () => assert.ok(count >= 200, String(count)));
});

describe('rules about where a client comes from', () => {
  const acl = aclOf([
    { address: '192.0.2.0/24', allow: 'publish', filter: 'lan' },
    { address: '2001:db8::/32', allow: 'publish', filter: 'six' },
    { address: '198.51.100.1', allow: 'publish', filter: 'one' },
    { listener: 'tls*', allow: 'publish', filter: 'safe' },
    { certificate: 'meter-*', allow: 'publish', filter: 'proved' },
    { certificate: 'gate.example', user: 'gate', allow: 'publish', filter: 'gate' },
  ]);
  const at = (peer: string) => principal(null, 'c', { peer });
  const by = (username: string | null, commonName: string, names: string[] = []) => {
    const certificate = { commonName, names, fingerprint: '', notAfter: 0 };
    return principal(username, 'c', { origin: originWith({ listener: 'tls-1', certificate }) });
  };

  test('by address', () => {
    assert.equal(acl.mayPublish(at('192.0.2.200:1'), 'lan'), true);
    assert.equal(acl.mayPublish(at('192.0.3.1:1'), 'lan'), false);
    assert.equal(acl.mayPublish(at('[2001:db8:7::1]:1'), 'six'), true);
    assert.equal(acl.mayPublish(at('[2001:db9::1]:1'), 'six'), false);
    assert.equal(acl.mayPublish(at('198.51.100.1:1'), 'one'), true);
    assert.equal(acl.mayPublish(at('198.51.100.2:1'), 'one'), false);
    assert.equal(acl.mayPublish(at('/run/socket'), 'lan'), false);
    assert.equal(acl.mayPublish(at(''), 'lan'), false);
  });

  test('by listener and by certificate', () => {
    assert.equal(acl.mayPublish(by(null, 'x'), 'safe'), true);
    assert.equal(acl.mayPublish(principal(null), 'safe'), false);
    assert.equal(acl.mayPublish(by(null, 'meter-7'), 'proved'), true);
    assert.equal(acl.mayPublish(by(null, 'x', ['dns:y', 'uri:meter-8']), 'proved'), true);
    assert.equal(acl.mayPublish(by(null, '', ['dns:y']), 'proved'), false);
    assert.equal(acl.mayPublish(by('gate', '', ['dns:gate.example']), 'gate'), true);
    assert.equal(acl.mayPublish(by('other', 'gate.example'), 'gate'), false);
    assert.equal(acl.mayPublish(by('gate', 'gateXexample'), 'gate'), false);
  });
});

describe('rules that a client brings', () => {
  const rules = [
    { allow: 'publish', filter: 'mine/%c' },
    { deny: 'all', filter: 'not/#' },
  ];

  test('are asked before the others', () => {
    const acl = aclOf([{ allow: 'publish', filter: '#' }]);
    const who = principal('u', 'c1', { grants: { rules } });
    assert.equal(acl.mayPublish(who, 'mine/c1'), true);
    assert.equal(acl.mayPublish(who, 'not/x'), false);
    assert.equal(acl.mayPublish(principal('u'), 'not/x'), true);
    assert.equal(acl.explainPublish(who, 'not/x').rule?.origin, 'token.1');
  });

  test('are rules: what they do not allow is denied', () => {
    const acl = aclOf([]);
    const who = principal('u', 'c1', { grants: { rules } });
    assert.equal(acl.mayPublish(who, 'mine/c1'), true);
    assert.equal(acl.mayPublish(who, 'other'), false);
    assert.equal(acl.mayPublish(principal('u'), 'other'), true);
  });

  test('must make sense as a whole', () => {
    const filter = 'a/#';
    const wrong: unknown[] = [
      null,
      {},
      'publish',
      [null],
      [{ filter }],
      [{ allow: 'publish' }],
      [{ allow: 'publish', deny: 'publish', filter }],
      [{ allow: 'both', filter }],
      [{ allow: [], filter }],
      [{ allow: ['publish', 7], filter }],
      [{ allow: 'publish', filter: 'a/#/b' }],
      [{ allow: 'publish', filter: '$share/g/a' }],
      [{ allow: 'publish', filter: [] }],
      [{ allow: 'publish', filter, user: 'other' }],
      [{ allow: 'publish', filter }, 7],
      new Array(1_001).fill({ allow: 'publish', filter }),
    ];
    for (const value of wrong) assert.equal(rulesFromOutside(value, 'token'), null);
    assert.equal(rulesFromOutside([], 'token')?.length, 0);
    assert.equal(
      rulesFromOutside([{ allow: ['publish', 'retain'], filter: ['a', 'b'] }], 'token')?.length,
      2,
    );
  });
});

describe('what is remembered', () => {
  test('holds until the rules change', () => {
    const acl = aclOf([{ allow: 'publish', filter: 'a' }]);
    const who = principal('u');
    assert.equal(acl.mayPublish(who, 'a'), true);
    acl.replace({ rules: [] });
    assert.equal(acl.mayPublish(who, 'b'), true);
    acl.replace({ rules: [], superusers: [] });
    assert.equal(acl.mayPublish(who, 'a'), true);
  });

  test('holds for who the client was when it was asked', () => {
    const acl = aclOf([{ user: 'alice', allow: 'publish', filter: 'a' }]);
    const who = { username: 'alice' as string | null, clientId: 'c', peer: '' };
    assert.equal(acl.mayPublish(who, 'a'), true);
    who.username = 'bob';
    assert.equal(acl.mayPublish(who, 'a'), false);
    who.username = 'alice';
    assert.equal(acl.mayPublish(who, 'a'), true);
  });

  test('is bounded, and right beyond the bound', () => {
    const acl = aclOf([{ allow: 'publish', filter: 'even/#' }]);
    const who = principal('u');
    for (let i = 0; i < 150_000; i++) {
      if (acl.mayPublish(who, `${i % 2 === 0 ? 'even' : 'odd'}/${i}`) !== (i % 2 === 0)) {
        assert.fail(String(i));
      }
    }
  });
});

describe('explanations', () => {
  test('name the rule that decides, or none', () => {
    const acl = aclOf(
      [{ user: 'a', client: 'x', deny: ['publish', 'retain'], filter: 'no/#' }],
      'user a\ntopic read r/#',
    );
    const who = principal('a', 'x');
    const denied = acl.explainPublish(who, 'no/1');
    assert.equal(denied.allowed, false);
    assert.equal(denied.rule?.origin, 'auth.rules.0');
    assert.equal(denied.rule?.text, 'deny publish, retain on no/# for user "a", client "x"');
    assert.deepEqual(acl.explainPublish(who, 'else'), { allowed: false, rule: null });
    const read = acl.explainReceive(who, 'r/1');
    assert.equal(read.rule?.origin, 'acl:2');
    assert.equal(read.rule?.text, 'topic read r/#');
    assert.equal(acl.scopeOf(who, '#').rule?.origin, 'acl:2');
  });
});

describe("mosquitto's file", () => {
  test('says what is wrong in which line', () => {
    const text = 'user\ntopic read a/#/b\n\ntopic\ntpic a\ntopic both a\npattern read $share/g/a\n';
    assert.deepEqual(parseAclFile(text, 'acl').faults, [
      '1: found user without a name',
      '2: found "a/#/b", expected a topic filter',
      '4: found "", expected a topic filter',
      '5: found "tpic", expected user, topic or pattern',
      '6: found "both", expected read, write, readwrite or deny',
      '7: found "$share/g/a", expected a topic filter',
    ]);
  });
});
