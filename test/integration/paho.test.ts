// minnow and paho-mqtt, the client that most devices in Python have. The scenarios are in
// paho_client.py; what they found is judged here.

import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { describe, skipped, test } from '../harness.ts';
import { ok, pythonWithPaho, useMinnow } from './process.ts';

const script = fileURLToPath(new URL('./paho_client.py', import.meta.url));

function suite(python: string): void {
  const broker = useMinnow();
  const play = async (scenario: string, version: string): Promise<unknown> => {
    const { stdout } = await ok([python, script, scenario, String(broker.port), version]);
    return JSON.parse(stdout.toString());
  };

  for (const version of ['31', '311', '5']) {
    describe(`protocol version ${version}`, () => {
      test('messages arrive whole, once and in order at every QoS', async () => {
        const level = (qos: number) => ({ granted: [qos], same: true, qos: [qos] });
        const expected = { 0: level(0), 1: level(1), 2: level(2) };
        assert.deepEqual(await play('exchange', version), expected);
      });

      test('a retained message is set, replaced and cleared', async () => {
        assert.deepEqual(await play('retained', version), [
          [
            [1, 'one'],
            [0, 'end'],
          ],
          [
            [1, 'two'],
            [0, 'end'],
          ],
          [[0, 'end']],
        ]);
      });

      test('a will follows a lost connection and not a goodbye', async () => {
        assert.deepEqual(await play('will', version), ['lost']);
      });

      test('a session waits for its client, with what it missed', async () => {
        const waiting = [version !== '31', 'one', 'two', 'three'];
        assert.deepEqual(await play('session', version), [waiting, waiting]);
      });

      test('a shared subscription gives each message to one member', async () => {
        assert.deepEqual(await play('shared', version), { all: true, idle: false });
      });
    });
  }

  test('MQTT 5 properties arrive as they were sent', async () => {
    assert.deepEqual(await play('properties', '5'), {
      payload: 'x',
      retain: 1,
      contentType: 'text/plain',
      responseTopic: 'reply',
      correlationData: '00ff',
      messageExpiryInterval: 1000,
      payloadFormatIndicator: 1,
      userProperty: [
        ['b', '1'],
        ['a', ''],
        ['b', '3'],
      ],
      subscriptionIdentifier: [7],
    });
  });
}

describe('paho-mqtt', () => {
  const python = pythonWithPaho();
  if (python === null) skipped('all of it', 'there is no python3 with paho-mqtt');
  else suite(python);
});
