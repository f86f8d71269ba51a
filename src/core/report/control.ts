// What an operator may look at and do while the broker runs; the control socket (src/control.ts)
// shows these shapes as they are. Nothing here waits or throws.

import { Reason } from '../../mqtt/reason.ts';
import type { Origin } from '../access.ts';
import { endConnection, endSession } from '../ending.ts';
import { clearRetained } from '../packets/publish.ts';
import type { Session } from '../session/session.ts';
import { heldCount, heldList } from '../session/subscriptions.ts';
import type { State } from '../state.ts';

/** One session, connected or not. */
export interface SessionInfo {
  readonly clientId: string;
  readonly connected: boolean;
  /** Of the current connection, or of the last one. */
  readonly peer: string;
  readonly username: string | null;
  /** 3, 4 or 5; null without a connection. */
  readonly version: number | null;
  readonly keepAliveSeconds: number | null;
  /** 4294967295: never. */
  readonly sessionExpirySeconds: number;
  readonly subscriptions: number;
  readonly queued: number;
  readonly queuedBytes: number;
  readonly inflight: number;
  readonly connectedForMs: number | null;
}

export interface SessionDetail extends SessionInfo {
  readonly filters: readonly { readonly filter: string; readonly qos: number }[];
}

function describe(session: Session, now: number): SessionInfo {
  const c = session.connection;
  const outbox = session.outbox;
  return {
    clientId: session.clientId,
    connected: c !== null,
    peer: session.peer,
    username: session.username,
    version: c === null ? null : c.version,
    keepAliveSeconds: c === null ? null : c.keepAliveMs / 1000,
    sessionExpirySeconds: session.expirySeconds,
    subscriptions: heldCount(session.subscriptions),
    queued: outbox?.queued ?? 0,
    queuedBytes: outbox?.queuedBytes ?? 0,
    inflight: outbox?.inflight ?? 0,
    connectedForMs: c === null ? null : now - c.connectedAt,
  };
}

/** Every session, described when it is its turn: the caller may take its time. */
export function* listSessions(b: State, clock: () => number): Generator<SessionInfo> {
  for (const session of b.sessions.values()) yield describe(session, clock());
}

/** Who is connected, and what letting it in rested on. */
export interface GuestInfo {
  readonly clientId: string;
  readonly username: string | null;
  readonly origin: Origin | null;
  readonly standing: string;
}

export function* listGuests(b: State): Generator<GuestInfo> {
  for (const { connection: c } of b.sessions.values()) {
    if (c === null) continue;
    const { clientId, username, origin, standing } = c;
    yield { clientId, username, origin, standing };
  }
}

/** Ends the connections of clients that may not be here any more. */
export function expel(b: State, clientIds: readonly string[], now: number): void {
  for (const id of clientIds) {
    const c = b.sessions.get(id)?.connection ?? null;
    if (c !== null) endConnection(b, c, Reason.NotAuthorized, 'users or rules have changed', now);
  }
}

export function findSession(b: State, clientId: string, now: number): SessionDetail | null {
  const session = b.sessions.get(clientId);
  if (session === undefined) return null;
  const filters = heldList(session.subscriptions).map(({ filter, qos }) => ({ filter, qos }));
  filters.sort((x, y) => (x.filter < y.filter ? -1 : 1));
  return { ...describe(session, now), filters };
}

/** Ends a client's connection; false when it has none. */
export function kick(b: State, clientId: string, now: number): boolean {
  const c = b.sessions.get(clientId)?.connection ?? null;
  if (c === null) return false;
  endConnection(b, c, Reason.AdministrativeAction, null, now);
  return true;
}

/** Ends a session and the connection it may have; false when there is no such session. */
export function dropSession(b: State, clientId: string, now: number): boolean {
  if (!b.sessions.has(clientId)) return false;
  kick(b, clientId, now);
  const session = b.sessions.get(clientId); // a session that ends with its connection is gone
  if (session !== undefined) endSession(b, session, now);
  return true;
}

/** Clears the retained messages that `filter` matches; returns how many that were. */
export function deleteRetained(b: State, filter: string): number {
  const nodes = [...b.retained.match(filter)];
  for (const node of nodes) clearRetained(b, node);
  return nodes.length;
}
