// Slowing publishers for the sake of slow consumers. A session is congested while more waits for it
// than it takes; whoever publishes to it then is not read from until it has caught up. Bounded in
// time, and never a client whose own acknowledgements would be stuck behind its publishing. Who
// takes nothing at all is not waited for: the others would pay for a client that is gone.

import { limits } from '../../limits.ts';
import type { State } from '../state.ts';
import { type Connection, Reading } from './connection.ts';
import type { Session } from './session.ts';

/** That of one session, until it has caught up. */
export class Congestion {
  /** Who is not read from until then. */
  readonly publishers: Connection[] = [];
  /** It was waited for as long as allowed: nobody waits again. */
  stalled = false;
  /** When the first of them began to wait. */
  since = 0;
  /** Bytes that its client had taken when that was looked at, and when to look again. */
  taken = 0;
  lookAt = 0;
}

/** More waits for `session` than it takes; whoever is publishing now should be slowed. */
export function noteCongestion(b: State, session: Session): void {
  session.congestion ??= new Congestion();
  if (!session.congestion.stalled) b.congested = session;
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
  const publishers = session.congestion?.publishers ?? [];
  session.congestion = null;
  for (const publisher of publishers) {
    if (publisher.pausedFor === session) resumeReading(b, publisher);
  }
}

/**
 * Stops reading from a publisher for the sake of a slow consumer, for a bounded time. Never a
 * client that has messages in flight itself: its acknowledgements would be stuck behind them.
 */
export function pauseReading(b: State, c: Connection, slow: Session, now: number): void {
  const { outbox } = c.session!;
  const { congestion } = slow;
  if (c.paused || congestion === null || slow.connection === null || slow === c.session) return;
  if (outbox !== null && (outbox.inflight > 0 || !outbox.clear)) return;
  c.reading = Reading.Paused;
  c.pausedFor = slow;
  if (congestion.publishers.push(c) === 1) {
    congestion.since = now;
    congestion.taken = slow.connection.out.taken;
    congestion.lookAt = now + limits.stallMs;
  }
  b.effects.paused.push(c);
  b.counters.publishersPaused++;
  b.timers.arm(c.needPauseTimer(), nextLook(b, congestion, now));
}

function nextLook(b: State, { since }: Congestion, now: number): number {
  return Math.min(now + limits.stallMs, since + b.options.publisherPauseMaxMs);
}

/** A publisher has waited for a while, or has been too fast: it is read from again, unless what it
 *  waits for goes on. */
export function onPauseEnd(b: State, c: Connection, now: number): void {
  const slow = c.pausedFor;
  const congestion = slow?.congestion ?? null;
  if (slow !== null && congestion !== null) {
    if (goesOn(b, slow, congestion, now)) {
      b.timers.arm(c.needPauseTimer(), nextLook(b, congestion, now));
      return;
    }
    congestion.stalled = true; // it had its chance
  }
  resumeReading(b, c);
}

/** Whether `slow` is worth waiting for: with QoS 1 and 2 as long as allowed, because messages might
 *  not find room in its queue; with QoS 0 alone only while it takes something. */
function goesOn(b: State, slow: Session, congestion: Congestion, now: number): boolean {
  if (congestion.stalled || slow.connection === null) return false;
  if (now >= congestion.since + b.options.publisherPauseMaxMs) return false;
  const { outbox } = slow;
  if (outbox !== null && (outbox.inflight > 0 || !outbox.clear)) return true;
  if (now < congestion.lookAt) return true;
  const { taken } = slow.connection.out;
  const moves = taken > congestion.taken;
  congestion.taken = taken;
  congestion.lookAt = now + limits.stallMs;
  return moves;
}

/** Stops reading from a client that publishes faster than it may, for so long. */
export function pauseForRate(b: State, c: Connection, ms: number, now: number): void {
  if (c.paused) return;
  c.reading = Reading.Paused;
  b.effects.paused.push(c);
  b.timers.arm(c.needPauseTimer(), now + ms);
}

/** Reading goes on: first, next turn, what was kept meanwhile. */
export function resumeReading(b: State, c: Connection): void {
  if (!c.paused) return;
  c.reading = Reading.Resuming;
  c.pausedFor = null;
  if (c.pauseTimer !== null) b.timers.cancel(c.pauseTimer);
  b.effects.paused.push(c);
  b.resumed.push(c);
}
