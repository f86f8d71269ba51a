// Reads PUBACK, PUBREC, PUBREL and PUBCOMP where they lie [MQTT 5.0 3.4 to 3.7]. The common form is
// two bytes of packet identifier; MQTT 5 may add a reason code and properties.

import { PacketType } from '../packet.ts';
import { PropertyId, propertyKind } from '../properties.ts';
import { Reason } from '../reason.ts';
import { readVarint, varintLength } from '../varint.ts';
import { propertyEnd } from './publish.ts';

/** What an acknowledgement says. One instance is filled again and again. */
export class AckView {
  packetId = 0;
  reason = 0;
}

/** The reason codes that each acknowledgement may carry besides success. */
const failures: readonly number[] = [
  Reason.NoMatchingSubscribers,
  Reason.UnspecifiedError,
  Reason.ImplementationSpecific,
  Reason.NotAuthorized,
  Reason.TopicNameInvalid,
  Reason.PacketIdInUse,
  Reason.QuotaExceeded,
  Reason.PayloadFormatInvalid,
];

function reasonAllowed(type: number, reason: number): boolean {
  if (reason === 0) return true;
  if (type === PacketType.PUBACK || type === PacketType.PUBREC) return failures.includes(reason);
  return reason === Reason.PacketIdNotFound;
}

/** Decodes the body buf[start, end) into `view`; returns 0 or the reason code of what is wrong. */
export function decodeAck(
  view: AckView,
  buf: Uint8Array,
  type: number,
  start: number,
  end: number,
  version: number,
): number {
  const length = end - start;
  if (length < 2) return Reason.MalformedPacket;
  view.packetId = (buf[start] << 8) | buf[start + 1];
  view.reason = 0;
  if (view.packetId === 0) return Reason.ProtocolError; // [MQTT-2.2.1-3]
  if (length === 2) return 0;
  if (version !== 5) return Reason.MalformedPacket;
  view.reason = buf[start + 2];
  if (!reasonAllowed(type, view.reason)) return Reason.ProtocolError;
  return length === 3 ? 0 : checkProperties(buf, start + 3, end);
}

/** An acknowledgement's properties: one reason string at most, any number of user properties. */
function checkProperties(buf: Uint8Array, at: number, end: number): number {
  const propertiesLength = readVarint(buf, at, end);
  if (propertiesLength < 0) return Reason.MalformedPacket;
  let pos = at + varintLength(propertiesLength);
  if (pos + propertiesLength !== end) return Reason.MalformedPacket;
  let reasonStrings = 0;
  while (pos < end) {
    const id = buf[pos++];
    if (propertyKind[id] === 0) return Reason.MalformedPacket;
    if (id === PropertyId.ReasonString) {
      if (++reasonStrings > 1) return Reason.ProtocolError;
    } else if (id !== PropertyId.UserProperty) {
      return Reason.MalformedPacket;
    }
    pos = propertyEnd(buf, pos, end, propertyKind[id]);
    if (pos < 0) return Reason.MalformedPacket;
  }
  return 0;
}
