// A backlog far larger than the memory it may cost: queued for clients that are away, drained by
// three sessions at once while more is published, with a `kill -9` halfway.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { afterAll, describe, rounds, skipped, test } from '../harness.ts';
import { endChildren } from '../integration/process.ts';
import { BrokerProcess } from './broker-process.ts';
import { Drain, Publisher } from './drain.ts';

const QUEUED = rounds > 1 ? 1_000_000 : 200_000;
/** Published while the sessions drain: before the crash, and after it. */
const LATE = QUEUED / 20;
const SERIALS = QUEUED + 2 * LATE;
const TOPICS = 4;
const MB = 1024 * 1024;
/** What may be used over an idle broker's memory while messages wait, and while they drain as fast
 *  as two processors can: that much its garbage takes between two collections. */
const WAITING_MAX = 64 * MB;
const DRAINING_MAX = 96 * MB;
/** Messages per second and machine below which something is broken, however busy it is. */
const RATE_MIN = 10_000;

/** Without $SYS: nothing but what happens wakes the broker. */
const flags = [
  'sys.intervalMs=0',
  'queue.messagesMax=10000000',
  'queue.bytesMax=4GB',
  'queue.totalBytesMax=4GB',
];
const settings = flags.flatMap(flag => ['--set', flag]);

function topicOf(serial: number): string {
  return `backlog/${serial % TOPICS}`;
}

/** Bytes of `broker` in memory: now, or at most so far. */
function memory({ pid }: BrokerProcess, which: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${which}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024;
}

/** Resolves when `holds` does, which is asked after every read of any of them. */
async function until(drains: readonly Drain[], holds: () => boolean): Promise<void> {
  await new Promise<void>(resolve => {
    const check = () => {
      if (holds()) resolve();
    };
    for (const drain of drains) drain.onRead = check;
    check();
  });
}

function tell(what: string): void {
  process.stdout.write(`backlog: ${what}\n`);
}

/** Three sessions: one gets everything, two a part of it. */
async function openSessions(port: number): Promise<Drain[]> {
  const filters = ['backlog/#', 'backlog/0', 'backlog/1'];
  const drains = filters.map((filter, index) => new Drain(`drain-${index}`, filter, SERIALS));
  for (const drain of drains) {
    drain.connect(port);
    await drain.subscribe();
    await drain.leave();
  }
  return drains;
}

async function queueAll(broker: BrokerProcess): Promise<number[]> {
  const publisher = new Publisher(broker.port, 'early', 0, topicOf);
  const started = performance.now();
  await publisher.upTo(QUEUED, 100);
  publisher.end();
  const rate = (QUEUED / (performance.now() - started)) * 1000;
  tell(`${QUEUED} messages queued at ${rate.toFixed(0)} msg/s`);
  assert.equal(publisher.acknowledged.length, QUEUED);
  return publisher.acknowledged;
}

/** What was acknowledged, what `drain` is subscribed to, and what it has not got. */
function missing(drain: Drain, acknowledged: readonly number[]): number[] {
  const wanted = (serial: number) =>
    drain.filter === 'backlog/#' || drain.filter === topicOf(serial);
  return acknowledged.filter(serial => wanted(serial) && !drain.has(serial));
}

async function drainAll(broker: BrokerProcess): Promise<void> {
  await broker.start();
  const idle = memory(broker, 'VmRSS');
  const drains = await openSessions(broker.port);
  const acknowledged = await queueAll(broker);
  const over = memory(broker, 'VmRSS') - idle;
  tell(`${(over / MB).toFixed(1)} MB over the ${(idle / MB).toFixed(1)} MB of an idle broker`);
  assert.ok(over <= WAITING_MAX, `${QUEUED} queued messages cost ${over} bytes of memory`);

  for (const drain of drains) drain.connect(broker.port);
  const before = new Publisher(broker.port, 'before', QUEUED, topicOf);
  const publishing = before.upTo(QUEUED + LATE, 50);
  await until(drains, () => drains[0].distinct >= QUEUED / 2);
  await broker.kill();
  await publishing;
  acknowledged.push(...before.acknowledged);
  for (const drain of drains) await drain.leave();

  await broker.start();
  const reopened = performance.now();
  const taken = sum(drains);
  for (const drain of drains) drain.connect(broker.port);
  const after = new Publisher(broker.port, 'after', QUEUED + LATE, topicOf);
  await after.upTo(SERIALS, 50);
  acknowledged.push(...after.acknowledged);
  after.end();
  const everything = () => drains.every(drain => missing(drain, acknowledged).length === 0);
  const expected = (drain: Drain) => (drain.filter === 'backlog/#' ? SERIALS : SERIALS / TOPICS);
  // Counting is cheap, looking through all is not: only near the end it can be true.
  const near = () => drains.every(drain => drain.distinct >= expected(drain) - 2 * LATE);
  await until(drains, () => near() && everything());
  const rate = ((sum(drains) - taken) / (performance.now() - reopened)) * 1000;
  const peak = memory(broker, 'VmHWM');
  tell(`three sessions drained at ${rate.toFixed(0)} msg/s, at most ${(peak / MB).toFixed(1)} MB`);
  assert.ok(rate >= RATE_MIN, `${rate} messages per second`);
  assert.ok(peak - idle <= DRAINING_MAX, `draining cost ${peak - idle} bytes of memory`);
  for (const drain of drains) {
    await drain.leave();
    assert.equal(drain.disorder, null);
  }
}

function sum(drains: readonly Drain[]): number {
  return drains.reduce((total, { received }) => total + received, 0);
}

afterAll(endChildren);

describe('a backlog', () => {
  const name = `of ${QUEUED} messages costs no memory, survives kill -9 and arrives in order`;
  if (process.platform !== 'linux') {
    skipped(name, 'what a process uses is read from /proc');
    return;
  }
  test(
    name,
    async () => {
      const broker = new BrokerProcess(settings);
      try {
        await drainAll(broker);
      } finally {
        await broker.remove();
      }
    },
    QUEUED * 2,
  );
});
