// Doors whose broker is behind two small rings, as on a thread of its own: everything gets through,
// also when the rings are full, and whoever brings too much is held.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { FarSide } from '../../../src/io/doors/far-side.ts';
import { RemoteLinks } from '../../../src/io/sync/pool/remote-links.ts';
import { createRing } from '../../../src/io/sync/ring.ts';
import { describe, test } from '../../harness.ts';
import { closed, dial, type Guests, open, receive } from './kit.ts';

const RING_BYTES = 16 * 1024;

/** The far side of a broker that works when it is woken, as a blocked thread does by its bell. */
function beyondRings(holds: boolean[] = []) {
  return (guests: Guests) => {
    const [up, down] = [createRing(RING_BYTES), createRing(RING_BYTES)];
    let planned = false;
    const wakeCore = () => {
      if (planned) return;
      planned = true;
      setImmediate(() => {
        planned = false;
        links.work();
        guests.turn();
        if (!links.settle()) wakeCore();
      });
    };
    const side = new FarSide(up, down, wakeCore);
    const links = new RemoteLinks(guests, assert.fail, up, down, side.wake);
    wakeCore(); // it goes to sleep
    queueMicrotask(() => {
      const { onHold } = side; // the doors have set it by now
      side.onHold = held => {
        holds.push(held);
        onHold(held);
      };
    });
    // What the test says to a link is flushed as at the end of a turn.
    Object.assign(guests, { wake: wakeCore });
    return side;
  };
}

/** All that is ready has had its turn, on both sides. */
async function settled(): Promise<boolean> {
  for (let i = 0; i < 20; i++) await new Promise<void>(resolve => setImmediate(resolve));
  return true;
}

const proxied =
  'port = 0\nconnectionsMax = 100\nmountPoint = "m/"\nproxyProtocol.from = ["127.0.0.1"]';

/** As a proxy that says nothing about its client. */
async function dialDoor(port: number): ReturnType<typeof dial> {
  const socket = await dial(port);
  socket.write('PROXY UNKNOWN\r\n');
  return socket;
}

describe('a door far from its broker', () => {
  test('carries bytes both ways, and where they came in', async () => {
    const place = await open(proxied, { side: beyondRings() });
    const socket = await dialDoor(place.port);
    socket.write('hello');
    assert.equal(await receive(socket, 5), 'hello');
    const { origin, peer } = await place.guests.link();
    assert.deepEqual(origin, {
      listener: place.addresses[0],
      username: null,
      certificate: null,
      anonymous: null,
      mountPoint: 'm/',
    });
    assert.equal(peer, `127.0.0.1:${socket.localPort}`);
  });

  test('holds who brings more than the ring takes, and loses nothing', async () => {
    const holds: boolean[] = [];
    const place = await open(proxied, { side: beyondRings(holds) });
    place.guests.echo = false;
    const sockets = await Promise.all([1, 2, 3].map(() => dialDoor(place.port)));
    const sent = Buffer.alloc(1_000_000);
    for (let i = 0; i < sent.length; i++) sent[i] = (i * 7919) >> 8;
    for (const socket of sockets) socket.write(sent);
    await place.guests.link(2);
    const heard = () => place.guests.links.map(link => place.guests.said.get(link)!);
    await place.guests.until(() => heard().every(({ length }) => length === sent.length));
    for (const bytes of heard()) assert.ok(bytes.equals(sent));
    assert.ok(holds.includes(true), 'nobody was held');
    assert.equal(holds.at(-1), false);
  });

  test('takes what the broker writes as far as there is room, then the rest', async () => {
    const place = await open(proxied, { side: beyondRings() });
    const socket = await dialDoor(place.port);
    const link = await place.guests.link();
    const sent = Buffer.alloc(2_000_000, 'abcdefghijk');
    const parts: Buffer[] = [];
    socket.on('data', chunk => parts.push(chunk as Buffer));
    let at = 0;
    while (at < sent.length) {
      const drains = place.guests.drains.length;
      at += link.write(sent, at, sent.length);
      place.guests.wake();
      if (at < sent.length) await place.guests.until(() => place.guests.drains.length > drains);
    }
    link.close();
    place.guests.wake();
    await once(socket, 'end');
    assert.ok(Buffer.concat(parts).equals(sent));
    socket.end();
    await place.guests.gone(link);
  });

  test('answers who has ended its side, pauses, and aborts', async () => {
    const place = await open(proxied, { side: beyondRings() });
    const ended = await dialDoor(place.port);
    ended.end('last words');
    assert.equal(await receive(ended, 10), 'last words');
    await place.guests.gone(await place.guests.link());
    const socket = await dialDoor(place.port);
    const link = await place.guests.link(1);
    link.pause(true);
    place.guests.wake();
    link.pause(false);
    place.guests.wake();
    socket.write('on');
    assert.equal(await receive(socket, 2), 'on');
    link.abort();
    place.guests.wake();
    await Promise.all([closed(socket), place.guests.gone(link)]);
  });

  test('does not keep for ever who has ended its side and takes nothing more', async () => {
    let tell = () => {};
    const gone = new Promise<void>(resolve => {
      tell = resolve;
    });
    const side = (guests: Guests) => {
      const far = beyondRings()(guests);
      const { closed } = far;
      far.closed = link => {
        closed.call(far, link);
        tell();
      };
      return far;
    };
    const place = await open(proxied, { side });
    const socket = await dialDoor(place.port);
    const link = await place.guests.link();
    socket.pause();
    const sent = Buffer.alloc(64 * 1024);
    do place.guests.wake();
    while ((await settled()) && link.write(sent, 0, sent.length) > 0);
    socket.end();
    await place.guests.gone(link);
    await gone; // on the side of the sockets as well
  });

  test('lets nobody in whom the broker has no room for', async () => {
    const place = await open(proxied, { side: beyondRings() });
    place.guests.full = true;
    await closed(await dialDoor(place.port));
  });
});
