// MQTT over WebSockets with MQTT.js, the client that pages have, in both I/O modes.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { WebSocket } from 'ws-plain';
import { afterAll, afterEach, describe, test } from '../harness.ts';
import { Authority } from '../io/doors/authority.ts';
import { encodePacket } from '../wire.ts';
import { modes, useDoors } from './door-kit.ts';

const authority = new Authority();
const server = authority.issue('localhost', { names: 'DNS:localhost,IP:127.0.0.1' });
const meter = authority.issue('meter-7');
afterAll(() => authority.remove());

const key = {
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Protocol': 'mqtt',
};

const clients = new Set<MqttClient>();
afterEach(async () => {
  await Promise.all([...clients].map(client => client.endAsync(true)));
  clients.clear();
});

async function connect(url: string, options: IClientOptions = {}): Promise<MqttClient> {
  const client = await mqtt.connectAsync(url, { reconnectPeriod: 0, ...options });
  clients.add(client);
  return client;
}

async function message(client: MqttClient): Promise<[topic: string, payload: Buffer]> {
  const [topic, payload] = await once(client as never, 'message');
  return [topic as string, payload as Buffer];
}

const tables = [
  { protocol: 'websocket', websocket: { path: '/mqtt' } },
  {
    protocol: 'websocket',
    identity: 'cn',
    tls: { ...server, clientCertificate: 'optional', ca: authority.certificate },
  },
  {},
];

const ways = modes.flatMap(mode => [1, 2].map(threads => ({ mode, threads })));
for (const { mode, threads } of ways) {
  describe(`WebSockets in the mode ${mode} with ${threads} of io.poolSize`, () => {
    const broker = useDoors(mode, tables, '--set', `io.poolSize=${threads}`);
    const url = (scheme: string) => `${scheme}://${broker.at(scheme)}`;
    const ca = readFileSync(authority.certificate);

    for (const protocolVersion of [4, 5] as const) {
      test(`MQTT.js exchanges QoS 2 over ws, wss and tcp, version ${protocolVersion}`, async () => {
        const plain = await connect(url('ws'), { protocolVersion });
        const secure = await connect(url('wss'), { protocolVersion, ca });
        const tcp = await connect(broker.url, { protocolVersion });
        await Promise.all(
          [plain, secure, tcp].map(client => client.subscribeAsync('a', { qos: 2 })),
        );
        const got = Promise.all([plain, secure, tcp].map(message));
        await secure.publishAsync('a', 'hello', { qos: 2 });
        for (const [topic, payload] of await got) assert.equal(`${topic} ${payload}`, 'a hello');
      });
    }

    test('MQTT.js exchanges what fills many frames and buffers', async () => {
      const publisher = await connect(url('ws'));
      const subscriber = await connect(url('wss'), { ca });
      await subscriber.subscribeAsync('big', { qos: 1 });
      const payloads = [1, 2, 3, 4, 5].map(n => Buffer.alloc(1_500_000, `${n} of five. `));
      const got: Buffer[] = [];
      subscriber.on('message', (_topic, payload) => got.push(payload));
      for (const payload of payloads) await publisher.publishAsync('big', payload, { qos: 1 });
      while (got.length < payloads.length) await message(subscriber);
      for (const [i, payload] of payloads.entries()) assert.ok(payload.equals(got[i]!), `${i}`);
    });

    for (const scheme of ['ws', 'wss']) {
      test(`the ws package gets through ${scheme} what it splits and pings between`, async () => {
        const socket = new WebSocket(url(scheme), 'mqtt', { ca, perMessageDeflate: true });
        await once(socket, 'open');
        assert.deepEqual([socket.protocol, socket.extensions], ['mqtt', '']);
        const got: Buffer[] = [];
        const said = () => Buffer.concat(got);
        socket.on('message', (data: Buffer) => got.push(data));
        const hear = async (length: number) => {
          while (said().length < length) await once(socket, 'message');
        };
        const clientId = `raw-${scheme}`;
        socket.send(encodePacket({ type: 'connect', clientId, cleanStart: true }, 4));
        await hear(4);
        const filters = [{ filter: 'raw', qos: 0 }];
        socket.send(encodePacket({ type: 'subscribe', packetId: 1, filters }, 4));
        await hear(9);
        const payload = Buffer.alloc(300_000, 'The quick brown fox. ');
        const publish = encodePacket({ type: 'publish', topic: 'raw', payload }, 4);
        const ponged = once(socket, 'pong');
        for (let at = 0; at < publish.length; at += 77_777) {
          const fin = at + 77_777 >= publish.length;
          socket.send(publish.subarray(at, at + 77_777), { fin });
          if (at === 0) socket.ping('inside');
        }
        await hear(9 + publish.length);
        assert.ok(said().subarray(9).equals(publish));
        assert.equal(String((await ponged)[0]), 'inside');
        socket.close(1000, 'enough');
        const [status] = (await once(socket, 'close')) as [number];
        assert.equal(status, 1000);
      });
    }

    test('the ws package is told why it is not heard any more', async () => {
      const socket = new WebSocket(url('ws'), 'mqtt');
      await once(socket, 'open');
      socket.send('text');
      const [status] = (await once(socket, 'close')) as [number];
      assert.equal(status, 1003);
    });

    test('a client certificate is a user name over wss as well', async () => {
      const proof = { cert: readFileSync(meter.certificate), key: readFileSync(meter.key) };
      await connect(url('wss'), { ca, ...proof, clientId: 'proved' });
      const line = await broker.process.line(/"clientId":"proved".*"msg":"connect"/);
      assert.equal((JSON.parse(line) as { username: string }).username, 'meter-7');
    });

    test('another path and a foreign page are turned away, and told why in the log', async () => {
      const status = async (path: string, headers: Readonly<Record<string, string>> = {}) => {
        const upgrade = { Connection: 'Upgrade', Upgrade: 'websocket', ...key, ...headers };
        const asked = request({ port: broker.portOf('ws'), path, headers: upgrade }).end();
        const [response] = (await once(asked, 'response')) as [IncomingMessage];
        response.destroy();
        return response.statusCode;
      };
      assert.equal(await status('/other'), 404);
      await broker.process.line(/"reason":"no such path"/);
      assert.equal(await status('/mqtt', { Origin: 'https://evil.example' }), 403);
      const line = await broker.process.line(/"reason":"origin not allowed/);
      assert.equal((JSON.parse(line) as { origin: string }).origin, 'https://evil.example');
    });

    test('a client that vanishes leaves its will', async () => {
      const watcher = await connect(url('wss'), { ca });
      await watcher.subscribeAsync('will');
      const got = message(watcher);
      const will = { topic: 'will', payload: Buffer.from('gone'), qos: 0, retain: false } as const;
      const doomed = await connect(url('ws'), { will });
      doomed.stream.destroy();
      assert.equal(String((await got)[1]), 'gone');
    });
  });
}
