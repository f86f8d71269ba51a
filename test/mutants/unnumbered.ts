// Rules that the specifications state in their text only, taken out of the program.

import { without } from './mutant.ts';

const broker = 'src/core/broker.ts';
const connect = 'src/core/packets/connect.ts';
const ending = 'src/core/ending.ts';
const publish = 'src/core/packets/publish.ts';
const subscribe = 'src/core/packets/subscribe.ts';
const reader = 'src/mqtt/decode/reader.ts';
const decodePublish = 'src/mqtt/decode/publish.ts';

export const unnumberedMutants = [
  without('v3: §3.1.4; v5: §3.1.4', [
    broker,
    'b.timers.arm(c.timer, now + b.options.connectTimeoutMs);',
    '',
  ]),
  without('v3: §3.1.2.5; v5: §3.1.2.5', [
    ending,
    "by: 'broker' });\n    leaveSession(b, c, now);",
    "by: 'broker' });\n    c.session!.will = null;\n    leaveSession(b, c, now);",
  ]),
  without('v3: §3.1.2.10; v5: §3.1.2.10', [
    connect,
    'return most > 0 && (wish === 0 || wish > most) ? most : wish;',
    'return wish === 0 ? 60 : wish;',
  ]),
  without('v3: §3.14.4; v5: §3.14.4', [
    ending,
    'startClosing(b, c, now);\n  return null;',
    'return null;',
  ]),
  without(
    'v3: §4.1; v5: §4.1',
    [
      connect,
      'const known = b.sessions.get(c.clientId);',
      'const known = b.sessions.get(c.clientId);\n  const receipts = known?.receipts ?? null;',
    ],
    [
      connect,
      'attach(b, c, session, packet, now);',
      'session.receipts ??= receipts;\n  attach(b, c, session, packet, now);',
    ],
  ),
  without('v5: §2.2.2.2', [
    decodePublish,
    'if ((propertyPackets[id] & PUBLISH_BIT) === 0) return Reason.MalformedPacket;',
    '',
  ]),
  without('v5: §3.1.2.9', [
    'src/mqtt/decode/connect.ts',
    'version !== 5 && passwordAlone',
    'passwordAlone',
  ]),
  without('v5: §3.1.2.11 §3.8.2.1.2', [
    reader,
    'value === 0 && this.fault === null && neverZero(id)',
    'false',
  ]),
  without('v5: §3.1.3.2 §3.1.2.11 §3.8.2.1.2', [
    reader,
    'bag.has(id) && (propertyRepeats[id] & (1 << packet)) === 0',
    'false',
  ]),
  without('v5: §3.1.2.11.2', [
    'src/core/session/session.ts',
    'return this.expirySeconds !== SESSION_NEVER_EXPIRES;',
    'return true;',
  ]),
  without('v5: §3.1.3.2.2', [
    ending,
    'divideEstate(b, session, now);\n  publishWill(b, session, now);',
    'divideEstate(b, session, now);',
  ]),
  without('v5: §3.1.3.2.4', [ending, 'if (will.expirySeconds !== null) ', 'if (false) ']),
  without('v5: §3.2.2.3', [connect, 'receiveMaximum: o.receiveMaximum,', '']),
  without('v5: §3.2.2.3.2', [connect, '...(changed && { ', '...(false && { ']),
  without('v5: §3.2.2.3.12', [
    subscribe,
    'packet.identifier !== 0 && !b.options.subscriptionIdentifierAvailable',
    'false',
  ]),
  without('v5: §3.2.2.3.13', [
    subscribe,
    'share !== null && !o.sharedSubscriptionAvailable',
    'false',
  ]),
  without('v5: §3.2.2.3.14', [
    connect,
    'return most > 0 && (wish === 0 || wish > most) ? most : wish;',
    'return wish;',
  ]),
  without('v5: §3.3.2.3', [
    decodePublish,
    'if (((id < 32 ? seen : seenHigh) & bit) !== 0) return Reason.ProtocolError;',
    '',
  ]),
  without('v5: §3.3.2.3.2', [
    publish,
    'view.payloadIsUtf8 && b.options.checkPayloadFormat',
    'false',
  ]),
  without('v5: §3.3.2.3.3', [publish, 'if (copy.expiresAt !== NEVER) ', 'if (false) ']),
  without('v5: §3.3.2.3.4', [
    'src/core/deliver.ts',
    'extras.topicKnown = true;',
    'extras.topicKnown = false;',
  ]),
  without('v5: §3.3.2.3.8', [
    subscribe,
    's.qos, false, true, s.identifiers',
    's.qos, false, true, null',
  ]),
  without('v5: §3.3.4', [
    publish,
    'publisher.aliases?.[alias] ?? Reason.ProtocolError',
    "publisher.aliases?.[alias] ?? b.topics.named('unknown')",
  ]),
  without('v5: §3.4.2.1', [publish, 'recipients > 0 ? 0 : Reason.NoMatchingSubscribers', '0']),
  without('v5: §3.8.3.1', [
    'src/mqtt/decode/subscribe.ts',
    'if (retainHandling === 3) ',
    'if (false) ',
  ]),
  without('v5: §3.14.2.1', [
    ending,
    'if (reason === Reason.NormalDisconnection) session.will = null;',
    'session.will = null;',
  ]),
  without('v5: §3.14.2.2.2', [
    ending,
    'session.expirySeconds === 0 && expirySeconds !== 0',
    'false',
  ]),
  without('v5: §4.8.2', ['src/core/routing/share-group.ts', 'this.next = at + 1;', '']),
  without('v5: §4.9', [publish, 'c.needPublisher().receiveEnding++;', '']),
  without('v5: §4.12', [
    broker,
    'if (type === PacketType.CONNECT) return true;',
    'if (type !== PacketType.SUBSCRIBE) return true;',
  ]),
  without('v5: §4.12.1', [
    connect,
    'login.reauthenticating = false;',
    'login.reauthenticating = false;\n    (login as { method: string | null }).method = null;',
  ]),
];
