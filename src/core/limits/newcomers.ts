// What a CONNECT may be refused for because of how often clients connect, how many there are of a
// user, how much memory is left and whose the client id is: before anybody is asked who it is, and
// once that is known.

import type { ConnectPacket } from '../../mqtt/packet.ts';
import { Reason } from '../../mqtt/reason.ts';
import type { Connection } from '../session/connection.ts';
import type { Session } from '../session/session.ts';
import type { State } from '../state.ts';
import { networkOf } from './address.ts';
import { Pressure } from './memory.ts';

export interface Refusal {
  readonly reason: number;
  readonly why: string;
}

const takenId = {
  reason: Reason.ClientIdNotValid,
  why: 'this client identifier belongs to another user',
};
const banned = { reason: Reason.Banned, why: 'it connects too often' };

/** Null: `c`, which says `packet`, may be asked who it is. */
export function refuseUnknown(
  b: State,
  c: Connection,
  packet: ConnectPacket,
  now: number,
): Refusal | null {
  const o = b.options;
  const { guard, counters } = b;
  const byAddress = o.flapsPerAddressMax > 0 || o.addressConnectsPerSecond > 0;
  const address = byAddress ? networkOf(c.peer) : '';
  if (isBanned(b, c, address, now)) {
    counters.refusedBanned++;
    return banned;
  }
  if (!keepsConnectRates(b, c, address, now)) {
    counters.refusedRate++;
    return { reason: Reason.ConnectionRateExceeded, why: 'too many connect at once' };
  }
  if (guard.memory === null) return null;
  guard.memory.look(b);
  // Who has a session may come for what waits there: that frees memory.
  if (guard.memory.pressure < Pressure.Newcomers || b.sessions.has(packet.clientId)) return null;
  counters.refusedMemory++;
  const why = 'the memory target is reached';
  const reason = packet.sessionExpirySeconds > 0 ? Reason.QuotaExceeded : Reason.ServerBusy;
  return { reason, why };
}

function isBanned(b: State, c: Connection, address: string, now: number): boolean {
  const { flappingAddresses, flappingClients } = b.guard;
  const o = b.options;
  if (o.flapsPerClientMax > 0 && flappingClients.isBanned(c.clientId, now)) return true;
  if (o.flapsPerAddressMax === 0) return false;
  if (flappingAddresses.isBanned(address, now)) return true;
  const bounds = {
    connectsMax: o.flapsPerAddressMax,
    windowMs: o.flapWindowMs,
    banMs: o.flapBanMs,
  };
  if (!flappingAddresses.note(address, bounds, now)) return false;
  noteBan(b, c, { address });
  return true;
}

function keepsConnectRates(b: State, c: Connection, address: string, now: number): boolean {
  const o = b.options;
  const { connectsByAddress, connectsByListener } = b.guard;
  const perAddress = o.addressConnectsPerSecond;
  if (perAddress > 0 && !connectsByAddress.tryTake(address, 1000 / perAddress, now)) return false;
  const perListener = o.listenerConnectsPerSecond;
  const listener = c.origin?.listener ?? '';
  return perListener === 0 || connectsByListener.tryTake(listener, 1000 / perListener, now);
}

/** Null: `c`, whom the authenticator lets in, may have `known`, or a new session. */
export function refuseKnown(
  b: State,
  c: Connection,
  known: Session | null,
  now: number,
): Refusal | null {
  const o = b.options;
  // Who may not have it is refused as any other unauthorized client, before it takes over
  // [MQTT-3.1.4-2, MQTT-3.1.4-3].
  if (known !== null && isAnothers(known, c) && o.takeover === 'same-user') {
    b.counters.refusedTakeover++;
    return takenId;
  }
  // Counted only now: nobody can have a client banned whose password they do not know.
  if (o.flapsPerClientMax > 0) {
    const bounds = {
      connectsMax: o.flapsPerClientMax,
      windowMs: o.flapWindowMs,
      banMs: o.flapBanMs,
    };
    if (b.guard.flappingClients.note(c.clientId, bounds, now)) {
      noteBan(b, c, {});
      b.counters.refusedBanned++;
      return banned;
    }
  }
  const account = b.guard.users?.find(c.username) ?? null;
  if (account === null) return null;
  const own = known !== null && known.username === c.username ? known : null;
  const connections = account.connections - (own !== null && own.connection !== null ? 1 : 0);
  const sessions = account.sessions - (own === null ? 0 : 1);
  const tooMany =
    o.connectionsPerUserMax > 0 && connections >= o.connectionsPerUserMax
      ? 'connections'
      : o.sessionsPerUserMax > 0 && sessions >= o.sessionsPerUserMax
        ? 'sessions'
        : null;
  if (tooMany === null) return null;
  b.counters.refusedQuota++;
  return { reason: Reason.QuotaExceeded, why: `this user has too many ${tooMany}` };
}

/** Whether a session belongs to a user who is not the one that `c` is. */
function isAnothers({ username }: Session, c: Connection): boolean {
  return username !== null && username !== c.username;
}

function noteBan(b: State, c: Connection, who: Readonly<Record<string, string>>): void {
  b.counters.bans++;
  const { clientId, username, peer } = c;
  const { flapBanMs, flapWindowMs } = b.options;
  const fields = { clientId, peer, username, ...who, windowMs: flapWindowMs, banMs: flapBanMs };
  b.effects.log.push({ level: 'warn', event: 'banned: connects too often', fields });
}
