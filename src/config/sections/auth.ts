// [auth]: who may connect, and what they may do.

import * as z from 'zod/mini';
import { areActions, areFilters } from '../../auth/rules/rule-spec.ts';
import {
  type About,
  count,
  flag,
  milliseconds,
  option,
  path,
  type Reload,
  scalar,
  section,
} from '../option.ts';
import { type Field, type Path, type Report, readTable, textField, type Values } from '../table.ts';
import { parseNetwork } from './listeners.ts';

export const authSteps = ['password', 'jwt', 'http'] as const;

const oneOrMore = (value: string | string[]) => (typeof value === 'string' ? [value] : value);

function actionsField(verb: string): Field<readonly string[]> {
  return {
    default: [],
    read: value => (areActions(value) ? oneOrMore(value) : undefined),
    expected: 'one or a list of publish, subscribe, receive, retain and all',
    description: `What is ${verb}.`,
  };
}

export const ruleFields = {
  user: textField({
    default: '*',
    expected: 'a user name, in quotes',
    description: 'A user name, `*` in it for any characters; empty: clients without one.',
  }),
  client: textField({
    default: '',
    expected: 'a client id, in quotes',
    description: 'A client id, `*` in it for any characters.',
  }),
  certificate: textField({
    default: '',
    expected: 'a name, in quotes',
    description: 'Common name or an alternative name of the client certificate, `*` as above.',
  }),
  address: textField({
    default: '',
    fits: text => text === '' || parseNetwork(text) !== null,
    expected: 'an address or a network such as "192.0.2.0/24"',
    description: 'Address or network of the client.',
  }),
  listener: textField({
    default: '',
    expected: 'the address or name of a listener, in quotes',
    description: 'Listener that the client came in by, `*` as above.',
  }),
  allow: actionsField('allowed'),
  deny: actionsField('denied'),
  filter: {
    // There is none: `undefined` is what makes it required.
    default: undefined as never,
    read: value => (areFilters(value) ? oneOrMore(value) : undefined),
    expected: 'a topic filter or a list of them',
    description: 'Topic filters; `%u` and `%c` stand for the user name and the client id.',
  } satisfies Field<readonly string[]> as Field<readonly string[]>,
};

export type RuleTable = Values<typeof ruleFields>;

function readRule(value: unknown, at: Path, report: Report): RuleTable | null {
  const rule = readTable(ruleFields, value, at, report);
  if (rule !== null && rule.allow.length > 0 === rule.deny.length > 0) {
    report(at, { text: 'a rule needs one of allow and deny' });
    return null;
  }
  return rule;
}

const rules = () =>
  z.transform((value: unknown, context): readonly RuleTable[] => {
    const report: Report = (at, fault) =>
      context.issues.push({ code: 'custom', input: value, path: [...at], params: fault });
    if (!Array.isArray(value)) {
      context.issues.push({ code: 'custom', input: value });
      return z.NEVER;
    }
    const read = value.map((item, index) => readRule(item, [index], report));
    return read.flatMap(rule => rule ?? []);
  });

/** A list of words; `expected` completes the message. */
function names<const T extends string>(about: {
  readonly of?: readonly T[];
  readonly default: readonly T[];
  readonly expected: string;
  readonly example?: string;
  readonly description: string;
  readonly reload?: Reload;
}) {
  const fits = (word: unknown) =>
    typeof word === 'string' && word !== '' && (about.of?.includes(word as T) ?? true);
  const read = (value: unknown) =>
    Array.isArray(value) && value.every(fits) ? (value as T[]) : undefined;
  const facts = { shape: 'list', unit: 'list', expected: about.expected } as const;
  return scalar<readonly T[]>(read, facts, about);
}

/** The address of a service. Names and passwords in it would show up in logs. */
function urlOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || !URL.canParse(value)) return undefined;
  const { protocol, username, password, href } = new URL(value);
  return /^https?:$/.test(protocol) && username === '' && password === '' ? href : undefined;
}

const secretText = () => z.string().check(z.minLength(1));
const text = (about: About<string>) =>
  scalar(
    value => (typeof value === 'string' ? value : undefined),
    { unit: 'text', expected: 'text, in quotes' },
    about,
  );

export const authSection = section(
  'Who may connect, and what they may do. The ways in `order` are tried one after the other: ' +
    'each lets a client in, refuses it or leaves it to the next.',
  {
    anonymous: flag({
      reload: 'live',
      default: true,
      description: 'Whether clients without a user name are let in.',
    }),
    users: option(
      () => z.record(z.string().check(z.minLength(1)), secretText()),
      {
        shape: 'table',
        unit: 'table of name = password',
        expected: 'a table of user names and their passwords, as in [auth.users] alice = "secret"',
        secret: true,
      },
      {
        reload: 'live',
        default: {},
        example: 'users = { alice = "a long secret", meter = "another" }',
        description:
          'User names and passwords, or hashes as `minnow passwd` writes them. A client that ' +
          'brings a user name must be known, here or by another way, unless there is none and ' +
          'anonymous clients are let in.',
      },
    ),
    passwordFile: path({
      reload: 'live',
      default: '',
      example: 'passwordFile = "/etc/minnow/passwd"',
      description:
        'File with user names and hashed passwords: `minnow passwd` writes it, files of ' +
        'mosquitto_passwd are read as well.',
    }),
    passwordCacheMs: milliseconds({
      reload: 'live',
      default: 60_000,
      min: 0,
      max: 3_600_000,
      description: 'How long a right password is remembered, so that it is not computed again.',
    }),
    order: names({
      of: authSteps,
      reload: 'live',
      default: authSteps,
      expected: `a list of ${authSteps.join(', ')}`,
      example: 'order = ["jwt", "password"]',
      description:
        'The ways to find out who a client is, in this order, as far as they are set up: ' +
        '`password` (users and passwordFile), `jwt`, `http`. What a listener proves by itself ' +
        '(`identity`) comes before them.',
    }),
    scram: flag({
      reload: 'live',
      default: false,
      description:
        'Whether MQTT 5 clients may prove their password without sending it (SCRAM-SHA-256); ' +
        'their hashes must be made by `minnow passwd --scram`.',
    }),
    jwtKeys: scalar(
      value => (typeof value === 'string' && !/^https?:/i.test(value) ? value : urlOf(value)),
      { unit: 'path or URL', expected: 'the path of a file, or an http or https URL' },
      {
        reload: 'live',
        default: '',
        example: 'jwtKeys = "https://login.example/.well-known/jwks.json"',
        description:
          'Turns on tokens (JWT) in place of passwords: the keys that verify them. A file: PEM ' +
          '(a public key or a certificate), a JWK or a set of them in JSON, or the bytes of a ' +
          'shared secret (at least 32). Or the URL of a set (JWKS), fetched when it is needed.',
      },
    ),
    jwtAlgorithms: names<string>({
      reload: 'live',
      default: ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'RS256', 'RS384', 'RS512', 'HS256'],
      expected: 'a list of algorithms such as ["RS256", "ES256"]',
      example: 'jwtAlgorithms = ["ES256"]',
      description: 'Algorithms that tokens may be signed with.',
    }),
    jwtIssuer: text({
      reload: 'live',
      default: '',
      description: 'What the `iss` of a token must be; empty: anything.',
    }),
    jwtAudience: text({
      reload: 'live',
      default: '',
      description: 'What must be in the `aud` of a token; empty: anything.',
    }),
    jwtUserClaim: text({
      reload: 'live',
      default: 'sub',
      description: 'The claim that is the user name.',
    }),
    jwtRulesClaim: text({
      reload: 'live',
      default: 'acl',
      description:
        'The claim with rules of the token: `[{"allow": ["publish"], "filter": "a/%u/#"}]`. They ' +
        'are asked before all others.',
    }),
    httpUrl: scalar(
      value => (value === '' ? '' : urlOf(value)),
      { unit: 'URL', expected: 'an http or https URL without a user name and password in it' },
      {
        reload: 'live',
        default: '',
        example: 'httpUrl = "http://127.0.0.1:8080/mqtt/login"',
        description:
          'Asks a service: POST with clientId, username, password, peer, listener and ' +
          'certificate in JSON. It answers 200 with `{"result": "allow"}`, `"deny"` or `"next"`, ' +
          'and may add `username`, `acl` (rules) and `expiresInSeconds`. Any other answer ' +
          'refuses the client.',
      },
    ),
    httpHeaders: option(
      () => z.record(z.string().check(z.regex(/^[\w-]+$/)), secretText()),
      {
        shape: 'table',
        unit: 'table of name = value',
        expected: 'a table of header names and values, in quotes',
        secret: true,
      },
      {
        reload: 'live',
        default: {},
        example: 'httpHeaders = { Authorization = "Bearer a long secret" }',
        description: 'Headers to send along.',
      },
    ),
    httpTimeoutMs: milliseconds({
      reload: 'live',
      default: 5_000,
      min: 100,
      max: 60_000,
      description: 'How long the service may take.',
    }),
    httpCacheMs: milliseconds({
      reload: 'live',
      default: 30_000,
      min: 0,
      max: 3_600_000,
      description: 'How long an answer is remembered for the same client and password.',
    }),
    httpRequestsMax: count({
      reload: 'live',
      default: 64,
      min: 1,
      max: 10_000,
      description: 'Questions under way at once; clients beyond are told that we are busy.',
    }),
    rules: option(
      rules,
      {
        shape: 'list',
        unit: 'list of rules',
        expected:
          '[[auth.rules]] tables with allow or deny (publish, subscribe, receive, retain, all), ' +
          'filter, and whom it is about: user, client, certificate, address, listener',
      },
      {
        reload: 'live',
        default: [],
        example: 'rules = [{ user = "meter", allow = "publish", filter = "meters/%c/#" }]',
        description:
          'What clients may do. Each rule has `allow` or `deny` (`publish`, `subscribe`, ' +
          '`receive`, `retain`, `all`, or a list), `filter` (one or a list, `%u` and `%c` stand ' +
          'for the user name and the client id) and says whom it is about by `user` (a name, `*` ' +
          'for any characters, empty for anonymous), `client`, `certificate`, `address`, ' +
          '`listener`. The first rule that speaks about the client, the topic and the action ' +
          'decides; with any rules at all, what none of them allows is denied. Who may subscribe ' +
          'may receive, and who may publish may retain, unless an earlier rule denies it; ' +
          '`receive` alone lets a client subscribe to more and be sent only that. Wildcards do ' +
          'not reach `$SYS`, and no rule opens `$CONTROL`.',
      },
    ),
    aclFile: path({
      reload: 'live',
      default: '',
      example: 'aclFile = "/etc/minnow/acl"',
      description:
        "Rules in the format and with the meaning of mosquitto's acl_file. Where there are " +
        '`rules` too they are asked first, and the file decides what they leave open.',
    }),
    superusers: names<string>({
      reload: 'live',
      default: [],
      expected: 'a list of user names',
      example: 'superusers = ["admin"]',
      description:
        'Users whom no rule holds for. `$CONTROL` is theirs alone, whatever rules there are.',
    }),
  },
);
