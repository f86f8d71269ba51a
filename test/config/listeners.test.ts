// [[listeners]]: what the tables mean, what they refuse, and who must say who may come in.

import assert from 'node:assert/strict';
import { networkList, parseNetwork } from '../../src/config/sections/listeners.ts';
import { describe, test } from '../harness.ts';
import { everyListener } from './listeners.ts';
import { configOf, faultsOf } from './load.ts';

const door = (toml: string) => configOf({ toml: `[[listeners]]\n${toml}` }).doors[0]!;
const fault = (toml: string) => faultsOf({ toml: `[[listeners]]\n${toml}` }).join('\n');

describe('doors', () => {
  test('TCP is the own driver’s, anything more a door', () => {
    const { listeners, doors } = configOf({ toml: everyListener });
    const [plain, ...webSockets] = listeners;
    assert.deepEqual(plain, { host: '127.0.0.1', port: 1883, optional: false });
    assert.deepEqual(
      webSockets.map(({ host, port, optional }) => [host, port, optional]),
      [
        ['127.0.0.1', 8083, false],
        ['::1', 8083, true],
      ],
    );
    assert.deepEqual(
      doors.map(({ place, optional }) => [...Object.values(place), optional]),
      [
        ['tcp', '0.0.0.0', 8883, false],
        ['tcp', '::', 8883, true],
        ['tcp', '127.0.0.1', 8084, false],
        ['tcp', '::1', 8084, true],
        ['unix', '/run/minnow.sock', 0o600, 'minnow:mqtt', false],
        ['tcp', '127.0.0.1', 1884, false],
        ['tcp', '::1', 1884, true],
        ['systemd', 'mqtt', false],
      ],
    );
  });

  test('every setting arrives', () => {
    const { doors, listeners, broker } = configOf({ toml: everyListener });
    const [tls] = doors;
    assert.equal(tls?.connectionsMax, 10);
    assert.equal(tls?.anonymous, false);
    assert.equal(tls?.identity, 'cn');
    assert.deepEqual(tls?.tls, {
      certificate: 's.pem',
      key: 's.key',
      minVersion: '1.3',
      ciphers: 'TLS_AES_128_GCM_SHA256',
      alpn: false,
      clientCertificate: 'required',
      ca: 'ca.pem',
      crl: 'crl.pem',
      alternatives: [{ certificate: 't.pem', key: 't.key' }],
    });
    assert.deepEqual(listeners[1]?.terms, {
      anonymous: null,
      mountPoint: '',
      connectionsMax: Number.POSITIVE_INFINITY,
      webSocket: {
        path: '/mqtt',
        origins: ['https://a.example'],
        messageBytesMax: broker.packetSizeMax + 64 * 1024,
      },
    });
    assert.equal(doors[0]?.webSocket, null);
    assert.deepEqual(doors[5]?.proxies, ['127.0.0.1', '10.0.0.0/8']);
    assert.equal(doors[5]?.mountPoint, 'in/');
    assert.equal(doors[7]?.anonymous, true);
  });

  test('what is not said', () => {
    const { anonymous, connectionsMax, identity, mountPoint, proxies, tls, webSocket } = door(
      'protocol = "websocket"\nunix = "/m.sock"',
    );
    assert.deepEqual(
      [anonymous, connectionsMax, identity, mountPoint, proxies, tls],
      [null, Number.POSITIVE_INFINITY, 'none', '', null, null],
    );
    assert.deepEqual([webSocket?.path, webSocket?.origins], ['', []]);
    assert.equal(door('unix = "/m.sock"').webSocket, null);
    assert.equal(door('tls = { certificate = "c", key = "k" }').tls?.minVersion, '1.2');
  });
});

describe('a listener that is refused', () => {
  const cases: [toml: string, line: string][] = [
    [
      '[listeners.tls]\ncertificate = "c"\nkye = "k"',
      'minnow.toml:4: listeners.0.tls.kye: unknown key; did you mean "key"?',
    ],
    [
      '[listeners.tls]\ncertificate = "c"\nkey = "k"\nminVersion = 1.2',
      'minnow.toml:5: listeners.0.tls.minVersion: found 1.2, expected one of 1.2, 1.3',
    ],
    [
      '[listeners.tls]\nkey = "k"',
      'minnow.toml:2: listeners.0.tls.certificate: is missing: the path of a PEM file',
    ],
    [
      '[listeners.tls]\ncertificate = "c"\nkey = "k"\n[[listeners.tls.alternatives]]\nkey = "l"',
      'minnow.toml:5: listeners.0.tls.alternatives.0.certificate: is missing: the path of a PEM ' +
        'file',
    ],
    [
      '[listeners.tls]\ncertificate = "c"\nkey = "k"\nclientCertificate = "required"',
      'minnow.toml:2: listeners.0.tls.ca: is missing: without it no client certificate is right',
    ],
    [
      '[listeners.tls]\ncertificate = "c"\nkey = "k"\nca = "a"',
      'minnow.toml:2: listeners.0.tls.clientCertificate: is "none", so that ca and crl have no ' +
        'meaning',
    ],
    [
      'unix = "/s"\n[listeners.tls]\ncertificate = "c"\nkey = "k"',
      'minnow.toml:3: listeners.0.tls: a unix socket needs none',
    ],
    [
      'unix = "/s"\nsystemd = "mqtt"',
      'minnow.toml:3: listeners.0.systemd: stands beside unix, but a listener has one place',
    ],
    ['owner = "me"', 'minnow.toml:2: listeners.0.owner: is for unix sockets only'],
    [
      'unix = "/s"\nmode = "rw"',
      'minnow.toml:3: listeners.0.mode: found "rw", expected permissions like "0660"',
    ],
    [
      '[listeners.websocket]\npath = "/mqtt"',
      'minnow.toml:2: listeners.0.websocket: has no meaning without protocol = "websocket"',
    ],
    [
      'protocol = "websocket"\nwebsocket.path = "mqtt"',
      'minnow.toml:3: listeners.0.websocket.path: found "mqtt", expected a path such as "/mqtt"',
    ],
    [
      'protocol = "websocket"\nwebsocket.origins = ["a.example"]',
      'minnow.toml:3: listeners.0.websocket.origins: found a list, expected a list like ' +
        '["https://panel.example"], or ["*"] for any',
    ],
    [
      'proxyProtocol = {}',
      'minnow.toml:2: listeners.0.proxyProtocol: name the proxies, like from = ["127.0.0.1"]; ' +
        'nobody else gets in',
    ],
    [
      'proxyProtocol = { from = ["10.0.0.0/33"] }',
      'minnow.toml:2: listeners.0.proxyProtocol.from: found a list, expected a list of ' +
        'addresses and networks like ["127.0.0.1", "10.0.0.0/8"]',
    ],
    [
      'identity = "account"',
      'minnow.toml:2: listeners.0.identity: only a unix socket tells the account',
    ],
    [
      'identity = "cn"',
      'minnow.toml:2: listeners.0.identity: needs tls.clientCertificate = "required" (or ' +
        '"optional"), or a proxy',
    ],
    [
      'identity = "dns"\nproxyProtocol = { from = ["::1"] }',
      'minnow.toml:2: listeners.0.identity: needs tls.clientCertificate = "required" (or ' +
        '"optional")',
    ],
    ['tls = true', 'minnow.toml:2: listeners.0.tls: found true, expected a table'],
    [
      'connectionsMax = -1',
      'minnow.toml:2: listeners.0.connectionsMax: found -1, expected a whole number from 0 to ' +
        '100000000',
    ],
    [
      'mountPoint = "a/#"',
      'minnow.toml:2: listeners.0.mountPoint: found "a/#", expected the beginning of a topic, ' +
        'without wildcards',
    ],
    [
      'host = "127.0.0.1"\nport = 1\n[[listeners]]\nhost = "127.0.0.1"\nport = 1\nanonymous = true',
      'minnow.toml: listeners: found 127.0.0.1:1 twice, expected once',
    ],
  ];
  for (const [toml, line] of cases) {
    test(line, () => assert.equal(fault(toml), line));
  }
});

describe('who may come in from elsewhere', () => {
  const refused = (where: string) =>
    `${where} can be reached from other machines, but nothing says who may come in; add ` +
    '"anonymous = true" below [auth] (--set auth.anonymous=true) for everybody, or ' +
    '"anonymous = false" for users only';

  test('must be said for every address but those of this machine', () => {
    for (const address of [':1', '192.0.2.1:1', 'broker.example:1', '[::]:1', '0.0.0.0:1']) {
      const [found, ...more] = faultsOf({ flags: { listen: ['1883', address] } });
      const where = address === ':1' ? '*:1' : address;
      assert.equal(found, `--listen: listeners.1: ${refused(where)}`);
      assert.deepEqual(more, []);
    }
    for (const address of ['1', '127.0.0.1:1', '127.8.8.8:1', '[::1]:1', 'localhost:1']) {
      configOf({ flags: { listen: [address] } });
    }
    configOf({ toml: '[[listeners]]\nunix = "/s"' });
  });

  test('may be said for all or for the one listener', () => {
    configOf({ flags: { listen: [':1'], set: ['auth.anonymous=true'] } });
    configOf({ env: { MINNOW_AUTH_ANONYMOUS: 'true' }, flags: { listen: [':1'] } });
    configOf({ toml: '[[listeners]]\nhost = "*"\nanonymous = false' });
    const users = '[auth.users]\na = "b"\n';
    assert.equal(
      faultsOf({ toml: `${users}[[listeners]]\nhost = "*"` }).join(),
      `minnow.toml:3: listeners.0: ${refused('*:1883')}`,
    );
    assert.equal(fault('systemd = "mqtt"'), `minnow.toml:1: listeners.0: ${refused('mqtt')}`);
  });
});

describe('networks', () => {
  test('are addresses, or a number of their bits', () => {
    assert.deepEqual(parseNetwork('10.0.0.0/8'), { host: '10.0.0.0', bits: 8 });
    assert.deepEqual(parseNetwork('::1'), { host: '::1', bits: 128 });
    for (const text of ['', '10/8', '10.0.0.0/', '10.0.0.0/33', '::/129', '1.1.1.1/8/8', 'a']) {
      assert.equal(parseNetwork(text), null, text);
    }
  });

  test('hold who lies within', () => {
    const list = networkList(['10.0.0.0/8', '192.0.2.7', 'fd00::/8']);
    for (const host of ['10.1.2.3', '192.0.2.7']) assert.ok(list.check(host, 'ipv4'), host);
    for (const host of ['11.0.0.1', '192.0.2.8']) assert.ok(!list.check(host, 'ipv4'), host);
    assert.ok(list.check('fd12::1', 'ipv6'));
    assert.ok(!list.check('fe80::1', 'ipv6'));
  });
});
