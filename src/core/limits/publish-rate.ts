// How fast clients may publish: each by itself, all of one user, all who came in by one listener.
// Who is too fast is not read from for as long as that takes to pay off; keep alive stands still
// meanwhile. Who would have to wait longer than allowed is far too fast, and so is who has been
// slowed for longer than allowed without a rest, by what is its own: for how much the others of a
// listener send nobody else is to blame.

import { limits } from '../../limits.ts';
import type { BrokerOptions } from '../options.ts';
import { NEVER } from '../routing/message.ts';
import { pauseForRate } from '../session/congestion.ts';
import type { Connection } from '../session/connection.ts';
import type { State } from '../state.ts';
import { logEvent } from '../transport.ts';
import { Allowance } from './pace.ts';

/** One of the rates that hold for a connection. */
interface Measure {
  readonly of: 'client' | 'user' | 'listener';
  readonly allowance: Allowance;
  /** What one message, and one byte, costs; 0 without a bound. */
  readonly messageMs: number;
  readonly byteMs: number;
}

/** What the publishing of one connection is measured by. */
export interface Pacer {
  readonly measures: readonly Measure[];
  /** It was too fast the last time. */
  slowed: boolean;
  /** Since when it has been slowed by its own rates without a rest; NEVER: it is not. */
  slowedSince: number;
}

/** Who has so much of a burst saved up again has rested. */
const REST_MS = limits.rateBurstMs / 2;

/** The allowances that are shared by all who came in by one listener. */
export type ListenerAllowances = Map<string, Allowance>;

export function hasPublishRates(o: BrokerOptions): boolean {
  return (
    o.clientMessagesPerSecond > 0 ||
    o.clientBytesPerSecond > 0 ||
    o.userMessagesPerSecond > 0 ||
    o.userBytesPerSecond > 0 ||
    o.listenerMessagesPerSecond > 0 ||
    o.listenerBytesPerSecond > 0
  );
}

/** Measures `c` from here on by the rates in force, or not at all. */
export function measurePublishing(b: State, c: Connection): void {
  const o = b.options;
  if (c.publisher !== null) c.publisher.pacer = null;
  if (!hasPublishRates(o)) return;
  const { users, listeners } = b.guard;
  const name = c.origin?.listener ?? '';
  let shared = listeners.get(name);
  if (shared === undefined) {
    shared = new Allowance();
    listeners.set(name, shared);
  }
  const account = users?.find(c.username)?.allowance ?? null;
  const measures = [
    measure('client', new Allowance(), o.clientMessagesPerSecond, o.clientBytesPerSecond),
    measure('user', account, o.userMessagesPerSecond, o.userBytesPerSecond),
    measure('listener', shared, o.listenerMessagesPerSecond, o.listenerBytesPerSecond),
  ].filter(one => one !== null);
  if (measures.length > 0) {
    c.needPublisher().pacer = { measures, slowed: false, slowedSince: NEVER };
  }
}

function measure(
  of: Measure['of'],
  allowance: Allowance | null,
  messages: number,
  bytes: number,
): Measure | null {
  if (allowance === null || messages + bytes === 0) return null;
  const messageMs = messages === 0 ? 0 : 1000 / messages;
  return { of, allowance, messageMs, byteMs: bytes === 0 ? 0 : 1000 / bytes };
}

/**
 * A message of so many bytes came. Pauses reading when that is too fast; false when it is so much
 * too fast that the client has to go.
 */
export function keepsPace(
  b: State,
  c: Connection,
  pacer: Pacer,
  bytes: number,
  now: number,
): boolean {
  const { ratePauseMaxMs, rateSlowedMaxMs } = b.options;
  if (pacer.slowedSince !== NEVER && hasRested(pacer, now)) pacer.slowedSince = NEVER;
  let debtMs = 0;
  let of: Measure['of'] = 'client';
  for (const { of: whose, allowance, messageMs, byteMs } of pacer.measures) {
    const messages = messageMs === 0 ? 0 : allowance.messages.take(messageMs, now);
    const volume = byteMs === 0 ? 0 : allowance.bytes.take(bytes * byteMs, now);
    const debt = Math.max(messages, volume);
    if (debt > debtMs) {
      debtMs = debt;
      of = whose;
    }
  }
  const tooLong = rateSlowedMaxMs > 0 && now - pacer.slowedSince > rateSlowedMaxMs;
  if (tooLong || debtMs > ratePauseMaxMs) {
    b.counters.disconnectedRate++;
    return false;
  }
  // Pauses have a certain length, so that they are few even where the rate is high.
  if (debtMs < limits.ratePauseMinMs) {
    if (debtMs <= 0) pacer.slowed = false;
    return true;
  }
  b.counters.publishersSlowed++;
  if (!pacer.slowed) {
    pacer.slowed = true;
    logEvent(b, 'warn', 'publishes too fast', c, { rateOf: of, pausedMs: Math.ceil(debtMs) });
  }
  if (of !== 'listener' && pacer.slowedSince === NEVER) pacer.slowedSince = now;
  pauseForRate(b, c, debtMs, now);
  return true;
}

function hasRested({ measures }: Pacer, now: number): boolean {
  for (const { of, allowance } of measures) {
    if (of === 'listener') continue;
    if (Math.max(allowance.messages.debt(now), allowance.bytes.debt(now)) > -REST_MS) return false;
  }
  return true;
}
