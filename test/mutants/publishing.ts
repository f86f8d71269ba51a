// Rules of PUBLISH as it comes in and of retained messages, taken out of
// src/core/packets/publish.ts and the rooms it uses.

import { without } from './mutant.ts';

const publish = 'src/core/packets/publish.ts';
const receipts = 'src/core/session/receipts.ts';
const retained = 'src/core/routing/retained.ts';

export const publishingMutants = [
  // Acknowledgements
  without('v3: 3.3.4-1 4.3.2-2; v5: 3.3.4-1 4.3.2-4', [
    publish,
    'sendAck(b, c, PUBACK, id, reason);',
    '',
  ]),
  without('v3: 2.3.1-6; v5: 2.2.1-5', [
    publish,
    'sendAck(b, c, PUBACK, id, reason);',
    'sendAck(b, c, PUBACK, (id % 0xffff) + 1, reason);',
  ]),
  without('v3: 2.3.1-6; v5: 2.2.1-5', [
    publish,
    'sendAck(b, c, PUBCOMP, id,',
    'sendAck(b, c, PUBCOMP, (id % 0xffff) + 1,',
  ]),
  without('v3: 4.3.2-2; v5: 4.3.2-5', [
    publish,
    'const id = view.packetId;\n  const noted',
    `const id = view.packetId;
  if (view.dup) {
    sendAck(b, c, PUBACK, id, 0);
    return 0;
  }
  const noted`,
  ]),
  without('v3: 4.3.3-2 3.3.4-1; v5: 4.3.3-8 3.3.4-1', [
    publish,
    'sendAck(b, c, PUBREC, id, reason);',
    '',
  ]),
  without('v3: 4.3.3-2; v5: 4.3.3-10', [
    publish,
    'if (receipts.knows(id, view.dup, topic.hash)) {',
    'if (false) {',
  ]),
  without('v5: 4.3.3-9', [
    publish,
    'if (reason < 0x80) {\n    const stale = receipts.add(',
    'if (reason >= 0) {\n    const stale = receipts.add(',
  ]),
  without('v3: 4.3.3-2; v5: 4.3.3-11', [
    publish,
    'sendAck(b, c, PUBCOMP, id, known ? 0 : Reason.PacketIdNotFound);',
    '',
  ]),
  without('v3: 4.3.3-2; v5: 4.3.3-12', [receipts, 'this.classes.delete(id);', '']),
  without('v5: 4.3.3-13', [
    publish,
    'if (receipts.knows(id, view.dup, topic.hash)) {',
    `if (receipts.knows(id, true, topic.hash) && view.expirySeconds >= 0) return;
  if (receipts.knows(id, view.dup, topic.hash)) {`,
  ]),
  without('v5: 3.7.2-1', [publish, 'known ? 0 : Reason.PacketIdNotFound', 'known ? 0 : 0x80']),
  without('v5: 3.4.2-1 3.5.2-1', [
    publish,
    'return Reason.NotAuthorized;',
    'return Reason.TopicFilterInvalid;',
  ]),
  without('v3: 3.3.5-2', [publish, '!b.access.mayPublish(c, topic.name, view.retain)', 'false']),
  without('v5: 3.3.4-7', [
    publish,
    'publisher.receiveUsed >= b.options.receiveMaximum && c.version === 5',
    'false',
  ]),

  // Capabilities and aliases
  without('v5: 3.2.2-11', [
    publish,
    'if (view.qos > b.options.maximumQoS) return Reason.QoSNotSupported;',
    '',
  ]),
  without('v5: 3.2.2-14', [
    publish,
    'if (view.retain && !b.options.retainAvailable) return Reason.RetainNotSupported;',
    '',
  ]),
  without('v5: 3.2.2-17 3.2.2-18 3.3.2-9', [
    publish,
    'if (alias > b.options.topicAliasMaximum) return Reason.TopicAliasInvalid;',
    '',
  ]),
  without('v5: 3.3.2-12', [
    publish,
    'alias > b.options.topicAliasMaximum',
    'alias >= b.options.topicAliasMaximum',
  ]),

  // Properties
  without('v5: 3.3.2-4 3.3.2-15 3.3.2-16 3.3.2-17 3.3.2-20', [
    publish,
    'm.propertiesStart = view.propertiesStart;',
    'm.propertiesStart = view.payloadStart;',
  ]),

  // Retained messages
  without('v3: 3.3.1-5 3.3.1-6 3.3.1-8; v5: 3.3.1-5 3.3.1-9', [
    publish,
    'm.retain ? retain(b, m, now) : true',
    'true',
  ]),
  without('v3: 3.3.1-5 3.3.1-7; v5: 3.3.1-5', [
    retained,
    'node.message = message;',
    'node.message ??= message;',
  ]),
  without('v3: 3.3.1-10; v5: 3.3.1-6', [publish, 'if (node !== null) clearRetained(b, node);', '']),
  without('v3: 3.3.1-11; v5: 3.3.1-7', [publish, 'if (m.payloadLength === 0) {', 'if (false) {']),
  without('v3: 3.3.1-12; v5: 3.3.1-8', [
    publish,
    'm.retain ? retain(b, m, now) : true',
    'retain(b, m, now)',
  ]),

  // Routing
  without('v5: 3.8.3-3', [publish, 'if (hit.noLocal && hit.session === from) {', 'if (false) {']),
];
