// Opens what a configuration asks for: the store, and the log between it and the core.

import { statfsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import type { StoreConfig } from '../config/config.ts';
import { durabilities } from '../config/sections/store.ts';
import { limits } from '../limits.ts';
import { filterMatches } from '../mqtt/topic.ts';
import { resumedClock } from './clock.ts';
import { type LogListener, StoreLog } from './log.ts';
import type { SqliteSettings } from './sqlite/connection.ts';
import type { Loaded, Store } from './store.ts';
import type { Upkeeper } from './upkeep/upkeep.ts';

/** A store with what it kept, before the first commit. */
export interface OpenedStore {
  readonly store: Store & Upkeeper;
  readonly loaded: Loaded;
  /** What the core's clock says now, milliseconds. */
  readonly clock: number;
  /** The log that the broker writes to; `listener` hears of it. Called once. */
  createLog(listener: LogListener): StoreLog;
}

const WINDOW_BYTES = 1024 * 1024;

/** Opens the database and reads it; null where nothing is to be kept. `bell`: an eventfd that a
 *  store on its own thread rings when it has answered (Store.drain). Rejects with a StoreError. */
export async function openStore(
  config: StoreConfig,
  bell: number | null = null,
): Promise<OpenedStore | null> {
  if (config.kind === 'memory') return null;
  const { path, walBytes } = config;
  const settings = {
    path,
    pageBytes: limits.storePageBytes,
    cacheBytes: limits.storeCacheBytes,
    walBytes,
    badKept: limits.storeBadKept,
  };
  const store = await open(config.thread, settings, bell);
  const loaded = await store.load();
  return {
    store,
    loaded,
    clock: resumedClock(loaded.clock, Date.now()),
    createLog: listener =>
      new StoreLog(
        store,
        {
          defaultClass: durabilities.indexOf(config.durability),
          classOf: topic => classOf(config, topic),
          batchMs: config.batchMs,
          batchBytes: config.batchBytes,
          flashBytesPerDay: config.flashBytesPerDay,
          quotaBytes: config.quotaBytes,
          freeBytesMin: config.freeBytesMin,
          freeBytes: () => freeBytes(dirname(path)),
          windowMessages: config.windowMessages,
          windowBytes: WINDOW_BYTES,
          wall: Date.now,
        },
        loaded.maxMid,
        listener,
      ),
  };
}

/** Free for us on the file system of `directory`; without an answer there is no bound to keep. */
function freeBytes(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** What is not used is not loaded. */
async function open(
  thread: StoreConfig['thread'],
  settings: SqliteSettings,
  bell: number | null,
): Promise<Store & Upkeeper> {
  if (thread === 'own' || (thread === 'auto' && availableParallelism() > 1)) {
    return (await import('./thread/thread-store.ts')).ThreadStore.open(settings, bell);
  }
  const { SqliteStore } = await import('./sqlite/sqlite-store.ts');
  const { runtimeDriver } = await import('./sqlite/runtime-driver.ts');
  return new SqliteStore(settings, await runtimeDriver());
}

/** The class that the first matching rule gives to `topic`, or null. Asked once per topic. */
function classOf(config: StoreConfig, topic: string): number | null {
  const rule = config.rules.find(({ filter }) => filterMatches(filter, topic));
  return rule === undefined ? null : durabilities.indexOf(rule.durability);
}
