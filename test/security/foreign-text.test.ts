// What strangers say never becomes a line of its own in the log, nor an order to the terminal that
// shows it, in either format; and a path that they ask for leads nowhere.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, test } from '../harness.ts';
import { Background, minnow } from '../integration/process.ts';
import { tlsTlv, v2, v2Addresses } from '../io/doors/proxy-headers.ts';
import { encodePacket } from '../wire.ts';
import { Stranger } from './kit.ts';

const forged = '{"level":"error","msg":"the disk is on fire"}';
/** Line breaks, JSON, orders to a terminal (C0 and C1), text that turns around, and separators. */
const texts = [
  forged,
  `line\n${forged}`,
  `carriage\r${forged}`,
  '"},"level":"error',
  ' level=error msg="the disk is on fire"',
  '\x1b[31mred\x1b]0;title\x07',
  '\x9b2J\x85next',
  '\u202egnp.exe\u2066',
  'line\u2028separator\u2029',
  'back\b\b\bspace\x7f',
];
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

/** Says all of it, and resolves when it is answered `answers` bytes or cut off. */
async function visit(
  port: number,
  answers: number,
  ...said: (Uint8Array | string)[]
): Promise<void> {
  const stranger = await Stranger.arrive(port);
  for (const bytes of said) stranger.say(bytes);
  await stranger.told(answers).catch(() => {});
  stranger.leave();
  await stranger.gone;
}

const directory = mkdtempSync(join(tmpdir(), 'minnow-logs-'));
const rules = join(directory, 'acl');
writeFileSync(rules, 'topic read #\n');
afterAll(() => rmSync(directory, { recursive: true }));

const listeners = [
  {},
  { protocol: 'websocket', websocket: { path: '/mqtt' } },
  { proxyProtocol: { from: ['127.0.0.1'] }, identity: 'cn' },
].map(table => ({ host: '127.0.0.1', port: 0, ...table }));

/** A broker that says as much as it can, and the ports of those listeners. */
async function start(mode: string, format: string) {
  const settings = [
    `listeners=${JSON.stringify(listeners)}`,
    `auth.aclFile=${rules}`,
    `log.format=${format}`,
    'log.burst=100000',
  ].flatMap(setting => ['--set', setting]);
  const where = ['--data', join(directory, `${mode}-${format}`), '--log-level', 'debug'];
  const broker = new Background([...minnow, 'serve', '--io', mode, ...where, ...settings]);
  const ready = await broker.line(/minnow is ready/);
  const portOf = (scheme: string) => {
    const found = [...ready.matchAll(/([a-z]+:\/\/)?127\.0\.0\.1:(\d+)/g)];
    return Number(found.find(([, name = '']) => name === scheme)?.[2]);
  };
  return { broker, plain: portOf(''), webSocket: portOf('ws://'), proxied: portOf('mqtt://') };
}

async function sayAll(ports: Record<'plain' | 'webSocket' | 'proxied', number>): Promise<void> {
  for (const [index, text] of texts.entries()) {
    const login = { type: 'connect', version: 4, clientId: text } as const;
    await visit(ports.plain, 4, encodePacket({ ...login, username: text }, 4));
    await visit(ports.plain, 4, encodePacket(login, 4));
    const named = { ...login, clientId: `named-${index}` };
    const publish = { type: 'publish', topic: text, qos: 1, packetId: 1 } as const;
    const subscribe = { type: 'subscribe', packetId: 2 } as const;
    const packets = [encodePacket(publish, 4), encodePacket({ ...subscribe, filters: [text] }, 4)];
    await visit(ports.plain, 4 + 4 + 5, encodePacket(named, 4), ...packets);
    const upgrade = 'Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';
    await visit(ports.webSocket, 1_000, `GET /${text} HTTP/1.1\r\nOrigin: ${text}\r\n${upgrade}`);
    const facts = tlsTlv({ client: 7, verify: 0, version: text, commonName: text });
    const addresses = v2Addresses('192.0.2.7', '192.0.2.1', 51_234, 1883);
    const header = v2(0x21, 0x11, Buffer.concat([addresses, facts]));
    await visit(ports.proxied, 4, header, encodePacket({ ...login, clientId: '' }, 4));
    await visit(ports.proxied, 4, `PROXY ${text}\r\n`);
  }
}

for (const mode of ['async', 'sync']) {
  for (const format of ['json', 'text']) {
    test(`strangers cannot write lines of ${format}, in the mode ${mode}`, async () => {
      const { broker, ...ports } = await start(mode, format);
      await sayAll(ports);
      await broker.end();
      const { lines } = broker;
      assert.deepEqual(
        lines.filter(line => UNSAFE.test(line)),
        [],
      );
      if (format === 'json') {
        for (const line of lines) {
          const { level, time, msg } = JSON.parse(line) as Record<string, unknown>;
          assert.ok(level !== undefined && time !== undefined && msg !== undefined, line);
          assert.notEqual(msg, 'the disk is on fire');
        }
      } else {
        const head = /^\d{4}-\d\d-\d\dT[\d:.]+Z (debug|info|warn|error) +\w+ +[a-zA-Z]/;
        const wrong = lines.filter(line => !head.test(line));
        assert.deepEqual(wrong, []);
      }
      // They were heard, though.
      assert.ok(lines.some(line => line.includes('the disk is on fire')));
      assert.ok(lines.some(line => line.includes('\\u202e')));
    });
  }
}

describe('a path of a WebSocket', () => {
  const paths = [
    '/mqtt/../../../../etc/passwd',
    '/../mqtt',
    '/mqtt/..',
    '/%6dqtt',
    '/mqtt%00',
    '/mqtt%2f..%2f..%2fetc%2fpasswd',
    '/mqtt/',
    '//mqtt',
    '\\mqtt',
    'http://localhost/mqtt',
    '/MQTT',
    '*',
  ];
  const upgrade = (path: string) =>
    [
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`,
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n',
      'Sec-WebSocket-Protocol: mqtt\r\n\r\n',
    ].join('');

  test('is the one that is served or none: there is nothing to walk to', async () => {
    const { broker, webSocket } = await start('async', 'text');
    for (const path of paths) {
      const stranger = await Stranger.arrive(webSocket);
      stranger.say(upgrade(path));
      await stranger.gone;
      assert.match(stranger.said.toString(), /^(HTTP\/1\.1 40[04] |$)/, path);
      assert.doesNotMatch(stranger.said.toString(), /root:/);
    }
    const stranger = await Stranger.arrive(webSocket);
    stranger.say(upgrade('/mqtt?as=../../you/like'));
    assert.match((await stranger.told(12)).toString(), /^HTTP\/1\.1 101/);
    stranger.leave();
    await broker.end();
  });
});
