// What idle clients and their subscriptions take of the heap, within generous bounds: a field too
// many in a class that there are a million of, or a map where a slot would do, is noticed here.
// bench/matching.ts tells the figures.

import assert from 'node:assert/strict';
import { connectFrame, subscribeFrame } from '../../src/bench/wire.ts';
import { Broker } from '../../src/core/broker.ts';
import { defaultOptions } from '../../src/core/options.ts';
import type { Connection } from '../../src/core/session/connection.ts';
import { describe, skipped, test } from '../harness.ts';
import { allowAll } from '../world.ts';

const CLIENTS = 20_000;
/** A Map that has just grown takes up to 183 bytes for each of its entries. */
const CLIENT_BYTES = 1_050;
const SUBSCRIPTION_BYTES = 440;

const broker = new Broker({ ...defaultOptions, sysIntervalMs: 0 }, allowAll, () => 0.5, 0);

function turn(): void {
  const { effects } = broker;
  for (const c of effects.authenticate.splice(0)) broker.handleAuthResult(c, { reason: 0 }, 0);
  for (const c of effects.takeDirty()) c.out.consume(c.out.length);
  effects.log.length = 0;
  effects.paused.length = 0;
  broker.handleTime(0);
}

function connect(n: number): Connection {
  const c = broker.handleOpen(`192.0.2.1:${n}`, 0)!;
  broker.handleBytes(c, connectFrame(4, `client-${n}`), 0);
  turn();
  return c;
}

async function heapBytes(): Promise<number> {
  const { heapStats } = await import('bun:jsc');
  Bun.gc(true);
  Bun.gc(true);
  return heapStats().heapSize;
}

describe('on the heap', () => {
  if (typeof Bun === 'undefined') {
    skipped('bytes of idle clients', 'only Bun is asked here');
    return;
  }
  test('an idle client takes a kilobyte, and a filter of its own half of one', async () => {
    connect(CLIENTS);
    const empty = await heapBytes();
    const clients = Array.from({ length: CLIENTS }, (_, n) => connect(n));
    const connected = await heapBytes();
    clients.forEach((c, n) => {
      broker.handleBytes(c, subscribeFrame(4, [`site/${n}/temperature`], 0), 0);
      turn();
    });
    const subscribed = await heapBytes();
    assert.ok(
      (connected - empty) / CLIENTS < CLIENT_BYTES,
      `${(connected - empty) / CLIENTS} bytes`,
    );
    const each = (subscribed - connected) / CLIENTS;
    assert.ok(each < SUBSCRIPTION_BYTES, `${each} bytes`);
    assert.equal(broker.state.router.subscriptionCount, clients.length);
  });
});
