// CONNECT and AUTH: from a silent connection to one with a session. All transitions of a connection
// up to CONNACK, and of re-authentication after it, stand here:
//
//   AwaitConnect ──CONNECT──▶ Authenticating ──let in──▶ Connected ──AUTH 0x19──▶ (being asked
// again)
//                               │   ▲   └──refused──▶ Closing
//                          go on ▼   │ AUTH 0x18
//                             AwaitAuth
//
// While the authenticator thinks nothing is read; bytes that came already are kept.

import { decodeConnect } from '../../mqtt/decode/connect.ts';
import { decodeAuth } from '../../mqtt/decode/session.ts';
import { type Connack, encodeAuth, encodeConnack } from '../../mqtt/encode/packets.ts';
import { Fault } from '../../mqtt/fault.ts';
import type { ConnectPacket } from '../../mqtt/packet.ts';
import { Reason } from '../../mqtt/reason.ts';
import { countLevels } from '../../mqtt/topic.ts';
import type { AuthResult } from '../access.ts';
import { pump } from '../deliver.ts';
import { endConnection, endSession, leaveSession, noteSession, reviveSession } from '../ending.ts';
import { Durability } from '../journal.ts';
import { refuseKnown, refuseUnknown } from '../limits/newcomers.ts';
import { measurePublishing } from '../limits/publish-rate.ts';
import { resumeReading } from '../session/congestion.ts';
import {
  type Connection,
  ConnectionState,
  Login,
  OutAliases,
  Reading,
} from '../session/connection.ts';
import { silenceEndsAt } from '../session/keep-alive.ts';
import { Session } from '../session/session.ts';
import type { State } from '../state.ts';
import {
  holdOutput,
  logEvent,
  reasonField,
  sendDisconnect,
  sendPacket,
  sendWithWords,
  startClosing,
} from '../transport.ts';

/** The first packet of a connection: buf[start, end) behind the fixed header. */
export function onConnect(
  b: State,
  c: Connection,
  buf: Uint8Array,
  start: number,
  end: number,
  now: number,
): void {
  b.counters.connectsReceived++;
  const packet = decodeConnect(buf, start, end);
  if (packet instanceof Fault) {
    b.counters.protocolErrors++;
    if (packet.version === 0) {
      endConnection(b, c, packet.reason, packet.why, now); // no CONNACK is due
      return;
    }
    c.version = packet.version;
    refuse(b, c, packet.reason, packet.why, now);
    return;
  }
  c.version = packet.version;
  c.clientId = packet.clientId;
  c.username = packet.username;
  c.bridge = packet.bridge;
  c.packetSizeMax = packet.packetSizeMax;
  const reason = judge(b, c, packet);
  if (reason !== 0) {
    refuse(b, c, reason, null, now);
    return;
  }
  const refusal = refuseUnknown(b, c, packet, now);
  if (refusal !== null) {
    refuse(b, c, refusal.reason, refusal.why, now);
    return;
  }
  if (c.clientId === '') c.clientId = assignClientId(b);
  c.login = new Login(packet);
  ask(b, c, c.login, packet.password, packet.authenticationData);
}

/** What a CONNECT may be refused for before anybody is asked; 0 when it may not. */
function judge(b: State, c: Connection, packet: ConnectPacket): number {
  const o = b.options;
  const method = packet.authenticationMethod;
  if (method !== null && !o.authMethods.includes(method)) return Reason.BadAuthenticationMethod;
  if (packet.clientId === '' && packet.version !== 5 && !o.assignClientIds) {
    return Reason.ClientIdNotValid;
  }
  const will = packet.will;
  if (will !== null) {
    if (will.qos > o.maximumQoS) return Reason.QoSNotSupported; // [MQTT-3.2.2-12]
    if (will.retain && !o.retainAvailable) return Reason.RetainNotSupported; // [MQTT-3.2.2-13]
    const topic = wholeName(c, will.topic);
    if (topic === null || countLevels(topic) > o.topicLevelsMax) return Reason.TopicNameInvalid;
  }
  return 0;
}

/** The name of a topic with the mount point of `c` in front; null when it is too long then. */
function wholeName(c: Connection, topic: string): string | null {
  return c.mount === null ? topic : c.mount.nameText(topic);
}

/** A name that no session has [MQTT-3.1.3-6, MQTT-3.1.3-7]. */
function assignClientId(b: State): string {
  for (;;) {
    let id = 'minnow-';
    for (let i = 0; i < 16; i++) id += Math.floor(b.random() * 16).toString(16);
    if (!b.sessions.has(id)) return id;
  }
}

function ask(
  b: State,
  c: Connection,
  login: Login,
  password: Uint8Array | null,
  data: Uint8Array | null,
): void {
  if (c.state !== ConnectionState.Connected) {
    c.state = ConnectionState.Authenticating;
    c.reading = Reading.Paused;
    b.effects.paused.push(c);
  }
  login.credentials = {
    clientId: c.clientId,
    username: c.username,
    peer: c.peer,
    origin: c.origin,
    password,
    authMethod: login.method,
    authData: data,
    exchange: login.exchange,
  };
  b.effects.authenticate.push(c);
}

function refuse(b: State, c: Connection, reason: number, why: string | null, now: number): void {
  sendWithWords(b, c, why, words => {
    const properties = words === null ? null : { reasonString: words };
    return encodeConnack({ sessionPresent: false, reason, properties }, c.version);
  }); // [MQTT-3.2.2-19]
  endConnection(b, c, reason, why, now); // [MQTT-3.1.4-2]
}

/** The authenticator's answer to the last `ask`. */
export function onAuthResult(b: State, c: Connection, result: AuthResult, now: number): void {
  const login = c.login!;
  login.credentials = null;
  login.exchange = result.exchange ?? null;
  const { reason } = result;
  const data = result.data ?? null;
  if (c.state === ConnectionState.Connected) {
    onReauthenticated(b, c, login, result, now);
  } else if (reason === Reason.ContinueAuthentication && login.method !== null) {
    sendPacket(b, c, encodeAuth(reason, login.method, data)); // [MQTT-4.12.0-2]
    c.state = ConnectionState.AwaitAuth;
  } else if (reason !== 0) {
    refuse(b, c, reason >= 0x80 ? reason : Reason.NotAuthorized, null, now);
  } else {
    takeIdentity(b, c, result);
    admit(b, c, login.packet!, data, now);
    limitStay(b, c, result, now);
  }
  resumeReading(b, c);
}

/** Who `c`, and with it the session it may have, acts for from here on. */
function takeIdentity(b: State, c: Connection, result: AuthResult): void {
  const { username = c.username } = result;
  const moves = c.session !== null && username !== c.username;
  if (moves) b.guard.users?.remove(c.session!);
  c.username = username;
  if (moves) b.guard.users?.add(c.session!);
  c.grants = result.grants ?? null;
  c.standing = result.standing ?? '';
}

/** The session acts for the client of `c` from here on. */
function giveSession(b: State, session: Session, c: Connection): void {
  const moves = session.username !== c.username;
  if (moves) b.guard.users?.remove(session);
  session.connection = c;
  session.away = null;
  c.session = session;
  if (moves) b.guard.users?.add(session);
  else b.guard.users?.connected(session);
  newReceiver(b, session);
}

/** Others may have subscribed as this session: what they were to get is not for everybody. */
function newReceiver(b: State, session: Session): void {
  if (session.subscriptions !== null && b.access.mayReceive !== undefined) b.router.changed();
}

/** A client that was let in for a while leaves when that is over, unless it proves itself anew. */
function limitStay(b: State, c: Connection, { expiresInMs }: AuthResult, now: number): void {
  if (c.state !== ConnectionState.Connected) return;
  if (expiresInMs !== undefined) b.timers.arm(c.needStayTimer(), now + expiresInMs);
  else if (c.stayTimer !== null) b.timers.cancel(c.stayTimer);
}

function onReauthenticated(
  b: State,
  c: Connection,
  login: Login,
  result: AuthResult,
  now: number,
): void {
  const { reason } = result;
  if (reason >= 0x80) {
    endConnection(b, c, reason, 're-authentication failed', now); // [MQTT-4.12.1-2]
    return;
  }
  if (reason === 0) {
    login.reauthenticating = false;
    takeIdentity(b, c, result);
    newReceiver(b, c.session!);
    measurePublishing(b, c);
    noteSession(b, c.session!); // it may do other things now, also while its client is away
    limitStay(b, c, result, now);
  }
  sendPacket(b, c, encodeAuth(reason, login.method!, result.data ?? null));
}

/** AUTH: a step of enhanced authentication, or its beginning anew. Null, or the client's fault. */
export function onAuth(
  b: State,
  c: Connection,
  buf: Uint8Array,
  start: number,
  end: number,
): Fault | null {
  if (c.version !== 5) return new Fault(Reason.ProtocolError, 'AUTH needs MQTT 5');
  const packet = decodeAuth(buf, start, end);
  if (packet instanceof Fault) return packet;
  const { login } = c;
  if (login === null || login.method === null) {
    return new Fault(Reason.ProtocolError, 'AUTH without a method in CONNECT'); // [MQTT-4.12.0-6]
  }
  if (packet.method !== login.method) {
    return new Fault(Reason.ProtocolError, 'AUTH with another method'); // [MQTT-4.12.0-5]
  }
  const expected =
    c.state === ConnectionState.AwaitAuth || login.reauthenticating
      ? Reason.ContinueAuthentication
      : Reason.ReAuthenticate;
  if (packet.reason !== expected || login.credentials !== null) {
    return new Fault(Reason.ProtocolError, 'AUTH out of turn');
  }
  if (c.state === ConnectionState.Connected) login.reauthenticating = true;
  ask(b, c, login, null, packet.data);
  return null;
}

/** Lets a client in: takes over or makes its session, answers, sends what waited for it. */
function admit(
  b: State,
  c: Connection,
  packet: ConnectPacket,
  authData: Uint8Array | null,
  now: number,
): void {
  const noted = b.journal.last;
  const known = b.sessions.get(c.clientId);
  const refusal = refuseKnown(b, c, known ?? null, now);
  if (refusal !== null) {
    refuse(b, c, refusal.reason, refusal.why, now);
    return;
  }
  const resumed = known !== undefined && !packet.cleanStart && takeOver(b, known, now);
  if (known !== undefined && !resumed) discard(b, known, now); // [MQTT-3.1.2-4]
  if (!resumed && b.sessions.size >= b.options.sessionsMax) {
    refuse(b, c, Reason.QuotaExceeded, 'the bound on sessions is reached', now);
    return;
  }
  const session = resumed ? known : new Session(++b.lastSessionId, c.clientId);
  if (resumed) reviveSession(b, session);
  else b.sessions.set(c.clientId, session);
  attach(b, c, session, packet, now);
  noteSession(b, session);
  // What this CONNECT changed (an old session gone, this one made) is kept before it is promised.
  if (b.journal.last !== noted) holdOutput(b, c, b.journal.defaultClass);
  const connack = connackFor(b, c, session, packet, resumed, authData);
  sendPacket(b, c, encodeConnack(connack, c.version)); // first of all packets [MQTT-3.2.0-1]
  // What is said again was noted for the last connection, and may be of a stronger class.
  if (resumed && session.kept) holdOutput(b, c, Durability.Strict);
  logEvent(b, 'info', 'connect', c, {
    version: c.version === 5 ? '5.0' : c.version === 4 ? '3.1.1' : '3.1',
    cleanStart: packet.cleanStart,
    sessionPresent: resumed,
    keepAliveSeconds: packet.keepAliveSeconds,
  });
  if (session.outbox !== null) {
    session.outbox.restart();
    pump(b, session, now);
  }
  b.scheduleWalk(session);
}

/**
 * Ends the connection that a known session still has, if any [MQTT-3.1.4-3]. Its will is published
 * unless it is delayed, because the session goes on; false when the session ended with it.
 */
function takeOver(b: State, session: Session, now: number): boolean {
  if (session.connection !== null) displace(b, session.connection, now);
  return b.sessions.get(session.clientId) === session;
}

/** A clean start: the old session ends, and with it whatever connection it had. */
function discard(b: State, session: Session, now: number): void {
  if (session.connection !== null) displace(b, session.connection, now);
  if (b.sessions.get(session.clientId) === session) endSession(b, session, now);
}

function displace(b: State, old: Connection, now: number): void {
  const why = 'another connection uses this client identifier';
  sendDisconnect(b, old, Reason.SessionTakenOver, null);
  logEvent(b, 'info', 'disconnect', old, {
    reason: reasonField(Reason.SessionTakenOver, why),
    by: 'broker',
  });
  leaveSession(b, old, now);
  startClosing(b, old, now);
}

function attach(
  b: State,
  c: Connection,
  session: Session,
  packet: ConnectPacket,
  now: number,
): void {
  const o = b.options;
  giveSession(b, session, c);
  session.will = packet.will;
  if (c.mount !== null && packet.will !== null) {
    session.will = { ...packet.will, topic: wholeName(c, packet.will.topic)! };
  }
  session.expirySeconds = Math.min(packet.sessionExpirySeconds, o.sessionExpiryMaxSeconds);
  if (packet.authenticationMethod === null) c.login = null;
  else c.login!.packet = null;
  c.state = ConnectionState.Connected;
  c.connectedAt = now;
  c.inflightMax = Math.min(packet.receiveMaximum, o.inflightMax);
  const aliases = Math.min(packet.topicAliasMaximum, o.topicAliasOutMax);
  if (aliases > 0) c.outAliases = new OutAliases(aliases);
  measurePublishing(b, c);
  c.keepAliveMs = keepAliveSeconds(b, packet) * 1000;
  c.aliveAt = now;
  b.clientCount++;
  if (b.clientCount > b.counters.clientsMaximum) b.counters.clientsMaximum = b.clientCount;
  if (c.keepAliveMs > 0) b.timers.arm(c.timer, silenceEndsAt(c));
  else b.timers.cancel(c.timer);
}

function keepAliveSeconds(b: State, packet: ConnectPacket): number {
  const wish = packet.keepAliveSeconds;
  const most = b.options.keepAliveMaxSeconds;
  return most > 0 && (wish === 0 || wish > most) ? most : wish;
}

/** What an accepted client is told about us [MQTT 5.0 3.2.2.3]. */
function connackFor(
  b: State,
  c: Connection,
  session: Session,
  packet: ConnectPacket,
  sessionPresent: boolean,
  authData: Uint8Array | null,
): Connack {
  if (c.version !== 5) return { sessionPresent, reason: 0, properties: null };
  const o = b.options;
  const keepAlive = c.keepAliveMs / 1000;
  const changed = session.expirySeconds !== packet.sessionExpirySeconds;
  const informs = packet.requestResponseInformation && o.responseInformation !== '';
  return {
    sessionPresent,
    reason: 0,
    properties: {
      ...(changed && { sessionExpirySeconds: session.expirySeconds }),
      receiveMaximum: o.receiveMaximum,
      ...(o.maximumQoS < 2 && { maximumQoS: o.maximumQoS }),
      retainAvailable: o.retainAvailable,
      packetSizeMax: o.packetSizeMax,
      ...(packet.clientId === '' && { assignedClientId: c.clientId }), // [MQTT-3.2.2-16]
      topicAliasMaximum: o.topicAliasMaximum,
      wildcardSubscriptionAvailable: o.wildcardSubscriptionAvailable,
      subscriptionIdentifiersAvailable: o.subscriptionIdentifierAvailable,
      sharedSubscriptionAvailable: o.sharedSubscriptionAvailable,
      // The client must use it instead of its own [MQTT-3.1.2-21].
      ...(keepAlive !== packet.keepAliveSeconds && { serverKeepAliveSeconds: keepAlive }),
      ...(informs && { responseInformation: o.responseInformation }),
      ...(c.login !== null && { authenticationMethod: c.login.method! }),
      ...(authData !== null && { authenticationData: authData }),
    },
  };
}
