// Rates, as one number each: the time at which everything taken so far will have been paid off, at
// the rate that is allowed (the generic cell rate algorithm). What is ahead of that by more than a
// burst is in debt, for so many milliseconds; whoever waits that long is as fast as allowed, and
// several who share a pace and wait are spread out over it.

import { limits } from '../../limits.ts';

export class Pace {
  private paidAt = 0;

  /** Takes what costs `costMs`; how long that leaves it in debt: not at all at 0 and below. */
  take(costMs: number, now: number): number {
    this.paidAt = (this.paidAt > now ? this.paidAt : now) + costMs;
    return this.debt(now);
  }

  /** Takes it only if that leaves no debt; whether it did. */
  tryTake(costMs: number, now: number): boolean {
    const paidAt = (this.paidAt > now ? this.paidAt : now) + costMs;
    if (paidAt - now > limits.rateBurstMs) return false;
    this.paidAt = paidAt;
    return true;
  }

  /** As `take` says it, of what was taken so far. */
  debt(now: number): number {
    return this.paidAt - now - limits.rateBurstMs;
  }

  /** Whether it is as if nothing had ever been taken. */
  rested(now: number): boolean {
    return this.paidAt <= now;
  }
}

/** Paces by name, for names that anybody can make up: so many at most, the oldest is forgotten. */
export class PaceTable {
  private readonly paces = new Map<string, Pace>();
  private readonly countMax: number;

  constructor(countMax: number) {
    this.countMax = countMax;
  }

  get size(): number {
    return this.paces.size;
  }

  /** As Pace.tryTake. The names in use last are remembered longest. */
  tryTake(name: string, costMs: number, now: number): boolean {
    const pace = this.paces.get(name) ?? new Pace();
    this.paces.delete(name);
    this.forgetRested(now);
    this.paces.set(name, pace);
    return pace.tryTake(costMs, now);
  }

  /** A look or two each time keeps the table as small as what it has to remember. */
  private forgetRested(now: number): void {
    let looks = 2;
    for (const [name, pace] of this.paces) {
      if (!pace.rested(now) && this.paces.size < this.countMax) return;
      this.paces.delete(name);
      if (--looks === 0) return;
    }
  }
}

/** What may be published: messages and bytes, each at its own pace. */
export class Allowance {
  readonly messages = new Pace();
  readonly bytes = new Pace();
}
