// A publisher's batch: numbered, stamped, cycling through its topics, whatever it is cut into.

import assert from 'node:assert/strict';
import { traffic } from '../../bench/scenarios.ts';
import type { Client } from '../../src/bench/engine.ts';
import { Publisher } from '../../src/bench/publisher.ts';
import { FrameScanner } from '../../src/bench/scanner.ts';
import type { Memory, System } from '../../src/bench/system.ts';
import { payloadOf } from '../../src/bench/wire.ts';
import { describe, test } from '../harness.ts';

/** Collects what is sent. */
function stage() {
  const sent: number[] = [];
  let writes = 0;
  const send = (_client: Client, { bytes }: Memory, start: number, end: number) => {
    writes++;
    sent.push(...bytes.subarray(start, end));
  };
  const memory = (size: number) => {
    const buffer = new ArrayBuffer(size);
    return { bytes: new Uint8Array(buffer), view: new DataView(buffer), address: 0 };
  };
  const client = { engine: { send } } as unknown as Client;
  return { sent, writes: () => writes, client, system: { memory } as unknown as System };
}

/** Topic, packet identifier, publisher, sequence and time of every frame. */
function frames(sent: readonly number[]) {
  const bytes = Buffer.from(sent);
  const scanner = new FrameScanner();
  const found: (string | number)[][] = [];
  for (let at = 0; at < bytes.length; ) {
    at = scanner.next(bytes, at, bytes.length);
    assert.ok(at > 0);
    const { head, body } = scanner;
    const topicEnd = body + 2 + bytes.readUInt16BE(body);
    const payload = payloadOf(bytes, head, body, 4);
    const stamp = [0, 4, 8].map(offset => bytes.readUInt32BE(payload + offset));
    const topic = bytes.toString('utf8', body + 2, topicEnd);
    found.push([topic, bytes.readUInt16BE(topicEnd), ...stamp]);
  }
  return found;
}

describe('publisher', () => {
  test('numbers and stamps its messages, topic after topic', () => {
    const { sent, client, system } = stage();
    const several = { topic: 'a/{n}/{i}', filter: 'a/{n}/{i}', spread: 2, qos: 1 } as const;
    const scenario = traffic('t', { ...several, pace: { window: 3 } });
    const publisher = new Publisher(client, 7, scenario, system, 3, 3);
    publisher.put(2, 100);
    publisher.put(3, 200);
    publisher.flush();
    assert.deepEqual(frames(sent), [
      ['a/7/000', 2, 7, 1, 100],
      ['a/7/001', 3, 7, 2, 100],
      ['a/7/000', 4, 7, 3, 200],
      ['a/7/000', 5, 7, 4, 200],
      ['a/7/001', 6, 7, 5, 200],
    ]);
    assert.equal(publisher.sent, 5);
    assert.equal(publisher.sentUs[4 % 3], 200);
  });

  test('what has come due goes in one write, as long as the batch has room', () => {
    const { sent, writes, client, system } = stage();
    const scenario = traffic('t', { qos: 1, pace: { perSecond: 1_000 } });
    const publisher = new Publisher(client, 0, scenario, system, 8, 1);
    publisher.put(2, 10);
    publisher.put(2, 20);
    assert.deepEqual([sent.length, publisher.sent], [0, 4]);
    publisher.flush();
    publisher.flush();
    assert.equal(writes(), 1);
    publisher.put(6, 30);
    publisher.flush();
    assert.equal(writes(), 3, 'to the end of the batch, and from its beginning');
    assert.deepEqual(
      frames(sent).map(([, , , sequence, timeUs]) => [sequence, timeUs]),
      [10, 10, 20, 20, 30, 30, 30, 30, 30, 30].map((timeUs, i) => [i + 1, timeUs]),
    );
  });

  test('packet identifiers come round again and are never 0', () => {
    const { sent, client, system } = stage();
    const scenario = traffic('t', { qos: 1, pace: { window: 1 } });
    const publisher = new Publisher(client, 0, scenario, system, 1, 1);
    publisher.sent = 65_533;
    publisher.put(3, 0);
    publisher.flush();
    assert.deepEqual(
      frames(sent).map(([, packetId]) => packetId),
      [65_535, 1, 2],
    );
  });
});
