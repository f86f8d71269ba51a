// How much flash may be written per day, and what follows from it for batches that nobody waits
// for: they gather longer while more has been written than the time allows. An acknowledgement that
// waits for the disk is never put off for it.

const DAY_MS = 86_400_000;
/** What may be written ahead of time: this much of a day's budget at once. */
const AHEAD_MS = 3_600_000;
/** However tight the budget: nothing stays unwritten for longer. */
const LONGEST_MS = 600_000;
/** How much more a batch may hold while the budget is tight. */
const WIDER = 16;

export class FlashBudget {
  /** Bytes per millisecond; Infinity where there is no budget. */
  private readonly rate: number;
  /** Bytes written that time has not made up for yet. */
  private debt = 0;
  private settledAt = 0;

  /** `bytesPerDay` 0 is no budget. */
  constructor(bytesPerDay: number) {
    this.rate = bytesPerDay === 0 ? Number.POSITIVE_INFINITY : bytesPerDay / DAY_MS;
  }

  /** `bytes` were written, by `now` of the core's clock. */
  spend(bytes: number, now: number): void {
    if (this.rate === Number.POSITIVE_INFINITY) return;
    this.settle(now);
    this.debt += bytes;
  }

  /** How long a batch gathers, milliseconds: `wantedMs`, or longer to stay within the budget. */
  batchMs(wantedMs: number, now: number): number {
    const over = this.overdrawn(now);
    if (over <= 0) return wantedMs;
    return Math.max(wantedMs, Math.min(LONGEST_MS, over / this.rate));
  }

  /** How large a batch may grow before it is written all the same, bytes. */
  batchBytes(wantedBytes: number, now: number): number {
    return this.overdrawn(now) <= 0 ? wantedBytes : wantedBytes * WIDER;
  }

  /** Bytes written beyond what may be written ahead. */
  private overdrawn(now: number): number {
    if (this.rate === Number.POSITIVE_INFINITY) return 0;
    this.settle(now);
    return this.debt - this.rate * AHEAD_MS;
  }

  private settle(now: number): void {
    this.debt = Math.max(0, this.debt - (now - this.settledAt) * this.rate);
    this.settledAt = now;
  }
}
