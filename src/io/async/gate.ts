// When newcomers come in. The runtimes accept whatever has connected before they return to what is
// already open, and nothing stops them; so newcomers beyond the pace are held at the gate, not read
// from and unknown to the hallway, which is where nearly all of their cost lies.

import { Pacing } from '../pacing.ts';

/** An accepted transport before the hallway knows it. */
export interface Guest {
  /** Not yet: nothing is to be read. */
  hold(): void;
  /** Now: tell the hallway and read. */
  letIn(): void;
}

export class Gate {
  private readonly pacing: Pacing;
  private readonly held = new Set<Guest>();
  /** Let in since the last turn. */
  private fresh = 0;

  constructor(acceptsPerSecond: number) {
    this.pacing = new Pacing(acceptsPerSecond, performance.now());
  }

  /** Lets in or holds. */
  arrived(guest: Guest): void {
    if (this.held.size === 0 && this.mayEnter(performance.now())) guest.letIn();
    else {
      this.held.add(guest);
      guest.hold();
    }
  }

  /** Gone; whether it was still held. */
  left(guest: Guest): boolean {
    return this.held.delete(guest);
  }

  /** To be called once per turn: lets in whoever may be by now; milliseconds until the next may,
   *  Infinity when none waits. */
  letIn(): number {
    if (this.held.size === 0 && this.fresh === 0) return Number.POSITIVE_INFINITY;
    const now = performance.now();
    for (const guest of this.held) {
      if (!this.mayEnter(now)) break;
      this.held.delete(guest);
      guest.letIn();
    }
    this.fresh = 0;
    return this.held.size === 0 ? Number.POSITIVE_INFINITY : this.pacing.delay(now);
  }

  private mayEnter(now: number): boolean {
    if (this.fresh >= this.pacing.burst || !this.pacing.take(now)) return false;
    this.fresh++;
    return true;
  }
}
