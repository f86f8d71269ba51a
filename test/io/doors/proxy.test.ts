// Doors behind a proxy: whose word is taken for who the client is, with and without TLS, on every
// kind of socket.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { addressOf } from '../../../src/io/doors/steps/arrival.ts';
import { afterAll, afterEach, describe, test } from '../../harness.ts';
import { Authority } from './authority.ts';
import { closed, dial, folder, open, receive, resetEarly } from './kit.ts';
import { tlsTlv, v2, v2Addresses } from './proxy-headers.ts';

const V1 = 'PROXY TCP4 192.0.2.7 198.51.100.1 51234 1883\r\n';
const fromHere = 'port = 0\n[listeners.proxyProtocol]\nfrom = ["127.0.0.0/8", "::1"]';
const sockets = new Set<TLSSocket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
});

describe('a door behind a proxy', () => {
  test('knows the client by the header, and its bytes from those behind it', async () => {
    const place = await open(fromHere);
    const socket = await dial(place.port);
    socket.write(`${V1}hello`);
    assert.equal(await receive(socket, 5), 'hello');
    assert.equal((await place.guests.link()).peer, '192.0.2.7:51234');
  });

  test('keeps nothing of what it was lent to be written', async () => {
    const place = await open(fromHere);
    const socket = await dial(place.port);
    socket.write(V1);
    const link = await place.guests.link();
    const lent = Buffer.alloc(100_000);
    let taken = 0;
    let size: number;
    do {
      lent.fill('said');
      size = link.write(lent, 0, lent.length);
      lent.fill('x');
      taken += size;
    } while (size === lent.length);
    const said = Buffer.alloc(taken, 'said');
    assert.ok((await receive(socket, taken)) === said.toString('latin1'));
  });

  test('takes the header byte by byte, and no byte of the client with it', async () => {
    const place = await open(fromHere);
    const headers = [
      Buffer.from(V1),
      v2(0x21, 0x21, v2Addresses('2001:db8::7', '::1', 5, 1883)),
      v2(0x20, 0x00),
    ];
    const peers: string[] = [];
    for (const [index, header] of headers.entries()) {
      const socket = await dial(place.port);
      for (const byte of Buffer.concat([header, Buffer.from('hello')])) {
        socket.write(Buffer.from([byte]));
      }
      assert.equal(await receive(socket, 5), 'hello');
      peers.push((await place.guests.link(index)).peer);
    }
    assert.deepEqual(peers.slice(0, 2), ['192.0.2.7:51234', '[2001:db8::7]:5']);
    assert.match(peers[2]!, /^127\.0\.0\.1:\d+$/);
  });

  test('lets nobody in without a header, with a wrong one, or with half of one', async () => {
    const patient = await open(fromHere);
    const hasty = await open(fromHere, { handshakeTimeoutMs: 50 });
    for (const [place, text, why] of [
      [patient, '\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0', 'no PROXY protocol header'],
      [patient, 'PROXY TCP4 nonsense\r\n', 'no PROXY protocol header'],
      [hasty, V1.slice(0, 20), 'no handshake in time'],
    ] as const) {
      const socket = await dial(place.port);
      socket.write(text);
      await closed(socket);
      assert.equal(place.told.at(-1)?.fields.reason, why);
      assert.deepEqual(place.guests.links, []);
    }
  });

  test('believes nobody who is not named', async () => {
    const place = await open('port = 0\n[listeners.proxyProtocol]\nfrom = ["10.0.0.0/8"]');
    const socket = await dial(place.port);
    socket.write(V1);
    await closed(socket);
    const { reason, peer } = (await place.refusal()).fields;
    assert.equal(reason, 'no proxy that listeners.proxyProtocol.from names');
    assert.match(String(peer), /^127\.0\.0\.1:/);
    assert.deepEqual(place.guests.links, []);
  });

  test('nor whoever cannot be asked any more, having reset', async () => {
    const place = await open('port = 0\n[listeners.proxyProtocol]\nfrom = ["10.0.0.0/8"]');
    await resetEarly(place.port, Buffer.from(`${V1}hello`));
    const late = await dial(place.port); // accepted behind it
    await closed(late);
    await place.refusal();
    assert.deepEqual(place.guests.links, []);
  });

  test('takes the word of whoever can open a unix socket', async () => {
    const { path, remove } = folder();
    const place = await open(`unix = "${path}/s"\nproxyProtocol = {}`);
    const socket = await dial(`${path}/s`);
    socket.write(`${V1}hello`);
    assert.equal(await receive(socket, 5), 'hello');
    assert.equal((await place.guests.link()).peer, '192.0.2.7:51234');
    remove();
  });

  test('knows IPv4 addresses in sockets that serve both families', () => {
    const of = (remoteAddress?: string) => addressOf({ remoteAddress } as Socket);
    assert.equal(of('::ffff:192.0.2.7'), '192.0.2.7');
    assert.equal(of('192.0.2.7'), '192.0.2.7');
    assert.equal(of('::1'), '::1');
    assert.equal(of(undefined), undefined);
  });

  test('takes a certificate that the proxy has verified for the user name', async () => {
    const place = await open(`identity = "cn"\n${fromHere}`);
    const names: (string | null)[] = [];
    for (const [index, verify] of [0, 1].entries()) {
      const facts = tlsTlv({ client: 7, verify, commonName: 'meter-7' });
      const addresses = v2Addresses('192.0.2.7', '192.0.2.8', 1, 2);
      const socket = await dial(place.port);
      socket.write(v2(0x21, 0x11, Buffer.concat([addresses, facts])));
      names.push((await place.guests.link(index)).origin!.username);
    }
    assert.deepEqual(names, ['meter-7', null]);
    assert.deepEqual(place.guests.links[0]!.origin!.certificate, {
      commonName: 'meter-7',
      names: [],
      fingerprint: '',
      notAfter: null,
    });
  });
});

describe('a proxy that hands TLS and WebSockets through', () => {
  const authority = new Authority();
  const server = authority.issue('localhost');
  afterAll(() => authority.remove());
  const tls = `[listeners.tls]
certificate = "${server.certificate}"
key = "${server.key}"`;

  async function secured(port: number): Promise<TLSSocket> {
    const raw = await dial(port);
    raw.write(V1);
    const ca = readFileSync(authority.certificate);
    const socket = connect({ socket: raw, servername: 'localhost', ca });
    sockets.add(socket);
    await once(socket, 'secureConnect');
    return socket;
  }

  test('speaks before the handshake', async () => {
    const place = await open(`${fromHere}\n${tls}`);
    const socket = await secured(place.port);
    socket.write('hello');
    assert.equal(await receive(socket, 5), 'hello');
    assert.equal((await place.guests.link()).peer, '192.0.2.7:51234');
    socket.destroy();
    await place.guests.gone(place.guests.links[0]!);
  });

  test('speaks before the upgrade, with TLS in between too', async () => {
    const upgrade =
      'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Protocol: mqtt\r\n\r\n';
    const plain = await open(`protocol = "websocket"\n${fromHere}`);
    const socket = await dial(plain.port);
    socket.write(V1 + upgrade);
    assert.match(await receive(socket, 12), /^HTTP\/1\.1 101/);
    assert.equal((await plain.guests.link()).peer, '192.0.2.7:51234');
    const both = await open(`protocol = "websocket"\n${fromHere}\n${tls}`);
    assert.match(both.addresses[0]!, /^wss:/);
    const wrapped = await secured(both.port);
    wrapped.write(upgrade);
    assert.match(await receive(wrapped, 12), /^HTTP\/1\.1 101/);
    assert.equal((await both.guests.link()).peer, '192.0.2.7:51234');
  });
});
