// Every way in, alone and combined (PROXY header, TLS, WebSocket), at once and through one broker.
// Each client publishes to all and hears all, through a relay that cuts what it carries anywhere,
// both ways: every byte arrives, in order, whichever way it came and went.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { WebSocket } from 'ws-plain';
import { packetLength } from '../../src/mqtt/framer.ts';
import { afterAll, afterEach, describe, freshSeed, rounds, test } from '../harness.ts';
import { Authority } from '../io/doors/authority.ts';
import { v2, v2Addresses } from '../io/doors/proxy-headers.ts';
import { Prng } from '../prng.ts';
import { encodePacket } from '../wire.ts';
import { useDoors } from './door-kit.ts';

/** Of each client. What all of them say is less than what makes the broker drop QoS 0. */
const MESSAGES = 12;
const VERSION = 4;
const ROUNDS = Math.ceil(4 * rounds);

const authority = new Authority();
afterAll(() => authority.remove());
const tls = authority.issue('localhost', { names: 'IP:127.0.0.1' });

const closers: (() => void)[] = [];
function closeAll(): void {
  for (const close of closers.splice(0)) close();
}
afterEach(closeAll);

/** `bytes` in pieces of all sizes. */
function* cut(bytes: Buffer, prng: Prng): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const piece = bytes.subarray(at, at + prng.between(1, prng.pick([1, 9, 200, 8_000, 90_000])));
    yield piece;
    at += piece.length;
  }
}

async function carry(from: Socket, to: Socket, first: Buffer, prng: Prng): Promise<void> {
  let ahead = first;
  for await (const chunk of from) {
    for (const piece of cut(Buffer.concat([ahead, chunk as Buffer]), prng)) {
      if (!to.write(piece)) await once(to, 'drain');
      await new Promise<void>(resolve => setImmediate(resolve));
    }
    ahead = Buffer.alloc(0);
  }
}

/** Carries one connection to `port`, and says `header` first as a proxy does; resolves with its own
 *  port. */
async function relayTo(port: number, header: Buffer, prng: Prng): Promise<number> {
  const server = createServer({ noDelay: true }, client => {
    const broker = connect({ port, host: '127.0.0.1', noDelay: true });
    const end = () => {
      client.destroy();
      broker.destroy();
    };
    closers.push(end);
    carry(client, broker, header, prng.fork())
      .catch(() => {})
      .finally(end);
    carry(broker, client, Buffer.alloc(0), prng.fork())
      .catch(() => {})
      .finally(end);
  }).listen(0, '127.0.0.1');
  closers.push(() => server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

interface Way {
  readonly name: string;
  readonly port: number;
  readonly proxied: boolean;
}

/** Packets as they come, and a word to the broker. */
class Client {
  readonly packets: Buffer[] = [];
  readonly send: (bytes: Buffer) => void;
  private rest = Buffer.alloc(0);
  private isClosed = false;
  private changed = () => {};

  constructor(scheme: string, port: number, prng: Prng) {
    const hear = (chunk: Buffer) => this.hear(chunk);
    const closed = () => {
      this.isClosed = true;
      this.changed();
    };
    if (scheme.startsWith('ws')) {
      const url = `${scheme}://127.0.0.1:${port}`;
      const socket = new WebSocket(url, 'mqtt', { rejectUnauthorized: false });
      socket.on('message', hear).on('close', closed).on('error', closed);
      closers.push(() => socket.terminate());
      const open = once(socket, 'open');
      this.send = bytes =>
        void open.then(() => {
          for (const piece of cut(bytes, prng)) {
            socket.send(piece, { fin: prng.oneIn(2) });
            if (prng.oneIn(4)) socket.ping('still there?');
          }
        }, closed);
      return;
    }
    const place = { port, host: '127.0.0.1', rejectUnauthorized: false };
    const socket = scheme === 'mqtts' ? connectTls(place) : connect(place);
    socket.on('data', hear).on('close', closed).on('error', closed);
    closers.push(() => socket.destroy());
    this.send = bytes => void socket.write(bytes);
  }

  async until(count: number): Promise<void> {
    while (this.packets.length < count) {
      assert.ok(!this.isClosed, `closed after ${this.packets.length} of ${count} packets`);
      await new Promise<void>(resolve => {
        this.changed = resolve;
      });
    }
  }

  private hear(chunk: Buffer): void {
    this.rest = Buffer.concat([this.rest, chunk]);
    for (;;) {
      const length = packetLength(this.rest, 0, this.rest.length);
      if (length < 0 || length > this.rest.length) break;
      this.packets.push(this.rest.subarray(0, length));
      this.rest = this.rest.subarray(length);
    }
    this.changed();
  }
}

const packet = (...wire: Parameters<typeof encodePacket>) => Buffer.from(encodePacket(...wire));
const PINGREQ = packet({ type: 'pingreq' }, VERSION);
const PINGRESP = packet({ type: 'pingresp' }, VERSION);

function somePublishes(topic: string, prng: Prng): Buffer[] {
  return Array.from({ length: MESSAGES }, () => {
    const size = prng.between(0, prng.pick([0, 200, 5_000, 200_000]));
    const payload = Buffer.alloc(size, prng.bytes(prng.between(1, 257)));
    return packet({ type: 'publish', topic, payload }, VERSION);
  });
}

function proxyHeader(prng: Prng): Buffer {
  if (prng.oneIn(2)) return Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 51234 1883\r\n');
  return v2(0x21, 0x21, v2Addresses('2001:db8::7', '::1', 5, 1883));
}

/** All of `ways` at once. */
async function exchange(ways: readonly Way[], prng: Prng): Promise<void> {
  const clients = new Map<string, Client>();
  const said = new Map<string, Buffer[]>();
  for (const { name, port, proxied } of ways) {
    const header = proxied ? proxyHeader(prng) : Buffer.alloc(0);
    const relay = await relayTo(port, header, prng.fork());
    const client = new Client(name.replace('proxied ', ''), relay, prng.fork());
    const filters = [{ filter: 'd/#', qos: 0 }];
    const hello = packet({ type: 'connect', clientId: name, cleanStart: true }, VERSION);
    client.send(
      Buffer.concat([hello, packet({ type: 'subscribe', packetId: 1, filters }, VERSION)]),
    );
    clients.set(name, client);
    said.set(name, somePublishes(`d/${name}/`, prng));
  }
  await Promise.all(Array.from(clients.values(), client => client.until(2)));
  for (const [name, client] of clients) {
    client.send(Buffer.concat(said.get(name)!.flatMap(publish => [publish, PINGREQ])));
  }
  const count = 2 + MESSAGES * (1 + clients.size);
  await Promise.all(Array.from(clients.values(), client => client.until(count)));
  for (const [name, { packets }] of clients) {
    const [, , ...rest] = packets;
    assert.equal(rest.filter(each => each.equals(PINGRESP)).length, MESSAGES, name);
    for (const [from, sent] of said) {
      const start = Buffer.from(`d/${from}/`);
      const heard = rest.filter(each => each.subarray(0, 50).includes(start));
      const wrong = heard.findIndex((each, i) => !sent[i]?.equals(each));
      assert.equal(wrong, -1, `${name} heard something else from ${from}`);
    }
  }
}

const own = { proxyProtocol: { from: ['127.0.0.1'] } };
const webSocket = { protocol: 'websocket' };
/** In the order in which the broker names them: the drivers' own, then the doors. */
const tables = {
  mqtt: {},
  ws: webSocket,
  mqtts: { tls },
  wss: { ...webSocket, tls },
  'proxied mqtt': own,
  'proxied mqtts': { ...own, tls },
  'proxied ws': { ...own, ...webSocket },
  'proxied wss': { ...own, ...webSocket, tls },
};

for (const [mode, ...flags] of [
  ['async'],
  ['sync'],
  ['sync', '--set', 'io.ringBytes=16kB', '--set', 'io.readBufferBytes=4kB'],
] as const) {
  describe(`ways in, ${[mode, ...flags].join(' ')}`, () => {
    const broker = useDoors(mode, Object.values(tables), ...flags);

    test('lead to the same place, and out of it again', async () => {
      const line = broker.process.lines.find(text => text.includes('"minnow is ready"'));
      const { addresses } = JSON.parse(line!) as { addresses: string };
      const found = addresses.split(', ').map(address => Number(/:(\d+)/.exec(address)![1]));
      const ways = Object.keys(tables).map((name, i) => {
        return { name, port: found[i]!, proxied: name.startsWith('proxied') };
      });
      const seed = freshSeed();
      for (let i = 0; i < ROUNDS; i++) {
        try {
          await exchange(ways, new Prng(seed + i));
        } catch (error) {
          throw new Error(`seed ${seed + i}`, { cause: error });
        }
        closeAll();
      }
    });
  });
}
