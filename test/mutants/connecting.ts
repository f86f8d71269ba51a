// Rules of connections and sessions, taken out of src/core: CONNECT, CONNACK, take-over, wills,
// keep alive, DISCONNECT, AUTH.

import { without } from './mutant.ts';

const broker = 'src/core/broker.ts';
const connect = 'src/core/packets/connect.ts';
const keepAlive = 'src/core/session/keep-alive.ts';
const ending = 'src/core/ending.ts';
const transport = 'src/core/transport.ts';

export const connectingMutants = [
  without('v3: 3.1.0-1; v5: 3.1.0-1', [
    broker,
    'if (type === PacketType.CONNECT) return true;',
    'if (type !== PacketType.SUBSCRIBE) return true;',
  ]),
  without('v3: 3.1.0-2; v5: 3.1.0-2', [
    broker,
    "else this.fail(c, Reason.ProtocolError, 'a second CONNECT', now);",
    '',
  ]),
  without('v3: 3.1.4-4; v5: 3.1.4-5', [
    connect,
    'sendPacket(b, c, encodeConnack(connack, c.version));',
    '',
  ]),
  without(
    'v3: 3.2.0-1; v5: 3.2.0-1',
    [connect, 'sendPacket(b, c, encodeConnack(connack, c.version));', ''],
    [
      connect,
      'pump(b, session, now);\n  }\n  b.scheduleWalk(session);',
      `pump(b, session, now);
  }
  sendPacket(b, c, encodeConnack(connack, c.version));
  b.scheduleWalk(session);`,
    ],
  ),
  without('v5: 3.2.0-2', [
    connect,
    'sendPacket(b, c, encodeConnack(connack, c.version));',
    `sendPacket(b, c, encodeConnack(connack, c.version));
  sendPacket(b, c, encodeConnack(connack, c.version));`,
  ]),
  without('v3: 3.2.2-1; v5: 3.2.2-2', [
    connect,
    'connackFor(b, c, session, packet, resumed, authData)',
    'connackFor(b, c, session, packet, known !== undefined, authData)',
  ]),
  without('v3: 3.2.2-2 3.2.2-3; v5: 3.2.2-3', [
    connect,
    'connackFor(b, c, session, packet, resumed, authData)',
    'connackFor(b, c, session, packet, !resumed, authData)',
  ]),
  without(
    'v3: 3.2.2-4; v5: 3.2.2-6',
    [
      connect,
      'encodeConnack({ sessionPresent: false, reason',
      'encodeConnack({ sessionPresent: b.sessions.has(c.clientId), reason',
    ],
    [
      'src/mqtt/encode/packets.ts',
      'connack.sessionPresent && reason < 0x80',
      'connack.sessionPresent',
    ],
  ),
  without(
    'v3: 3.2.2-5 3.1.3-9 4.8.0-2; ' +
      'v5: 3.2.2-7 3.1.3-8 3.1.4-2 3.2.2-12 3.2.2-13 4.12.0-1 4.12.0-4 4.13.2-1',
    [connect, 'endConnection(b, c, reason, why, now);', ''],
  ),
  without('v3: 3.1.4-5; v5: 3.1.4-6', [
    connect,
    'endConnection(b, c, reason, why, now);',
    'admit(b, c, c.login!.packet!, null, now);',
  ]),
  without('v3: 3.1.3-5; v5: 3.1.3-5', [
    connect,
    'const will = packet.will;\n  if (will !== null) {',
    `if (packet.clientId.length > 22) return Reason.ClientIdNotValid;
  const will = packet.will;
  if (will !== null) {`,
  ]),
  without('v3: 3.1.3-6; v5: 3.1.3-6 3.1.3-7 3.2.2-16', [
    connect,
    "if (c.clientId === '') c.clientId = assignClientId(b);",
    '',
  ]),
  without('v3: 3.1.3-6; v5: 3.2.2-16', [
    connect,
    'id += Math.floor(b.random() * 16).toString(16);\n    if (!b.sessions.has(id)) return id;',
    "id += '0';\n    return id;",
  ]),
  without('v5: 3.1.3-7 3.2.2-16', [
    connect,
    "...(packet.clientId === '' && { assignedClientId: c.clientId }),",
    '',
  ]),
  without('v3: 3.1.3-9', [
    connect,
    "packet.clientId === '' && packet.version !== 5 && !o.assignClientIds",
    'false',
  ]),
  without('v3: 3.1.3-2; v5: 3.1.3-2', [
    connect,
    'c.clientId = packet.clientId;',
    'c.clientId = packet.clientId.toLowerCase();',
  ]),
  without('v3: 3.1.2-6 3.1.4-3; v5: 3.1.2-4 3.1.4-4', [connect, '!packet.cleanStart && ', '']),
  without('v3: 3.1.2-4 3.1.2-5 4.4.0-1; v5: 3.1.2-5 4.4.0-1', [
    connect,
    'known !== undefined && !packet.cleanStart && takeOver(b, known, now)',
    'known === null',
  ]),
  without('v3: 3.1.2-4; v5: 3.1.2-6', [
    connect,
    'else b.sessions.set(c.clientId, session);',
    'else if (packet.cleanStart) b.sessions.set(c.clientId, session);',
  ]),
  without('v3: 3.1.4-2; v5: 3.1.4-3', [connect, 'startClosing(b, old, now);', '']),
  without('v5: 3.1.4-3', [connect, 'sendDisconnect(b, old, Reason.SessionTakenOver, null);', '']),
  without('v3: 4.8.0-2', [
    connect,
    '!resumed && b.sessions.size >= b.options.sessionsMax',
    'false',
  ]),
  without('v3: 7.0.0-2', [
    connect,
    'const will = packet.will;\n  if (will !== null) {',
    `if (packet.keepAliveSeconds === 0) return Reason.ImplementationSpecific;
  const will = packet.will;
  if (will !== null) {`,
  ]),

  // Sessions
  without('v3: 3.1.2-4 3.1.2-5 4.5.0-1; v5: 3.1.2-23 4.5.0-1', [
    ending,
    'if (!session.persistent) {',
    'if (true) {',
  ]),
  without(
    'v3: 4.1.0-1 4.1.0-2; v5: 4.1.0-1',
    [
      connect,
      '  giveSession(b, session, c);\n',
      `  giveSession(b, session, c);
  session.away = new Away(c, now);
  session.away.endsAt = now + 1_000;
  armSession(b, session);
`,
    ],
    [connect, 'import { Session }', 'import { Away, Session }'],
    [connect, 'import { endConnection,', 'import { armSession, endConnection,'],
    [ending, 'if (session.connection !== null) return;', ''],
  ),
  without('v5: 4.1.0-2', [
    ending,
    'session.expires ? now + session.expirySeconds * 1000 : NEVER',
    'NEVER',
  ]),
  without('v3: 3.1.2-7', [
    ending,
    'b.sessions.delete(session.clientId);',
    `b.sessions.delete(session.clientId);
  for (const node of [...b.retained.match('#')]) b.retained.clear(node);`,
  ]),

  // Wills
  without('v3: 3.1.2-8; v5: 3.1.2-7 3.1.2-8', [
    connect,
    'session.will = packet.will;',
    'session.will = null;',
  ]),
  without('v3: 3.1.2-10; v5: 3.1.2-10', [
    ending,
    'const will = session.will;\n  session.will = null;',
    'const will = session.will;',
  ]),
  without('v3: 3.1.2-8 3.1.2-10 3.14.4-3; v5: 3.1.2-8 3.1.2-10 3.14.4-3', [
    ending,
    'if (reason === Reason.NormalDisconnection) session.will = null;',
    '',
  ]),
  without('v3: 3.1.2-12', [
    connect,
    'session.will = packet.will;',
    `session.will = packet.will ?? {
    topic: 'x',
    payload: new Uint8Array(0),
    qos: 0,
    retain: false,
    delaySeconds: 0,
    expirySeconds: null,
    properties: new Uint8Array(0),
    payloadIsUtf8: false,
  };`,
  ]),
  without('v3: 3.1.2-16; v5: 3.1.2-14', [ending, 'will.retain,', 'true,']),
  without('v3: 3.1.2-17; v5: 3.1.2-15', [ending, 'will.retain,', 'false,']),
  without('v3: 3.1.2-14; v5: 3.1.2-12', [ending, 'will.qos,', '0,']),
  without('v5: 3.1.3-10', [ending, 'will.properties,', 'will.properties.slice(0, 0),']),
  without('v5: 3.1.3-9 3.1.2-8', [
    ending,
    'session: Session): void {\n  session.will = null;',
    'session: Session): void {\n  publishWill(b, session, 0);',
  ]),
  without('v5: 3.1.2-8 3.1.3-9', [ending, 'now + session.will.delaySeconds * 1000', 'now']),

  // Keep alive and PINGREQ
  without('v3: 3.1.2-24; v5: 3.1.2-22', [
    keepAlive,
    'return c.aliveAt + c.keepAliveMs * 1.5;',
    'return c.aliveAt + c.keepAliveMs * 2;',
  ]),
  without('v3: 3.1.2-24; v5: 3.1.2-22', [
    broker,
    'packetsReceived++;\n    c.aliveAt = now;',
    'packetsReceived++;',
  ]),
  without('v3: 3.1.2-24; v5: 3.1.2-22', [
    broker,
    'bytesReceived += chunk.length;',
    'bytesReceived += chunk.length;\n    c.aliveAt = now;',
  ]),
  without('v5: 3.2.2-22', [
    connect,
    'return most > 0 && (wish === 0 || wish > most) ? most : wish;',
    'return most > 0 ? most : Math.min(wish, 30);',
  ]),
  without('v3: 3.12.4-1; v5: 3.12.4-1', [broker, 'else sendPacket(b, c, PINGRESP);', '']),

  // Capabilities and limits
  without('v5: 3.2.2-9', [connect, '...(o.maximumQoS < 2 && { maximumQoS: o.maximumQoS }),', '']),
  without('v5: 3.2.2-12', [
    connect,
    'if (will.qos > o.maximumQoS) return Reason.QoSNotSupported;',
    '',
  ]),
  without('v5: 3.2.2-13', [
    connect,
    'if (will.retain && !o.retainAvailable) return Reason.RetainNotSupported;',
    '',
  ]),
  without('v5: 3.2.2-15', [
    broker,
    'return length > this.state.options.packetSizeMax;',
    'return false;',
  ]),
  without('v5: 3.2.2-19 3.14.2-3', [
    transport,
    'packet.length > c.packetSizeMax ? encode(null) : packet',
    'packet',
  ]),
  without('v5: 3.2.2-20', [transport, 'if (packet.length > c.packetSizeMax) {', 'if (false) {']),
  without('v5: 3.1.2-28', [
    connect,
    "packet.requestResponseInformation && o.responseInformation !== ''",
    "o.responseInformation !== ''",
  ]),
  without('v5: 3.1.2-26 3.1.2-27', [
    connect,
    'Math.min(packet.topicAliasMaximum, o.topicAliasOutMax)',
    'o.topicAliasOutMax',
  ]),
  without('v5: 4.9.0-1 3.3.4-9', [
    connect,
    'Math.min(packet.receiveMaximum, o.inflightMax)',
    'o.inflightMax',
  ]),
  without('v5: 3.3.2-7', [
    connect,
    'c.session = session;',
    `c.session = session;
  const kept = session as unknown as { publisher?: typeof c.publisher };
  kept.publisher ??= c.needPublisher();
  c.publisher = kept.publisher;`,
  ]),

  // DISCONNECT
  without('v5: 3.14.0-1', [
    transport,
    ' || c.state !== ConnectionState.Connected) return;',
    ') return;',
  ]),
  without('v5: 3.14.4-1', [ending, '  session.connection = null;\n  c.session = null;\n', '']),
  without('v3: 4.8.0-1; v5: 3.14.4-2 4.13.1-1 4.13.2-1', [
    transport,
    'b.effects.closing.push(c);',
    '',
  ]),
  without('v3: 4.8.0-1; v5: 4.13.1-1 4.13.2-1', [
    broker,
    'endConnection(this.state, c, reason, why, now); // [MQTT-4.13.1-1]',
    '',
  ]),
  without('v3: 7.1.1-1; v5: 4.2.0-1', [
    broker,
    '    keep(this.state, c, chunk, pos, chunk.length, whole);\n    noteProgress(c, 0, now);\n',
    '',
  ]),

  // AUTH
  without('v5: 4.12.0-1', [
    connect,
    'if (method !== null && !o.authMethods.includes(method)) return Reason.BadAuthenticationMethod;',
    '',
  ]),
  without('v5: 4.12.0-2 3.15.2-1', [
    connect,
    'sendPacket(b, c, encodeAuth(reason, login.method, data));',
    'sendPacket(b, c, encodeAuth(Reason.Success, login.method, data));',
  ]),
  without('v5: 4.12.0-5', [
    connect,
    '...(c.login !== null && { authenticationMethod: c.login.method! }),',
    '',
  ]),
  without('v5: 4.12.0-6', [
    connect,
    '...(c.login !== null && { authenticationMethod: c.login.method! }),',
    "authenticationMethod: c.login?.method ?? 'none',",
  ]),
  without('v5: 4.12.0-7', [
    connect,
    "return new Fault(Reason.ProtocolError, 'AUTH without a method in CONNECT');",
    'return null;',
  ]),
  without('v5: 4.12.1-2', [
    connect,
    "endConnection(b, c, reason, 're-authentication failed', now);",
    '',
  ]),
];
