// What every room does to a connection: append a whole packet to its output, close it, log about
// it.

import { encodeDisconnect } from '../mqtt/encode/packets.ts';
import { reasonText } from '../mqtt/reason.ts';
import type { LogEvent } from './effects.ts';
import { Durability } from './journal.ts';
import { type Connection, ConnectionState, Reading } from './session/connection.ts';
import { dropPartial } from './session/partial.ts';
import type { State } from './state.ts';

/** What is appended to the output of `c` from here on waits for all that the journal noted so far.
 * */
export function holdOutput(b: State, c: Connection, durability: number): void {
  if (durability < Durability.Written) return;
  const { last } = b.journal;
  if (last <= (durability === Durability.Strict ? b.synced : b.written)) return;
  if (!c.out.holding) b.holding.push(c);
  c.out.hold(last, durability);
}

/** Appends a packet, or forgets it when it is larger than the client takes [MQTT-3.1.2-24/25]. */
export function sendPacket(b: State, c: Connection, packet: Uint8Array): void {
  if (packet.length > c.packetSizeMax) {
    b.counters.droppedTooLarge++;
    return;
  }
  c.out.append(packet);
  b.counters.packetsSent++;
  b.effects.markDirty(c);
}

/** Says DISCONNECT to an MQTT 5 client that is past CONNACK [MQTT-3.14.0-1]; 3.x has no such word.
 *  */
export function sendDisconnect(b: State, c: Connection, reason: number, why: string | null): void {
  if (c.version !== 5 || c.state !== ConnectionState.Connected) return;
  sendWithWords(b, c, why, words => encodeDisconnect(reason, words)); // [MQTT-3.14.2-3]
}

/** Sends a packet with a reason string, or without it where the client takes fewer bytes. */
export function sendWithWords(
  b: State,
  c: Connection,
  why: string | null,
  encode: (words: string | null) => Uint8Array,
): void {
  const packet = encode(why);
  sendPacket(b, c, packet.length > c.packetSizeMax ? encode(null) : packet);
}

/**
 * Nothing is read or handled any more; what waits is written, then the transport is closed, within
 * a bound. The session must have been taken care of.
 */
export function startClosing(b: State, c: Connection, now: number): void {
  if (c.state === ConnectionState.Closing) return;
  c.state = ConnectionState.Closing;
  c.session = null;
  dropPartial(b, c);
  c.login = null;
  if (c.pauseTimer !== null) b.timers.cancel(c.pauseTimer);
  if (c.stayTimer !== null) b.timers.cancel(c.stayTimer);
  c.reading = Reading.On;
  c.pausedFor = null;
  b.effects.closing.push(c);
  b.timers.arm(c.timer, now + b.options.drainTimeoutMs);
}

export function logEvent(
  b: State,
  level: LogEvent['level'],
  event: string,
  c: Connection,
  fields: LogEvent['fields'],
): void {
  b.effects.log.push({
    level,
    event,
    fields: { clientId: c.clientId, peer: c.peer, username: c.username, ...fields },
  });
}

/** A reason code and what is known about it, for a log line. */
export function reasonField(reason: number, why: string | null): string {
  return why === null ? reasonText(reason) : `${reasonText(reason)}: ${why}`;
}
