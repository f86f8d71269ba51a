// The order of things in a real broker, as recorded: in front of the acknowledgement of each strict
// message that had to be stored stand, in this order, the receiving of its PUBLISH, the writing of
// its bytes, and a sync of the file they were written to that began behind that and succeeded.

import assert from 'node:assert/strict';
import { afterAll, describe, freshSeed, skipped, test } from '../harness.ts';
import { Prng } from '../prng.ts';
import { Disk } from './disk.ts';
import { History, type Published } from './history.ts';
import { runLoad, settings } from './load.ts';
import { Workshop } from './recorded-broker.ts';
import { type Event, Kind } from './recording.ts';

const MESSAGES = 1_500;

const workshop = new Workshop();
const missing = workshop.prepare();
afterAll(() => workshop.remove());

interface Sync {
  readonly began: number;
  readonly ended: number;
}

/** Where each message's bytes were written first, and what was synced when. */
class Trace {
  readonly written = new Map<string, { readonly file: object; readonly at: number }>();
  private readonly syncs = new Map<object, Sync[]>();

  constructor(events: readonly Event[]) {
    const disk = new Disk(new Prng(0));
    for (const event of events) {
      const { kind, fd, sequence, a, b, data } = event;
      disk.apply(event);
      const file = disk.fileOf(fd);
      if (file === null) continue;
      if (kind === Kind.Write) {
        for (const [marker] of data.toString('latin1').matchAll(/m\d+\.\d+;/g)) {
          if (!this.written.has(marker)) this.written.set(marker, { file, at: sequence });
        }
      } else if (kind === Kind.SyncEnd && a === 0) {
        const syncs = this.syncs.get(file) ?? [];
        syncs.push({ began: b, ended: sequence });
        this.syncs.set(file, syncs);
      }
    }
  }

  /** Why the acknowledgement of `m` was too early, or null when it was not. */
  faultOf({ marker, received, acknowledged }: Published): string | null {
    const written = this.written.get(marker);
    if (written === undefined) return `${marker} was never written`;
    if (written.at < received) return `${marker} was written before it was received`;
    const syncs = this.syncs.get(written.file) ?? [];
    const first = syncs.find(({ began }) => began > written.at);
    if (first !== undefined && first.ended < acknowledged) return null;
    return `${marker}: written ${written.at}, synced ${first?.ended}, sent ${acknowledged}`;
  }
}

describe('every strict acknowledgement waits for its sync', () => {
  for (const [name, noWal] of [
    ['with a write-ahead log', false],
    ['with a rollback journal', true],
  ] as const) {
    if (missing !== null) {
      skipped(name, missing);
      continue;
    }
    test(name, async () => {
      const broker = await workshop.start(settings, { noWal });
      await runLoad(broker.port, MESSAGES, new Prng(freshSeed()));
      const { events } = await broker.stop();
      const trace = new Trace(events);
      const { published } = new History(events);
      // The session that is away wants all of them, so all of them had to be stored.
      const queued = published.filter(m => m.topic.startsWith('q/'));
      const strict = queued.filter(m => m.durability === 'strict');
      assert.ok(strict.length > MESSAGES / 5);
      assert.deepEqual(strict.map(m => trace.faultOf(m)).filter(Boolean), []);
      // And what need not wait does not: else this would show nothing about the order.
      const batched = queued.filter(m => m.durability === 'batched');
      const waited = batched.filter(m => trace.faultOf(m) === null).length;
      const synced = events.filter(({ kind }) => kind === Kind.SyncEnd).length;
      process.stdout.write(
        `power ${name}: ${strict.length} strict messages acknowledged behind ${synced} syncs; ` +
          `${waited} of ${batched.length} batched ones were as well\n`,
      );
      assert.ok(waited < batched.length, 'every acknowledgement waits');
    });
  }
});
