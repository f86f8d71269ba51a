// The way in by one listener: what all who take it have in common, and how many may be in.

import { formatAddress, type ListenerTerms } from '../config/address.ts';
import type { Origin } from '../core/access.ts';
import type { Bound, Hallway, Reception, Tell } from './driver.ts';
import { createRoom, Room } from './room.ts';

/** Of a listener of which nothing is said. */
export const openTerms: ListenerTerms = Object.freeze({
  anonymous: null,
  mountPoint: '',
  connectionsMax: Number.POSITIVE_INFINITY,
  webSocket: null,
});

/** What a listener of a driver is called in logs and by access rules: "mqtt://127.0.0.1:1883",
 *  "ws://127.0.0.1:8083/mqtt". */
export function listenerName({ host, port }: Bound, { webSocket }: ListenerTerms): string {
  const address = formatAddress(host, port);
  return webSocket === null ? `mqtt://${address}` : `ws://${address}${webSocket.path}`;
}

/** Whom those meet who come in by a driver's listener. What is not asked for is not loaded. */
export async function receptionFor(
  hallway: Hallway,
  { webSocket }: ListenerTerms,
  tell: Tell,
): Promise<Reception> {
  if (webSocket === null) return hallway;
  const { WebSocketReception } = await import('./web-socket/web-socket-reception.ts');
  return new WebSocketReception(hallway, webSocket, tell);
}

export class Entrance {
  /** Of everybody of whom nothing else is known. */
  readonly origin: Origin;
  /** Whom they meet. */
  readonly reception: Reception;
  private readonly own: Room;
  /** The room of the process; null: somebody else counts for it. */
  private readonly common: Room | null;

  constructor(
    listener: string,
    terms: ListenerTerms,
    reception: Reception,
    common: Room | null,
    tell: Tell,
  ) {
    const { anonymous, mountPoint, connectionsMax } = terms;
    this.origin = { listener, username: null, certificate: null, anonymous, mountPoint };
    this.own = new Room(createRoom(connectionsMax), tell, {
      full: 'too many connections by this listener',
      free: 'this listener lets clients in again',
      fields: { listener },
    });
    this.reception = reception;
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
