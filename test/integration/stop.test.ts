// What a stop does to those who are connected, in both I/O modes: MQTT 5 clients are told, and the
// next start takes every will for what it is, as after a crash.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { Reason } from '../../src/mqtt/reason.ts';
import { afterAll, afterEach, describe, test } from '../harness.ts';
import { modes } from './door-kit.ts';
import { Background, minnow, ok } from './process.ts';

const clients: MqttClient[] = [];
const directories: string[] = [];
const running: Background[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.end(true);
  for (const broker of running.splice(0)) await broker.end();
});
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true });
});

/** Clients of every kind that leaves a will, and the one kind that takes it back. */
const kinds: Readonly<Record<string, IClientOptions>> = {
  old: { protocolVersion: 4, clean: true },
  oldKept: { protocolVersion: 4, clean: false },
  brief: { protocolVersion: 5, clean: true },
  kept: { protocolVersion: 5, clean: true, properties: { sessionExpiryInterval: 3600 } },
};

for (const mode of modes) {
  for (const durability of ['batched', 'strict']) {
    describe(`a stop in the mode ${mode}, ${durability}`, () => {
      const data = mkdtempSync(join(tmpdir(), 'minnow-stop-'));
      directories.push(data);

      const serve = async () => {
        const flags = ['--io', mode, '--listen', '127.0.0.1:0', '--data', data];
        const set = ['log.format=json', 'store.kind=sqlite', `store.durability=${durability}`];
        const settings = set.flatMap(text => ['--set', text]);
        const broker = new Background([...minnow, 'serve', ...flags, ...settings]);
        running.push(broker);
        const ready = await broker.line(/"minnow is ready"/);
        return { broker, port: /127\.0\.0\.1:(\d+)/.exec(ready)![1]! };
      };

      const enter = async (port: string, kind: string, delay = 0) => {
        const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, {
          clientId: kind,
          reconnectPeriod: 0,
          will: {
            topic: `wills/${kind}`,
            payload: Buffer.from(kind),
            qos: 1,
            retain: false,
            ...(delay > 0 && { properties: { willDelayInterval: delay } }),
          },
          ...kinds[kind.replace(/ .*/, '')],
        });
        clients.push(client);
        client.on('error', () => {});
        await new Promise(resolve => client.once('connect', resolve));
        return client;
      };

      test('leaves no will out, of sessions of any kind, and none that was taken back', async () => {
        const first = await serve();
        const address = (port: string) => ['-h', '127.0.0.1', '-p', port];
        const watcher = ['-c', '-i', 'watcher', '-q', '1', '-t', 'wills/#'];
        await ok([...minnow, 'sub', ...address(first.port), ...watcher, '-E']);
        const told: unknown[] = [];
        const gone: Promise<unknown>[] = [];
        for (const kind of Object.keys(kinds)) {
          const client = await enter(first.port, kind);
          client.on('disconnect', packet => told.push([kind, packet.reasonCode]));
          gone.push(new Promise<void>(resolve => client.once('close', () => resolve())));
        }
        await enter(first.port, 'kept delayed', 1);
        const polite = await enter(first.port, 'kept polite');
        await polite.endAsync();
        assert.equal(await first.broker.end('SIGTERM'), 0);
        await Promise.all(gone); // this process may hear of the broker's end before its clients do
        const down = Reason.ServerShuttingDown;
        assert.deepEqual(told.sort(), [
          ['brief', down],
          ['kept', down],
        ]);
        const second = await serve();
        const count = String(Object.keys(kinds).length + 1);
        const sub = [...minnow, 'sub', ...address(second.port), ...watcher, '-C', count];
        const { lines } = await ok(sub);
        assert.deepEqual([...lines].sort(), [...Object.keys(kinds), 'kept delayed'].sort());
      });
    });
  }
}
