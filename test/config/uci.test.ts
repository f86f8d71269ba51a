// OpenWrt's /etc/config/minnow: its syntax, that every option can be said in it, and that what was
// written for mosquitto means the same.

import assert from 'node:assert/strict';
import { type Config, loadConfig } from '../../src/config/config.ts';
import { options } from '../../src/config/schema.ts';
import { ruleFields } from '../../src/config/sections/auth.ts';
import { listenerFields } from '../../src/config/sections/listeners.ts';
import type { Fields } from '../../src/config/table.ts';
import { parseUci } from '../../src/config/uci/parse.ts';
import { readUci } from '../../src/config/uci/read.ts';
import { describe, test } from '../harness.ts';
import { HOST } from './load.ts';

const NAME = '/etc/config/minnow';

function load(text: string, flags = {}, env = {}) {
  return loadConfig({ uci: readUci({ name: NAME, text }), flags, env }, HOST);
}

function configOf(text: string, flags = {}, env = {}): Config {
  const result = load(text, flags, env);
  if ('faults' in result) assert.fail(result.faults.join('\n'));
  return result.config;
}

function faultsOf(text: string): readonly string[] {
  const result = load(text);
  assert.ok('faults' in result, 'this was expected to be refused');
  return result.faults;
}

function warningsOf(text: string): readonly string[] {
  const result = load(text);
  if ('faults' in result) assert.fail(result.faults.join('\n'));
  return result.warnings;
}

describe('the syntax of UCI', () => {
  const valuesOf = (text: string) =>
    parseUci(`config a\n${text}\n`).sections[0].options.get('x')?.values;

  test('quotes, escapes and comments are as libuci reads them', () => {
    assert.deepEqual(valuesOf('option x bare # comment'), ['bare']);
    assert.deepEqual(valuesOf("option x 'a # b'"), ['a # b']);
    assert.deepEqual(valuesOf("option x 'it'\\''s'"), ["it's"]);
    assert.deepEqual(valuesOf('option x "say \\"a\\" \\\\"'), ['say "a" \\']);
    assert.deepEqual(valuesOf("option x ''"), ['']);
    assert.deepEqual(valuesOf("option x 'two\nlines'"), ['two\nlines']);
    assert.deepEqual(valuesOf("\tlist\tx\t'a'\r\n  list x b"), ['a', 'b']);
  });

  test('an option said twice is its last, and a section said twice is one', () => {
    const { sections, faults } = parseUci(
      'package minnow\nconfig a n\noption x 1\noption x 2\nconfig b\nconfig a n\noption y 3\n',
    );
    assert.deepEqual(faults, []);
    const said = sections.map(({ type, options: of }) => ({
      type,
      values: [...of].map(([key, { values }]) => `${key}=${values.join()}`),
    }));
    assert.deepEqual(said, [
      { type: 'a', values: ['x=2', 'y=3'] },
      { type: 'b', values: [] },
    ]);
  });

  const wrong: readonly (readonly [string, number, RegExp])[] = [
    ["config a 'x\n", 1, /a quote without an end/],
    ['config a "x\\', 1, /a quote without an end/],
    ['config a\noption x \\', 2, /a backslash with nothing behind it/],
    ['config a\noption x y\\', 2, /a backslash with nothing behind it/],
    ['option x 1', 1, /stands above every section/],
    ['config a\n\noption x', 3, /expected "option NAME VALUE"/],
    ['config a\noption x 1 2', 2, /is a quote missing\?/],
    ['config a b-c', 1, /letters, digits and underscores/],
    ['config', 1, /expected "config TYPE"/],
    ['config a n\nconfig b n', 2, /line 1 gives that name to another/],
    ['kanfig a', 1, /found "kanfig", expected config, option or list/],
  ];
  for (const [text, line, expected] of wrong) {
    test(`${JSON.stringify(text)} is refused where it is wrong`, () => {
      const [fault, ...more] = parseUci(text).faults;
      assert.equal(fault.line, line);
      assert.match(fault.text, expected);
      assert.deepEqual(more, []);
    });
  }
});

describe("minnow's options", () => {
  /** The option said in the one way or the other, as the file would have it. */
  function said(path: string, name: (key: string) => string): string {
    const dot = path.indexOf('.');
    const [section, key] = dot < 0 ? ['minnow', path] : [path.slice(0, dot), path.slice(dot + 1)];
    const { default: value, shape } = options.get(path)!;
    const lines = (values: readonly string[]) =>
      values.map(item => `list ${name(key)} '${item}'`).join('\n');
    const head = `config ${section}\n`;
    if (shape === 'table') return `${head}${lines(Object.entries(value as object).map(String))}`;
    if (Array.isArray(value)) return `${head}${lines(value.map(String))}`;
    return `${head}option ${name(key)} '${value}'`;
  }
  const snake = (key: string) => key.replaceAll(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
  const ordinary = [...options.keys()].filter(
    path => !['listeners', 'auth.rules', 'store.rules', 'auth.users'].includes(path),
  );

  test('every one can be said, in both ways of writing', () => {
    for (const name of [snake, (key: string) => key]) {
      const text = ordinary.map(path => said(path, name)).join('\n');
      const { settings, faults } = readUci({ name: NAME, text });
      assert.deepEqual(faults, []);
      const reached = new Set(settings.map(({ path }) => path.join('.')));
      const empty = ordinary.filter(path => {
        const { default: value } = options.get(path)!;
        return typeof value === 'object' && Object.keys(value as object).length === 0;
      });
      const missing = ordinary.filter(path => !reached.has(path) && !empty.includes(path));
      assert.deepEqual(missing, []);
      const result = load(text);
      assert.ok(!('faults' in result), 'faults' in result ? result.faults.join('\n') : '');
    }
  });

  test('lists and tables are lists', () => {
    const { auth, log } = configOf(`
config auth
	list users 'alice=a=b'
	list users 'bob=c,d'
	list superusers alice
	option order 'password,jwt'
config log
	list levels 'core=debug'`);
    assert.deepEqual({ ...auth.users }, { alice: 'a=b', bob: 'c,d' });
    assert.deepEqual(auth.superusers, ['alice']);
    assert.deepEqual(auth.order, ['password', 'jwt']);
    assert.deepEqual({ ...log.levels }, { core: 'debug' });
  });

  test('rules are sections', () => {
    const { auth, store } = configOf(`
config rule
	option user 'm*'
	list allow publish
	list allow subscribe
	option filter 'meters/%c/#'
config rule
	option deny all
	option filter '#'
config store_rule
	option filter 'a/#'
	option durability batched`);
    assert.deepEqual(
      auth.rules.map(({ user, allow, deny, filter }) => [user, allow, deny, filter]),
      [
        ['m*', ['publish', 'subscribe'], [], ['meters/%c/#']],
        ['*', [], ['all'], ['#']],
      ],
    );
    assert.deepEqual(store.rules, [{ filter: 'a/#', durability: 'batched' }]);
  });

  /** Every field of a table, as option lines. */
  function leavesOf(fields: Fields, prefix: string[] = []): string[] {
    return Object.entries(fields).flatMap(([key, field]) => {
      if ('fields' in field) return leavesOf(field.fields, [...prefix, key]);
      return 'each' in field ? [] : snake([...prefix, key].join('_'));
    });
  }

  test('every field of listeners and rules is known', () => {
    const listener = leavesOf(listenerFields).map(name => `option ${name} x`);
    const rule = Object.keys(ruleFields).map(name => `option ${name} x`);
    const text = ['config listener', ...listener, 'config rule', ...rule].join('\n');
    const { faults, settings } = readUci({ name: NAME, text });
    assert.deepEqual(faults, []);
    assert.ok(settings.some(({ path }) => path.join('.') === 'listeners.0.tls.clientCertificate'));
  });

  test('a listener is for every interface where it does not say', () => {
    const { listeners, doors } = configOf(`
config auth
	option anonymous 0
	option password_file /etc/minnow/passwd
config listener
	option port 1883
config listener
	option port 1884
	option no_remote_access 1
config listener 'tls'
	option port 8883
	option tls_certificate /a.pem
	option tls_key /a.key
	option connections_max 10
config certificate
	option listener tls
	option certificate /b.pem
	option key /b.key`);
    assert.deepEqual(
      listeners.map(({ host, port }) => `${host} ${port}`),
      ['0.0.0.0 1883', ':: 1883', '127.0.0.1 1884', '::1 1884'],
    );
    assert.deepEqual(doors[0].tls?.alternatives, [{ certificate: '/b.pem', key: '/b.key' }]);
    assert.equal(doors[0].connectionsMax, 10);
  });

  test('environment and flags are laid over it', () => {
    const text = 'config log\noption level warn\nconfig listener\noption port 1884\n';
    const over = { listen: ['192.0.2.7:1'], set: ['auth.anonymous=true'] };
    const config = configOf(text, over, { MINNOW_LOG_LEVEL: 'error' });
    assert.equal(config.log.level, 'error');
    assert.deepEqual(config.listeners, [{ host: '192.0.2.7', port: 1, optional: false }]);
  });

  const wrong: readonly (readonly [text: string, fault: string])[] = [
    [
      'config limits\noption inflight_max 0',
      '3: config limits: limits.inflightMax: found "0", expected',
    ],
    ['config log l\noption levl x', "3: config log 'l': levl: unknown option; did you mean level?"],
    [
      'config lissener',
      '2: config lissener: unknown type of section; did you mean config listener',
    ],
    [
      'config listener w\noption port x',
      '3: config listener \'w\': listeners.0.port: found "x", expected',
    ],
    [
      'config certificate\noption listener no',
      '3: config certificate: listener: expected the name',
    ],
    [
      'config store_rule\noption filter a',
      '2: config store_rule: store.rules.0.durability: found nothing',
    ],
    [
      'config auth\noption anonymous maybe',
      '3: config auth: auth.anonymous: found "maybe", expected',
    ],
  ];
  for (const [text, expected] of wrong) {
    test(`${JSON.stringify(text)} names its section and line`, () => {
      const faults = faultsOf(`\n${text}`);
      assert.ok(faults[0].startsWith(`${NAME}:${expected}`), faults[0]);
      assert.equal(faults.length, 1, faults.join('\n'));
    });
  }
});

describe("what was written for OpenWrt's mosquitto", () => {
  const copied = `
config owrt owrt
	option use_uci 1
config mosquitto mosquitto
	list log_dest stdout
	option log_types 'error warning'
	option allow_anonymous 1
	option max_queued_messages 50
config persistence persistence
	option persistence 1
	option location /mnt/minnow
	option client_expiration 1d
config listener
	option port 1883
	option no_remote_access 1
config listener
	option port 9001
	option protocol websockets
	option max_connections 7
	option mount_point 'web/'
config bridge up
	option connection up
	option address broker.example
	list topic '# out'
`;

  test('means the same', () => {
    const { broker, store, log, dataDirectory, listeners, auth } = configOf(copied);
    assert.equal(log.level, 'warn');
    assert.equal(broker.queueMessagesMax, 50);
    assert.equal(broker.sessionExpiryMaxSeconds, 86_400);
    assert.equal(store.kind, 'sqlite');
    assert.equal(dataDirectory, '/mnt/minnow');
    assert.equal(auth.anonymous, true);
    assert.deepEqual(
      listeners.map(({ host }) => host),
      ['127.0.0.1', '::1', '0.0.0.0', '::'],
    );
    const web = listeners[2]?.terms;
    assert.equal(web?.webSocket?.path, '');
    assert.equal(web?.connectionsMax, 7);
    assert.equal(web?.mountPoint, 'web/');
  });

  test('what has no equivalent is a warning with its section and line', () => {
    const warnings = warningsOf(copied);
    const bridge = warnings.find(line => line.includes('bridge'));
    assert.match(bridge ?? '', /^\/etc\/config\/minnow:2\d: config bridge 'up': connection: no eq/);
  });

  test("mosquitto's defaults hold with a section mosquitto, and only then", () => {
    const listener = 'config listener\noption port 1883\noption no_remote_access 1\n';
    assert.equal(configOf(`config mosquitto mosquitto\n${listener}`).store.kind, 'memory');
    assert.equal(configOf(listener).store.kind, 'sqlite');
  });

  test("mosquitto's defaults yield to what minnow's own sections say", () => {
    const theirs = 'config mosquitto\noption password_file /x\nconfig listener\noption port 1883\n';
    assert.equal(configOf(theirs).broker.takeover, 'anyone');
    assert.equal(configOf(theirs).auth.anonymous, false);
    const own = [
      'config session\noption takeover same-user',
      'config store\noption kind sqlite',
      'config auth\noption anonymous 1',
    ].join('\n');
    for (const text of [`${theirs}${own}\n`, `${own}\n${theirs}`]) {
      const { broker, store, auth } = configOf(text);
      assert.deepEqual(
        [broker.takeover, store.kind, auth.anonymous],
        ['same-user', 'sqlite', true],
      );
    }
  });

  test("a listener may have both brokers' options", () => {
    const { doors } = configOf(`
config listener 'tls'
	option port 8883
	option certfile /a.pem
	option keyfile /a.key
	option anonymous yes`);
    assert.equal(doors[0].tls?.certificate, '/a.pem');
    assert.equal(doors[0].anonymous, true);
  });

  test('what mosquitto would refuse is refused, with section and line', () => {
    const faults = faultsOf('config persistence p\noption client_expiration soon\n');
    assert.match(
      faults[0],
      /^\/etc\/config\/minnow:2: config persistence 'p': persistent_client_ex/,
    );
    for (const name of ['constructor', 'toString', '__proto__']) {
      const [fault] = faultsOf(`config mosquitto\noption ${name} 1\n`);
      assert.ok(fault.startsWith(`${NAME}:2: config mosquitto: ${name}: unknown option`), fault);
    }
    const unknown = faultsOf('config mosquitto\noption max_queued_mesages 5\n');
    assert.match(unknown[0], /:2: config mosquitto: max_queued_mesages: unknown option; did you/);
  });
});
