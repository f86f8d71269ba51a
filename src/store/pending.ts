// The operations that the store has not been handed, in order. What cancels out here is as if it
// had never been: it takes no room in a batch, and before long none in memory.

import { Durability } from '../core/journal.ts';
import { Entry } from './entry.ts';
import type { Op } from './ops.ts';

/** Dead entries are swept out when there are so many of them, and more than live ones. */
const DEAD_MIN = 1_024;

export class Pending {
  private entries: Entry[] = [];
  /** How many are alive, what they take, and how many of them an acknowledgement waits for. */
  alive = 0;
  bytes = 0;
  promised = 0;
  strict = 0;

  /** Entries in memory, dead ones too. */
  get length(): number {
    return this.entries.length;
  }

  /** `bytes`: about what it will take on the disk. */
  add(op: Op, durability: number, bytes: number): Entry {
    const entry = new Entry(op, durability, bytes);
    this.entries.push(entry);
    this.count(entry, 1);
    return entry;
  }

  cancel(entry: Entry): void {
    this.count(entry, -1);
    entry.op = null;
    const dead = this.entries.length - this.alive;
    if (dead >= DEAD_MIN && dead > this.alive) this.entries = this.living();
  }

  /** Everything that is alive, which cannot cancel out any more. */
  take(): Entry[] {
    const taken = this.living();
    for (const entry of taken) entry.handed = true;
    this.entries = [];
    this.alive = 0;
    this.bytes = 0;
    this.promised = 0;
    this.strict = 0;
    return taken;
  }

  /** What was taken goes again, before everything that came since. */
  giveBack(taken: readonly Entry[]): void {
    this.entries = taken.concat(this.entries);
    for (const entry of taken) this.count(entry, 1);
  }

  private living(): Entry[] {
    return this.entries.filter(({ op }) => op !== null);
  }

  private count({ durability, bytes }: Entry, sign: 1 | -1): void {
    this.alive += sign;
    this.bytes += sign * bytes;
    if (durability >= Durability.Written) this.promised += sign;
    if (durability === Durability.Strict) this.strict += sign;
  }
}
