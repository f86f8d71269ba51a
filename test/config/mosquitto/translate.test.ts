// mosquitto.conf → minnow.toml → Config: what comes out loads, means the same, and mentions every
// line that went in.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import type { Config } from '../../../src/config/config.ts';
import { type ConfFile, inReadingOrder } from '../../../src/config/mosquitto/lines.ts';
import { knownNames } from '../../../src/config/mosquitto/options.ts';
import { translate } from '../../../src/config/mosquitto/translate.ts';
import { describe, freshSeed, rounds, test } from '../../harness.ts';
import { configOf, loaded } from '../load.ts';

type Directories = Readonly<Record<string, readonly ConfFile[]>>;

function translated(text: string, directories: Directories = {}) {
  const known = new Map(Object.entries(directories));
  const readDirectory = (path: string) => known.get(path) ?? { fault: `${path}: not there` };
  return translate({ name: 'm.conf', text }, readDirectory);
}

function tomlOf(text: string, directories?: Directories): string {
  const result = translated(text, directories);
  if ('faults' in result) assert.fail(result.faults.join('\n'));
  return result.toml;
}

function imported(text: string): Config {
  return configOf({ toml: tomlOf(text) });
}

/** Places of lines that are no comment and do not appear in `toml`. */
function forgotten(text: string, toml: string): string[] {
  const places = text.split('\n').flatMap((line, index) => {
    const said = line.trim();
    return said === '' || said.startsWith('#') ? [] : `m.conf:${index + 1}`;
  });
  return places.filter(place => !new RegExp(`${place}(?!\\d)`).test(toml));
}

const everything = readFileSync(join(import.meta.dirname, 'everything.conf'), 'utf8');

const TLS = 'certfile /c/s.crt\nkeyfile /c/s.key\n';

/** A part of a Config. */
type Part<T> = T extends readonly unknown[] | null | string | number | boolean
  ? T
  : { readonly [K in keyof T]?: Part<T[K]> };

function assertHolds(actual: unknown, expected: unknown, path: string): void {
  if (typeof expected !== 'object' || expected === null || Array.isArray(expected)) {
    assert.deepEqual(actual, expected, path);
    return;
  }
  for (const [key, value] of Object.entries(expected)) {
    assertHolds((actual as Record<string, unknown>)[key], value, `${path}.${key}`);
  }
}

const everywhere = (port: number) => [
  { host: '0.0.0.0', port, optional: false },
  { host: '::', port, optional: true },
];
const here = [
  { host: '127.0.0.1', port: 1883, optional: false },
  { host: '::1', port: 1883, optional: true },
];

const cases: [title: string, conf: string, expected: Part<Config>][] = [
  [
    'an empty file: this machine only, anybody, nothing kept',
    '# nothing\n\n',
    { listeners: here, auth: { anonymous: true }, store: { kind: 'memory' } },
  ],
  [
    'the file of Debian',
    'pid_file /run/m.pid\npersistence true\npersistence_location /var/lib/mosquitto/\n' +
      'log_dest file /var/log/mosquitto.log\n',
    {
      listeners: here,
      dataDirectory: '/var/lib/mosquitto/',
      store: { kind: 'sqlite', durability: 'strict' },
    },
  ],
  [
    'a network listener with a password file and rules',
    'listener 1883\npassword_file /etc/m/passwd\nacl_file /etc/m/acl\n',
    {
      listeners: everywhere(1883),
      doors: [],
      auth: { anonymous: false, passwordFile: '/etc/m/passwd', aclFile: '/etc/m/acl' },
    },
  ],
  [
    'users with names: whoever is let in may take over a client id, as in mosquitto',
    'listener 1883\nallow_anonymous true\npassword_file /etc/m/passwd\n',
    { broker: { takeover: 'anyone' } },
  ],
  [
    'names from certificates: the same',
    `listener 8883\n${TLS}cafile /c/ca.crt\nrequire_certificate true\n` +
      'use_identity_as_username true\n',
    { broker: { takeover: 'anyone' } },
  ],
  [
    'an open listener',
    'listener 1884 192.0.2.7\nallow_anonymous true\n',
    {
      listeners: [{ host: '192.0.2.7', port: 1884, optional: false }],
      auth: { anonymous: true, passwordFile: '' },
    },
  ],
  [
    'port and bind_address of version 1',
    'bind_address localhost\nport 1885\nallow_anonymous false\npassword_file p\n',
    { listeners: here.map(listener => ({ ...listener, port: 1885 })), auth: { anonymous: false } },
  ],
  [
    'a listener that nobody can use stays shut',
    'listener 1883\n',
    { listeners: everywhere(1883), auth: { anonymous: false, passwordFile: '/etc/minnow/passwd' } },
  ],
  [
    'one address family',
    'listener 1883\nsocket_domain ipv4\nallow_anonymous true\n',
    { listeners: [{ host: '0.0.0.0', port: 1883, optional: false }] },
  ],
  [
    'limits and queues',
    'max_queued_messages 0\nmax_queued_bytes 2000000000\nmax_inflight_messages 0\n' +
      'max_packet_size 2000\nmax_keepalive 300\nmemory_limit 1000000\nqueue_qos0_messages true\n' +
      'persistent_client_expiration 14d\nretain_available false\nsys_interval 0\n',
    {
      broker: {
        queueMessagesMax: 100_000_000,
        queueBytesMax: 2_000_000_000,
        queuedBytesTotalMax: 2_000_000_000,
        inflightMax: 65_535,
        packetSizeMax: 2000,
        keepAliveMaxSeconds: 300,
        memoryTargetBytes: 1_000_000,
        queueQoS0: true,
        sessionExpiryMaxSeconds: 14 * 86_400,
        retainAvailable: false,
        sysIntervalMs: 0,
      },
    },
  ],
  [
    'a bound on the payload leaves room for the rest of the packet',
    'message_size_limit 1000\n',
    { broker: { packetSizeMax: 66_536 } },
  ],
  [
    'autosave',
    'persistence true\nautosave_interval 60\n',
    { store: { kind: 'sqlite', durability: 'batched', batchMs: 60_000 } },
  ],
  ['logs, all of them', 'log_type error\nlog_type all\n', { log: { level: 'debug' } }],
  ['logs, few of them', 'log_type error\nlog_type warning\n', { log: { level: 'warn' } }],
  ['no logs', 'log_type debug\nlog_dest none\n', { log: { level: 'silent' } }],
  [
    'none begins anew',
    'log_type all\nlog_type none\nlog_type error\n',
    { log: { level: 'error' } },
  ],
];

describe('a mosquitto.conf as a Config', () => {
  for (const [title, conf, expected] of cases) {
    test(title, () => {
      assertHolds(imported(conf), expected, 'config');
      assert.deepEqual(forgotten(conf, tomlOf(conf)), []);
    });
  }

  test('TLS with client certificates, beside a plain listener', () => {
    const conf =
      `listener 1883 127.0.0.1\nallow_anonymous true\nlistener 8883\n${TLS}cafile /c/ca.crt\n` +
      'require_certificate true\nuse_identity_as_username true\ncrlfile /c/ca.crl\n' +
      'tls_version tlsv1.3\nmax_connections 7\nmount_point field/\n';
    const { listeners, doors } = imported(conf);
    assert.deepEqual(listeners, [{ host: '127.0.0.1', port: 1883, optional: false }]);
    assert.equal(doors.length, 2);
    const { tls, ...door } = doors[0];
    assert.deepEqual(door, {
      place: { kind: 'tcp', host: '0.0.0.0', port: 8883 },
      optional: false,
      protocol: 'mqtt',
      anonymous: null,
      identity: 'cn',
      mountPoint: 'field/',
      webSocket: null,
      proxies: null,
      connectionsMax: 7,
    });
    assert.deepEqual(tls, {
      certificate: '/c/s.crt',
      key: '/c/s.key',
      alternatives: [],
      minVersion: '1.3',
      ciphers: '',
      alpn: true,
      clientCertificate: 'required',
      ca: '/c/ca.crt',
      crl: '/c/ca.crl',
    });
  });

  test('ciphers keep what mosquitto offers in the other version of TLS', () => {
    const ciphersOf = (line: string) =>
      imported(`listener 8883\n${TLS}${line}\n`).doors[0].tls?.ciphers;
    assert.match(ciphersOf('ciphers AES128-SHA') ?? '', /^TLS_AES_256_GCM_SHA384:.*:AES128-SHA$/);
    assert.equal(
      ciphersOf('ciphers_tls1.3 TLS_AES_128_GCM_SHA256'),
      'TLS_AES_128_GCM_SHA256:DEFAULT',
    );
  });

  test('WebSocket: pages of any origin, unless some are named', () => {
    const originsOf = (more: string) =>
      imported(`listener 9001\nprotocol websockets\n${more}`).listeners[0].terms?.webSocket
        ?.origins;
    assert.deepEqual(originsOf(''), ['*']);
    assert.deepEqual(originsOf('websockets_origin https://a.b\n'), ['https://a.b']);
    assert.deepEqual(originsOf('websockets_origin a.b\n'), []);
  });

  test('a unix socket, and the PROXY protocol', () => {
    const { doors } = imported('listener 0 /run/m.sock\nlistener 1883\nenable_proxy_protocol 2\n');
    assert.deepEqual(doors[0].place, { kind: 'unix', path: '/run/m.sock', mode: 0o660, owner: '' });
    assert.deepEqual(doors[1].proxies, ['127.0.0.1', '::1']);
  });

  test('everything', () => {
    const toml = tomlOf(everything);
    assert.deepEqual(forgotten(everything, toml), []);
    assert.equal(loaded({ toml }).config.doors.length, 4);
    for (const secret of ['hunter2', '0badc0de', '0123456789abcdef', 'dynsec.json']) {
      assert.ok(!toml.includes(secret), secret);
    }
    const widest = Math.max(...toml.split('\n').map(line => line.replace(/ # .*/, '').length));
    assert.ok(widest <= 100, `a line of ${widest} columns`);
  });
});

describe('who may come in', () => {
  test('per listener: one is open, the other is not', () => {
    const conf =
      'per_listener_settings true\nlistener 1883 127.0.0.1\nallow_anonymous true\n' +
      'listener 1884\npassword_file /p\nacl_file /a\n';
    const { auth, listeners } = imported(conf);
    assert.deepEqual([auth.anonymous, auth.passwordFile, auth.aclFile], [false, '/p', '/a']);
    const [open, ...others] = listeners;
    assert.deepEqual([open.port, open.terms?.anonymous], [1883, true]);
    assert.deepEqual(others, everywhere(1884));
    assert.match(tomlOf(conf), /for all listeners: minnow has one such file/);
    assert.deepEqual(forgotten(conf, tomlOf(conf)), []);
  });

  test('listener_allow_anonymous goes before allow_anonymous', () => {
    const conf =
      'allow_anonymous true\nlistener 1883 127.0.0.1\nlistener_allow_anonymous false\n' +
      'listener 1884 127.0.0.1\npassword_file /p\n';
    const { auth, listeners } = imported(conf);
    assert.equal(auth.anonymous, false);
    assert.deepEqual(
      listeners.map(({ port, terms }) => [port, terms?.anonymous ?? null]),
      [
        [1883, null],
        [1884, true],
      ],
    );
    assert.deepEqual(forgotten(conf, tomlOf(conf)), []);
  });

  test('a second password file cannot be kept apart', () => {
    const conf =
      'per_listener_settings true\nlistener 1883\npassword_file /p\nlistener 1884\n' +
      'password_file /q\n';
    assert.equal(imported(conf).auth.passwordFile, '/p');
    assert.match(
      tomlOf(conf),
      /# m\.conf:5: password_file \/q\n# {3}no equivalent: bring its users/,
    );
  });

  test('the plugins of mosquitto 2.1 that read files are no plugins here', () => {
    const conf =
      'listener 1883\nplugin /usr/lib/mosquitto_password_file.so\n' +
      'plugin_opt_password_file /p\nplugin_load acl /usr/lib/mosquitto_acl_file.so\n' +
      'plugin_opt_acl_file /a\nplugin /usr/lib/mosquitto_persist_sqlite.so\nplugin_use acl\n';
    const { auth, store } = imported(conf);
    assert.deepEqual([auth.passwordFile, auth.aclFile, store.kind], ['/p', '/a', 'sqlite']);
    assert.deepEqual(forgotten(conf, tomlOf(conf)), []);
  });

  for (const line of ['psk_hint x', 'protocol http_api', 'tls_keyform engine']) {
    test(`a listener with "${line}" is left out, and nobody is let in instead`, () => {
      const conf = `listener 8883\n${TLS}${line}\n`;
      const { auth, listeners, doors } = imported(conf);
      assert.deepEqual([auth.anonymous, listeners, doors], [false, here, []]);
      assert.deepEqual(forgotten(conf, tomlOf(conf)), []);
    });
  }

  test('certificates that a proxy has seen give names; whether it insists is its affair', () => {
    const conf =
      'listener 1883\nenable_proxy_protocol 2\nrequire_certificate true\n' +
      'use_identity_as_username true\n';
    assert.equal(imported(conf).doors[0].identity, 'cn');
    assert.match(tomlOf(conf), /# m\.conf:3: .*\n# .*COME IN, unless the proxy refuses them/);
  });

  test('a device is no address: rather this machine than every interface', () => {
    assert.deepEqual(imported('listener 1883\nbind_interface eth0\n').listeners, here);
  });

  test('a directory of authorities becomes a file that must be made', () => {
    const conf = `listener 8883\n${TLS}capath /c/ca/\nrequire_certificate true\n`;
    const { tls } = imported(conf).doors[0];
    assert.deepEqual([tls?.clientCertificate, tls?.ca], ['required', '/c/ca/all.pem']);
  });
});

describe('lines', () => {
  test('the last of several counts, and the earlier ones are mentioned', () => {
    const conf =
      'sys_interval 1\nsys_interval 2\nlistener 1\nmax_connections 1\nmax_connections 2\n';
    const { broker, listeners } = imported(conf);
    assert.deepEqual([broker.sysIntervalMs, listeners[0].terms?.connectionsMax], [2000, 2]);
    assert.deepEqual(forgotten(conf, tomlOf(conf)), []);
  });

  test('included files are read where they are named, with listeners of their own', () => {
    const included = { name: 'd/a.conf', text: 'listener 1884\nmax_connections 4\n' };
    const conf = 'listener 1883\ninclude_dir d\nmax_connections 3\n';
    const toml = tomlOf(conf, { d: [included, { name: 'd/b.conf', text: 'sys_interval 9' }] });
    const { listeners, broker } = configOf({ toml });
    const counts = listeners.map(({ port, terms }) => [port, terms?.connectionsMax]);
    assert.deepEqual(counts, [
      [1883, 3],
      [1883, 3],
      [1884, 4],
      [1884, 4],
    ]);
    assert.equal(broker.sysIntervalMs, 9000);
    assert.match(toml, /connectionsMax = 4 # d\/a\.conf:2/);
  });

  test('the files of a directory come in the order of mosquitto', () => {
    const order = ['00.conf', '01.conf', 'A.conf', 'Ab.conf', 'a.conf', 'aa.conf', 'B.conf'];
    assert.deepEqual([...order, 'b.conf'].reverse().sort(inReadingOrder), [...order, 'b.conf']);
  });

  const faults: [conf: string, fault: string][] = [
    ['max_conections 3', 'm.conf:1: max_conections: unknown option; did you mean max_connections?'],
    ['frobnicate now', 'm.conf:1: frobnicate: unknown option'],
    ['frobnicate', 'm.conf:1: frobnicate: unknown option'],
    ['\n# x\npersistence', 'm.conf:3: persistence: expected a value'],
    ['persistence maybe', 'm.conf:1: persistence: found "maybe", expected true or false'],
    [
      'sys_interval 1s',
      'm.conf:1: sys_interval: found "1s", expected a whole number from 0 to 65535',
    ],
    [
      'listener 70000',
      'm.conf:1: listener: found "70000", expected a whole number from 0 to 65535',
    ],
    [
      'listener 0',
      'm.conf:1: listener: found "0", expected the path of a socket behind port 0, at most 107 bytes',
    ],
    ['listener 1 a_b', 'm.conf:1: listener: found "a_b", expected an address or a host name'],
    ['listener 1\nlistener 1 ::', 'm.conf:2: listener: :: and port 1 are taken already'],
    ['topic # out', 'm.conf:1: topic: expected a line "connection NAME" above it'],
    ['plugin_opt_x 1', 'm.conf:1: plugin_opt_x: expected a line "plugin PATH" above it'],
    ['listener 1\nmount_point a/#', 'm.conf:2: mount_point: expected no wildcards'],
    ['listener 1\ncertfile a', 'm.conf:2: certfile: expected keyfile as well'],
    [
      `listener 1\n${TLS}use_identity_as_username true`,
      'm.conf:4: use_identity_as_username: expected require_certificate true as well; without it ' +
        'nobody gets in',
    ],
    [
      `listener 1\n${TLS}require_certificate true`,
      'm.conf:4: require_certificate: expected cafile as well: which authority signs the ' +
        'certificates',
    ],
    [
      'allow_anonymous true\nper_listener_settings true',
      'm.conf:2: per_listener_settings: expected above allow_anonymous, which it gives another ' +
        'meaning',
    ],
    [
      'max_connections 3\nlistener 1',
      'm.conf:1: max_connections: stands above every listener; move it below the one it is about',
    ],
    ['include_dir none', 'm.conf:1: include_dir: none: not there'],
    ['user \x07', 'm.conf:1: the line: has a character in it that cannot be printed'],
    [
      'persistent_client_expiration 3',
      'm.conf:1: persistent_client_expiration: found "3", expected a number and h, d, w, m ' +
        '(months) or y',
    ],
  ];
  for (const [conf, fault] of faults) {
    test(fault, () => assert.deepEqual(translated(conf), { faults: [fault] }));
  }
});

describe('any lines', () => {
  const names = [...knownNames, ...new Set(everything.match(/^[a-z][\w.]*/gm))];
  const words = ['true', 'false', '0', '1', '-1', '2m', '1883', '8883', '/x', '::', 'localhost'];
  const value = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...words, 'mqtt', 'websockets', 'ipv4', '0 /s') },
    { weight: 1, arbitrary: fc.string({ unit: 'grapheme' }) },
    { weight: 1, arbitrary: fc.integer().map(String) },
  );
  const line = fc.oneof(
    { weight: 8, arbitrary: fc.tuple(fc.constantFrom(...names), value).map(two => two.join(' ')) },
    { weight: 2, arbitrary: fc.constantFrom(...everything.split('\n')) },
    { weight: 3, arbitrary: fc.constantFrom('listener 1883', 'listener 0 /s', 'connection c') },
  );
  const check = (lines: readonly string[]) => {
    const conf = lines.join('\n');
    const result = translated(conf);
    if ('faults' in result) {
      assert.ok(result.faults.length > 0);
      for (const fault of result.faults) assert.match(fault, /^m\.conf:\d+: .+/);
    } else {
      loaded({ toml: result.toml });
      assert.deepEqual(forgotten(conf, result.toml), []);
    }
    return 'toml' in result;
  };

  test('are faults with a line each, or a configuration that loads and forgets none', () => {
    const seed = freshSeed();
    const settings = { seed, numRuns: Math.round(2000 * rounds) };
    let good = 0;
    const property = fc.property(fc.array(line, { maxLength: 8 }), lines => {
      if (check(lines)) good++;
    });
    fc.assert(property, settings);
    assert.ok(good > settings.numRuns / 50, `only ${good} of ${settings.numRuns} were good`);
  });

  test('so is every part of a file that has everything', () => {
    const lines = everything.split('\n').filter(text => !/^(max_conn.*|listener \d.*)$/.test(text));
    const property = fc.property(fc.subarray(lines), some => {
      check(['listener 1883', ...some]);
    });
    fc.assert(property, { seed: freshSeed(), numRuns: Math.round(300 * rounds) });
  });

  test('and whatever else a file may hold', () => {
    const property = fc.property(fc.string({ unit: 'binary', maxLength: 200 }), text => {
      translated(text);
    });
    fc.assert(property, { seed: freshSeed(), numRuns: Math.round(500 * rounds) });
  });
});
