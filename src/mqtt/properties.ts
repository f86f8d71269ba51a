// The property table of MQTT 5.0 [2.2.2.2, table 2-4]: how each property is encoded, in which
// packets it may stand, and which may stand more than once. Tables indexed by the identifier byte,
// so that the in-place PUBLISH decoder can use them without allocating.

import { PacketType } from './packet.ts';

export const PropertyId = {
  PayloadFormatIndicator: 0x01,
  MessageExpiryInterval: 0x02,
  ContentType: 0x03,
  ResponseTopic: 0x08,
  CorrelationData: 0x09,
  SubscriptionIdentifier: 0x0b,
  SessionExpiryInterval: 0x11,
  AssignedClientIdentifier: 0x12,
  ServerKeepAlive: 0x13,
  AuthenticationMethod: 0x15,
  AuthenticationData: 0x16,
  RequestProblemInformation: 0x17,
  WillDelayInterval: 0x18,
  RequestResponseInformation: 0x19,
  ResponseInformation: 0x1a,
  ServerReference: 0x1c,
  ReasonString: 0x1f,
  ReceiveMaximum: 0x21,
  TopicAliasMaximum: 0x22,
  TopicAlias: 0x23,
  MaximumQoS: 0x24,
  RetainAvailable: 0x25,
  UserProperty: 0x26,
  MaximumPacketSize: 0x27,
  WildcardSubscriptionAvailable: 0x28,
  SubscriptionIdentifierAvailable: 0x29,
  SharedSubscriptionAvailable: 0x2a,
} as const;

export const PropertyKind = {
  None: 0,
  Byte: 1,
  TwoByte: 2,
  FourByte: 3,
  Varint: 4,
  Utf8: 5,
  Binary: 6,
  Pair: 7,
} as const;

/** Where the Will Properties of a CONNECT stand among the packet types: type 0 is reserved. */
export const WILL = 0;

/** PropertyKind by identifier; None for an identifier that does not exist. */
export const propertyKind = new Uint8Array(256);

/** Bit `1 << packetType` by identifier: where the property may stand; bit 0 is WILL. */
export const propertyPackets = new Uint16Array(256);

/** The same for packets in which the property may be repeated. */
export const propertyRepeats = new Uint16Array(256);

function define(id: number, kind: number, ...packets: number[]): void {
  propertyKind[id] = kind;
  for (const packet of packets) propertyPackets[id] |= 1 << packet;
}

const { CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP } = PacketType;
const { SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, DISCONNECT, AUTH } = PacketType;
const { Byte, TwoByte, FourByte, Varint, Utf8, Binary, Pair } = PropertyKind;
const Id = PropertyId;
const answers = [CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, DISCONNECT, AUTH];
const all = [WILL, CONNECT, PUBLISH, SUBSCRIBE, UNSUBSCRIBE, ...answers];

define(Id.PayloadFormatIndicator, Byte, PUBLISH, WILL);
define(Id.MessageExpiryInterval, FourByte, PUBLISH, WILL);
define(Id.ContentType, Utf8, PUBLISH, WILL);
define(Id.ResponseTopic, Utf8, PUBLISH, WILL);
define(Id.CorrelationData, Binary, PUBLISH, WILL);
define(Id.SubscriptionIdentifier, Varint, PUBLISH, SUBSCRIBE);
define(Id.SessionExpiryInterval, FourByte, CONNECT, CONNACK, DISCONNECT);
define(Id.AssignedClientIdentifier, Utf8, CONNACK);
define(Id.ServerKeepAlive, TwoByte, CONNACK);
define(Id.AuthenticationMethod, Utf8, CONNECT, CONNACK, AUTH);
define(Id.AuthenticationData, Binary, CONNECT, CONNACK, AUTH);
define(Id.RequestProblemInformation, Byte, CONNECT);
define(Id.WillDelayInterval, FourByte, WILL);
define(Id.RequestResponseInformation, Byte, CONNECT);
define(Id.ResponseInformation, Utf8, CONNACK);
define(Id.ServerReference, Utf8, CONNACK, DISCONNECT);
define(Id.ReasonString, Utf8, ...answers);
define(Id.ReceiveMaximum, TwoByte, CONNECT, CONNACK);
define(Id.TopicAliasMaximum, TwoByte, CONNECT, CONNACK);
define(Id.TopicAlias, TwoByte, PUBLISH);
define(Id.MaximumQoS, Byte, CONNACK);
define(Id.RetainAvailable, Byte, CONNACK);
define(Id.UserProperty, Pair, ...all);
define(Id.MaximumPacketSize, FourByte, CONNECT, CONNACK);
define(Id.WildcardSubscriptionAvailable, Byte, CONNACK);
define(Id.SubscriptionIdentifierAvailable, Byte, CONNACK);
define(Id.SharedSubscriptionAvailable, Byte, CONNACK);

propertyRepeats[Id.UserProperty] = propertyPackets[Id.UserProperty];
propertyRepeats[Id.SubscriptionIdentifier] = 1 << PUBLISH;
