// What a burst leaves behind: buffers that are kept for the next turn, and garbage that the runtime
// collects only when it wants the room. Once much has gone through and little does any more, both
// are given back. It looks every few seconds, and only after a burst. Clients and subscriptions
// that come and go make one as well: ten thousand that only connect leave a kilobyte each.

import type { State } from '../core/state.ts';
import { limits } from '../limits.ts';
import type { Pulse } from '../loop.ts';

/** What makes a burst, so far, in bytes: those that went through, and so many for each client that
 *  came or went and each subscription that was made, changed or ended. */
export function movedBytes({ counters, connectionCount, router }: State): number {
  const left = counters.connectionsOpened - connectionCount;
  const changes = counters.connectionsOpened + left + router.generation;
  return counters.bytesReceived + counters.bytesSent + changes * limits.changeBytes;
}

export class Lull implements Pulse {
  /** As `movedBytes`. */
  private readonly moved: () => number;
  private readonly giveBack: () => void;
  private givenBackAt = 0;
  /** When to look again, and what had gone through the last time; Infinity: not since a burst. */
  private lookAt = Number.POSITIVE_INFINITY;
  private seen = 0;

  constructor(moved: () => number, giveBack: () => void) {
    this.moved = moved;
    this.giveBack = giveBack;
  }

  beat(now: number): number {
    const moved = this.moved();
    if (this.lookAt === Number.POSITIVE_INFINITY) {
      if (moved - this.givenBackAt < limits.burstBytes) return this.lookAt;
    } else {
      if (now < this.lookAt) return this.lookAt;
      if (moved - this.seen < limits.lullBytes) {
        this.giveBack();
        this.givenBackAt = moved;
        this.lookAt = Number.POSITIVE_INFINITY;
        return this.lookAt;
      }
    }
    this.seen = moved;
    this.lookAt = now + limits.lullMs;
    return this.lookAt;
  }
}
