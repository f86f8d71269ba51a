// Finds packets in a stream of bytes: the fixed header and nothing behind it [MQTT 5.0 2.1].
// No state and no copy; a packet that is not whole yet is the connection's to keep.

/** The bytes at hand end before the packet does (or before its length is known). */
export const NEED_MORE = -1;
/** The remaining length is not a minimal variable byte integer of at most four bytes. */
export const MALFORMED = -2;

/**
 * The length in bytes, fixed header included, of the packet that starts at `pos`; NEED_MORE when
 * the header is not complete, MALFORMED when it never will be. The packet itself may reach beyond
 * `end`. Non-minimal lengths are refused for every version [MQTT-1.5.5-1].
 */
export function packetLength(buf: Uint8Array, pos: number, end: number): number {
  if (end - pos < 2) return NEED_MORE;
  const b0 = buf[pos + 1];
  if (b0 < 128) return b0 + 2;
  if (end - pos < 3) return NEED_MORE;
  const b1 = buf[pos + 2];
  if (b1 < 128) return b1 === 0 ? MALFORMED : (b0 & 127) + (b1 << 7) + 3;
  if (end - pos < 4) return NEED_MORE;
  const b2 = buf[pos + 3];
  if (b2 < 128) return b2 === 0 ? MALFORMED : (b0 & 127) + ((b1 & 127) << 7) + (b2 << 14) + 4;
  if (end - pos < 5) return NEED_MORE;
  const b3 = buf[pos + 4];
  if (b3 === 0 || b3 >= 128) return MALFORMED;
  return (b0 & 127) + ((b1 & 127) << 7) + ((b2 & 127) << 14) + (b3 << 21) + 5;
}

/** The length in bytes of the fixed header of a packet of `length` bytes in all. */
export function headerLength(length: number): number {
  if (length < 130) return 2;
  if (length < 16_387) return 3;
  return length < 2_097_156 ? 4 : 5;
}

/** What the low four bits of the first byte must be, per packet type; -1: PUBLISH, any. */
const requiredFlags = [-2, 0, 0, -1, 0, 0, 2, 0, 2, 0, 2, 0, 0, 0, 0, 0];

/**
 * Whether the first byte names a packet type and carries the flags it must [MQTT-2.1.3-1]. MQTT 3.1
 * allowed DUP on PUBREL, SUBSCRIBE and UNSUBSCRIBE, so it is let pass there.
 */
export function firstByteValid(byte0: number, version: number): boolean {
  const required = requiredFlags[byte0 >> 4];
  if (required === -1) return (byte0 & 0x06) !== 0x06; // QoS 3 [MQTT-3.3.1-4]
  const flags = byte0 & 0x0f;
  return flags === required || (version === 3 && required === 2 && flags === 0x0a);
}
