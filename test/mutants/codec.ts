// Rules of the wire, taken out of src/mqtt: strings, numbers, flags, what a packet must look like.

import { without } from './mutant.ts';

const utf8 = 'src/mqtt/utf8.ts';
const reader = 'src/mqtt/decode/reader.ts';
const topic = 'src/mqtt/topic.ts';
const framer = 'src/mqtt/framer.ts';
const publish = 'src/mqtt/decode/publish.ts';
const connect = 'src/mqtt/decode/connect.ts';
const subscribe = 'src/mqtt/decode/subscribe.ts';
const encode = 'src/mqtt/encode/packets.ts';

export const codecMutants = [
  without('v3: 1.5.3-2; v5: 1.5.4-2', [utf8, 'if (byte === 0) return false;', '']),
  without(
    'v3: 4.7.3-2; v5: 4.7.3-2',
    [topic, 'byte === 0 || ', ''],
    [utf8, 'if (byte === 0) return false;', ''],
  ),
  without('v3: 1.5.3-1 3.1.3-11; v5: 1.5.4-1 3.1.3-12', [
    utf8,
    'if (first === 0xed && second > 0x9f) return 0;',
    '',
  ]),
  without('v3: 3.1.3-4 3.1.3-10 3.8.3-1 3.10.3-1; v5: 3.1.3-4 3.1.3-11 3.8.3-1 3.10.3-1', [
    reader,
    "this.malformed('a string is not valid UTF-8');",
    '',
  ]),
  without('v5: 1.5.7-1 3.3.2-13 3.3.2-19', [
    publish,
    'return next >= 0 && utf8Valid(buf, pos + 2, next) ? next : -1;',
    'return next;',
  ]),
  without('v3: 1.5.3-3; v5: 1.5.4-3', [utf8, 'ignoreBOM: true', 'ignoreBOM: false']),
  without('v3: 4.7.3-4; v5: 4.7.3-4', [
    utf8,
    'decoder.decode(whole ? buf : buf.subarray(start, end))',
    "decoder.decode(whole ? buf : buf.subarray(start, end)).normalize('NFKC')",
  ]),
  without('v5: 1.5.5-1', [
    framer,
    'b1 === 0 ? MALFORMED : (b0 & 127) + (b1 << 7) + 3',
    '(b0 & 127) + (b1 << 7) + 3',
  ]),
  without('v5: 1.5.5-1', ['src/mqtt/varint.ts', 'i > 0 && byte === 0 ? -1 : value', 'value']),
  without(
    'v3: 2.2.2-1 2.2.2-2 3.6.1-1 3.8.1-1 3.10.1-1 3.14.1-1; ' +
      'v5: 2.1.3-1 3.6.1-1 3.8.1-1 3.10.1-1 3.14.1-1 3.15.1-1',
    [framer, 'return flags === required ||', 'return required >= 0 ||'],
  ),
  without(
    'v3: 3.3.1-4; v5: 3.3.1-4',
    [framer, 'return (byte0 & 0x06) !== 0x06;', 'return true;'],
    [publish, 'if (qos === 3) return Reason.MalformedPacket;', ''],
  ),
  without('v3: 3.3.1-2; v5: 3.3.1-2', [
    publish,
    'if (qos === 0 && view.dup) return Reason.MalformedPacket;',
    '',
  ]),
  without('v3: 2.3.1-1; v5: 2.2.1-3', [
    publish,
    'if (view.packetId === 0) return Reason.ProtocolError;',
    '',
  ]),
  without('v3: 2.3.1-1; v5: 2.2.1-3', [
    subscribe,
    "if (packetId === 0) reader.protocolError('the packet identifier is 0');",
    '',
  ]),
  without('v3: 2.3.1-5; v5: 2.2.1-2', [
    publish,
    'if (qos === 0) {\n    view.packetId = 0;',
    'if (qos > 3) {\n    view.packetId = 0;',
  ]),
  without('v5: 2.2.2-1', [encode, 'if (version === 5) body.byte(0);', '']),
  without('v5: 2.2.2-1', [
    publish,
    'return version === 5 ? decodeProperties(view, buf, pos, end) : 0;',
    'return version === 5 && pos < end ? decodeProperties(view, buf, pos, end) : 0;',
  ]),

  // CONNECT
  without('v3: 3.1.2-1; v5: 3.1.2-1', [
    connect,
    "if (name !== 'MQTT' && name !== 'MQIsdp') {",
    "if (name === '?') {",
  ]),
  without('v3: 3.1.2-2; v5: 3.1.2-2 3.2.2-8', [
    connect,
    'return level === 5 ? 5 : null;',
    'return 5;',
  ]),
  without('v3: 3.1.2-3; v5: 3.1.2-3', [connect, '(flags & Flag.reserved) !== 0', 'false']),
  without('v3: 3.1.2-13 3.1.2-15 3.1.2-11; v5: 3.1.2-11 3.1.2-13', [
    connect,
    '!will && (flags & (Flag.willQoS | Flag.willRetain)) !== 0',
    'false',
  ]),
  without('v3: 3.1.2-14; v5: 3.1.2-12', [
    connect,
    'will && (flags & Flag.willQoS) === Flag.willQoS',
    'false',
  ]),
  without('v3: 3.1.2-22', [connect, 'version !== 5 && passwordAlone', 'false']),
  without('v3: 3.1.2-11 3.1.2-18 3.1.2-20 3.1.4-1; v5: 3.1.2-16 3.1.2-18 3.1.4-1', [
    connect,
    'reader.finish();',
    '',
  ]),
  without('v3: 3.1.2-9 3.1.2-19 3.1.2-21 3.1.3-3; v5: 3.1.2-9 3.1.2-17 3.1.2-19 3.1.3-3', [
    reader,
    "this.malformed('a field reaches beyond the packet or its properties');",
    '',
  ]),
  without('v3: 3.1.3-1; v5: 3.1.3-1', [
    connect,
    `const username = announced(reader, flags & Flag.username, version) ? reader.string() : null;
  const password = announced(reader, flags & Flag.password, version) ? reader.binary() : null;`,
    `const password = announced(reader, flags & Flag.password, version) ? reader.binary() : null;
  const username = announced(reader, flags & Flag.username, version) ? reader.string() : null;`,
  ]),
  without('v3: 3.1.3-8', [connect, "if (clientId === '' && needsClientId(", 'if (false && (']),
  without('v3: 3.2.2-6 3.1.4-1', [
    connect,
    'const answered = version === 5 || fault.reason === Reason.ClientIdNotValid;',
    'const answered = true;',
  ]),

  // Topics
  without('v3: 3.3.2-2 4.7.1-1; v5: 3.3.2-2 4.7.0-1', [
    topic,
    ' || byte === HASH || byte === PLUS',
    '',
  ]),
  without('v3: 3.3.2-1; v5: 3.3.2-1', [
    topic,
    'if (length === 0) return false;\n    at += length;',
    'at += length || 1;',
  ]),
  without('v3: 4.7.3-1; v5: 4.7.3-1', [topic, 'if (length === 0) return false; //', '//']),
  without('v3: 4.7.1-2; v5: 4.7.1-1', [
    topic,
    'if (char === HASH && i !== length - 1) return false;',
    '',
  ]),
  without('v3: 4.7.1-3; v5: 4.7.1-2', [
    topic,
    'if (i > 0 && filter.charCodeAt(i - 1) !== SLASH) return false;',
    '',
  ]),
  without('v3: 4.7.1-3; v5: 4.7.1-2', [
    topic,
    'if (i < length - 1 && filter.charCodeAt(i + 1) !== SLASH) return false;',
    '',
  ]),
  without('v3: 4.7.3-3; v5: 4.7.3-3', [
    reader,
    "if (!this.take(length)) return '';",
    "if (length > 60_000 || !this.take(length)) return '';",
  ]),
  without('v5: 4.8.2-1', [topic, 'slash <= SHARE.length || ', '']),
  without('v5: 4.8.2-2', [topic, 'if (hasWildcard(group)) return null;', '']),

  // PUBLISH, SUBSCRIBE, DISCONNECT, AUTH
  without('v5: 3.3.2-8', [
    publish,
    'return view.alias === 0 ? Reason.TopicAliasInvalid : 0;',
    'return 0;',
  ]),
  without('v5: 3.3.2-14', [
    publish,
    'if (buf[i] === 0x23 || buf[i] === 0x2b) return Reason.ProtocolError;',
    '',
  ]),
  without('v5: 3.3.4-6', [
    publish,
    'if (id === PropertyId.SubscriptionIdentifier) return Reason.ProtocolError;',
    '',
  ]),
  without('v5: 3.3.2-18', [
    publish,
    'copy.set(buf.subarray(pos, next), length);',
    'copy.copyWithin(next - pos, 0, length);\n      copy.set(buf.subarray(pos, next), 0);',
  ]),
  without('v3: 3.8.3-3; v5: 3.8.3-2', [subscribe, 'if (entries.length === 0) ', 'if (false) ']),
  without('v3: 3.10.3-2; v5: 3.10.3-2', [subscribe, 'if (filters.length === 0) {', 'if (false) {']),
  without('v3: 3.8.3-4; v5: 3.8.3-5', [
    subscribe,
    '(options & (version === 5 ? RESERVED : RESERVED_3)) !== 0',
    'false',
  ]),
  without('v3: 3.8.3-4', [subscribe, 'if (qos === 3) ', 'if (false) ']),
  without('v5: 3.8.3-4', [subscribe, "noLocal && filter.startsWith('$share/')", 'false']),
  without('v5: 3.14.2-1', [
    'src/mqtt/decode/session.ts',
    'if (!disconnectReasons.has(reason)) {',
    'if (false) {',
  ]),

  // What the server writes
  without('v5: 3.2.2-1', [encode, 'sessionPresent ? 1 : 0', 'sessionPresent ? 3 : 2']),
  without('v3: 3.9.3-2', [encode, 'code < 0x80 ? code : 0x80', 'code < 0x80 ? code : 0x87']),
  without('v5: 3.9.2-1', [
    encode,
    'if (version === 5) body.byte(0);',
    'for (const byte of version === 5 ? [4, 31, 0, 1, 120] : []) body.byte(byte);',
  ]),
  without('v5: 3.9.2-2', [
    encode,
    'if (version === 5) body.byte(0);',
    'for (const byte of version === 5 ? [7, 38, 0, 1, 120, 0, 1, 120] : []) body.byte(byte);',
  ]),
  without('v5: 3.11.2-1', [
    encode,
    'body.byte(0);\n    for (const code of codes) body.byte(code);',
    'for (const byte of [4, 31, 0, 1, 120, ...codes]) body.byte(byte);',
  ]),
  without('v5: 3.11.2-2', [
    encode,
    'body.byte(0);\n    for (const code of codes) body.byte(code);',
    'for (const byte of [7, 38, 0, 1, 120, 0, 1, 120, ...codes]) body.byte(byte);',
  ]),
  without('v5: 3.14.2-2', [
    encode,
    'const body = new Writer();\n  body.byte(reason);\n  body.prefixed(list);\n' +
      '  return body.toPacket(PacketType.DISCONNECT);',
    'list.property(PropertyId.SessionExpiryInterval, 1);\n  const body = new Writer();\n' +
      '  body.byte(reason);\n  body.prefixed(list);\n' +
      '  return body.toPacket(PacketType.DISCONNECT);',
  ]),
  without('v5: 3.14.2-4', [
    encode,
    'const body = new Writer();\n  body.byte(reason);\n  body.prefixed(list);\n' +
      '  return body.toPacket(PacketType.DISCONNECT);',
    'for (const byte of [38, 0, 1, 120, 0, 1, 120]) list.byte(byte);\n' +
      '  const body = new Writer();\n  body.byte(reason);\n  body.prefixed(list);\n' +
      '  return body.toPacket(PacketType.DISCONNECT);',
  ]),
  without('v5: 3.15.2-2', [
    encode,
    'list.property(PropertyId.AuthenticationMethod, method);',
    "list.property(PropertyId.AuthenticationMethod, method);\n  list.property(0x1f, 'go on');",
  ]),
  without('v5: 3.15.2-3', [
    encode,
    'list.property(PropertyId.AuthenticationMethod, method);',
    'list.property(PropertyId.AuthenticationMethod, method);\n' +
      '  for (const byte of [38, 0, 1, 120, 0, 1, 120]) list.byte(byte);',
  ]),
  without('v5: 4.12.0-5', [
    encode,
    'list.property(PropertyId.AuthenticationMethod, method);',
    "list.property(PropertyId.AuthenticationMethod, 'another');",
  ]),
];
