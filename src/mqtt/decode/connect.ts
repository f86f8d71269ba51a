// Decodes CONNECT of MQTT 3.1, 3.1.1 and 5.0 [MQTT 5.0 3.1, MQTT 3.1.1 3.1]. Knows what makes a
// CONNECT wrong in itself; what this broker likes or allows is the core's to say.

import { Fault } from '../fault.ts';
import type { ConnectPacket, ProtocolVersion, QoS, Will } from '../packet.ts';
import { PACKET_SIZE_LIMIT, PacketType, SESSION_NEVER_EXPIRES } from '../packet.ts';
import { PropertyId, WILL } from '../properties.ts';
import { Reason } from '../reason.ts';
import { PropertyBag, Reader } from './reader.ts';

const Flag = {
  reserved: 0x01,
  cleanStart: 0x02,
  will: 0x04,
  willQoS: 0x18,
  willRetain: 0x20,
  password: 0x40,
  username: 0x80,
} as const;

const noProperties = new PropertyBag();

/** The CONNECT whose body is buf[start, end), or what is wrong with it. */
export function decodeConnect(buf: Uint8Array, start: number, end: number): ConnectPacket | Fault {
  const reader = new Reader(buf, start, end);
  const name = reader.string();
  const level = reader.byte();
  if (reader.fault !== null) return reader.fault;
  // Another name is another protocol, whose words we do not know [MQTT-3.1.2-1].
  if (name !== 'MQTT' && name !== 'MQIsdp') {
    return new Fault(Reason.UnsupportedProtocolVersion, 'the protocol name is not MQTT');
  }
  const version = versionOf(name, level);
  if (version === null) {
    // Newer clients are answered in the newest form we have [MQTT-3.1.2-2].
    const why = `protocol level ${level} of ${name} is not supported`;
    return new Fault(Reason.UnsupportedProtocolVersion, why, level > 5 && level < 0x80 ? 5 : 4);
  }
  const packet = readConnect(reader, version, level >= 0x80);
  return reader.fault === null ? packet : asAnswered(reader.fault, version);
}

/** Bridges of mosquitto set the top bit of the levels 3 and 4 to say what they are. */
function versionOf(name: string, level: number): ProtocolVersion | null {
  if (name === 'MQIsdp') return (level & 0x7f) === 3 ? 3 : null;
  if ((level & 0x7f) === 4) return 4;
  return level === 5 ? 5 : null;
}

/** MQTT 3.x has return codes for a few reasons; for the rest it closes without a CONNACK. */
function asAnswered(fault: Fault, version: ProtocolVersion): Fault {
  const answered = version === 5 || fault.reason === Reason.ClientIdNotValid;
  return new Fault(fault.reason, fault.why, answered ? version : 0);
}

function readConnect(reader: Reader, version: ProtocolVersion, bridge: boolean): ConnectPacket {
  const flags = reader.byte();
  checkFlags(reader, flags, version);
  const keepAliveSeconds = reader.u16();
  const properties = version === 5 ? reader.properties(PacketType.CONNECT) : noProperties;
  const cleanStart = (flags & Flag.cleanStart) !== 0;
  const clientId = reader.string();
  if (clientId === '' && needsClientId(version, cleanStart)) {
    reader.fail(Reason.ClientIdNotValid, 'the client id is empty');
  }
  const will = (flags & Flag.will) !== 0 ? readWill(reader, flags, version) : null;
  const username = announced(reader, flags & Flag.username, version) ? reader.string() : null;
  const password = announced(reader, flags & Flag.password, version) ? reader.binary() : null;
  reader.finish();
  const authenticationMethod = properties.text(PropertyId.AuthenticationMethod);
  if (authenticationMethod === null && properties.has(PropertyId.AuthenticationData)) {
    reader.protocolError('authentication data without an authentication method');
  }
  return {
    version,
    bridge,
    cleanStart,
    keepAliveSeconds,
    clientId,
    will,
    username,
    password,
    sessionExpirySeconds:
      version === 5
        ? properties.number(PropertyId.SessionExpiryInterval, 0)
        : cleanStart
          ? 0
          : SESSION_NEVER_EXPIRES,
    receiveMaximum: properties.number(PropertyId.ReceiveMaximum, 65_535),
    packetSizeMax: properties.number(PropertyId.MaximumPacketSize, PACKET_SIZE_LIMIT),
    topicAliasMaximum: properties.number(PropertyId.TopicAliasMaximum, 0),
    requestResponseInformation: properties.number(PropertyId.RequestResponseInformation, 0) === 1,
    requestProblemInformation: properties.number(PropertyId.RequestProblemInformation, 1) === 1,
    userProperties: properties.userProperties,
    authenticationMethod,
    authenticationData: properties.bytes(PropertyId.AuthenticationData),
  };
}

/** The connect flags must agree with one another; MQTT 3.1 left the unused ones undefined. */
function checkFlags(reader: Reader, flags: number, version: ProtocolVersion): void {
  const will = (flags & Flag.will) !== 0;
  const passwordAlone = (flags & (Flag.username | Flag.password)) === Flag.password;
  if (version !== 3) {
    if ((flags & Flag.reserved) !== 0) {
      reader.malformed('the reserved connect flag is set'); // [MQTT-3.1.2-3]
    }
    // [MQTT-3.1.2-11, MQTT-3.1.2-13] of MQTT 5, [MQTT-3.1.2-13, MQTT-3.1.2-15] of 3.1.1.
    if (!will && (flags & (Flag.willQoS | Flag.willRetain)) !== 0) {
      reader.malformed('will QoS or will retain without a will');
    }
  }
  if (will && (flags & Flag.willQoS) === Flag.willQoS) {
    reader.malformed('the will QoS is 3'); // [MQTT-3.1.2-12], [MQTT-3.1.2-14] of 3.1.1
  }
  // MQTT 5 allows a password alone, for tokens; [MQTT-3.1.2-22] of 3.1.1 does not.
  if (version !== 5 && passwordAlone) reader.malformed('a password without a user name');
}

/** MQTT 5 assigns one [MQTT-3.1.3-6]; 3.1.1 for a clean session only [MQTT-3.1.3-8]; 3.1 never. */
function needsClientId(version: ProtocolVersion, cleanStart: boolean): boolean {
  return version === 3 || (version === 4 && !cleanStart);
}

/** Whether a field that a flag announces is there. In MQTT 3.1 the remaining length has the last
 *  word: user name and password may be missing in spite of their flags. */
function announced(reader: Reader, flag: number, version: ProtocolVersion): boolean {
  return flag !== 0 && (version !== 3 || reader.remaining > 0);
}

function readWill(reader: Reader, flags: number, version: ProtocolVersion): Will {
  const properties = version === 5 ? reader.properties(WILL) : noProperties;
  const topic = reader.topicName(Reason.TopicNameInvalid, 'the will topic');
  const payload = reader.binary();
  return {
    topic,
    payload,
    qos: ((flags & Flag.willQoS) >> 3) as QoS,
    retain: (flags & Flag.willRetain) !== 0,
    delaySeconds: properties.number(PropertyId.WillDelayInterval, 0),
    expirySeconds: properties.number(PropertyId.MessageExpiryInterval, null),
    properties: concat(properties.travelling),
    payloadIsUtf8: properties.number(PropertyId.PayloadFormatIndicator, 0) === 1,
  };
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
