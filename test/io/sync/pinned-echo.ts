// The other thread of pinned.test.ts: echoes through the core's own output buffers, and makes and
// collects garbage. Reports when it has had its turns; goes when its bell is rung.

import { parentPort, workerData } from 'node:worker_threads';
import { Counters } from '../../../src/core/report/counters.ts';
import { BufferPool, Output } from '../../../src/core/session/output.ts';
import type { Hallway, Link } from '../../../src/io/driver.ts';
import { defaultIoOptions } from '../../../src/io/options.ts';
import { SyncDriver } from '../../../src/io/sync/sync-driver.ts';
import { Prng } from '../../prng.ts';

export interface PinnedData {
  readonly bell: number;
  readonly turns: number;
  readonly seed: number;
}

export interface PinnedReport {
  readonly turns: number;
  readonly collections: number;
  /** Writes that a socket did not take in full. */
  readonly partial: number;
}

const { bell, turns: turnsWanted, seed } = workerData as PinnedData;

/** A whole collection, at once. */
async function collector(): Promise<() => void> {
  if ('Bun' in globalThis) return () => Bun.gc(true);
  const { setFlagsFromString } = await import('node:v8');
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

const TURNS_PER_COLLECTION = 100;

class Echo implements Hallway {
  private readonly pool = new BufferPool();
  private readonly counters = new Counters();
  private readonly outputs = new Map<Link, Output>();
  private readonly dirty = new Set<Link>();
  private readonly random = new Prng(seed);
  private readonly collect: () => void;
  private garbage: Uint8Array[] = [];
  private turns = 0;
  private collections = 0;
  private partial = 0;

  constructor(collect: () => void) {
    this.collect = collect;
  }

  opened(link: Link): boolean {
    this.outputs.set(link, new Output(this.pool, this.counters));
    return true;
  }

  bytes(link: Link, chunk: Uint8Array): void {
    this.outputs.get(link)!.append(chunk);
    this.dirty.add(link);
  }

  drained(link: Link): void {
    link.blocked = false;
    this.dirty.add(link);
  }

  parted(): void {} // there is nothing around the bytes

  closed(link: Link): void {
    this.outputs.delete(link);
    this.dirty.delete(link);
  }

  turn(): number {
    for (const link of this.dirty) {
      if (!link.blocked) this.write(link);
      this.dirty.delete(link);
    }
    // Small arrays, some of which move when their buffer is asked for, between those that matter.
    const small = new Uint8Array(1 + this.random.below(900));
    if (this.random.below(2) === 0) new Uint8Array(small.buffer).fill(0xdd);
    this.garbage.push(small);
    if (++this.turns % TURNS_PER_COLLECTION === 0) {
      this.garbage = this.garbage.filter(() => this.random.below(2) === 0).slice(0, 500);
      this.collect();
      this.collections++;
    }
    const { turns, collections, partial } = this;
    if (turns === turnsWanted) {
      parentPort!.postMessage({ turns, collections, partial } satisfies PinnedReport);
    }
    return Number.POSITIVE_INFINITY;
  }

  private write(link: Link): void {
    const out = this.outputs.get(link)!;
    const due = out.limit - out.start;
    const taken = link.write(out.buffer, out.start, out.limit);
    out.consume(taken);
    if (taken === due) return;
    link.blocked = true;
    this.partial++;
  }
}

const driver = await SyncDriver.create(new Echo(await collector()), defaultIoOptions, () => {});
driver.watch(bell, () => driver.stop());
parentPort!.postMessage(await driver.listen('127.0.0.1', 0));
driver.run();
