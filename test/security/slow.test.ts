// Those who are slow on purpose, and many: whoever does not come to the point is sent away by the
// time-out for CONNECT, whatever it drips meanwhile, and others are served as if nobody were there.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import { afterAll, describe, test } from '../harness.ts';
import { modes, useDoors } from '../integration/door-kit.ts';
import { minnow, ok } from '../integration/process.ts';
import { Authority } from '../io/doors/authority.ts';
import { encodePacket } from '../wire.ts';
import { Crowd, enter, residentBytes, Stranger } from './kit.ts';

const authority = new Authority();
afterAll(() => authority.remove());
const server = authority.issue('localhost', { names: 'DNS:localhost,IP:127.0.0.1' });
const ca = readFileSync(authority.certificate);

/** Enough for a client that is in a hurry, on a machine with much else to do. */
const TIMEOUT_MS = 1_000;
/** Far more than it takes: the drips go on without end. */
const LATE_MS = 60_000;
const DRIP_MS = 20;

const connect = encodePacket({ type: 'connect', version: 5, clientId: 'slow'.repeat(1000) }, 5);
/** A ClientHello, whose record says that 16 kB follow. */
const hello = Buffer.concat([
  Buffer.from('160301400001003ffc0303', 'hex'),
  Buffer.alloc(16_384, 1),
]);
const upgrade = [
  'GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n',
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n',
  'Sec-WebSocket-Protocol: mqtt\r\n',
].join('');

async function inTime(stranger: Stranger): Promise<void> {
  const ms = await stranger.gone;
  assert.ok(ms > TIMEOUT_MS * 0.8, `sent away after ${ms} ms already`);
  assert.ok(ms < LATE_MS, `sent away after ${ms} ms only`);
}

for (const mode of modes) {
  describe(`slow ones in the mode ${mode}`, () => {
    const broker = useDoors(
      mode,
      [{}, { tls: server }, { protocol: 'websocket' }],
      '--set',
      `limits.connectTimeoutMs=${TIMEOUT_MS}`,
    );
    const arrive = (scheme: string) =>
      Stranger.arrive(scheme === 'mqtt' ? broker.port : broker.portOf(scheme));

    test('a CONNECT that drips', async () => {
      const slow = await Promise.all([1, 2, 3].map(() => arrive('mqtt')));
      for (const stranger of slow) stranger.drip(connect, DRIP_MS);
      await ok([...minnow, 'pub', ...broker.address, '-q', '1', '-t', 'a', '-m', 'b']);
      await Promise.all(slow.map(inTime));
    });

    test('a TLS handshake that drips, and one that says nothing', async () => {
      const [slow, silent] = [await arrive('mqtts'), await arrive('mqtts')];
      slow.drip(hello, DRIP_MS);
      await Promise.all([slow, silent].map(inTime));
      await broker.process.matching(/"reason":"no handshake in time"/, 2);
    });

    test('a WebSocket upgrade that drips, and a header that never ends', async () => {
      const [slow, endless] = [await arrive('ws'), await arrive('ws')];
      slow.drip(upgrade.repeat(100), DRIP_MS);
      endless.say(upgrade);
      endless.drip('X-Patience: 1\r\n', DRIP_MS);
      await Promise.all([slow, endless].map(inTime));
    });

    test('a CONNECT that drips after an upgrade that was in order', async () => {
      const stranger = await arrive('ws');
      stranger.say(`${upgrade}\r\n`);
      await stranger.told(12);
      assert.match(stranger.said.toString('latin1'), /^HTTP\/1\.1 101 /);
      const head = Buffer.from('82fe400000000000', 'hex'); // a frame of 16 kB, masked with nothing
      stranger.drip(Buffer.concat([head, connect]), DRIP_MS);
      await inTime(stranger);
    });
  });
}

const CROWD = 10_000;
/** What one that has said next to nothing may cost on top, generously. */
const BYTES_EACH = 24 * 1024;

for (const mode of modes) {
  describe(`a crowd of half-open connections in the mode ${mode}`, () => {
    const broker = useDoors(
      mode,
      [{}, { tls: server }],
      '--set',
      'limits.connectTimeoutMs=4000',
      '--set',
      'profile=server',
    );
    let crowd: Crowd | null = null;
    afterAll(async () => {
      await crowd?.end();
    });

    const served = async () => {
      const [publisher, subscriber] = [await enter(broker.port), await enter(broker.port)];
      const filters = [{ filter: 'a', qos: 1 }];
      subscriber.say(encodePacket({ type: 'subscribe', packetId: 1, filters }, 5));
      const before = (await subscriber.told(subscriber.said.length + 6)).length;
      publisher.say(
        encodePacket({ type: 'publish', topic: 'a', payload: Buffer.from('hello') }, 5),
      );
      await subscriber.told(before + 10);
      assert.ok(subscriber.said.includes('hello'));
      publisher.leave();
      subscriber.leave();
    };

    test(`${CROWD} that have begun a CONNECT keep nobody out, and end in time`, async () => {
      await served();
      const before = residentBytes(broker);
      crowd = new Crowd(broker.port, CROWD, connect.subarray(0, 100));
      assert.equal(await crowd.next(), 'all are in');
      await served();
      const each = (residentBytes(broker) - before) / CROWD;
      assert.ok(each < BYTES_EACH, `${Math.round(each)} bytes each`);
      assert.equal(await crowd.next(), 'all are gone');
      await served();
      await crowd.end();
    }, 240_000);

    test('more than may be in their TLS handshakes at once keep nobody out', async () => {
      const before = residentBytes(broker);
      crowd = new Crowd(broker.portOf('mqtts'), 2_000, hello.subarray(0, 100));
      assert.equal(await crowd.next(), 'all are in');
      const client = connectTls({ port: broker.portOf('mqtts'), host: 'localhost', ca });
      client.write(encodePacket({ type: 'connect', version: 5, clientId: '' }, 5));
      const [said] = (await once(client, 'data')) as [Buffer];
      assert.deepEqual([said[0], said[3]], [0x20, 0]);
      client.destroy();
      assert.ok(residentBytes(broker) - before < 256 * 1024 * 1024);
      assert.equal(await crowd.next(), 'all are gone');
      await crowd.end();
    }, 240_000);
  });
}
