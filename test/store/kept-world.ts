// A World whose broker keeps what it must on a model disk: crash it, and the next one on the same
// disk is the broker after the restart.

import type { Access } from '../../src/core/access.ts';
import { Durability } from '../../src/core/journal.ts';
import { type BrokerOptions, defaultOptions } from '../../src/core/options.ts';
import { resumedClock } from '../../src/store/clock.ts';
import { keptRow, keptSessions } from '../../src/store/kept.ts';
import { type LogOptions, StoreLog } from '../../src/store/log.ts';
import { type Authenticate, allowAll, World } from '../world.ts';
import { ModelDisk, ModelStore } from './model-store.ts';

export interface KeptOptions {
  readonly broker?: Partial<BrokerOptions>;
  readonly log?: Partial<LogOptions>;
  readonly access?: Access;
  readonly authenticate?: Authenticate;
}

export class KeptWorld {
  readonly disk: ModelDisk;
  readonly store: ModelStore;
  readonly log: StoreLog;
  readonly world: World;
  /** The wall clock, milliseconds. */
  wall: number;
  /** What the log said about failing commits: the error's code, or "well"; and about room. */
  readonly troubles: string[] = [];
  readonly #options: KeptOptions;

  constructor(options: KeptOptions = {}, disk = new ModelDisk(), wall = 1_000_000) {
    this.#options = options;
    this.disk = disk;
    this.wall = wall;
    this.store = new ModelStore(disk);
    const loaded = this.store.loadNow();
    const now = resumedClock(loaded.clock, wall) + 1_000;
    let world: World | null = null;
    this.log = new StoreLog(
      this.store,
      {
        defaultClass: Durability.Strict,
        classOf: topic => classes[topic.split('/')[0]] ?? null,
        batchMs: 1_000,
        batchBytes: 64 * 1024,
        flashBytesPerDay: 0,
        quotaBytes: 0,
        freeBytesMin: 0,
        freeBytes: () => 0,
        windowMessages: 100,
        windowBytes: 1024 * 1024,
        wall: () => this.wall,
        ...options.log,
      },
      loaded.maxMid,
      {
        durable: (written, synced) => world!.broker.handleDurable(written, synced),
        window: (session, rows) => {
          const kept = rows.map(row => keptRow(row, this.log));
          world!.broker.handleWindow(session, kept, world!.now);
        },
        ready: () => {},
        full: () => world!.broker.handleStoreFull(world!.now),
        room: room => this.troubles.push(room ? 'room' : 'no room'),
        trouble: error => this.troubles.push(error === null ? 'well' : error.code),
      },
    );
    world = new World(
      { ...defaultOptions, sysIntervalMs: 0, ...options.broker },
      options.access ?? allowAll,
      options.authenticate,
      { journal: this.log, now },
    );
    this.world = world;
    world.broker.restore(keptSessions(loaded, this.log), loaded.retained, loaded.maxSid, now);
  }

  /** Lets the disk do all it was asked to. */
  settle(): void {
    do this.world.turn();
    while (this.store.answer());
  }

  /** The process dies: what the operating system has stays. */
  kill(awayMs = 0): KeptWorld {
    this.disk.kill();
    return new KeptWorld(this.#options, this.disk, this.wall + awayMs);
  }

  /** The power goes: of what was not synced, `kept` batches stay. */
  cut(kept = 0): KeptWorld {
    this.disk.cut(kept);
    return new KeptWorld(this.#options, this.disk, this.wall);
  }
}

/** Topics by their first level. */
const classes: Readonly<Record<string, number>> = {
  none: Durability.None,
  batched: Durability.Batched,
  written: Durability.Written,
  strict: Durability.Strict,
};
