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

/** What else is in the process grows and shrinks too: of so many rounds the middle one counts. */
const ROUNDS = 3;

class House {
  readonly broker = new Broker({ ...defaultOptions, sysIntervalMs: 0 }, allowAll, () => 0.5, 0);

  connect(n: number): Connection {
    const c = this.broker.handleOpen(`192.0.2.1:${n}`, 0)!;
    this.receive(c, connectFrame(4, `client-${n}`));
    return c;
  }

  receive(c: Connection, frame: Uint8Array): void {
    this.broker.handleBytes(c, frame, 0);
    const { effects } = this.broker;
    for (const asked of effects.authenticate.splice(0)) {
      this.broker.handleAuthResult(asked, { reason: 0 }, 0);
    }
    for (const dirty of effects.takeDirty()) dirty.out.consume(dirty.out.length);
    effects.log.length = 0;
    effects.paused.length = 0;
    this.broker.handleTime(0);
  }
}

async function heapBytes(): Promise<number> {
  const { heapStats } = await import('bun:jsc');
  Bun.gc(true);
  Bun.gc(true);
  return heapStats().heapSize;
}

async function measure(): Promise<{ client: number; subscription: number }> {
  const house = new House();
  house.connect(CLIENTS);
  const empty = await heapBytes();
  const clients = Array.from({ length: CLIENTS }, (_, n) => house.connect(n));
  const connected = await heapBytes();
  clients.forEach((c, n) => {
    house.receive(c, subscribeFrame(4, [`site/${n}/temperature`], 0));
  });
  const subscribed = await heapBytes();
  assert.equal(house.broker.state.router.subscriptionCount, clients.length);
  return {
    client: (connected - empty) / CLIENTS,
    subscription: (subscribed - connected) / CLIENTS,
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

describe('on the heap', () => {
  if (typeof Bun === 'undefined') {
    skipped('bytes of idle clients', 'only Bun is asked here');
    return;
  }
  test('an idle client takes a kilobyte, and a filter of its own half of one', async () => {
    const rounds = [];
    while (rounds.length < ROUNDS) rounds.push(await measure());
    const client = median(rounds.map(round => round.client));
    const subscription = median(rounds.map(round => round.subscription));
    assert.ok(client < CLIENT_BYTES, `${client} bytes for a client`);
    assert.ok(subscription < SUBSCRIPTION_BYTES, `${subscription} bytes for a filter`);
  });
});
