// The PROXY protocol with a proxy in front: what mosquitto_pub says comes through it, in both I/O
// modes.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterEach, describe, skipped, test } from '../harness.ts';
import { tlsTlv, v2, v2Addresses } from '../io/doors/proxy-headers.ts';
import { modes, useDoors } from './door-kit.ts';
import { mosquittoClientsMissing, run } from './process.ts';

const closers = new Set<() => void>();
afterEach(() => {
  for (const close of closers) close();
  closers.clear();
});

/** A proxy that says `header` to `port` before what its client says; resolves with its own port. */
async function proxyTo(port: number, header: Buffer): Promise<number> {
  const server = createServer(client => {
    const broker = connect(port, '127.0.0.1');
    broker.write(header);
    client.pipe(broker).pipe(client);
    for (const socket of [client, broker]) {
      socket.on('error', () => {});
      closers.add(() => socket.destroy());
    }
  }).listen(0, '127.0.0.1');
  closers.add(() => server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const missing = mosquittoClientsMissing();

for (const mode of modes) {
  describe(`a proxy in front, in the mode ${mode}`, () => {
    const broker = useDoors(mode, [
      { proxyProtocol: { from: ['127.0.0.1'] }, identity: 'cn' },
      { proxyProtocol: { from: ['192.0.2.0/24'] }, protocol: 'websocket' },
    ]);
    if (missing !== null) {
      skipped('mosquitto_pub', missing);
      return;
    }

    const publish = async (header: Buffer, id: string) => {
      const port = String(await proxyTo(broker.portOf('mqtt'), header));
      const what = ['-i', id, '-q', '1', '-t', 'a', '-m', 'b'];
      return (await run(['mosquitto_pub', '-h', '127.0.0.1', '-p', port, ...what])).code;
    };
    const seen = async (id: string) => {
      const line = await broker.process.line(new RegExp(`"clientId":"${id}".*"msg":"connect"`));
      const { peer, username } = JSON.parse(line) as { peer: string; username: string | null };
      return [peer, username];
    };

    test('says where the client is, in version 1 and in version 2', async () => {
      const first = Buffer.from('PROXY TCP4 192.0.2.7 192.0.2.1 51234 1883\r\n');
      assert.equal(await publish(first, 'first'), 0);
      assert.deepEqual(await seen('first'), ['192.0.2.7:51234', null]);
      const second = v2(0x21, 0x21, v2Addresses('2001:db8::7', '2001:db8::1', 9, 1883));
      assert.equal(await publish(second, 'second'), 0);
      assert.deepEqual(await seen('second'), ['[2001:db8::7]:9', null]);
    });

    test('says who the client has proved to be', async () => {
      const facts = tlsTlv({ client: 7, verify: 0, version: 'TLSv1.3', commonName: 'meter-7' });
      const addresses = v2Addresses('192.0.2.7', '192.0.2.1', 51_234, 1883);
      const header = v2(0x21, 0x11, Buffer.concat([addresses, facts]));
      assert.equal(await publish(header, 'proved'), 0);
      assert.deepEqual(await seen('proved'), ['192.0.2.7:51234', 'meter-7']);
    });

    test('has to speak the protocol, and to be known', async () => {
      assert.notEqual(await publish(Buffer.alloc(0), 'bare'), 0);
      await broker.process.line(/"reason":"no PROXY protocol header"/);
      const socket = connect(broker.portOf('ws'), '127.0.0.1');
      closers.add(() => socket.destroy());
      socket.on('error', () => {});
      await new Promise(resolve => socket.once('close', resolve));
      await broker.process.line(/"reason":"no proxy that listeners\.proxyProtocol\.from names"/);
    });
  });
}
