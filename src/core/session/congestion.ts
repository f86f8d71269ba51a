// Slowing publishers for the sake of slow consumers. A session is congested while more waits for it
// than it takes; whoever publishes to it then is not read from until it has caught up. Bounded in
// time, and never a client whose own acknowledgements would be stuck behind its publishing.

import type { State } from '../state.ts';
import type { Connection } from './connection.ts';
import type { Session } from './session.ts';

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
  for (const publisher of session.waiting) {
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
  slow.waiting ??= [];
  slow.waiting.push(c);
  b.effects.paused.push(c);
  b.counters.publishersPaused++;
  b.timers.arm(c.needPauseTimer(), now + b.options.publisherPauseMaxMs);
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
