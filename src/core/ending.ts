// How connections and sessions end, and what a will does then [MQTT 5.0 3.1.2.5, 4.1].
//
//   connection ends ──▶ session lives on: waits for its client, its end and its will's delay
//                  └──▶ session ends with it: its will is published, its subscriptions go

import { Reason } from '../mqtt/reason.ts';
import { utf8Encode } from '../mqtt/utf8.ts';
import { divideEstate } from './estate.ts';
import { Durability } from './journal.ts';
import { publishOwn } from './packets/publish.ts';
import { removeSubscription } from './packets/subscribe.ts';
import { makeMessage, NEVER } from './routing/message.ts';
import { relieve } from './session/congestion.ts';
import { type Connection, ConnectionState } from './session/connection.ts';
import { silenceEndsAt } from './session/keep-alive.ts';
import { Away, type Session } from './session/session.ts';
import { heldList } from './session/subscriptions.ts';
import type { State } from './state.ts';
import { Timer, TimerKind } from './timers.ts';
import { logEvent, reasonField, sendDisconnect, startClosing } from './transport.ts';

/**
 * The broker ends a connection: tells an MQTT 5 client why, takes care of its session, closes. The
 * will is published as after any close that was not the client's own DISCONNECT [MQTT-3.1.2-8].
 */
export function endConnection(
  b: State,
  c: Connection,
  reason: number,
  why: string | null,
  now: number,
): void {
  if (c.state === ConnectionState.Closing) return;
  sendDisconnect(b, c, reason, why);
  if (c.state === ConnectionState.Connected) {
    logEvent(b, 'info', 'disconnect', c, { reason: reasonField(reason, why), by: 'broker' });
    leaveSession(b, c, now);
  } else {
    b.counters.connectsRefused++;
    logEvent(b, 'info', 'refused', c, { reason: reasonField(reason, why) });
  }
  startClosing(b, c, now);
}

/** A connection's timer: no CONNECT, silence for too long, or a goodbye that is not taken. */
export function onConnectionTimer(b: State, c: Connection, now: number): void {
  if (c.state === ConnectionState.Closing) {
    c.aborted = true;
    b.effects.closing.push(c);
  } else if (c.state !== ConnectionState.Connected) {
    endConnection(b, c, Reason.MaximumConnectTime, 'no CONNECT in time', now);
  } else {
    if (c.paused) c.aliveAt = now;
    const due = silenceEndsAt(c); // [MQTT-3.1.2-22]
    if (now < due) b.timers.arm(c.timer, due);
    else endConnection(b, c, Reason.KeepAliveTimeout, null, now);
  }
}

/** Takes the session away from a connection that is past CONNACK. */
export function leaveSession(b: State, c: Connection, now: number): void {
  const session = c.session!;
  const away = new Away(c, now);
  session.away = away;
  session.connection = null;
  c.session = null;
  b.clientCount--;
  b.guard.users?.disconnected(session);
  relieve(b, session);
  // A stop is to sessions what a crash is: the store knows them as connected, and the next start
  // takes it from there, wills and all [MQTT 5.0 3.1.2.5].
  if (b.stopping) return;
  if (!session.persistent) {
    endSession(b, session, now);
    return;
  }
  away.endsAt = session.expires ? now + session.expirySeconds * 1000 : NEVER;
  if (session.will !== null) {
    away.willDueAt = now + session.will.delaySeconds * 1000;
    if (away.willDueAt <= now) publishWill(b, session, now);
  }
  noteSession(b, session);
  armSession(b, session);
}

/**
 * Tells the journal about a session that is made or changed. One that ends with its connection is
 * no business of the store, unless it has a will that a crash would have to publish.
 */
export function noteSession(b: State, session: Session): void {
  if (!session.persistent && session.will === null && !session.stored) return;
  session.stored = b.journal.defaultClass > Durability.None;
  if (session.stored) b.journal.session(session);
}

/** Arms the timer of a session without connection. */
export function armSession(b: State, session: Session): void {
  const away = session.away!;
  const next = Math.min(away.endsAt, away.willDueAt);
  if (next < NEVER) {
    away.timer ??= new Timer<unknown>(TimerKind.Session, session);
    b.timers.arm(away.timer, next);
  } else {
    cancelTimer(b, session);
  }
}

function cancelTimer(b: State, { away }: Session): void {
  if (away !== null && away.timer !== null) b.timers.cancel(away.timer);
}

/** A session's timer: its delayed will is due, or its time is over. */
export function onSessionTimer(b: State, session: Session, now: number): void {
  if (session.connection !== null) return;
  if (session.endsAt <= now) {
    b.counters.sessionsExpired++;
    b.effects.log.push({
      level: 'debug',
      event: 'session expired',
      fields: { clientId: session.clientId },
    });
    endSession(b, session, now);
    return;
  }
  if (session.willDueAt <= now) {
    publishWill(b, session, now);
    noteSession(b, session);
  }
  armSession(b, session);
}

/** A client is back before its session ended or its will was due [MQTT-3.1.3-9]. */
export function reviveSession(b: State, session: Session): void {
  session.will = null;
  cancelTimer(b, session);
}

/** The end of a session: its will if it still has one, then everything it held. */
export function endSession(b: State, session: Session, now: number): void {
  b.sessions.delete(session.clientId);
  b.guard.users?.remove(session);
  cancelTimer(b, session);
  session.walks = null;
  session.receipts = null;
  for (const subscription of heldList(session.subscriptions)) {
    removeSubscription(b, session, subscription);
  }
  divideEstate(b, session, now);
  publishWill(b, session, now);
}

/**
 * The store is over its bound: of the sessions with a backlog the one whose client has been away
 * longest ends. False when there is none.
 */
export function dropLongestAway(b: State, now: number): boolean {
  let longest: Session | null = null;
  for (const session of b.sessions.values()) {
    if (session.connection !== null || !session.stored) continue;
    if (session.outbox === null || session.outbox.waiting === 0) continue; // it would free nothing
    if (longest === null || session.away!.leftAt < longest.away!.leftAt) longest = session;
  }
  if (longest === null) return false;
  b.counters.sessionsDropped++;
  b.effects.log.push({
    level: 'warn',
    event: 'session dropped: the store is over its bound',
    fields: { clientId: longest.clientId, waiting: longest.outbox?.waiting ?? 0 },
  });
  endSession(b, longest, now);
  return true;
}

function publishWill(b: State, session: Session, now: number): void {
  const will = session.will;
  session.will = null;
  if (session.away !== null) session.away.willDueAt = NEVER;
  if (will === null) return;
  if (
    b.topics.named(will.topic).reserved ||
    !b.access.mayPublish(session, will.topic, will.retain)
  ) {
    b.counters.droppedNotAuthorized++;
    return;
  }
  const message = makeMessage(
    will.topic,
    utf8Encode(will.topic),
    will.properties,
    will.payload,
    will.qos,
    will.retain,
  );
  if (will.expirySeconds !== null) message.expiresAt = now + will.expirySeconds * 1000;
  publishOwn(b, message, session, now);
}

/** The client said goodbye: the will goes with it unless it asks for it [MQTT-3.14.4-3]. */
export function onDisconnect(
  b: State,
  c: Connection,
  reason: number,
  expirySeconds: number | null,
  now: number,
): string | null {
  const session = c.session!;
  if (expirySeconds !== null) {
    // A session that was to end with its connection cannot be prolonged now [MQTT-3.14.2-2].
    if (session.expirySeconds === 0 && expirySeconds !== 0) {
      return 'session expiry cannot be raised from 0 at DISCONNECT';
    }
    session.expirySeconds = Math.min(expirySeconds, b.options.sessionExpiryMaxSeconds);
  }
  if (reason === Reason.NormalDisconnection) session.will = null;
  const text = reason === 0 ? '0x00 normal disconnection' : reasonField(reason, null);
  logEvent(b, 'info', 'disconnect', c, { reason: text, by: 'client' });
  leaveSession(b, c, now);
  startClosing(b, c, now);
  return null;
}
