// Decodes what a client says about its connection once it stands: DISCONNECT [MQTT 5.0 3.14] and
// AUTH [MQTT 5.0 3.15]. Both may leave out trailing parts that have their default value.

import type { Fault } from '../fault.ts';
import type { ProtocolVersion } from '../packet.ts';
import { type AuthPacket, type DisconnectPacket, PacketType } from '../packet.ts';
import { PropertyId } from '../properties.ts';
import { Reason } from '../reason.ts';
import { Reader } from './reader.ts';

/** The reason codes that a client may give in DISCONNECT [MQTT 5.0 table 3-10]. */
const disconnectReasons: ReadonlySet<number> = new Set([
  Reason.NormalDisconnection,
  Reason.DisconnectWithWill,
  Reason.UnspecifiedError,
  Reason.MalformedPacket,
  Reason.ProtocolError,
  Reason.ImplementationSpecific,
  Reason.TopicNameInvalid,
  Reason.ReceiveMaximumExceeded,
  Reason.TopicAliasInvalid,
  Reason.PacketTooLarge,
  Reason.MessageRateTooHigh,
  Reason.QuotaExceeded,
  Reason.AdministrativeAction,
  Reason.PayloadFormatInvalid,
]);

/** The DISCONNECT whose body is buf[start, end), or what is wrong with it. */
export function decodeDisconnect(
  buf: Uint8Array,
  start: number,
  end: number,
  version: ProtocolVersion,
): DisconnectPacket | Fault {
  const reader = new Reader(buf, start, end);
  if (version !== 5 || reader.remaining === 0) {
    reader.finish(); // Before MQTT 5 there is nothing behind the fixed header.
    return reader.fault ?? { reason: Reason.NormalDisconnection, sessionExpirySeconds: null };
  }
  const reason = reader.byte();
  if (!disconnectReasons.has(reason)) {
    reader.protocolError('not a reason for a client to disconnect'); // [MQTT-3.14.2-1]
  }
  let sessionExpirySeconds: number | null = null;
  if (reader.remaining > 0) {
    const properties = reader.properties(PacketType.DISCONNECT);
    sessionExpirySeconds = properties.number(PropertyId.SessionExpiryInterval, null);
  }
  reader.finish();
  return reader.fault ?? { reason, sessionExpirySeconds };
}

/** The AUTH whose body is buf[start, end), or what is wrong with it. */
export function decodeAuth(buf: Uint8Array, start: number, end: number): AuthPacket | Fault {
  const reader = new Reader(buf, start, end);
  // Nothing at all means success without properties, which only a server could say.
  const reason = reader.remaining > 0 ? reader.byte() : Reason.Success;
  if (reason !== Reason.ContinueAuthentication && reason !== Reason.ReAuthenticate) {
    reader.protocolError('not a reason for a client to send AUTH'); // [MQTT-3.15.2-1]
  }
  const properties = reader.properties(PacketType.AUTH);
  reader.finish();
  const method = properties.text(PropertyId.AuthenticationMethod);
  if (method === null) reader.protocolError('AUTH without an authentication method');
  return reader.fault ?? { reason, method, data: properties.bytes(PropertyId.AuthenticationData) };
}
