// Who may come in: options that are about all listeners, or about one where per_listener_settings
// is true. minnow has one password file and one file of rules for all of them.

import type { Collected } from './collect.ts';
import type { Line } from './lines.ts';
import type { Listener } from './listener.ts';
import type { Toml } from './toml.ts';
import { readFlag, readWhole } from './values.ts';

/** Where none of the listeners is served, minnow has one of its own, for this machine. */
export function writeAccess(collected: Collected, written: readonly Listener[], toml: Toml): void {
  const listeners = written.filter(({ leftOut }) => !leftOut);
  const anonymous =
    listeners.length > 0
      ? writeAnonymous(collected, listeners, toml)
      : writeAnonymousHere(collected, written.length === 0, toml);
  const named = writeFile('password_file', 'auth.passwordFile', collected, listeners, toml);
  writeFile('acl_file', 'auth.aclFile', collected, listeners, toml);
  if (!anonymous && !named && listeners.every(({ identified }) => !identified)) {
    toml.say(
      'auth',
      'Nobody would get in: clients need a name, and no password_file knows any (a plugin may ' +
        'have). Add users to this file with "minnow passwd", or set anonymous = true.',
    );
    toml.set('auth.passwordFile', '/etc/minnow/passwd', []);
  }
  if (!anonymous || named || listeners.some(({ identified }) => identified)) {
    toml.say(
      'session',
      'As in mosquitto, whoever is let in may take over any client id and its session. ' +
        'Without this line that of a user with a name is for this user only, which is safer.',
    );
    toml.set('session.takeover', 'anyone', []);
  }
  const empty = collected.access.last('allow_zero_length_clientid');
  const assign = empty && readFlag(empty, toml.faults);
  if (empty !== null && assign !== null) toml.set('mqtt.assignClientIds', assign, [empty]);
  const flag = (line: Line) => readFlag(line, toml.faults);
  const whole = (max: number) => (line: Line) => readWhole(line, toml.faults, 0, max);
  const shared = { listeners, toml };
  writeShared('allow_zero_length_clientid', 'mqtt.assignClientIds', flag, shared);
  writeShared('max_qos', 'mqtt.maximumQos', whole(2), shared);
  writeShared('max_topic_alias', 'limits.topicAliasMaximum', whole(65_535), shared);
  writeShared('max_topic_alias_broker', 'limits.topicAliasOutMax', whole(65_535), shared);
}

interface Said {
  readonly value: boolean;
  readonly line: Line | null;
}

function readSaid(line: Line | null, toml: Toml): Said | null {
  const value = line && readFlag(line, toml.faults);
  return value === null ? null : { value, line };
}

/** For minnow's own listener; `open` where the file has none at all, and so wants the same. */
function writeAnonymousHere({ access, unnamed }: Collected, open: boolean, toml: Toml): boolean {
  const line = access.last('allow_anonymous') ?? unnamed.options.last('allow_anonymous');
  const said = readSaid(line, toml) ?? { value: open, line: null };
  if (line !== null || !open) toml.set('auth.anonymous', said.value, line === null ? [] : [line]);
  return said.value;
}

/** Gives whether anybody may come in without a name. */
function writeAnonymous(
  { access }: Collected,
  listeners: readonly Listener[],
  toml: Toml,
): boolean {
  const read = (line: Line | null) => readSaid(line, toml);
  const global = read(access.last('allow_anonymous'));
  // The listener that mosquitto has by itself is for this machine, and for everybody on it.
  const own = listeners.every(({ draft }) => isUnsaid(draft));
  const says = listeners.map(({ draft: { options } }) => {
    const mine = read(options.last('listener_allow_anonymous'));
    return mine ?? read(options.last('allow_anonymous')) ?? global ?? { value: own, line: null };
  });
  const used = new Set(says.flatMap(({ line }) => line ?? []));
  const linesOf = (value: boolean) => [
    ...new Set(says.flatMap(said => (said.value === value ? (said.line ?? []) : []))),
  ];
  const mixed = says.some(({ value }) => value) && says.some(({ value }) => !value);
  const everywhere = !mixed && says[0].value;
  if (!everywhere && linesOf(false).length === 0) {
    toml.say('auth', 'mosquitto 2 lets clients without a name in only where it is told to.');
  }
  toml.set('auth.anonymous', everywhere, linesOf(everywhere));
  for (const [index, { value, line }] of says.entries()) {
    if (mixed && value) listeners[index].table.set('anonymous', true, line === null ? [] : [line]);
  }
  const spare = [...access.all('allow_anonymous')];
  for (const { draft } of listeners) {
    const { options } = draft;
    if (options.has('listener_allow_anonymous')) spare.push(...options.all('allow_anonymous'));
  }
  for (const line of spare) {
    if (!used.has(line)) toml.note('auth', line, 'every listener says so for itself');
  }
  return mixed || everywhere;
}

function isUnsaid({ opening, options }: Listener['draft']): boolean {
  return opening === null && !options.has('port') && !options.has('bind_address');
}

/** Gives whether there is such a file. */
function writeFile(
  name: string,
  key: string,
  { access, unnamed }: Collected,
  listeners: readonly Listener[],
  toml: Toml,
): boolean {
  const drafts = listeners.length === 0 ? [unnamed] : listeners.map(({ draft }) => draft);
  const own = drafts.flatMap(({ options }) => options.last(name) ?? []);
  const lines = [...access.all(name), ...own];
  const [first] = lines;
  if (first === undefined) return false;
  const same = lines.filter(({ value }) => value === first.value);
  const others = lines.filter(({ value }) => value !== first.value);
  const partial = own.length > 0 && own.length < drafts.length && access.all(name).length === 0;
  const everywhere = 'for all listeners: minnow has one such file';
  toml.set(key, first.value, same, partial || others.length > 0 ? everywhere : undefined);
  const what =
    name === 'acl_file'
      ? 'THE OTHER FILE HOLDS HERE, TOO; write [[auth.rules]] that name the listener instead'
      : 'bring its users into the one file';
  for (const line of others) toml.note('auth', line, `no equivalent: ${what}`);
  return true;
}

/** Options of a listener that minnow has for all of them together. */
function writeShared<T extends number | boolean>(
  name: string,
  key: string,
  read: (line: Line) => T | null,
  { listeners, toml }: { listeners: readonly Listener[]; toml: Toml },
): void {
  const lines = listeners.flatMap(({ draft }) => draft.options.last(name) ?? []);
  const values = lines.map(read);
  const [value] = values;
  if (value === undefined || values.includes(null)) return;
  if (lines.length === listeners.length && values.every(other => other === value)) {
    toml.set(key, value as T, lines);
  } else {
    const why = `no equivalent for one listener: ${key} is for all of them`;
    for (const line of lines) toml.note(key, line, why);
  }
}
