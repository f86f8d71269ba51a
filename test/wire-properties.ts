// The properties of MQTT 5 for the test-side codec: written from the specification a second time,
// on purpose, so that it can disagree with src/mqtt/properties.ts.

export interface WireProperties {
  payloadFormatIndicator?: number;
  messageExpiryInterval?: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Uint8Array;
  subscriptionIdentifiers?: number[];
  sessionExpiryInterval?: number;
  assignedClientIdentifier?: string;
  serverKeepAlive?: number;
  authenticationMethod?: string;
  authenticationData?: Uint8Array;
  requestProblemInformation?: number;
  willDelayInterval?: number;
  requestResponseInformation?: number;
  responseInformation?: string;
  serverReference?: string;
  reasonString?: string;
  receiveMaximum?: number;
  topicAliasMaximum?: number;
  topicAlias?: number;
  maximumQoS?: number;
  retainAvailable?: number;
  userProperties?: [string, string][];
  maximumPacketSize?: number;
  wildcardSubscriptionAvailable?: number;
  subscriptionIdentifiersAvailable?: number;
  sharedSubscriptionAvailable?: number;
}

export type PropertyName = keyof WireProperties;

export type PropertyType =
  | 'flag'
  | 'nonzero u16'
  | 'u16'
  | 'nonzero u32'
  | 'u32'
  | 'varint'
  | 'string'
  | 'topic'
  | 'binary'
  | 'pair';

export interface PropertyRule {
  readonly id: number;
  readonly name: PropertyName;
  readonly type: PropertyType;
  /** Where it may stand: packet types, "will", and "server publish" where only a server may. */
  readonly where: string;
}

const answers = 'connack puback pubrec pubrel pubcomp suback unsuback disconnect auth';

function rule(id: number, name: PropertyName, type: PropertyType, where: string): PropertyRule {
  return { id, name, type, where };
}

/** MQTT 5.0 table 2-4, with the direction where the text of a packet narrows it. */
export const propertyRules: readonly PropertyRule[] = [
  rule(1, 'payloadFormatIndicator', 'flag', 'publish will'),
  rule(2, 'messageExpiryInterval', 'u32', 'publish will'),
  rule(3, 'contentType', 'string', 'publish will'),
  rule(8, 'responseTopic', 'topic', 'publish will'),
  rule(9, 'correlationData', 'binary', 'publish will'),
  rule(11, 'subscriptionIdentifiers', 'varint', 'server-publish subscribe'),
  rule(17, 'sessionExpiryInterval', 'u32', 'connect connack client-disconnect'),
  rule(18, 'assignedClientIdentifier', 'string', 'connack'),
  rule(19, 'serverKeepAlive', 'u16', 'connack'),
  rule(21, 'authenticationMethod', 'string', 'connect connack auth'),
  rule(22, 'authenticationData', 'binary', 'connect connack auth'),
  rule(23, 'requestProblemInformation', 'flag', 'connect'),
  rule(24, 'willDelayInterval', 'u32', 'will'),
  rule(25, 'requestResponseInformation', 'flag', 'connect'),
  rule(26, 'responseInformation', 'string', 'connack'),
  rule(28, 'serverReference', 'string', 'connack disconnect'),
  rule(31, 'reasonString', 'string', answers),
  rule(33, 'receiveMaximum', 'nonzero u16', 'connect connack'),
  rule(34, 'topicAliasMaximum', 'u16', 'connect connack'),
  rule(35, 'topicAlias', 'nonzero u16', 'publish'),
  rule(36, 'maximumQoS', 'flag', 'connack'),
  rule(37, 'retainAvailable', 'flag', 'connack'),
  rule(38, 'userProperties', 'pair', `will connect publish subscribe unsubscribe ${answers}`),
  rule(39, 'maximumPacketSize', 'nonzero u32', 'connect connack'),
  rule(40, 'wildcardSubscriptionAvailable', 'flag', 'connack'),
  rule(41, 'subscriptionIdentifiersAvailable', 'flag', 'connack'),
  rule(42, 'sharedSubscriptionAvailable', 'flag', 'connack'),
];

export const ruleByName = new Map(propertyRules.map(rule => [rule.name, rule]));
export const ruleById = new Map(propertyRules.map(rule => [rule.id, rule]));
