// Prints what idle clients and their subscriptions take of the heap, in bytes for each, as JSON:
// the process of space.test.ts, in which nothing else grows or shrinks.

import { heapStats } from 'bun:jsc';
import assert from 'node:assert/strict';
import { connectFrame, subscribeFrame } from '../../src/bench/wire.ts';
import { Broker } from '../../src/core/broker.ts';
import { defaultOptions } from '../../src/core/options.ts';
import type { Connection } from '../../src/core/session/connection.ts';
import { allowAll } from '../world.ts';

const CLIENTS = 20_000;

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

function heapBytes(): number {
  Bun.gc(true);
  Bun.gc(true);
  return heapStats().heapSize;
}

function measure(): { client: number; subscription: number } {
  const house = new House();
  house.connect(CLIENTS);
  const empty = heapBytes();
  const clients = Array.from({ length: CLIENTS }, (_, n) => house.connect(n));
  const connected = heapBytes();
  clients.forEach((c, n) => {
    house.receive(c, subscribeFrame(4, [`site/${n}/temperature`], 0));
  });
  const subscribed = heapBytes();
  assert.equal(house.broker.state.router.subscriptionCount, clients.length);
  return {
    client: (connected - empty) / CLIENTS,
    subscription: (subscribed - connected) / CLIENTS,
  };
}

process.stdout.write(JSON.stringify(measure()));
