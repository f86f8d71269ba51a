// What the broker remembers about its clients in order to bound what they do. What is off is null
// or empty: off is the default, and costs nothing.

import { limits } from '../../limits.ts';
import type { BrokerOptions } from '../options.ts';
import type { State } from '../state.ts';
import { Flapping } from './flapping.ts';
import { MemoryWatch, Pressure, qos0OutputMax } from './memory.ts';
import { PaceTable } from './pace.ts';
import { type ListenerAllowances, measurePublishing } from './publish-rate.ts';
import { Users } from './users.ts';

export class Guard {
  /** Null without a memory target. */
  memory: MemoryWatch | null = null;
  /** Null while nothing is bounded per user. */
  users: Users | null = null;
  readonly listeners: ListenerAllowances = new Map();
  readonly connectsByListener = new PaceTable(limits.trackedNamesMax);
  readonly connectsByAddress = new PaceTable(limits.trackedNamesMax);
  readonly flappingClients = new Flapping(limits.trackedNamesMax);
  readonly flappingAddresses = new Flapping(limits.trackedNamesMax);

  /** Other options hold from here on, also for those who are connected. */
  configure(b: State): void {
    const o = b.options;
    if (!boundsUsers(o)) {
      this.users = null;
    } else if (this.users === null) {
      this.users = new Users();
      for (const session of b.sessions.values()) this.users.add(session);
    }
    for (const c of b.connections) {
      if (c !== undefined && c.session !== null) measurePublishing(b, c);
    }
    if (o.memoryTargetBytes === 0) this.memory = null;
    else if (this.memory?.targetBytes !== o.memoryTargetBytes) {
      this.memory = new MemoryWatch(o.memoryTargetBytes);
    }
    b.qos0OutputMax = qos0OutputMax(b, this.memory?.pressure ?? Pressure.None);
  }
}

function boundsUsers(o: BrokerOptions): boolean {
  return (
    o.connectionsPerUserMax > 0 ||
    o.sessionsPerUserMax > 0 ||
    o.userMessagesPerSecond > 0 ||
    o.userBytesPerSecond > 0
  );
}
