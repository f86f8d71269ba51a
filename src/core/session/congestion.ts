// Slowing publishers for the sake of slow consumers. A session is congested while more waits for it
// than it takes; whoever publishes to it then is not read from until it has caught up. Bounded in
// time, and never a client whose own acknowledgements would be stuck behind its publishing. Who
// takes nothing at all is not waited for: the others would pay for a client that is gone.

import { limits } from '../../limits.ts';
import type { State } from '../state.ts';
import type { Connection } from './connection.ts';
import type { Session } from './session.ts';

/** A session that publishers wait for. */
export interface Waiting {
  readonly publishers: Connection[];
  readonly since: number;
  /** Bytes that its client had taken when that was looked at, and when to look again. */
  taken: number;
  lookAt: number;
}

/** More waits for `session` than it takes; whoever is publishing now should be slowed. */
export function noteCongestion(b: State, session: Session): void {
  session.congested = true;
  if (!session.stalled) b.congested = session;
}

/** Ends the congestion of `session` when it has caught up, and what waited for that. */
export function relieve(b: State, session: Session): void {
  const c = session.connection;
  if (c !== null) {
    const outbox = session.outbox;
    if (c.out.length * 4 > b.options.outputHighWater) return;
    if (outbox !== null && outbox.queued * 4 > b.options.queueMessagesMax) return;
    if (outbox !== null && outbox.queuedBytes * 4 > b.options.queueBytesMax) return;
  }
  session.congested = false;
  session.stalled = false;
  if (session.waiting === null) return;
  for (const publisher of session.waiting.publishers) {
    if (publisher.pausedFor === session) resumeReading(b, publisher);
  }
  session.waiting = null;
}

/**
 * Stops reading from a publisher for the sake of a slow consumer, for a bounded time. Never a
 * client that has messages in flight itself: its acknowledgements would be stuck behind them.
 */
export function pauseReading(b: State, c: Connection, slow: Session, now: number): void {
  const outbox = c.session!.outbox;
  if (c.paused || slow.connection === null || slow === c.session) return;
  if (outbox !== null && (outbox.inflight > 0 || !outbox.clear)) return;
  c.paused = true;
  c.pausedFor = slow;
  const { taken } = slow.connection.out;
  slow.waiting ??= { publishers: [], since: now, taken, lookAt: now + limits.stallMs };
  slow.waiting.publishers.push(c);
  b.effects.paused.push(c);
  b.counters.publishersPaused++;
  b.timers.arm(c.needPauseTimer(), nextLook(b, slow.waiting, now));
}

function nextLook(b: State, { since }: Waiting, now: number): number {
  return Math.min(now + limits.stallMs, since + b.options.publisherPauseMaxMs);
}

/** A publisher has waited for a while, or has been too fast: it is read from again, unless what it
 *  waits for goes on. */
export function onPauseEnd(b: State, c: Connection, now: number): void {
  const slow = c.pausedFor;
  if (slow !== null && slow.waiting !== null) {
    if (goesOn(b, slow, slow.waiting, now)) {
      b.timers.arm(c.needPauseTimer(), nextLook(b, slow.waiting, now));
      return;
    }
    slow.stalled = true; // it had its chance
  }
  resumeReading(b, c);
}

/** Whether `slow` is worth waiting for: with QoS 1 and 2 as long as allowed, because messages might
 *  not find room in its queue; with QoS 0 alone only while it takes something. */
function goesOn(b: State, slow: Session, waiting: Waiting, now: number): boolean {
  if (slow.stalled || slow.connection === null) return false;
  if (now >= waiting.since + b.options.publisherPauseMaxMs) return false;
  const { outbox } = slow;
  if (outbox !== null && (outbox.inflight > 0 || !outbox.clear)) return true;
  if (now < waiting.lookAt) return true;
  const { taken } = slow.connection.out;
  const moves = taken > waiting.taken;
  waiting.taken = taken;
  waiting.lookAt = now + limits.stallMs;
  return moves;
}

/** Stops reading from a client that publishes faster than it may, for so long. */
export function pauseForRate(b: State, c: Connection, ms: number, now: number): void {
  if (c.paused) return;
  c.paused = true;
  b.effects.paused.push(c);
  b.timers.arm(c.needPauseTimer(), now + ms);
}

/** Reading goes on: first, next turn, what was kept meanwhile. */
export function resumeReading(b: State, c: Connection): void {
  if (!c.paused) return;
  c.paused = false;
  c.pausedFor = null;
  c.resuming = true;
  if (c.pauseTimer !== null) b.timers.cancel(c.pauseTimer);
  b.effects.paused.push(c);
  b.resumed.push(c);
}
