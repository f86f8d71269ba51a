// Tables of decisions as text, so that many fit on a page: `USER CLIENT ACTION TOPIC ANSWER`, where
// a user `-` has no name, and the answer of a subscription is none, some or all.

import assert from 'node:assert/strict';
import { Acl, Scope } from '../../../src/auth/rules/acl.ts';
import { parseAclFile } from '../../../src/auth/rules/acl-file.ts';
import { type RuleSpec, rulesOf } from '../../../src/auth/rules/rule-spec.ts';
import type { Origin, Principal } from '../../../src/core/access.ts';

export function principal(
  username: string | null,
  clientId = 'c1',
  more: Partial<Principal> = {},
): Principal {
  return { username, clientId, peer: '192.0.2.7:5000', ...more };
}

export function originWith(more: Partial<Origin>): Origin {
  const nothing = { username: null, certificate: null, anonymous: null, mountPoint: '' };
  return { listener: 'lan', ...nothing, ...more };
}

/** An Acl with rules of the configuration, then an ACL file. */
export function aclOf(specs: readonly RuleSpec[], file = '', superusers: string[] = []): Acl {
  const own = specs.flatMap((spec, index) => rulesOf(spec, `auth.rules.${index}`));
  const { rules, faults } = parseAclFile(file, 'acl');
  assert.deepEqual(faults, []);
  return new Acl({ rules: [...own, ...rules], superusers });
}

const scopeWords: Readonly<Record<number, string>> = {
  [Scope.None]: 'none',
  [Scope.Some]: 'some',
  [Scope.All]: 'all',
};

function answerOf(acl: Acl, who: Principal, action: string, topic: string): string {
  const word = (allowed: boolean) => (allowed ? 'yes' : 'no');
  switch (action) {
    case 'publish':
      return word(acl.mayPublish(who, topic));
    case 'retain':
      return word(acl.mayPublish(who, topic, true));
    case 'receive':
      return word(acl.mayReceive(who, topic));
    case 'subscribe':
      return scopeWords[acl.scopeOf(who, topic).scope];
    default:
      throw new Error(`there is no action ${action}`);
  }
}

export interface Row {
  readonly text: string;
  /** Throws unless the answer is the expected one, also when asked again. */
  check(acl: Acl): void;
}

export function rowsOf(table: string): Row[] {
  const lines = table.split('\n').map(line => line.trim());
  return lines.filter(Boolean).map(text => {
    const [user, client, action, topic, expected] = text.split(/\s+/);
    const who = principal(user === '-' ? null : user, client);
    return {
      text,
      check(acl) {
        assert.equal(answerOf(acl, who, action, topic), expected);
        assert.equal(answerOf(acl, who, action, topic), expected, 'asked again');
      },
    };
  });
}
