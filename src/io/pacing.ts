// How fast newcomers are let in. After a power cut all clients come back within the same second;
// what each of them costs (a session restored, subscriptions, retained messages) would be taken
// from those already in. So newcomers share a bucket that fills at a fixed rate and holds what
// fits into BURST_MS: N clients are in after N / perSecond seconds, and no turn works for more than
// a burst of them. When turns take longer than BURST_MS, because those already in have much to do,
// fewer get in. A pure policy: `now` is any clock's milliseconds.

/** What the bucket holds, as time: the longest turn that does not slow newcomers down. */
const BURST_MS = 10;
/** One, less what adding up fractions may lose: after `delay` there is always one to take. */
const ONE = 1 - 1e-6;

export class Pacing {
  private readonly perMs: number;
  /** The most that one turn lets in. */
  readonly burst: number;
  private credit: number;
  private filledAt: number;

  constructor(perSecond: number, now: number) {
    this.perMs = perSecond / 1000;
    this.burst = Math.max(1, Math.floor(this.perMs * BURST_MS));
    this.credit = this.burst;
    this.filledAt = now;
  }

  /** Whether one may be let in now; who was told so is let in. */
  take(now: number): boolean {
    this.fill(now);
    if (this.credit < ONE) return false;
    this.credit = Math.max(0, this.credit - 1);
    return true;
  }

  /** Milliseconds until `take` says yes. */
  delay(now: number): number {
    this.fill(now);
    return this.credit >= ONE ? 0 : (1 - this.credit) / this.perMs;
  }

  private fill(now: number): void {
    if (now <= this.filledAt) return;
    this.credit = Math.min(this.burst, this.credit + (now - this.filledAt) * this.perMs);
    this.filledAt = now;
  }
}
