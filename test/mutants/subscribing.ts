// Rules of SUBSCRIBE and UNSUBSCRIBE, taken out of src/core/packets/subscribe.ts.

import { without } from './mutant.ts';

const subscribe = 'src/core/packets/subscribe.ts';
const suback = 'sendPacket(b, c, encodeSuback(packet.packetId, codes, c.version));';
const unsuback = 'sendPacket(b, c, encodeUnsuback(packet.packetId, codes, c.version));';

export const subscribingMutants = [
  without('v3: 3.8.4-1; v5: 3.8.4-1', [subscribe, suback, '']),
  without('v3: 3.8.4-2 2.3.1-7; v5: 3.8.4-2 2.2.1-6', [
    subscribe,
    suback,
    suback.replace('packet.packetId', '(packet.packetId % 0xffff) + 1'),
  ]),
  without('v3: 3.9.3-1; v5: 3.9.3-1', [
    subscribe,
    suback,
    suback.replace('codes', 'codes.reverse()'),
  ]),
  without('v3: 3.8.4-4 3.8.4-5; v5: 3.8.4-5 3.8.4-6', [
    subscribe,
    'entries.map(entry =>',
    'entries.slice(0, 1).map(entry =>',
  ]),
  without('v5: 3.8.4-7 3.9.3-2', [subscribe, 'return qos;', 'return qos + 1;']),
  without('v5: 3.9.3-2', [
    subscribe,
    'return Reason.WildcardSubscriptionsNotSupported;',
    'return Reason.TopicNameInvalid;',
  ]),
  without('v5: 3.2.2-10', [
    subscribe,
    'const refusal = refusalOf(b, c, session, entry);',
    `const refusal =
    entry.qos > b.options.maximumQoS
      ? Reason.UnspecifiedError
      : refusalOf(b, c, session, entry);`,
  ]),
  without('v3: 3.8.3-2', [
    subscribe,
    '!o.wildcardSubscriptionAvailable && hasWildcard(filter)',
    'false',
  ]),
  without('v3: 3.8.4-3; v5: 3.8.4-3', [subscribe, 'subscription.qos = qos;', '']),
  without('v3: 3.8.4-3; v5: 3.8.4-4 3.3.1-9', [
    subscribe,
    'const wanted = entry.retainHandling === 0 ||',
    'const wanted = (entry.retainHandling === 0 && isNew) ||',
  ]),
  without('v3: 3.8.4-3; v5: 3.8.4-4', [
    subscribe,
    'subscription.qos = qos;',
    'subscription.qos = qos;\n    session.outbox = null;',
  ]),
  without('v3: 3.3.1-6; v5: 3.3.1-9 3.3.1-10', [
    subscribe,
    'if (wanted && subscription.group === null',
    'if (false && subscription.group === null',
  ]),
  without('v5: 3.3.1-10', [
    subscribe,
    '(entry.retainHandling === 1 && isNew)',
    'entry.retainHandling === 1',
  ]),
  without('v5: 3.3.1-11', [
    subscribe,
    '(entry.retainHandling === 1 && isNew)',
    '(entry.retainHandling > 0 && isNew)',
  ]),
  without('v3: 3.3.1-8', [
    subscribe,
    's.qos, false, true, s.identifiers',
    's.qos, false, false, s.identifiers',
  ]),

  // UNSUBSCRIBE
  without('v3: 3.10.4-4 3.10.4-5; v5: 3.10.4-4 3.10.4-5', [subscribe, unsuback, '']),
  without('v3: 3.10.4-5; v5: 3.10.4-5', [
    subscribe,
    unsuback,
    `if (codes.includes(0)) ${unsuback}`,
  ]),
  without('v3: 3.10.4-4 2.3.1-7; v5: 3.10.4-5 2.2.1-6', [
    subscribe,
    unsuback,
    unsuback.replace('packet.packetId', '(packet.packetId % 0xffff) + 1'),
  ]),
  without('v5: 3.11.3-1', [subscribe, unsuback, unsuback.replace('codes', 'codes.reverse()')]),
  without('v5: 3.11.3-2', [
    subscribe,
    '? Reason.NoSubscriptionExisted :',
    '? Reason.TopicNameInvalid :',
  ]),
  without('v3: 3.10.4-6; v5: 3.10.4-6 3.11.3-1', [
    subscribe,
    'packet.filters.map(',
    'packet.filters.slice(0, 1).map(',
  ]),
  without(
    'v3: 3.10.4-1; v5: 3.10.4-1',
    [
      subscribe,
      'const subscription = heldFor(session.subscriptions, filter);',
      `const subscription = heldList(session.subscriptions).find(
      held => held.filter === filter || filter === '#',
    );`,
    ],
    [subscribe, 'import { heldCount, heldFor,', 'import { heldCount, heldFor, heldList,'],
  ),
  without('v3: 3.10.4-2; v5: 3.10.4-2', [subscribe, 'b.router.remove(subscription);', '']),
  without('v3: 3.10.4-3; v5: 3.10.4-3', [
    subscribe,
    'b.router.remove(subscription);',
    'b.router.remove(subscription);\n  session.outbox = null;',
  ]),
];
