// What is too large, or says that it will be: refused by what it declares, before a byte of it is
// kept; and what is within the limit, but made to be expensive, costs in proportion.

import assert from 'node:assert/strict';
import { Reason } from '../../src/mqtt/reason.ts';
import { describe, test } from '../harness.ts';
import { modes, useDoors } from '../integration/door-kit.ts';
import { encodePacket } from '../wire.ts';
import { cpuSeconds, enter, head, residentBytes, Stranger } from './kit.ts';

const MB = 1024 * 1024;
/** Whoever is gone was sent away for what it said, and not because it took too long. */
const patient = ['--set', 'limits.connectTimeoutMs=3600000'];
const request = (more = '') =>
  [
    'GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n',
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n',
    `Sec-WebSocket-Protocol: mqtt\r\n${more}\r\n`,
  ].join('');

/** The head of a masked frame whose mask is zero. */
function frame(first: number, length: number): Buffer {
  if (length < 126) return Buffer.from([first, 0x80 | length, 0, 0, 0, 0]);
  const bytes = Buffer.alloc(14);
  bytes[0] = first;
  bytes[1] = 0xff;
  bytes.writeBigUInt64BE(BigInt(length), 2);
  return bytes;
}

for (const mode of modes) {
  describe(`what is too large in the mode ${mode}`, () => {
    const broker = useDoors(mode, [{}, { protocol: 'websocket' }], ...patient);
    const upgraded = async (more = '') => {
      const stranger = await Stranger.arrive(broker.portOf('ws'));
      stranger.say(request(more));
      const said = (await stranger.told(100)).toString('latin1');
      assert.match(said, /^HTTP\/1\.1 101 /);
      return stranger;
    };
    /** The code of the close frame at the end of what was said. */
    const closeCode = ({ said }: Stranger) => {
      const at = said.lastIndexOf(Buffer.from('\r\n\r\n')) + 4;
      assert.equal(said[at], 0x88, said.subarray(at).toString('hex'));
      return said.readUInt16BE(at + 2);
    };

    test('a packet is refused by its declared length, by somebody who is in', async () => {
      const client = await enter(broker.port);
      const before = client.said.length;
      client.say(head(0x30, 100 * MB));
      await client.gone;
      const packet = client.said.subarray(before);
      assert.deepEqual([packet[0], packet[2]], [0xe0, Reason.PacketTooLarge]);
    });

    test('a CONNECT likewise, and a length that is none', async () => {
      for (const bytes of [head(0x10, 100 * MB), Buffer.from('10ffffffffff', 'hex')]) {
        const stranger = await Stranger.arrive(broker.port);
        stranger.say(bytes);
        await stranger.gone;
      }
    });

    test('a WebSocket frame, whole or in many parts', async () => {
      const whole = await upgraded();
      whole.say(frame(0x82, 100 * MB));
      await whole.gone;
      assert.equal(closeCode(whole), 1009);
      const parts = await upgraded();
      const part = Buffer.concat([frame(0x00, MB), Buffer.alloc(MB)]);
      parts.say(frame(0x02, 0));
      for (let i = 0; i < 4; i++) parts.say(part);
      await parts.gone;
      // MQTT hears it as it comes, and had enough; a core on a thread of its own may say so later
      // than the frames' own bound does.
      const codes = mode === 'sync' ? [1000, 1009] : [1000];
      assert.ok(codes.includes(closeCode(parts)), String(closeCode(parts)));
    });

    test('compressed frames are not agreed to, and not inflated', async () => {
      const stranger = await upgraded('Sec-WebSocket-Extensions: permessage-deflate\r\n');
      assert.doesNotMatch(stranger.said.toString('latin1'), /extensions/i);
      stranger.say(Buffer.concat([frame(0xc2, 4), Buffer.from('cb48cdc9', 'hex')]));
      await stranger.gone;
      assert.equal(closeCode(stranger), 1002);
    });

    test('the head of an upgrade', async () => {
      const stranger = await Stranger.arrive(broker.portOf('ws'));
      stranger.say(`GET / HTTP/1.1\r\nX-Long: ${'x'.repeat(64 * 1024)}\r\n\r\n`);
      await stranger.gone;
      assert.doesNotMatch(stranger.said.toString('latin1'), /^HTTP\/1\.1 101 /);
    });
  });

  describe(`what only says that it is large, in the mode ${mode}`, () => {
    const tables = [{}, { protocol: 'websocket' }];
    const broker = useDoors(mode, tables, '--set', 'limits.packetSizeMaxBytes=128MB');

    test('100 packets of 100 MB that were declared, and not sent, take no memory', async () => {
      const clients = await Promise.all(Array.from({ length: 100 }, () => enter(broker.port)));
      const before = residentBytes(broker);
      for (const client of clients)
        client.say(Buffer.concat([head(0x30, 100 * MB), Buffer.alloc(1000)]));
      // Whoever comes after them is answered after them.
      (await enter(broker.port)).leave();
      const grown = (residentBytes(broker) - before) / MB;
      assert.ok(grown < 64, `${grown} MB`);
      for (const client of clients) client.leave();
    });

    test('nor do 100 WebSocket frames', async () => {
      const port = broker.portOf('ws');
      const clients = await Promise.all(Array.from({ length: 100 }, () => Stranger.arrive(port)));
      for (const client of clients) client.say(request());
      await Promise.all(clients.map(client => client.told(100)));
      const before = residentBytes(broker);
      for (const client of clients)
        client.say(Buffer.concat([frame(0x82, 100 * MB), Buffer.alloc(1000)]));
      const last = await Stranger.arrive(port);
      last.say(request());
      await last.told(100);
      const grown = (residentBytes(broker) - before) / MB;
      assert.ok(grown < 64, `${grown} MB`);
      for (const client of [...clients, last]) client.leave();
    });
  });
}

describe('hundreds of thousands of user properties in a packet', () => {
  const broker = useDoors('async', [{}], '--set', 'limits.packetSizeMaxBytes=4MB', ...patient);

  /** A PUBLISH with so many of the smallest user properties there are. */
  function publish(count: number, packetId: number): Buffer {
    const properties = Buffer.alloc(count * 5);
    for (let at = 0; at < properties.length; at += 5) properties[at] = 0x26;
    const topic = Buffer.from([0, 1, 0x61, packetId >> 8, packetId & 0xff]);
    const body = Buffer.concat([topic, head(0, properties.length).subarray(1), properties]);
    return Buffer.concat([head(0x32, body.length), body]);
  }

  const filters = [{ filter: 'a', qos: 0 }];

  async function costOf(count: number, times: number): Promise<number> {
    const [subscriber, publisher] = [await enter(broker.port), await enter(broker.port)];
    subscriber.say(encodePacket({ type: 'subscribe', packetId: 1, filters }, 5));
    const before = (await subscriber.told(subscriber.said.length + 6)).length;
    const begun = cpuSeconds(broker);
    const received = before + times * count * 5;
    for (let i = 1; i <= times; i++) {
      publisher.say(publish(count, i));
      await subscriber.told(before + i * count * 5);
    }
    const seconds = cpuSeconds(broker) - begun;
    assert.ok(subscriber.said.length >= received);
    subscriber.leave();
    publisher.leave();
    return seconds / times;
  }

  test('cost in proportion to their bytes, in time and in memory', async () => {
    await costOf(1_000, 100); // warm
    const before = residentBytes(broker);
    const [few, many] = [await costOf(75_000, 16), await costOf(600_000, 4)];
    assert.ok(many < 2, `${many} s for a packet of 3 MB`);
    // Eight times the bytes; a clock that counts hundredths of seconds, and other work, aside.
    assert.ok(many < 8 * few * 3 + 0.05, `${few} s for 75,000, ${many} s for 600,000`);
    const grown = (residentBytes(broker) - before) / MB;
    assert.ok(grown < 160, `${grown} MB`);
  });

  test('in a CONNECT they have less room', async () => {
    const properties = Buffer.alloc(200_000);
    for (let at = 0; at < properties.length; at += 5) properties[at] = 0x26;
    const body = Buffer.concat([
      Buffer.from('00044d51545405020000', 'hex'),
      head(0, properties.length).subarray(1),
      properties,
      Buffer.from([0, 0]),
    ]);
    const stranger = await Stranger.arrive(broker.port);
    stranger.say(Buffer.concat([head(0x10, body.length), body]));
    await stranger.gone;
    assert.notEqual(stranger.said[3], 0);
  });
});
