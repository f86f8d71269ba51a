// `minnow acl`: says what a client may do, and which rule decides it, without asking a broker.

import { createAccess } from '../../auth/create.ts';
import { AuthFault } from '../../auth/fault.ts';
import { Acl, Scope } from '../../auth/rules/acl.ts';
import { isControl } from '../../auth/rules/filters.ts';
import type { Rule } from '../../auth/rules/rule.ts';
import { formatAddress } from '../../config/address.ts';
import type { AuthConfig } from '../../config/config.ts';
import type { Principal } from '../../core/access.ts';
import { filterValid, hasWildcard, parseShare } from '../../mqtt/topic.ts';
import { type Flag, type Flags, UsageError } from '../client/flags.ts';
import { runCommand, usageText } from '../client/run-command.ts';
import { print } from '../command.ts';
import { Exit, Failure } from '../exit.ts';
import { configFlagsOf, load } from '../load.ts';

const flagTable: readonly Flag[] = [
  {
    long: 'user',
    short: 'u',
    value: 'NAME',
    help: 'the user name; without it an anonymous client',
  },
  { long: 'client', value: 'ID', help: 'the client id' },
  { long: 'address', value: 'IP', help: 'where it comes from' },
  { long: 'listener', value: 'NAME', help: 'the listener it came in by' },
  { long: 'certificate', value: 'NAME', help: 'the common name of its certificate' },
  { long: 'json', help: 'print the answer as JSON' },
  { long: 'config', short: 'c', value: 'FILE', help: 'the configuration' },
  { long: 'uci', value: 'FILE', help: "the same, OpenWrt's" },
  { long: 'set', value: 'KEY=VALUE', help: 'as given to the broker' },
  { long: 'help', short: 'h', help: 'this text' },
];

const actions = ['publish', 'retain', 'subscribe', 'receive'] as const;
type Action = (typeof actions)[number];

const usage = usageText(
  `minnow acl [flags] ACTION TOPIC

Says whether a client may do ACTION (${actions.join(', ')}) and which rule decides
it. TOPIC of subscribe is a filter. Exit code ${Exit.ok}: it may. 1: it may not.`,
  flagTable,
);

interface Answer {
  readonly allowed: boolean;
  readonly words: string;
  readonly rule: Rule | null;
}

export function run(args: string[]): Promise<number> {
  return runCommand({ name: 'acl', usage, flags: flagTable, run: explain }, args);
}

async function explain(flags: Flags): Promise<number> {
  const [action, topic] = operandsOf(flags);
  const { auth } = (await load(configFlagsOf(flags))).config;
  const { allowed, words, rule } = await decide(auth, principalOf(flags), action, topic);
  if (flags.has('json')) {
    const found = rule === null ? null : { origin: rule.origin, text: rule.text };
    await print(JSON.stringify({ allowed, answer: words, rule: found }));
  } else {
    await print(rule === null ? words : `${words}\n${rule.origin}: ${rule.text}`);
  }
  return allowed ? Exit.ok : 1;
}

function operandsOf({ operands }: Flags): [action: Action, topic: string] {
  const [word, topic, ...rest] = operands;
  const action = actions.find(known => known === word);
  if (action === undefined) {
    const found = word === undefined ? 'the action is missing' : `unknown action "${word}"`;
    throw new UsageError(`${found}, expected ${actions.join(', ')}`);
  }
  if (topic === undefined || rest.length > 0) throw new UsageError(`${action} takes one topic`);
  const plain = parseShare(topic)?.filter ?? topic;
  if (!filterValid(topic)) throw new UsageError(`"${topic}" is no topic`);
  if (action !== 'subscribe' && hasWildcard(plain))
    throw new UsageError(`${action} takes a topic, not a filter`);
  return [action, plain];
}

function principalOf(flags: Flags): Principal {
  const commonName = flags.text('certificate') ?? '';
  const certificate =
    commonName === '' ? null : { commonName, names: [], fingerprint: '', notAfter: 0 };
  return {
    username: flags.text('user') ?? null,
    clientId: flags.text('client') ?? '',
    peer: formatAddress(flags.text('address') ?? '', 0),
    origin: {
      listener: flags.text('listener') ?? '',
      username: null,
      certificate,
      anonymous: null,
      mountPoint: '',
    },
  };
}

async function decide(
  auth: AuthConfig,
  who: Principal,
  action: Action,
  topic: string,
): Promise<Answer> {
  const access = await createAccess(auth).catch(error => {
    throw error instanceof AuthFault ? new Failure(Exit.config, ...error.lines) : error;
  });
  if (isControl(topic) && !auth.superusers.includes(who.username ?? '')) {
    return { allowed: false, words: 'no: $CONTROL is for auth.superusers', rule: null };
  }
  if (!(access instanceof Acl)) {
    return { allowed: true, words: 'yes: there are no rules', rule: null };
  }
  if (action === 'subscribe') return scopeAnswer(access, who, topic);
  const { allowed, rule } =
    action === 'receive'
      ? access.explainReceive(who, topic)
      : access.explainPublish(who, topic, action === 'retain');
  if (rule !== null) return { allowed, words: allowed ? 'yes' : 'no', rule };
  return { allowed, words: allowed ? 'yes: no rule holds here' : 'no: no rule allows it', rule };
}

function scopeAnswer(access: Acl, who: Principal, filter: string): Answer {
  const { scope, rule } = access.scopeOf(who, filter);
  switch (scope) {
    case Scope.All:
      return { allowed: true, words: rule === null ? 'yes: no rule holds here' : 'yes', rule };
    case Scope.Some:
      return { allowed: true, words: 'in part: each message is asked about', rule };
    default:
      return { allowed: false, words: rule === null ? 'no: no rule allows it' : 'no', rule };
  }
}
