// The vocabulary of the wire: packet types, versions, and the shapes of the packets that are
// decoded into objects (the rare ones). PUBLISH and its acknowledgements never become objects:
// they are read in place (decode-publish.ts, decode-ack.ts).

/** MQTT control packet types [MQTT 5.0 table 2-1]. */
export const PacketType = {
  CONNECT: 1,
  CONNACK: 2,
  PUBLISH: 3,
  PUBACK: 4,
  PUBREC: 5,
  PUBREL: 6,
  PUBCOMP: 7,
  SUBSCRIBE: 8,
  SUBACK: 9,
  UNSUBSCRIBE: 10,
  UNSUBACK: 11,
  PINGREQ: 12,
  PINGRESP: 13,
  DISCONNECT: 14,
  AUTH: 15,
} as const;

/** The protocol level byte of CONNECT: 3 is MQTT 3.1, 4 is MQTT 3.1.1, 5 is MQTT 5.0. */
export type ProtocolVersion = 3 | 4 | 5;

export type QoS = 0 | 1 | 2;

/** One user property; their order is significant and kept [MQTT-3.1.3-10, MQTT-3.3.2-18]. */
export type UserProperty = readonly [name: string, value: string];

/** A session expiry interval that means "never" [MQTT 5.0 3.1.2.11.2]. */
export const SESSION_NEVER_EXPIRES = 0xffff_ffff;

export interface Will {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  /** Will Delay Interval, seconds; 0 before MQTT 5. */
  readonly delaySeconds: number;
  /** Message Expiry Interval, seconds, or null when the message never expires. */
  readonly expirySeconds: number | null;
  /** The encoded properties that travel on to subscribers unchanged and in order: payload format
   *  indicator, content type, response topic, correlation data, user properties. No length prefix.
   * */
  readonly properties: Uint8Array;
  /** Payload Format Indicator: true when the payload claims to be UTF-8. */
  readonly payloadIsUtf8: boolean;
}

export interface ConnectPacket {
  readonly version: ProtocolVersion;
  /** A mosquitto bridge (top bit of the protocol level): it expects its subscriptions to be served
   *  as with No Local and Retain As Published. */
  readonly bridge: boolean;
  /** Clean session (3.x) or clean start (5.0). */
  readonly cleanStart: boolean;
  readonly keepAliveSeconds: number;
  /** Empty when the client asks the server to assign one. */
  readonly clientId: string;
  readonly will: Will | null;
  readonly username: string | null;
  readonly password: Uint8Array | null;
  /** Seconds; 0 ends the session with the connection. 3.x: 0 for clean session, else never. */
  readonly sessionExpirySeconds: number;
  /** What the client accepts in flight towards it; 65,535 unless MQTT 5 says less. */
  readonly receiveMaximum: number;
  /** Largest packet the client accepts, bytes; 268,435,460 (no limit) unless MQTT 5 says less. */
  readonly packetSizeMax: number;
  /** Highest topic alias the client accepts from us; 0 is none. */
  readonly topicAliasMaximum: number;
  readonly requestResponseInformation: boolean;
  readonly requestProblemInformation: boolean;
  readonly userProperties: readonly UserProperty[];
  readonly authenticationMethod: string | null;
  readonly authenticationData: Uint8Array | null;
}

export interface SubscribeEntry {
  readonly filter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** 0 send retained, 1 send if the subscription is new, 2 do not send [MQTT-3.3.1-9..11]. */
  readonly retainHandling: 0 | 1 | 2;
  /** SUBACK code already decided by the decoder: 0, or 0x8F for an invalid filter. */
  readonly refusal: number;
}

export interface SubscribePacket {
  readonly packetId: number;
  readonly entries: readonly SubscribeEntry[];
  /** Subscription Identifier, 0 when there is none. */
  readonly identifier: number;
}

export interface UnsubscribePacket {
  readonly packetId: number;
  readonly filters: readonly string[];
}

export interface DisconnectPacket {
  readonly reason: number;
  /** Session Expiry Interval given anew, seconds, or null to keep the one of CONNECT. */
  readonly sessionExpirySeconds: number | null;
}

export interface AuthPacket {
  readonly reason: number;
  readonly method: string | null;
  readonly data: Uint8Array | null;
}

/** The largest packet the fixed header can describe: 268,435,455 bytes and a five-byte header. */
export const PACKET_SIZE_LIMIT = 268_435_460;
