// Keep alive: a client of which no whole packet came for one and a half times its keep alive goes
// [MQTT-3.1.2-22], however many bytes it drips. A large packet on a slow link is not punished as
// long as it gets on: each thousand of its bytes counts as a packet does while more than a thousand
// are still to come; a steady two thousand in that time are enough. It is never more lenient than
// mosquitto, to which every byte counts then, and it has an end, because packets have one.
//
// The clock stands still while we are the ones who do not read.

import { limits } from '../../limits.ts';
import { packetLength } from '../../mqtt/framer.ts';
import type { Connection } from './connection.ts';

/** When `c` is given up, unless it is heard of before. */
export function silenceEndsAt(c: Connection): number {
  return c.aliveAt + c.keepAliveMs * 1.5;
}

/** More of the packet that `c` is sending was kept; `before` is what there was of it. */
export function noteProgress(c: Connection, before: number, now: number): void {
  const step = limits.keepAliveStepBytes;
  if (Math.floor(c.partialEnd / step) === Math.floor(before / step)) return;
  const lacking = packetLength(c.partial, 0, c.partialEnd) - c.partialEnd;
  if (lacking > step) c.aliveAt = now;
}
