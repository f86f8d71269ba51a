// What the store can do by itself, without a broker: `bun bench/store.ts [FOLDER]`. Commits of 100
// operations in class `written` and `strict`, windows, a backlog drained while it is acknowledged,
// and the loading of a million rows. The folder says which disk; it is made anew and removed.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits } from '../src/limits.ts';
import { type Op, OpKind } from '../src/store/ops.ts';
import { runtimeDriver } from '../src/store/sqlite/runtime-driver.ts';
import { SqliteStore } from '../src/store/sqlite/sqlite-store.ts';
import type { Store, WindowRow } from '../src/store/store.ts';
import { ThreadStore } from '../src/store/thread/thread-store.ts';

const NEVER = Number.POSITIVE_INFINITY;
const payload = new Uint8Array(64);
const folder = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'minnow-bench-'));
const driver = await runtimeDriver();
const settings = {
  path: join(folder, 'minnow.db'),
  pageBytes: limits.storePageBytes,
  cacheBytes: limits.storeCacheBytes,
  walBytes: limits.storeWalBytes,
  badKept: 1,
};

/** Gives batches, up to `ahead` of them at once, and counts what was written. */
class Committer {
  given = 0;
  bytes = 0;
  private committed = 0;
  private wake: (() => void) | null = null;
  readonly store: Store;

  constructor(store: Store) {
    this.store = store;
    store.onCommitted = (through, _synced, bytes) => {
      this.committed = through;
      this.bytes += bytes;
      this.wake?.();
    };
    store.onFailed = (_through, error) => {
      throw error;
    };
  }

  async commit(ops: readonly Op[], sync: boolean, ahead = 2_000): Promise<void> {
    const after = this.given;
    this.given += ops.length;
    const clock = performance.now();
    this.store.commit({ ops, after, through: this.given, sync, clock, wall: Date.now() });
    while (this.given - this.committed > ahead) {
      await new Promise<void>(resolve => {
        this.wake = resolve;
      });
    }
  }

  window(sid: number, after: number): Promise<readonly WindowRow[]> {
    return new Promise(resolve => {
      this.store.onWindow = (_sid, rows) => resolve(rows);
      this.store.requestWindow(sid, after, 500, limits.storeWalBytes);
    });
  }
}

function session(sid: number): Op {
  return {
    kind: OpKind.SessionPut,
    sid,
    clientId: `client-${sid}`,
    username: null,
    peer: '192.0.2.1:1883',
    expirySeconds: 0xffff_ffff,
    endsAt: NEVER,
    willDueAt: NEVER,
    connected: false,
    origin: null,
    grants: null,
    will: null,
  };
}

function queued(sid: number, mid: number): Op[] {
  const [qos, retain] = [1, false] as const;
  const message = { topic: `devices/${sid}/state`, source: payload, payloadStart: 0 };
  const delivery = { identifiers: null, group: null, state: 0, packetId: 0 } as const;
  return [
    { kind: OpKind.MessagePut, mid, ...message, qos, retain, expiresAt: NEVER, refs: 1 },
    { kind: OpKind.QueuePut, sid, rank: mid, mid, qos, retain, ...delivery },
  ];
}

function dropped(sid: number, { rank, mid, refs }: Pick<WindowRow, 'rank' | 'mid' | 'refs'>): Op {
  return { kind: OpKind.QueueDrop, sid, rank, mid, refs };
}

const SESSIONS = 50;
const report = (what: string, text: string) => process.stdout.write(`${what.padEnd(44)}${text}\n`);
const rate = (count: number, since: number) =>
  `${Math.round((count / (performance.now() - since)) * 1000).toLocaleString('en')}/s`;

/** Messages come and are acknowledged 1,000 messages later, 100 operations at a time. */
async function commits(name: string, store: Store, sync: boolean, seconds: number): Promise<void> {
  const committer = new Committer(store);
  await store.load();
  await committer.commit(
    Array.from({ length: SESSIONS }, (_, i) => session(i + 1)),
    true,
  );
  committer.bytes = 0;
  const started = performance.now();
  let mid = 0;
  let ops = 0;
  while (performance.now() - started < seconds * 1_000) {
    const batch: Op[] = [];
    while (batch.length < 100) {
      mid++;
      batch.push(...queued((mid % SESSIONS) + 1, mid));
      const old = mid - 1_000;
      if (old > 0) batch.push(dropped((old % SESSIONS) + 1, { rank: old, mid: old, refs: 1 }));
    }
    ops += batch.length;
    await committer.commit(batch, sync, sync ? 0 : 2_000);
  }
  const bytes = Math.round(committer.bytes / mid);
  report(`${name}, ${sync ? 'strict' : 'written'}`, `${rate(ops, started)}, ${bytes} B/message`);
  await store.close();
  rmSync(settings.path);
}

async function fill(store: Store, count: number): Promise<void> {
  const committer = new Committer(store);
  await store.load();
  for (let first = 1; first <= count / 2; first += 500) {
    const ops: Op[] = [];
    for (let id = first; id < first + 500; id++) {
      if (id <= count / 10) ops.push(session(id));
      const [topic, source] = [`devices/${id}/state`, payload];
      ops.push({
        kind: OpKind.RetainedPut,
        topic,
        source,
        payloadStart: 0,
        qos: 1,
        expiresAt: NEVER,
      });
      ops.push(...queued((id % 4) + 1, id));
    }
    await committer.commit(ops, false);
  }
  await store.close();
}

/** Half of the rows are retained messages, half wait for four clients. */
async function million(open: () => Promise<Store>): Promise<void> {
  await fill(await open(), 1_000_000);
  let started = performance.now();
  const store = await open();
  const { sessions, retained, queues } = await store.load();
  const waiting = queues.reduce((sum, { queued }) => sum + queued, 0);
  const rows = sessions.length + retained.length + waiting;
  report(`opening and loading ${rows} rows`, `${Math.round(performance.now() - started)} ms`);
  started = performance.now();
  const committer = new Committer(store);
  let read = 0;
  for (let after = 0; ; ) {
    const window = await committer.window(1, after);
    read += window.length;
    if (window.length === 0) break;
    after = window.at(-1)!.rank;
  }
  report('windows of 500 rows, read only', rate(read, started));
  started = performance.now();
  let drained = 0;
  for (const open = new Set([1, 2, 3, 4]); open.size > 0; ) {
    for (const sid of open) {
      const window = await committer.window(sid, 0);
      if (window.length === 0) open.delete(sid);
      drained += window.length;
      if (window.length > 0)
        await committer.commit(
          window.map(row => dropped(sid, row)),
          false,
          0,
        );
    }
  }
  report('four backlogs drained and acknowledged', rate(drained, started));
  await store.close();
}

const inline = async () => new SqliteStore(settings, driver);
const threaded = () => ThreadStore.open(settings);
try {
  for (const sync of [false, true]) {
    await commits(`${driver.name}, inline`, await inline(), sync, 3);
    await commits(`${driver.name}, on a thread`, await threaded(), sync, 3);
  }
  await million(threaded);
} finally {
  rmSync(folder, { recursive: true });
}
