// Reason codes: the one table of everything a broker tells a client about why [MQTT 5.0 2.4], and
// how the few that MQTT 3.x can say map to its CONNACK return codes [MQTT 3.1.1 table 3.1].

export const Reason = {
  Success: 0x00,
  NormalDisconnection: 0x00,
  GrantedQoS0: 0x00,
  GrantedQoS1: 0x01,
  GrantedQoS2: 0x02,
  DisconnectWithWill: 0x04,
  NoMatchingSubscribers: 0x10,
  NoSubscriptionExisted: 0x11,
  ContinueAuthentication: 0x18,
  ReAuthenticate: 0x19,
  UnspecifiedError: 0x80,
  MalformedPacket: 0x81,
  ProtocolError: 0x82,
  ImplementationSpecific: 0x83,
  UnsupportedProtocolVersion: 0x84,
  ClientIdNotValid: 0x85,
  BadUserNameOrPassword: 0x86,
  NotAuthorized: 0x87,
  ServerUnavailable: 0x88,
  ServerBusy: 0x89,
  Banned: 0x8a,
  ServerShuttingDown: 0x8b,
  BadAuthenticationMethod: 0x8c,
  KeepAliveTimeout: 0x8d,
  SessionTakenOver: 0x8e,
  TopicFilterInvalid: 0x8f,
  TopicNameInvalid: 0x90,
  PacketIdInUse: 0x91,
  PacketIdNotFound: 0x92,
  ReceiveMaximumExceeded: 0x93,
  TopicAliasInvalid: 0x94,
  PacketTooLarge: 0x95,
  MessageRateTooHigh: 0x96,
  QuotaExceeded: 0x97,
  AdministrativeAction: 0x98,
  PayloadFormatInvalid: 0x99,
  RetainNotSupported: 0x9a,
  QoSNotSupported: 0x9b,
  UseAnotherServer: 0x9c,
  ServerMoved: 0x9d,
  SharedSubscriptionsNotSupported: 0x9e,
  ConnectionRateExceeded: 0x9f,
  MaximumConnectTime: 0xa0,
  SubscriptionIdsNotSupported: 0xa1,
  WildcardSubscriptionsNotSupported: 0xa2,
} as const;

/** "QoSNotSupported" → "qos not supported". */
function wordsOf(name: string): string {
  return name
    .replace('QoS', 'Qos')
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase();
}

const names = new Map<number, string>();
for (const [name, code] of Object.entries(Reason)) {
  if (!names.has(code)) names.set(code, wordsOf(name));
}

/** "0x8e session taken over": a reason code as people read it, for logs. */
export function reasonText(code: number): string {
  const hex = `0x${code.toString(16).padStart(2, '0')}`;
  return `${hex} ${names.get(code) ?? 'unknown reason'}`;
}

/** The CONNACK return code that tells a 3.x client `reason` [MQTT 3.1.1 table 3.1]. */
export function connackReturnCode(reason: number): number {
  switch (reason) {
    case Reason.Success:
      return 0;
    case Reason.UnsupportedProtocolVersion:
      return 1;
    case Reason.ClientIdNotValid:
      return 2;
    case Reason.BadUserNameOrPassword:
      return 4;
    case Reason.NotAuthorized:
    case Reason.Banned:
    case Reason.BadAuthenticationMethod:
      return 5;
    default:
      return 3;
  }
}
