// The way in by one listener: what all who take it have in common, and how many may be in.

import { formatAddress, type ListenerTerms } from '../config/address.ts';
import type { Origin } from '../core/access.ts';
import type { Tell } from './driver.ts';
import { createRoom, Room } from './room.ts';

/** Of a listener of which nothing is said. */
export const openTerms: ListenerTerms = Object.freeze({
  anonymous: null,
  mountPoint: '',
  connectionsMax: Number.POSITIVE_INFINITY,
});

/** What a plain listener is called in logs and by access rules: "mqtt://127.0.0.1:1883". */
export function plainName(host: string, port: number): string {
  return `mqtt://${formatAddress(host, port)}`;
}

export class Entrance {
  /** Of everybody of whom nothing else is known. */
  readonly origin: Origin;
  private readonly own: Room;
  /** The room of the process; null: somebody else counts for it. */
  private readonly common: Room | null;

  constructor(listener: string, terms: ListenerTerms, common: Room | null, tell: Tell) {
    const { anonymous, mountPoint, connectionsMax } = terms;
    this.origin = { listener, username: null, certificate: null, anonymous, mountPoint };
    this.own = new Room(createRoom(connectionsMax), tell, {
      full: 'too many connections by this listener',
      free: 'this listener lets clients in again',
      fields: { listener },
    });
    this.common = common;
  }

  /** Takes a place; false: there is none, send it away. */
  enter(): boolean {
    if (!this.own.enter()) return false;
    if (this.common === null || this.common.enter()) return true;
    this.own.leave();
    return false;
  }

  /** Who was given a place is gone. */
  leave(): void {
    this.own.leave();
    this.common?.leave();
  }
}
