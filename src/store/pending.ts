// The operations that the store has not been handed, in order. What cancels out here is as if it
// had never been: it takes no room in a batch, and before long none in memory. `close` draws a
// line: what came before it is settled, and less likely to cancel out than what comes after it.

import { Durability } from '../core/journal.ts';
import { Entry } from './entry.ts';
import { type Op, OpKind } from './ops.ts';

/** Dead entries are swept out when there are so many of them, and more than live ones. */
const DEAD_MIN = 1_024;

export class Pending {
  private entries: Entry[] = [];
  /** About what those that are alive will take on the disk; of it, what is settled takes. */
  bytes = 0;
  settledBytes = 0;
  alive = 0;
  /** Those that cancelled out since the last batch. */
  cancelled = 0;
  /** Of those that are alive, how many an acknowledgement waits for. */
  promised = 0;
  strict = 0;
  /** How many of them a window may have to show. */
  queued = 0;

  /** Entries in memory, dead ones too. */
  get length(): number {
    return this.entries.length;
  }

  add(op: Op, durability: number, bytes: number): Entry {
    const entry = new Entry(op, durability, bytes);
    this.entries.push(entry);
    this.count(entry, 1);
    return entry;
  }

  cancel(entry: Entry): void {
    this.count(entry, -1);
    entry.op = null;
    this.cancelled++;
    const dead = this.entries.length - this.alive;
    if (dead >= DEAD_MIN && dead > this.alive) this.entries = this.entries.filter(isAlive);
  }

  /** What is pending now is settled. */
  close(): void {
    for (const entry of this.entries) entry.settled = true;
    this.settledBytes = this.bytes;
  }

  /** Everything that is alive, which cannot cancel out any more. */
  take(): Entry[] {
    const taken = this.entries.filter(isAlive);
    this.entries = [];
    this.cancelled = 0;
    for (const entry of taken) {
      entry.handed = true;
      this.count(entry, -1);
    }
    return taken;
  }

  /** What was taken goes again, before everything that came since. */
  giveBack(taken: readonly Entry[]): void {
    this.entries = taken.concat(this.entries);
    for (const entry of taken) this.count(entry, 1);
  }

  private count(entry: Entry, sign: 1 | -1): void {
    this.alive += sign;
    this.bytes += sign * entry.bytes;
    if (entry.settled) this.settledBytes += sign * entry.bytes;
    if (entry.durability >= Durability.Written) this.promised += sign;
    if (entry.durability === Durability.Strict) this.strict += sign;
    if (entry.op?.kind === OpKind.QueuePut) this.queued += sign;
  }
}

function isAlive({ op }: Entry): boolean {
  return op !== null;
}
