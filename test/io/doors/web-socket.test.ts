// WebSockets, behind doors and on a driver's own sockets: who is upgraded, what frames carry, and
// what ends a connection. The peer writes its frames byte by byte, so that they can be wrong.

import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createAsyncDriver } from '../../../src/io/create.ts';
import type { Link } from '../../../src/io/driver.ts';
import { describe, test } from '../../harness.ts';
import {
  closed,
  dial as dialPort,
  type Open,
  openByDriver,
  open as openDoors,
  receive,
} from './kit.ts';
import {
  ACCEPT,
  BINARY,
  CLOSE,
  Client,
  frame,
  type Headers,
  PING,
  PONG,
  request,
  TEXT,
} from './web-socket-client.ts';

interface Way {
  open(more?: string): Promise<Open>;
  /** The peer's end of a connection. */
  dial(port: number): Promise<Socket>;
  /** Bytes that wait for a peer that does not read. */
  waiting(link: Link): number;
}

const settings = 'port = 0\nprotocol = "websocket"\n';
const proxied = `${settings}proxyProtocol.from = ["127.0.0.1"]\n`;

const ways: Readonly<Record<string, Way>> = {
  'behind a door': {
    open: (more = '') => openDoors(`${proxied}${more}`),
    async dial(port) {
      const socket = await dialPort(port);
      socket.write('PROXY UNKNOWN\r\n');
      return socket;
    },
    waiting: link => (link as unknown as { stream: Socket }).stream.writableLength,
  },
  "on a driver's socket": {
    open: (more = '') => openByDriver(`${settings}${more}`, createAsyncDriver),
    dial: dialPort,
    waiting: link => (link as unknown as { kept: Uint8Array | null }).kept?.length ?? 0,
  },
};

function heard({ guests }: Open): number {
  return [...guests.said.values()].reduce((sum, said) => sum + said.length, 0);
}

test('a handshake behind a door has its time', async () => {
  const place = await openDoors(proxied, { handshakeTimeoutMs: 50 });
  const slow = await dialPort(place.port);
  slow.write('PROXY UNKNOWN\r\nGET / HTTP/1.1\r\nHost: ');
  await closed(slow);
  assert.equal((await place.refusal()).fields.reason, 'no handshake in time');
});

test('there is room again behind a door outside of the socket: Bun hides bugs within', async () => {
  const place = await openDoors(proxied);
  const client = new Client(await ways['behind a door']!.dial(place.port));
  client.socket.write(request('/mqtt'));
  await client.answer();
  const link = await place.guests.link();
  const { stream } = link as unknown as { stream: Duplex };
  let within = false;
  stream.prependListener('drain', () => {
    within = true;
  });
  stream.on('drain', () => {
    within = false;
  });
  const told: boolean[] = [];
  place.guests.drained = () => void told.push(within);
  client.socket.pause();
  const sent = Buffer.alloc(6_000_000);
  assert.ok(link.write(sent, 0, sent.length) < sent.length);
  client.socket.resume();
  await place.guests.until(() => told.length > 0);
  assert.deepEqual(told, [false]);
});

function describeWay(way: string): void {
  const { open, dial, waiting } = ways[way]!;
  async function upgraded(place: Open): Promise<Client> {
    const client = new Client(await dial(place.port));
    client.socket.write(request('/mqtt'));
    assert.match(await client.answer(), /^HTTP\/1\.1 101 /);
    return client;
  }

  async function answered(place: Open, text: string): Promise<string> {
    const client = new Client(await dial(place.port));
    client.socket.write(text);
    const answer = await client.answer();
    if (!answer.startsWith('HTTP/1.1 101')) await closed(client.socket);
    return answer.split('\r\n')[0]!;
  }

  describe(`a WebSocket upgrade ${way}`, () => {
    test('agrees on the sub-protocol that is offered', async () => {
      const place = await open();
      assert.match(place.addresses[0]!, /^ws:\/\/127\.0\.0\.1:\d+$/);
      for (const [offered, taken] of [
        ['mqtt', 'mqtt'],
        ['mqttv3.1', 'mqttv3.1'],
        ['x, mqttv3.1, mqtt', 'mqtt'],
      ] as const) {
        const client = new Client(await dial(place.port));
        client.socket.write(request('/', { 'Sec-WebSocket-Protocol': offered }));
        const answer = await client.answer();
        assert.match(answer, /^HTTP\/1\.1 101 /);
        assert.ok(answer.includes(`Sec-WebSocket-Accept: ${ACCEPT}\r\n`), answer);
        assert.ok(answer.includes(`Sec-WebSocket-Protocol: ${taken}\r\n`), answer);
      }
    });

    test('is refused without one that is MQTT, without a key, of another version', async () => {
      const place = await open();
      const refused = async (headers: Headers) => answered(place, request('/', headers));
      const bad = 'HTTP/1.1 400 Bad Request';
      assert.equal(await refused({ 'Sec-WebSocket-Protocol': null }), bad);
      assert.equal(await refused({ 'Sec-WebSocket-Protocol': 'chat' }), bad);
      assert.equal((await place.refusal()).fields.reason, 'no sub-protocol "mqtt"');
      assert.equal(await refused({ 'Sec-WebSocket-Key': 'short' }), bad);
      assert.match(await refused({ 'Sec-WebSocket-Version': '12' }), / 4\d\d /);
      assert.equal(heard(place), 0);
    });

    test('is for one path, whatever is tried around it', async () => {
      const place = await open('[listeners.websocket]\npath = "/mqtt"');
      assert.match(place.addresses[0]!, /\/mqtt$/);
      assert.match(await answered(place, request('/mqtt')), / 101 /);
      assert.match(await answered(place, request('/mqtt?token=x')), / 101 /);
      const others = [
        '/',
        '/mqtt/',
        '/MQTT',
        '/x/../mqtt',
        '/%6dqtt',
        '//mqtt',
        '/../../etc/passwd',
      ];
      for (const path of others) {
        assert.equal(await answered(place, request(path)), 'HTTP/1.1 404 Not Found', path);
      }
    });

    test('is for pages of the same host where nothing else is said', async () => {
      const place = await open();
      const from = (Origin: string) => answered(place, request('/', { Origin }));
      assert.match(await from('http://broker.example'), / 101 /);
      assert.match(await from('https://broker.example:8443'), / 101 /);
      const origins = ['http://evil.example', 'null', 'http://broker.example.evil', 'x'];
      for (const origin of origins) {
        assert.equal(await from(origin), 'HTTP/1.1 403 Forbidden', origin);
      }
      assert.equal((await place.refusal()).fields.origin, 'http://evil.example');
    });

    test('is for the origins that are named, or for any', async () => {
      const named = '[listeners.websocket]\norigins = ["https://panel.example"]';
      const place = await open(named);
      const from = (where: Open, Origin: string) => answered(where, request('/', { Origin }));
      assert.match(await from(place, 'https://panel.example'), / 101 /);
      assert.match(await from(place, 'https://Panel.example'), / 101 /);
      for (const origin of ['http://panel.example', 'http://broker.example', 'null']) {
        assert.match(await from(place, origin), / 403 /, origin);
      }
      const any = await open('[listeners.websocket]\norigins = ["*"]');
      assert.match(await from(any, 'null'), / 101 /);
    });

    test('is all that is spoken here', async () => {
      const place = await open();
      const get = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
      assert.equal(await answered(place, get), 'HTTP/1.1 426 Upgrade Required');
      for (const text of ['\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0', 'GARBAGE\r\n\r\n']) {
        const socket = await dial(place.port);
        socket.write(text);
        await closed(socket);
      }
      const post = request('/').replace('GET', 'POST');
      assert.match(await answered(place, post), / 4\d\d /);
      assert.equal(heard(place), 0);
    });

    test('has a size', async () => {
      const patient = await open();
      const long = await dial(patient.port);
      long.write(`GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`);
      await closed(long);
      assert.equal((await patient.refusal()).fields.reason, 'no HTTP request');
    });
  });

  describe(`WebSocket frames ${way}`, () => {
    test('carry bytes, split and joined anywhere', async () => {
      const place = await open();
      const client = await upgraded(place);
      const bytes = Buffer.concat([
        frame(BINARY, 'one'),
        frame(BINARY, ''),
        frame(BINARY, 'tw', false),
        frame(PING, 'inside'),
        frame(0, 'o'),
        frame(BINARY, 'three'.repeat(100)),
      ]);
      for (const byte of bytes) client.socket.write(Buffer.from([byte]));
      const link = await place.guests.link();
      const expected = `onetwo${'three'.repeat(100)}`;
      await place.guests.until(() => place.guests.said.get(link)!.length === expected.length);
      assert.equal(place.guests.said.get(link)!.toString(), expected);
      let back = '';
      let pong = '';
      while (back.length < expected.length) {
        const { opcode, payload } = await client.frame();
        if (opcode === BINARY) back += payload.toString();
        else if (opcode === PONG) pong = payload.toString();
      }
      assert.equal(back, expected);
      assert.equal(pong, 'inside');
    });

    test('are handed on as they come, not when they are whole', async () => {
      const place = await open();
      const client = await upgraded(place);
      const whole = frame(BINARY, Buffer.alloc(100_000, 'x'));
      client.socket.write(whole.subarray(0, 50_000));
      const link = await place.guests.link();
      const heard = () => place.guests.said.get(link)!.length;
      await place.guests.until(() => heard() > 49_000);
      client.socket.write(whole.subarray(50_000));
      await place.guests.until(() => heard() === 100_000);
    });

    test('may come with the upgrade itself', async () => {
      const place = await open();
      const client = new Client(await dial(place.port));
      client.socket.write(Buffer.concat([Buffer.from(request('/')), frame(BINARY, 'early')]));
      await client.answer();
      assert.equal((await client.frame()).payload.toString(), 'early');
    });

    const faults: [what: string, bytes: Buffer, code: number][] = [
      ['text', frame(TEXT, 'hello'), 1003],
      ['more than a packet can have', frame(BINARY, 'x', true, 100_000_000), 1009],
      [
        'more than a packet can have, in parts',
        Buffer.concat([
          frame(BINARY, Buffer.alloc(300_000), false),
          frame(0, Buffer.alloc(300_000)),
        ]),
        1009,
      ],
      ['a frame that is not masked', Buffer.from([0x82, 1, 65]), 1002],
      ['an unknown opcode', frame(3, 'x'), 1002],
      ['a bit that stands for an extension', Buffer.from([0xc2, 0x80, 1, 2, 3, 4]), 1002],
      ['a continuation of nothing', frame(0, 'x'), 1002],
      ['a long ping', frame(PING, Buffer.alloc(126)), 1002],
    ];
    for (const [what, bytes, code] of faults) {
      test(`refuse ${what}`, async () => {
        const place = await open();
        place.guests.echo = false; // there is no more room for answers then
        const client = await upgraded(place);
        client.socket.write(bytes);
        assert.equal(await client.closeCode(), code);
        client.socket.write(frame(BINARY, 'too late'));
        client.socket.end(frame(CLOSE, Buffer.from([code >> 8, code & 0xff])));
        const link = await place.guests.link();
        await place.guests.gone(link);
        assert.ok(!place.guests.said.get(link)!.includes('too late'));
      });
    }

    test('go on while there is room, and later when there is some again', async () => {
      const place = await open();
      const client = await upgraded(place);
      const link = await place.guests.link();
      client.socket.pause();
      const sent = Buffer.alloc(6_000_000, 'abcdefg');
      let at = 0;
      let taken: number;
      do {
        taken = link.write(sent, at, sent.length);
        at += taken;
        await new Promise<void>(resolve => setImmediate(resolve));
      } while (taken > 0);
      assert.ok(at < sent.length);
      const parts: Buffer[] = [];
      const reading = (async () => {
        let length = 0;
        while (length < sent.length) {
          const { payload } = await client.frame();
          parts.push(payload);
          length += payload.length;
        }
      })();
      client.socket.resume();
      while (at < sent.length) {
        const drains = place.guests.drains.length;
        at += link.write(sent, at, sent.length);
        if (at < sent.length) await place.guests.until(() => place.guests.drains.length > drains);
      }
      await reading;
      assert.ok(Buffer.concat(parts).equals(sent));
    });

    test('without end take no memory: cut heads, empty fragments, pongs', async () => {
      const place = await open();
      const client = await upgraded(place);
      const link = await place.guests.link();
      const flood = Buffer.concat([
        frame(BINARY, '', false),
        ...Array.from({ length: 50_000 }, (_, i) => frame(i % 2 === 0 ? 0 : PONG, '', i % 2 !== 0)),
        frame(0, 'end'),
      ]);
      for (let at = 0; at < flood.length; at += 4999)
        client.socket.write(flood.subarray(at, at + 4999));
      await place.guests.until(() => place.guests.said.get(link)!.length === 3);
      const { frames } = link as unknown as { frames: Record<string, { length: number }> };
      assert.deepEqual([frames.carried!.length, frames.control!.length], [0, 0]);
      assert.equal((await client.frame()).payload.toString(), 'end'); // and nothing else
    });

    test('are not read while the broker asks for none', async () => {
      const place = await open();
      place.guests.echo = false;
      const client = await upgraded(place);
      const link = await place.guests.link();
      link.pause(true);
      const block = frame(BINARY, Buffer.alloc(200_000));
      for (let i = 0; i < 100; i++) client.socket.write(block);
      const other = await upgraded(place); // whoever else is here is served
      other.socket.write(frame(BINARY, 'x'));
      const second = await place.guests.link(1);
      await place.guests.until(() => place.guests.said.get(second)!.length === 1);
      assert.ok(place.guests.said.get(link)!.length < 20_000_000);
      link.pause(false);
      await place.guests.until(() => place.guests.said.get(link)!.length === 20_000_000);
    });

    test('of pings are not answered without end when nobody reads the answers', async () => {
      const place = await open();
      const client = await upgraded(place);
      await place.guests.link();
      client.socket.pause();
      const ping = frame(PING, Buffer.alloc(125, 'p'));
      const many = Buffer.concat(Array.from({ length: 1000 }, () => ping));
      for (let i = 0; i < 100; i++) client.socket.write(many);
      client.socket.write(frame(BINARY, 'end'));
      const link = await place.guests.link();
      place.guests.echo = false;
      await place.guests.until(() => place.guests.said.get(link)!.length === 3);
      assert.ok(waiting(link) <= 129 * 1024, `${waiting(link)} bytes of answers wait`);
    });
  });

  describe(`the end of a WebSocket ${way}`, () => {
    test('is said by the broker, after what was sent', async () => {
      const place = await open();
      const client = await upgraded(place);
      const link = await place.guests.link();
      link.write(Buffer.from('goodbye'), 0, 7);
      link.close();
      assert.equal((await client.frame()).payload.toString(), 'goodbye');
      assert.equal(await client.closeCode(), 1000);
      client.socket.write(frame(CLOSE, Buffer.from([0x03, 0xe8])));
      await closed(client.socket);
      await place.guests.gone(link);
    });

    test('is said by the client', async () => {
      const place = await open();
      const client = await upgraded(place);
      client.socket.write(frame(CLOSE, Buffer.from([0x03, 0xe8])));
      assert.equal(await client.closeCode(), 1000);
      await closed(client.socket);
      await place.guests.gone(await place.guests.link());
    });

    test('comes when the client takes nothing for the user timeout', async () => {
      const place = await open('[io]\nuserTimeoutMs = 300\n');
      const client = await upgraded(place);
      client.socket.pause();
      const link = await place.guests.link();
      const sent = Buffer.alloc(64 * 1024);
      while (link.write(sent, 0, sent.length) > 0) {
        await new Promise<void>(resolve => setImmediate(resolve));
      }
      await place.guests.gone(link);
    });

    test('comes without a word', async () => {
      const place = await open();
      const client = await upgraded(place);
      const link = await place.guests.link();
      client.socket.destroy();
      await place.guests.gone(link);
      const other = await upgraded(place);
      const second = await place.guests.link(1);
      second.abort();
      await closed(other.socket);
      assert.ok(place.guests.left.has(second));
    });
  });

  test(`the first bytes of a WebSocket ${way} may be a byte each`, async () => {
    const place = await open();
    const socket = await dial(place.port);
    for (const byte of Buffer.from(request('/'))) socket.write(Buffer.from([byte]));
    assert.match(await receive(socket, 12), /^HTTP\/1\.1 101/);
  });
}

for (const way of Object.keys(ways)) describeWay(way);
