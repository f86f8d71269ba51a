// Every message about a wrong configuration: source, key, what was found, what was expected.

import assert from 'node:assert/strict';
import { options } from '../../src/config/schema.ts';
import { describe, test } from '../harness.ts';
import { faultsOf, type Written } from './load.ts';

const set = (...settings: string[]): Written => ({ flags: { set: settings } });

const LISTENERS =
  'expected a list like ["127.0.0.1:1883", "[::1]:1883"], where ":1883" is every interface and ' +
  '"1883" this machine only, or [[listeners]] tables';
const RULES =
  'expected [[auth.rules]] tables with allow or deny (publish, subscribe, receive, retain, all), ' +
  'filter, and whom it is about: user, client, certificate, address, listener';
const FILTER = 'expected a topic filter or a list of them';
const USERS =
  'expected a table of user names and their passwords, as in [auth.users] alice = "secret"';
const LEVELS = 'one of debug, info, warn, error, silent';
const SIZE = 'a size from 1kB to 268435460, in bytes or like "64kB" or "2MB"';

/** What is written, and the one line that answers it. */
const faults: [name: string, written: Written, line: string][] = [
  [
    'a choice, in the file',
    { toml: '# mine\n[log]\nlevel = "loud"\n' },
    `minnow.toml:3: log.level: found "loud", expected ${LEVELS}`,
  ],
  [
    'a choice, in the environment',
    { env: { MINNOW_LOG_LEVEL: 'loud' } },
    `MINNOW_LOG_LEVEL: log.level: found "loud", expected ${LEVELS}`,
  ],
  [
    'a choice, as a flag',
    { flags: { logLevel: 'loud' } },
    `--log-level: log.level: found "loud", expected ${LEVELS}`,
  ],
  [
    'a choice, by --set',
    set('log.level=loud'),
    `--set: log.level: found "loud", expected ${LEVELS}`,
  ],
  [
    'a size without a unit we know',
    set('limits.packetSizeMaxBytes=2 elephants'),
    `--set: limits.packetSizeMaxBytes: found "2 elephants", expected ${SIZE}`,
  ],
  [
    'a size that is too small',
    { toml: '[limits]\n\npacketSizeMaxBytes = 5' },
    `minnow.toml:3: limits.packetSizeMaxBytes: found 5, expected ${SIZE}`,
  ],
  [
    'a size that is no whole number of bytes',
    set('limits.packetSizeMaxBytes=1024.5'),
    `--set: limits.packetSizeMaxBytes: found "1024.5", expected ${SIZE}`,
  ],
  [
    'a time',
    set('limits.connectTimeoutMs=soon'),
    '--set: limits.connectTimeoutMs: found "soon", expected a time from 100 to 86400000 ms, ' +
      'in milliseconds or like "500ms", "10s" or "2m"',
  ],
  [
    'a time in seconds',
    set('mqtt.keepAliveMaxSeconds=500ms'),
    '--set: mqtt.keepAliveMaxSeconds: found "500ms", expected a time from 0 to 65535 s, ' +
      'in seconds or like "30s", "5m", "12h" or "7d"',
  ],
  [
    'a number',
    { toml: 'limits.receiveMaximum = -1' },
    'minnow.toml:1: limits.receiveMaximum: found -1, expected a whole number from 1 to 65535',
  ],
  [
    'a boolean',
    { env: { MINNOW_AUTH_ANONYMOUS: 'maybe' } },
    'MINNOW_AUTH_ANONYMOUS: auth.anonymous: found "maybe", expected true or false',
  ],
  ['a QoS', set('mqtt.maximumQos=3'), '--set: mqtt.maximumQos: found "3", expected 0, 1 or 2'],
  ['a path', { toml: 'data = 7' }, 'minnow.toml:1: data: found 7, expected a path, in quotes'],
  [
    'text that MQTT cannot carry',
    set('mqtt.responseInformation=a\0b'),
    '--set: mqtt.responseInformation: found "a\\u0000b", expected text of at most 65535 bytes, ' +
      'in quotes',
  ],
  [
    'a section that is none',
    { toml: 'log = "debug"' },
    'minnow.toml:1: log: found "debug", expected a table of options',
  ],
  [
    'an address',
    { flags: { listen: ['127.0.0.1:1883', '300.1.1.1:1883'] } },
    `--listen: listeners.1: found "300.1.1.1:1883", ${LISTENERS}`,
  ],
  [
    'an IPv6 address without brackets',
    { env: { MINNOW_LISTENERS: '::1:1883' } },
    `MINNOW_LISTENERS: listeners.0: found "::1:1883", ${LISTENERS}`,
  ],
  [
    'a port, in the second table',
    { toml: '[[listeners]]\nport = 1\n[[listeners]]\nhost = "::1"\nport = 70000\n' },
    'minnow.toml:5: listeners.1.port: found 70000, expected a whole number from 0 to 65535',
  ],
  [
    'no address at all',
    { toml: 'listeners = []' },
    `minnow.toml:1: listeners: found a list, ${LISTENERS}`,
  ],
  [
    'an unknown key of a listener',
    { toml: '[[listeners]]\naddress = "::1"\n' },
    'minnow.toml:2: listeners.0.address: unknown key; expected one of host, port, unix, mode, ' +
      'owner, systemd, protocol, connectionsMax, anonymous, identity, mountPoint, tls, ' +
      'websocket, proxyProtocol',
  ],
  [
    'the same address twice',
    { flags: { listen: ['1883', '127.0.0.1:1883'] } },
    '--listen: listeners: found 127.0.0.1:1883 twice, expected once',
  ],
  [
    'an unknown key next to the right one',
    { toml: '[limits]\npacketSizeMax = 1' },
    'minnow.toml:2: limits.packetSizeMax: unknown key; did you mean limits.packetSizeMaxBytes?',
  ],
  [
    'an unknown key in another spelling',
    { toml: '[queue]\nmessages_max = 1' },
    'minnow.toml:2: queue.messages_max: unknown key; did you mean queue.messagesMax?',
  ],
  [
    'a key in the wrong section',
    { toml: '[limits]\nassignClientIds = true' },
    'minnow.toml:2: limits.assignClientIds: unknown key; did you mean mqtt.assignClientIds?',
  ],
  [
    'an unknown section',
    { toml: '[lgo]\nlevel = "info"' },
    'minnow.toml:1: lgo: unknown key; did you mean log?',
  ],
  [
    'a key like none',
    { toml: 'persistence_location = "/x"' },
    'minnow.toml:1: persistence_location: unknown key; minnow config --reference lists all keys',
  ],
  [
    'an unknown key by --set',
    set('log.levle=debug'),
    '--set: log.levle: unknown key; did you mean log.level?',
  ],
  [
    'a key below one that holds no table',
    set('log.level.core=debug'),
    '--set: log.level.core: unknown key; did you mean log.level?',
  ],
  [
    '--set without a value',
    set('log.level'),
    '--set log.level: expected key.path=value, such as log.level=debug',
  ],
  [
    'a list that is broken JSON',
    { env: { MINNOW_AUTH_RULES: '[{' } },
    `MINNOW_AUTH_RULES: no valid JSON, ${RULES}`,
  ],
  [
    'a module that does not exist',
    set('log.levels.kernel=debug'),
    `--set: log.levels.kernel: unknown key, expected a level (debug, info, warn, error, silent) ` +
      'per module (main, core, io, auth, control, store)',
  ],
  [
    'a filter with a wildcard in the wrong place',
    { toml: '[[auth.rules]]\nfilter = "a/#/b"\nallow = "all"\n' },
    `minnow.toml:2: auth.rules.0.filter: found "a/#/b", ${FILTER}`,
  ],
  [
    'a rule without a filter',
    { toml: '[[auth.rules]]\nallow = "all"\n' },
    `minnow.toml:1: auth.rules.0.filter: found nothing, ${FILTER}`,
  ],
  [
    'a rule for somebody unknown',
    {
      toml:
        '[auth.users]\nalice = "x"\n' +
        '[[auth.rules]]\nfilter = "#"\nuser = "alcie"\nallow = "all"',
    },
    'minnow.toml:5: auth.rules.0.user: found "alcie", expected "*", "" or a name from ' +
      'auth.users; did you mean "alice"?',
  ],
  [
    'a password that is no text: never shown',
    { toml: '[auth.users]\nalice = 123456\n' },
    `minnow.toml:2: auth.users.alice: found a number (not shown), ${USERS}`,
  ],
  [
    'nobody could connect',
    set('auth.anonymous=false'),
    '--set: auth.anonymous: found false, but without auth.users nobody could connect; add users',
  ],
  [
    'high water above the bound',
    { toml: '[limits]\noutputBytesMax = "64kB"', ...set('limits.outputHighWaterBytes=66000') },
    '--set: limits.outputHighWaterBytes: found 66000, expected less than ' +
      'limits.outputBytesMax (65536)',
  ],
  [
    'one queue larger than all',
    set('queue.bytesMax=2GB'),
    '--set: queue.bytesMax: found 2147483648, expected at most queue.totalBytesMax (1073741824)',
  ],
  [
    'a control socket whose path is too long',
    set(`control.path=/${'x'.repeat(107)}`),
    `--set: control.path: found "/${'x'.repeat(107)}", expected at most 107 bytes; ` +
      'set a shorter control.path',
  ],
  [
    'no TOML',
    { toml: '[log]\nlevel = info\n' },
    'minnow.toml:2:12: no valid TOML: each key-value declaration must be followed by an ' +
      'end-of-line',
  ],
  [
    'a value that is long',
    set(`log.format=${'x'.repeat(1_000)}`),
    `--set: log.format: found "${'x'.repeat(59)}…, expected one of auto, text, json`,
  ],
  [
    'a value that would break the line',
    set('log.format=a\nb'),
    '--set: log.format: found "a\\nb", expected one of auto, text, json',
  ],
];

describe('one line per fault', () => {
  for (const [name, written, line] of faults) {
    test(name, () => assert.deepEqual(faultsOf(written), [line]));
  }

  test('all faults of all sources at once', () => {
    const lines = faultsOf({
      toml: 'dta = "/x"\n[log]\nlevel = "loud"\n',
      env: { MINNOW_LIMITS_INFLIGHT_MAX: 'many' },
      flags: { listen: ['nowhere'], set: ['what.is=this'] },
    });
    const sources = lines.map(line => line.split(': ')[0]).sort();
    assert.deepEqual(sources, [
      '--listen',
      '--set',
      'MINNOW_LIMITS_INFLIGHT_MAX',
      'minnow.toml:1',
      'minnow.toml:3',
    ]);
  });

  test('names that are special to JavaScript are names like any other', () => {
    for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      assert.equal(faultsOf({ toml: `${key} = 1` }).length, 1, key);
      assert.equal(faultsOf(set(`${key}.x=1`)).length, 1, key);
      assert.equal(faultsOf({ toml: `[log]\n${key} = 1` }).length, 1, key);
    }
    assert.equal(({} as Record<string, unknown>).x, undefined);
  });

  test('a table, a list and a date are no value of an option that has one word', () => {
    for (const { path, shape } of options.values()) {
      if (shape !== 'scalar' && shape !== 'boolean') continue;
      for (const value of ['{}', '{ a = 1 }', '[]', '[1]', '[{}]', '1979-05-27']) {
        const lines = faultsOf({ toml: `${path} = ${value}` });
        assert.match(lines.join('\n'), /^minnow\.toml:1: [^\n]+$/, `${path} = ${value}`);
      }
    }
  });
});
