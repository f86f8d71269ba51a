// Rules of messages on their way to clients, taken out of src/core/deliver.ts, the outbox and the
// router.

import { without } from './mutant.ts';

const deliver = 'src/core/deliver.ts';
const acknowledge = 'src/core/packets/acknowledge.ts';
const outbox = 'src/core/session/outbox.ts';
const router = 'src/core/routing/router.ts';
const subscription = 'src/core/routing/subscription.ts';
const writeAnswer =
  'c.out.end = writeAck(c.out.buffer, c.out.end, byte0, id, c.version === 5 ? reason : 0);';

export const deliveringMutants = [
  // Flags and QoS
  without('v3: 3.3.1-1; v5: 3.3.1-1', [
    deliver,
    'const byte0 = PUBLISH | DUP | (d.qos << 1)',
    'const byte0 = PUBLISH | (d.qos << 1)',
  ]),
  without('v3: 3.3.1-2 4.3.1-1; v5: 3.3.1-2 4.3.1-1', [
    deliver,
    'const byte0 = PUBLISH | (retain ? 1 : 0);',
    'const byte0 = PUBLISH | DUP | (retain ? 1 : 0);',
  ]),
  without('v3: 3.3.1-3; v5: 3.3.1-3', [
    deliver,
    'const byte0 = PUBLISH | (delivery.qos << 1)',
    'const byte0 = PUBLISH | (b.publishView.dup ? DUP : 0) | (delivery.qos << 1)',
  ]),
  without('v3: 4.3.2-1 4.3.3-1; v5: 4.3.2-2 4.3.3-2', [
    deliver,
    'const byte0 = PUBLISH | (delivery.qos << 1)',
    'const byte0 = PUBLISH | DUP | (delivery.qos << 1)',
  ]),
  without('v3: 3.8.4-6; v5: 3.8.4-8 4.8.2-3', [
    deliver,
    'const qos = m.qos < hit.qos ? m.qos : hit.qos;',
    'const qos = m.qos;',
  ]),
  without('v3: 3.8.4-6; v5: 3.8.4-8', [
    deliver,
    'const qos = m.qos < hit.qos ? m.qos : hit.qos;',
    'const qos = hit.qos;',
  ]),
  without('v3: 3.3.1-9; v5: 3.3.1-12', [
    deliver,
    'const retain = m.retain && hit.retainAsPublished;',
    'const retain = m.retain;',
  ]),
  without('v3: 3.3.1-8; v5: 3.3.1-13', [
    deliver,
    'const retain = m.retain && hit.retainAsPublished;',
    'const retain = false;',
  ]),
  without('v3: 3.3.5-1; v5: 3.3.4-2', [
    subscription,
    'if (part.qos > qos) qos = part.qos;',
    'qos = parts[0].qos;',
  ]),
  without('v5: 3.3.4-3 3.3.4-4', [
    subscription,
    'if (part.identifiers !== null) identifiers.push(...part.identifiers);',
    '',
  ]),
  without('v5: 3.3.4-3 3.3.4-4 3.3.4-5', [
    deliver,
    'extras.identifiers = identifiers;',
    'extras.identifiers = null;',
  ]),

  // What a client can take
  without('v5: 3.1.2-24', [
    deliver,
    'length = publishLength(m, extras, (byte0 >> 1) & 3, v5);\n' +
      '    if (length > c.packetSizeMax) return tooLarge(b);',
    'length = publishLength(m, extras, (byte0 >> 1) & 3, v5);',
  ]),
  without('v5: 3.1.2-25', [deliver, 'finish(b, session, outbox, delivery);', '']),
  without('v5: 3.1.2-26 3.3.2-11', [deliver, 'byTopic.size < max', 'byTopic.size <= max']),
  without('v5: 3.3.4-9 4.9.0-1 4.9.0-2', [deliver, 'outbox.window < c.inflightMax &&', '']),
  without('v5: 3.3.4-10 4.9.0-3', [
    'src/core/transport.ts',
    'if (packet.length > c.packetSizeMax) {',
    'if ((c.session?.outbox?.window ?? 0) >= c.inflightMax && c.inflightMax > 0) {',
  ]),
  without('v5: 3.3.2-5', [
    deliver,
    'if (d.message.expiresAt <= now) {\n      b.counters.droppedExpired++;',
    'if (false) {\n      b.counters.droppedExpired++;',
  ]),
  without('v5: 3.3.2-6', [deliver, 'm.remainingSeconds(now)', 'm.remainingSeconds(0)']),
  without('v5: 3.1.2-29 3.4.2-2 3.5.2-2 3.6.2-2 3.7.2-2', [
    deliver,
    writeAnswer,
    'c.out.append(new Uint8Array([byte0, 8, id >> 8, id & 255, reason, 4, 31, 0, 1, 120]));',
  ]),
  without('v5: 3.1.2-29 3.4.2-3 3.5.2-3 3.6.2-3 3.7.2-3', [
    deliver,
    writeAnswer,
    `c.out.append(
    new Uint8Array([byte0, 11, id >> 8, id & 255, reason, 7, 38, 0, 1, 120, 0, 1, 120]),
  );`,
  ]),

  // Packet ids, exchanges, sending again
  without('v3: 2.3.1-4 4.3.2-1 4.3.3-1; v5: 2.2.1-4 4.3.2-1 4.3.3-1', [
    outbox,
    'return this.slots[id & this.mask] !== null;',
    'return false;',
  ]),
  without('v3: 2.3.1-4 4.4.0-1; v5: 4.3.2-3 4.3.3-3 4.4.0-1', [
    outbox,
    'this.resend = this.inflightInOrder();',
    'this.resend = [];',
  ]),
  without('v3: 2.3.1-6 4.3.3-1; v5: 4.3.3-4', [acknowledge, 'sendAck(b, c, PUBREL, id, 0);', '']),
  without('v3: 4.3.3-1 4.4.0-1; v5: 4.3.3-5 4.4.0-1', [
    deliver,
    'sendAck(b, c, PUBREL, d.packetId, 0);',
    '',
  ]),
  without('v3: 4.3.3-1; v5: 4.3.3-6', [
    deliver,
    'if (d.state === DeliveryState.AwaitPubcomp) {',
    'if (false) {',
  ]),
  without('v5: 4.3.3-7', [
    deliver,
    'outbox.count(d);',
    `if (d.message.expiresAt <= now) {
    outbox.finish(d);
    return;
  }
  outbox.count(d);`,
  ]),
  without('v5: 3.6.2-1', [
    acknowledge,
    'sendAck(b, c, PUBREL, id, Reason.PacketIdNotFound)',
    'return 0',
  ]),
  without('v5: 4.4.0-2', [
    acknowledge,
    'b.counters.rejectedByClient++;\n    finish(b, c.session!, outbox!, d);',
    'b.counters.rejectedByClient++;',
  ]),
  without(
    'v5: 4.8.2-6',
    [acknowledge, 'import { finish,', 'import { deliver, finish,'],
    [
      acknowledge,
      'if (reason >= 0x80) b.counters.rejectedByClient++;',
      `const { topic } = d.message;
  const group = reason >= 0x80 ? d.group : null;
  const other = group === null ? null : group.pick(c.session, b.access, topic);
  if (other !== null) deliver(b, other, d.message, false, now);`,
    ],
  ),
  without('v3: 3.1.2-5 4.5.0-1; v5: 4.5.0-1', [
    deliver,
    'outbox.enqueue(d);\n      b.queuedBytes',
    'b.queuedBytes',
  ]),

  // Order
  without('v3: 4.6.0-1', [outbox, '(a, b) => a.order - b.order', '(a, b) => b.order - a.order']),
  without('v3: 4.6.0-2 4.6.0-3 4.6.0-4', [
    deliver,
    writeAnswer,
    `const { out } = c;
  const bytes = c.version === 5 && reason !== 0 ? 5 : 4;
  out.buffer.copyWithin(out.start + bytes, out.start, out.end);
  writeAck(out.buffer, out.start, byte0, id, c.version === 5 ? reason : 0);
  out.end += bytes;`,
  ]),
  without('v3: 4.6.0-5 4.6.0-6; v5: 4.6.0-5 4.6.0-6', [
    outbox,
    'this.queue.push(delivery);',
    'this.queue.splice(this.head, 0, delivery);',
  ]),

  // Matching
  without('v3: 3.3.2-3 4.7.1-3; v5: 3.3.2-3 4.7.1-2', [
    router,
    'if (plus !== null) collectFrom(plus, names, depth + 1, true, entries);',
    'if (plus !== null) collectFrom(plus, names, names.length, true, entries);',
  ]),
  without('v3: 4.7.1-2; v5: 4.7.1-1', [
    router,
    'if (wildcards && rest !== null) entries.push(rest);',
    'if (wildcards && rest !== null && depth < names.length) entries.push(rest);',
  ]),
  without('v3: 4.7.2-1; v5: 4.7.2-1', [router, 'topic.charCodeAt(0) !== 36', 'true']),
  without('v3: 4.7.3-4; v5: 4.7.3-4', [
    router,
    'const exact = this.exact.get(topic);',
    'const exact = this.exact.get(topic) ?? this.exact.get(topic.toLowerCase());',
  ]),

  // Shares
  without('v5: 4.8.2-4', [
    'src/core/ending.ts',
    'away.endsAt = session.expires',
    'divideEstate(b, session, now);\n  away.endsAt = session.expires',
  ]),
  without('v5: 4.8.2-5', [
    'src/core/estate.ts',
    'const sent = d.qos === 2 && d.state !== DeliveryState.Queued;',
    'const sent = false;',
  ]),
];
