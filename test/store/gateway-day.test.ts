// A day at a gateway, in virtual time and on a real file: devices report, what they report is
// retained, somebody is there and takes it, and an uplink comes twice a day for what has gathered.
// Held against the flash budget, and the store's accounting against what the system saw written.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Durability } from '../../src/core/journal.ts';
import { defaultOptions } from '../../src/core/options.ts';
import { keptRow } from '../../src/store/kept.ts';
import { StoreLog } from '../../src/store/log.ts';
import { newFolder, openInline, removeFolders } from '../contract/store-kit.ts';
import { afterAll, describe, test } from '../harness.ts';
import { allowAll, type Client, World } from '../world.ts';

afterAll(removeFolders);

const MB = 1024 * 1024;
const HOUR_MS = 3_600_000;
const BUDGET_BYTES = 60 * MB;
const DEVICES = 20;
const TICK_MS = 10_000;
const PER_TICK = 6;
const UPLINK_EVERY_MS = 12 * HOUR_MS;
const kept = { cleanStart: false, properties: { sessionExpiryInterval: 7 * 86_400 } } as const;

/** What this process has written, bytes: what it said, and what went to the disk; or null. */
function written(): { readonly said: number; readonly disk: number } | null {
  if (process.platform !== 'linux') return null;
  const text = readFileSync('/proc/self/io', 'utf8');
  const value = (name: string) => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(text)?.[1]);
  return { said: value('wchar'), disk: value('write_bytes') };
}

class Gateway {
  readonly world: World;
  readonly store = openInline(newFolder(), { walBytes: MB });
  readonly log: StoreLog;
  readonly started: number;
  accounted = 0;

  constructor(flashBytesPerDay: number) {
    this.log = new StoreLog(
      this.store,
      {
        defaultClass: Durability.Batched,
        classOf: () => null,
        batchMs: 1_000,
        batchBytes: 256 * 1024,
        flashBytesPerDay,
        ...{ quotaBytes: 0, freeBytesMin: 0, freeBytes: () => 0 },
        windowMessages: 1_000,
        windowBytes: MB,
        wall: () => this.world.now,
      },
      0,
      {
        durable: (through, synced) => this.world.broker.handleDurable(through, synced),
        window: (session, rows) => {
          const deliveries = rows.map(row => keptRow(row, this.log));
          this.world.broker.handleWindow(session, deliveries, this.world.now);
        },
        ready: () => {},
        full: () => false,
        room: () => {},
        trouble: error => assert.equal(error, null),
      },
    );
    const { onCommitted } = this.store;
    this.store.onCommitted = (through, synced, bytes) => {
      this.accounted += bytes;
      onCommitted(through, synced, bytes);
    };
    const options = { ...defaultOptions, sysIntervalMs: 0, queueMessagesMax: 1_000_000 };
    const journal = { journal: this.log, now: 1_000 };
    this.world = new World(options, allowAll, undefined, journal);
    this.started = this.world.now;
  }

  listener(clientId: string): Client {
    const client = this.world.open(5);
    client.send({ type: 'connect', version: 5, clientId, ...kept });
    client.send({ type: 'subscribe', packetId: 1, filters: [{ filter: 'site/#', qos: 1 }] });
    client.take();
    return client;
  }

  /** Hours of it, one tick after the other; gives what the uplink got. */
  run(hours: number): number {
    const { world } = this;
    const devices = Array.from({ length: DEVICES }, () => world.connect(5));
    const dashboard = this.listener('dashboard');
    this.listener('uplink').drop();
    let fetched = 0;
    for (let tick = 0; tick * TICK_MS < hours * HOUR_MS; tick++) {
      for (let n = 0; n < PER_TICK; n++) this.report(devices, tick * PER_TICK + n);
      world.advance(TICK_MS / 2);
      acknowledge(dashboard);
      world.advance(TICK_MS / 2);
      if ((tick + 1) % (UPLINK_EVERY_MS / TICK_MS) === 0) fetched += this.fetch();
    }
    return fetched;
  }

  private report(devices: readonly Client[], number: number): void {
    const device = number % DEVICES;
    const reading = `{"number":${number},"celsius":${(number % 300) / 10},"state":"running"}`;
    devices[device]!.send({
      type: 'publish',
      topic: `site/line-${device % 4}/device-${device}`,
      qos: 1,
      packetId: 1 + (number % 60_000),
      retain: true,
      payload: reading,
    });
    devices[device]!.take();
  }

  private fetch(): number {
    const uplink = this.world.open(5);
    uplink.send({ type: 'connect', version: 5, clientId: 'uplink', ...kept });
    let count = 0;
    for (let got = -1; got !== 0; count += got) got = acknowledge(uplink);
    uplink.drop();
    return count;
  }
}

function acknowledge(client: Client): number {
  let count = 0;
  for (const packet of client.take()) {
    if (packet.type !== 'publish' || packet.packetId === undefined) continue;
    client.send({ type: 'puback', packetId: packet.packetId });
    count++;
  }
  return count;
}

function within(actual: number, expected: number, share: number, what: string): void {
  const text = `${what}: ${actual}, expected ${expected} within ${share * 100} %`;
  assert.ok(Math.abs(actual - expected) <= expected * share, text);
}

describe('a day at a gateway', () => {
  test('stays within its flash budget, and the accounting is true', async () => {
    const before = written();
    const gateway = new Gateway(BUDGET_BYTES);
    const fetched = gateway.run(24);
    assert.equal(gateway.world.now - gateway.started, 24 * HOUR_MS);
    const after = written();
    const { accounted } = gateway;
    assert.equal(fetched, (24 * HOUR_MS * PER_TICK) / TICK_MS, 'the uplink got everything once');
    process.stdout.write(`gateway: ${fetched} messages, ${(accounted / MB).toFixed(1)} MB, `);
    process.stdout.write(`${gateway.log.figures()['store/commits']} commits\n`);
    // An hour's worth may be written ahead, and the last batch may come on top.
    assert.ok(accounted <= BUDGET_BYTES * (1 + 1 / 24) + 8 * MB, `${accounted} bytes`);
    if (before !== null && after !== null) {
      within(accounted, after.said - before.said, 0.05, 'bytes said');
      const disk = after.disk - before.disk;
      if (disk > 0) within(accounted, disk, 0.25, 'bytes on the disk'); // none in memory
    }
    await gateway.log.close(gateway.world.now);
  });

  test('would have gone beyond it without one', async () => {
    const gateway = new Gateway(0);
    gateway.run(1);
    assert.ok(gateway.accounted > (BUDGET_BYTES / 24) * 2, `${gateway.accounted} bytes`);
    await gateway.log.close(gateway.world.now);
  });
});
