// The request for a WebSocket: what is let in, and what everything else is answered, however it is
// cut.

import assert from 'node:assert/strict';
import {
  acceptance,
  judge,
  NEED_MORE,
  type Refusal,
  readUpgrade,
  refusalText,
  type UpgradeRequest,
} from '../../../src/io/web-socket/upgrade.ts';
import { limits } from '../../../src/limits.ts';
import { describe, test } from '../../harness.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const anywhere = { path: '', origins: [] };

type Change = Readonly<Record<string, string | readonly string[] | null>>;

function head(change: Change = {}, first = 'GET /mqtt HTTP/1.1'): string {
  const all: Change = {
    Host: 'broker.example',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Protocol': 'mqtt',
    ...change,
  };
  const lines = Object.entries(all).flatMap(([name, value]) =>
    (value === null ? [] : [value].flat()).map(each => `${name}: ${each}\r\n`),
  );
  return `${first}\r\n${lines.join('')}\r\n`;
}

/** Reads `chunks` one after the other. */
function read(...chunks: Uint8Array[]): UpgradeRequest | Refusal | typeof NEED_MORE {
  let seen = Buffer.alloc(0);
  for (const chunk of chunks) {
    const checked = seen.length;
    seen = Buffer.concat([seen, chunk]);
    const request = readUpgrade(seen, checked);
    if (request !== NEED_MORE) return request;
  }
  return NEED_MORE;
}

function* cuts(text: string): Generator<Uint8Array[]> {
  const bytes = Buffer.from(text, 'latin1');
  yield [bytes];
  yield Array.from(bytes, byte => Uint8Array.of(byte));
  for (let i = 1; i < bytes.length; i++) yield [bytes.subarray(0, i), bytes.subarray(i)];
}

/** What is answered: 101, or the status of a refusal; 0: more is waited for. */
function status(chunks: Uint8Array[], settings = anywhere): number {
  const request = read(...chunks);
  if (request === NEED_MORE) return 0;
  if ('status' in request) return request.status;
  return judge(request, settings)?.status ?? 101;
}

function everywhere(text: string, expected: number, settings = anywhere): void {
  for (const chunks of cuts(text)) assert.equal(status(chunks, settings), expected);
}

describe('a request for a WebSocket', () => {
  const fine: [what: string, text: string][] = [
    ['in its plainest form', head()],
    ['with names in any case', head().replaceAll(/^[\w-]+:/gm, name => name.toLowerCase())],
    ['with other words beside', head({ Connection: 'keep-alive, UPGRADE', Upgrade: 'WebSocket' })],
    ['with lists in several headers', head({ Connection: ['keep-alive', 'Upgrade'] })],
    ['with protocols in several headers', head({ 'Sec-WebSocket-Protocol': ['x', 'mqtt'] })],
    ['with space around values', head({ Upgrade: '\t websocket \t' })],
    ['with empty headers', head({ 'X-Empty': '' })],
    ['with what other alphabets look like', head({ 'X-Name': '\xe9\xff' })],
    ['with extensions, which are not agreed to', head({ 'Sec-WebSocket-Extensions': 'x' })],
    ['with a body of nothing', head({ 'Content-Length': '0' })],
    ['with a query', head({}, 'GET /mqtt?token=x HTTP/1.1')],
  ];
  for (const [what, text] of fine) test(`is let in ${what}`, () => everywhere(text, 101));

  test('ends where it ends: what follows are frames', () => {
    const request = read(Buffer.from(`${head()}\x82\x80\0\0\0\0GET / HTTP/1.1\r\n\r\n`, 'latin1'));
    assert.ok(request !== NEED_MORE && 'length' in request);
    assert.equal(request.length, head().length);
  });

  const refused: [what: string, status: number, text: string][] = [
    ['another method', 405, head({}, 'POST /mqtt HTTP/1.1')],
    ['HEAD', 405, head({}, 'HEAD /mqtt HTTP/1.1')],
    ['no Upgrade', 426, head({ Upgrade: null })],
    ['another Upgrade', 426, head({ Upgrade: 'h2c' })],
    ['Upgrade in another word', 426, head({ Upgrade: 'websockets' })],
    ['no Connection', 426, head({ Connection: null })],
    ['Connection: close', 426, head({ Connection: 'close' })],
    ['a plain page', 426, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['another path', 404, head({}, 'GET /mqtt/ HTTP/1.1')],
    ['another origin', 403, head({ Origin: 'http://evil.example' })],
    ['no version', 426, head({ 'Sec-WebSocket-Version': null })],
    ['version 8', 426, head({ 'Sec-WebSocket-Version': '8' })],
    ['no key', 400, head({ 'Sec-WebSocket-Key': null })],
    ['a short key', 400, head({ 'Sec-WebSocket-Key': 'AAAA' })],
    ['a key of 17 bytes', 400, head({ 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAAA=' })],
    ['a key that no encoder writes', 400, head({ 'Sec-WebSocket-Key': KEY.replace('Q==', 'R==') })],
    ['no sub-protocol', 400, head({ 'Sec-WebSocket-Protocol': null })],
    ['no sub-protocol of ours', 400, head({ 'Sec-WebSocket-Protocol': 'chat, MQTT, mqttv5' })],
    ['no Host', 400, head({ Host: null })],
    ['two of Host', 400, head({ Host: ['a', 'b'] })],
    ['two keys', 400, head({ 'Sec-WebSocket-Key': [KEY, KEY] })],
    ['two versions', 400, head({ 'Sec-WebSocket-Version': ['8', '13'] })],
    ['two origins', 400, head({ Origin: ['http://broker.example', 'http://evil.example'] })],
    ['a body', 400, head({ 'Content-Length': '5' })],
    ['two lengths of a body', 400, head({ 'Content-Length': ['0', '5'] })],
    ['a length that is none', 400, head({ 'Content-Length': '+0' })],
    ['a body in chunks', 400, head({ 'Transfer-Encoding': 'chunked' })],
    ['a body in other clothes', 400, head({ 'transfer-encoding': ' identity' })],
    ['HTTP/1.0', 400, head({}, 'GET /mqtt HTTP/1.0')],
    ['HTTP/2', 400, 'PRI * HTTP/2.0\r\n\r\n'],
    ['no version of HTTP', 400, head({}, 'GET /mqtt')],
    ['two spaces', 400, head({}, 'GET  /mqtt HTTP/1.1')],
    ['a space in front', 400, head({}, ' GET /mqtt HTTP/1.1')],
    ['a space within the target', 400, head({}, 'GET /mq tt HTTP/1.1')],
    ['a whole URL', 400, head({}, 'GET http://broker.example/mqtt HTTP/1.1')],
    ['an empty line first', 400, `\r\n${head()}`],
    ['folded headers', 400, head({ 'X-Long': 'a\r\n b' })],
    ['a header without a name', 400, head({ '': 'x' })],
    ['a space before the colon', 400, head({ 'Content-Length ': '0' })],
    ['a header without a colon', 400, head().replace('Host: ', 'Host ')],
    ['lines that end in LF', 400, head().replaceAll('\r\n', '\n')],
    ['one line that ends in LF', 400, head().replace('websocket\r\n', 'websocket\n')],
    ['a CR within a line', 400, head({ 'X-Split': 'a\rContent-Length: 5' })],
    ['a NUL', 400, head({ 'X-Null': 'a\0b' })],
    ['a DEL', 400, head({ 'X-Del': 'a\x7fb' })],
    ['MQTT', 400, '\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0'],
    ['TLS', 400, '\x16\x03\x01\x02\x00\x01'],
  ];
  const settings = { path: '/mqtt', origins: [] };
  for (const [what, expected, text] of refused) {
    const here = expected === 404 || expected === 101 ? settings : anywhere;
    test(`is refused with ${what}: ${expected}`, () => everywhere(text, expected, here));
  }

  test('is waited for while it may become one, and has a bound', () => {
    const text = head();
    for (let i = 0; i < text.length; i++) assert.equal(read(Buffer.from(text.slice(0, i))), 0);
    const start = 'GET / HTTP/1.1\r\nX: ';
    const filler = 'x'.repeat(limits.upgradeBytesMax);
    const most = Buffer.from(`${start}${filler}`).subarray(0, limits.upgradeBytesMax);
    assert.equal(read(most.subarray(0, -1)), NEED_MORE);
    assert.equal(status([most]), 431);
    assert.equal(status([most.subarray(0, -1), most.subarray(-1)]), 431);
    // Nor does it help to end it in the same breath.
    assert.equal(status([Buffer.from(head({ 'X-Long': filler }))]), 431);
    const room = limits.upgradeBytesMax - head({ X: '' }).length;
    assert.equal(status([Buffer.from(head({ X: 'x'.repeat(room) }))]), 101);
    assert.equal(status([Buffer.from(head({ X: 'x'.repeat(room + 1) }))]), 431);
  });

  test('takes time in proportion to its length, whatever it is made of', () => {
    const fillers = [' ', '\t', ',', ' ,', 'a ', '!'];
    const began = performance.now();
    for (let i = 0; i < 50; i++) {
      for (const filler of fillers) {
        const long = `x${filler.repeat(7000 / filler.length)}x`;
        assert.equal(status([Buffer.from(head({ Connection: ['Upgrade', long] }))]), 101);
      }
    }
    const ms = performance.now() - began;
    assert.ok(ms < 3000, `${ms} ms for 300`); // it was 50 ms for each with a careless expression
  });

  test('does not care for names that objects have', () => {
    everywhere(head({ __proto__: null, constructor: 'x', toString: 'x' } as never), 101);
  });
});

describe('the answer', () => {
  test('to the example of RFC 6455 is that of RFC 6455', () => {
    const request = read(Buffer.from(head({ 'Sec-WebSocket-Protocol': 'chat, mqttv3.1' })));
    assert.equal(
      acceptance(request as UpgradeRequest),
      [
        'HTTP/1.1 101 Switching Protocols',
        'Upgrade: websocket',
        'Connection: Upgrade',
        'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
        'Sec-WebSocket-Protocol: mqttv3.1',
        '\r\n',
      ].join('\r\n'),
    );
  });

  test('to others says what would do, and is complete', () => {
    for (const [status, hint] of [
      [400, ''],
      [403, ''],
      [404, ''],
      [405, 'Allow: GET'],
      [426, 'Sec-WebSocket-Version: 13'],
      [431, ''],
    ] as const) {
      const text = refusalText({ status, why: 'because' });
      assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} [A-Z][A-Za-z ]+\r\n`));
      assert.ok(text.includes(hint));
      assert.ok(text.includes('\r\nConnection: close\r\n'));
      assert.ok(text.endsWith('\r\nContent-Length: 8\r\n\r\nbecause\n'));
    }
  });
});
