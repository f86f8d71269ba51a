// One life of the broker: its core, its log and its store on the model disk, from a start to a
// crash. Virtual time in here is the core's own, which goes on where the last life's ended.

import { Broker } from '../../../src/core/broker.ts';
import { Durability, ESTATE_NAME } from '../../../src/core/journal.ts';
import { heldList } from '../../../src/core/session/subscriptions.ts';
import { resumedClock } from '../../../src/store/clock.ts';
import { keptRows, keptSessions } from '../../../src/store/kept.ts';
import { StoreLog } from '../../../src/store/log.ts';
import type { Prng } from '../../prng.ts';
import { type ModelDisk, ModelStore } from '../../store/model-store.ts';
import { allowAll } from '../../world.ts';
import { demand } from '../oracle/message.ts';
import type { DurableConfig } from './config.ts';
import type { Oracle } from './oracle.ts';

/** Topics by their first level; `default/…` has no rule. */
const classes: Readonly<Record<string, number>> = {
  none: Durability.None,
  batched: Durability.Batched,
  written: Durability.Written,
  strict: Durability.Strict,
};

export function ruleOf(topic: string): number | null {
  return classes[topic.split('/')[0]!] ?? null;
}

function isEstate({ clientId }: { clientId: string }): boolean {
  return clientId.startsWith(ESTATE_NAME);
}

export class Life {
  readonly broker: Broker;
  readonly log: StoreLog;
  readonly store: ModelStore;
  /** What an ended session left was being divided when the last life ended. */
  readonly dividing: boolean;
  /** The world's time minus the core's. */
  readonly offset: number;
  readonly #disk: ModelDisk;
  /** Batches on disk from earlier lives. */
  readonly #before: number;
  readonly #time: () => number;
  #reached = 0;

  constructor(
    config: DurableConfig,
    disk: ModelDisk,
    random: Prng,
    time: () => number,
    wall: () => number,
    turn: () => void,
  ) {
    this.#disk = disk;
    this.#before = disk.synced.length;
    this.store = new ModelStore(disk);
    const loaded = this.store.loadNow();
    this.dividing = loaded.sessions.some(isEstate);
    this.offset = time() - resumedClock(loaded.clock, wall());
    this.#time = time;
    this.log = new StoreLog(
      this.store,
      { ...config.log, classOf: ruleOf, wall, freeBytes: () => 0 },
      loaded.maxMid,
      {
        durable: (written, synced) => this.broker.handleDurable(written, synced),
        window: (session, rows) => {
          this.broker.handleWindow(session, keptRows(rows, this.log), this.now);
        },
        ready: turn,
        full: () => false,
        room: () => {},
        trouble: () => {},
      },
    );
    this.broker = new Broker(config.broker, allowAll, () => random.fraction(), this.now, this.log);
    const sessions = keptSessions(loaded, this.log);
    this.broker.restore(sessions, loaded.retained, loaded.maxSid, this.now);
  }

  /** The core's time. */
  get now(): number {
    return Math.max(this.#reached, this.#time() - this.offset);
  }

  /** Its time is that of its next deadline: no rounding makes it a little less. */
  reachDeadline(): void {
    const deadline = Math.min(this.broker.nextDeadline(), this.log.nextDeadline());
    this.#reached = Math.max(this.#reached, deadline);
  }

  /** When the core or the log wants to be called next, in the world's time. */
  nextDeadline(): number {
    return Math.min(this.broker.nextDeadline(), this.log.nextDeadline()) + this.offset;
  }

  /**
   * The process dies, or the power goes: then of what was not synced the first few batches remain.
   * The batch under way may still reach the disk, though nobody hears of it. Returns the position
   * that the disk has got to.
   */
  crash(powerCut: boolean, prng: Prng): number {
    const { store } = this;
    store.onCommitted = () => {};
    store.onFailed = () => {};
    store.onWindow = () => {};
    if (prng.oneIn(2)) store.answer();
    if (powerCut) this.#disk.cut(prng.below(this.#disk.written.length + 1));
    else this.#disk.kill();
    const { synced } = this.#disk;
    return synced.length > this.#before ? synced.at(-1)!.through : 0;
  }

  // ---- Against the oracle ----------------------------------------------------------------------

  /** The broker knows what the oracle knows, and no more. */
  compare(oracle: Oracle): void {
    const { state } = this.broker;
    const same = (what: string, found: unknown, expected: unknown) => {
      const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
      demand(a === b, () => `${what}: the broker knows ${a}, promised is ${b}`);
    };
    const records = oracle.records();
    same('sessions', [...state.sessions.keys()].sort(), records.map(r => r.state.clientId).sort());
    for (const { state: model, will } of records) {
      const session = state.sessions.get(model.clientId)!;
      const filters = [...model.subscriptions].filter(([, fact]) => fact.value !== null);
      same(
        `subscriptions of ${model.clientId}`,
        heldList(session.subscriptions)
          .map(s => `${s.filter} ${s.qos}`)
          .sort(),
        filters.map(([filter, fact]) => `${filter} ${fact.value}`).sort(),
      );
      const received = [...model.received].filter(([, fact]) => fact.value !== null);
      same(
        `QoS 2 identifiers of ${model.clientId}`,
        [...(session.receipts?.identifiers() ?? [])].sort(),
        received.map(([id]) => id).sort(),
      );
      const text = session.will === null ? null : new TextDecoder().decode(session.will.payload);
      same(`the will of ${model.clientId}`, text, will?.text ?? null);
    }
    const retained = [...oracle.retained].filter(([, fact]) => fact.value !== null);
    same('retained messages', state.retained.count, retained.length);
    for (const [topic, fact] of retained) {
      const message = state.retained.find(topic)?.message ?? null;
      const text =
        message && new TextDecoder().decode(message.source.subarray(message.payloadStart));
      same(`what is retained on ${topic}`, text, fact.value!.text);
    }
  }

  /** What an ended session left is on disk until all of it has gone to others. */
  get dividesStill(): boolean {
    return [...this.store.tables.sessions.values()].some(isEstate);
  }

  /** Nothing on disk is without its owner, and nothing is kept that nobody refers to. */
  checkTables(): void {
    const { sessions, subscriptions, queue, received, messages } = this.store.tables;
    const owners = new Set(sessions.keys());
    for (const { sid } of subscriptions.values()) demand(owners.has(sid), () => 'orphaned filter');
    for (const sid of received.keys()) {
      demand(received.get(sid)!.size === 0 || owners.has(sid), () => 'orphaned QoS 2 identifiers');
    }
    const refs = new Map<number, number>();
    for (const [sid, rows] of queue) {
      demand(rows.size === 0 || owners.has(sid), () => `${rows.size} orphaned rows`);
      for (const { mid } of rows.values()) {
        demand(mid === 0 || messages.has(mid), () => `a row without its message ${mid}`);
        refs.set(mid, (refs.get(mid) ?? 0) + 1);
      }
    }
    for (const [mid, message] of messages) {
      const found = refs.get(mid) ?? 0;
      const what = () => `message ${mid} «${message.put.topic}»`;
      demand(found === message.refs, () => `${what()}: ${found} rows, counted ${message.refs}`);
    }
  }
}
