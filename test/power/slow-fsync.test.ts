// A disk whose syncs take 20 or 200 ms holds up nobody but those who wait for it: while strict
// publishers keep it busy, others send messages of three kinds, of the class `none`, strict ones
// that nobody has to keep, and batched ones that are kept. What is asked is the order of things, as
// recorded: whether a message that came during a sync was passed on and acknowledged before the
// sync ended. How long that took is told as well, but what else runs on the machine adds to it.

import assert from 'node:assert/strict';
import { afterAll, describe, skipped, test } from '../harness.ts';
import { Client } from './client.ts';
import { History } from './history.ts';
import { settingsWith } from './load.ts';
import { type Recorded, Workshop } from './recorded-broker.ts';
import { type Event, Kind } from './recording.ts';

const DELAYS_MS = [20, 200];
/** Each takes longer than the one before. */
const ATTEMPTS = 4;
const DURATION_MS = 1_500;
const STRICT_PUBLISHERS = 10;
const STRICT_IN_FLIGHT = 20;
/** Syncs end while a message is under way, and the broker may be kept from its processor. */
const PASSED_MIN = 0.75;
/** And so may the clients: in that many syncs at least they got something through. */
const USED_MIN = 0.25;

const kinds = {
  none: 'probe/none/a',
  'not stored': 'probe/strict/a',
  batched: 'probe/batched/a',
} as const;
type ProbeKind = keyof typeof kinds;
const names = Object.keys(kinds) as ProbeKind[];

const workshop = new Workshop();
const missing = workshop.prepare();
afterAll(() => workshop.remove());

/** Two who are there, and what they do until the time is up. */
interface Probe {
  readonly kind: ProbeKind;
  readonly from: Client;
  readonly to: Client;
}

async function openProbe(port: number, kind: ProbeKind): Promise<Probe> {
  const to = await Client.connect(port, `${kind} to`, kind !== 'batched');
  await to.subscribe(kinds[kind], 1);
  return { kind, from: await Client.connect(port, `${kind} from`, true), to };
}

/** Sends a message, waits until it has come, and so on; the times in ms. */
async function probe({ kind, from, to }: Probe, until: number): Promise<number[]> {
  const times: number[] = [];
  while (performance.now() < until) {
    const began = performance.now();
    const came = new Promise<void>(resolve => {
      to.onMessage = () => resolve();
    });
    await Promise.all([from.publish(kinds[kind], `${times.length};`, 1), came]);
    times.push(performance.now() - began);
  }
  await Promise.all([from.disconnect(), to.disconnect()]);
  return times;
}

/** Keeps the disk busy; gives how many messages per second were acknowledged. */
async function publishStrictly(port: number, until: number): Promise<number> {
  let acknowledged = 0;
  const began = performance.now();
  const one = async (n: number) => {
    const client = await Client.connect(port, `strict ${n}`, true);
    const send = async () => {
      while (performance.now() < until) {
        await client.publish(`q/strict/${n}`, 'x'.repeat(64), 1);
        acknowledged++;
      }
    };
    await Promise.all(Array.from({ length: STRICT_IN_FLIGHT }, send));
    await client.disconnect();
  };
  await Promise.all(Array.from({ length: STRICT_PUBLISHERS }, (_, n) => one(n)));
  return (acknowledged / (performance.now() - began)) * 1_000;
}

async function record(
  delayMs: number,
  thread: 'own' | 'inline',
  durationMs = DURATION_MS,
): Promise<Recorded> {
  const flags = ['--set', `store.thread=${thread}`];
  const broker = await workshop.start(settingsWith(), { delayMs }, flags);
  const away = await Client.connect(broker.port, 'away', false);
  await away.subscribe('q/#', 1);
  await away.disconnect();
  const probes = await Promise.all(names.map(kind => openProbe(broker.port, kind)));
  const until = performance.now() + durationMs;
  const strict = publishStrictly(broker.port, until);
  const times = await Promise.all(probes.map(one => probe(one, until)));
  const perSecond = Math.round(await strict);
  const p99 = names.map((kind, n) => `${kind} ${percentile(times[n]!, 0.99).toFixed(2)} ms`);
  process.stdout.write(
    `power: syncs ${delayMs} ms slower, thread ${thread}: ${perSecond} strict messages/s, ` +
      `p99 of others: ${p99.join(', ')}\n`,
  );
  return broker.stop('SIGKILL');
}

function percentile(times: number[], part: number): number {
  return times.sort((a, b) => a - b)[Math.floor(times.length * part)] ?? Number.NaN;
}

interface Sync {
  readonly began: number;
  readonly ended: number;
}

/** Who waited for syncs that were not theirs, in words. */
function held(events: readonly Event[], delayMs: number): string[] {
  const { published, delivered } = new History(events);
  const sent = new Map(delivered.map(d => [`${d.clientId} ${d.marker}`, d.sent]));
  const syncs = events
    .filter(({ kind, sequence, b }) => kind === Kind.SyncEnd && sequence > b)
    .map(({ sequence, b }): Sync => ({ began: b, ended: sequence }));
  return names.flatMap(kind => {
    const probes = published.filter(({ clientId }) => clientId === `${kind} from`);
    const first = probes[0]?.received ?? Number.POSITIVE_INFINITY;
    const last = probes.at(-1)?.acknowledged ?? 0;
    const during = syncs.filter(({ began, ended }) => began > first && ended < last);
    const came = during.map(({ began, ended }) => {
      const within = probes.filter(m => m.received > began && m.received < ended);
      const passed = within.filter(m => {
        const arrived = sent.get(`${kind} to ${m.marker}`) ?? Number.POSITIVE_INFINITY;
        return m.acknowledged < ended && arrived < ended;
      });
      return { all: within.length, passed: passed.length };
    });
    const all = came.reduce((sum, each) => sum + each.all, 0);
    const passed = came.reduce((sum, each) => sum + each.passed, 0);
    const used = came.filter(each => each.passed > 0).length;
    const good = passed >= all * PASSED_MIN && used > 0 && used >= during.length * USED_MIN;
    const what = `${passed} of ${all} passed, in ${used} of ${during.length} syncs`;
    process.stdout.write(`power:   ${kind}: ${what}\n`);
    return good ? [] : [`${kind}: ${what}, of ${delayMs} ms`];
  });
}

describe('a slow disk', () => {
  const titles = DELAYS_MS.map(delayMs => `whose syncs take ${delayMs} ms holds up nobody else`);
  const control = 'is seen to hold up everybody where the core itself writes';
  if (missing !== null) {
    for (const title of [...titles, control]) skipped(title, missing);
    return;
  }
  for (const [n, delayMs] of DELAYS_MS.entries()) {
    test(titles[n]!, async () => {
      let faults = ['nothing was tried'];
      for (let attempt = 0; attempt < ATTEMPTS && faults.length > 0; attempt++) {
        faults = held((await record(delayMs, 'own')).events, delayMs);
      }
      assert.deepEqual(faults, []);
    }, 120_000);
  }

  test(control, async () => {
    const faults = held((await record(200, 'inline')).events, 200);
    assert.equal(faults.length, names.length, faults.join('\n'));
  }, 120_000);
});
