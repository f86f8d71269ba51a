// What RFC 6455 calls things, and frames as a server writes them: whole and not masked.

export const Opcode = {
  Continuation: 0x0,
  Text: 0x1,
  Binary: 0x2,
  /** From here on they control. */
  Close: 0x8,
  Ping: 0x9,
  Pong: 0xa,
} as const;

/** Why a connection ends (section 7.4.1). */
export const Status = {
  Normal: 1000,
  ProtocolError: 1002,
  UnsupportedData: 1003,
  /** Never sent: stands for a close frame that says nothing. */
  None: 1005,
  InvalidPayload: 1007,
  TooLarge: 1009,
} as const;

export const FINAL = 0x80;
export const RESERVED = 0x70;
export const OPCODE = 0x0f;
export const MASKED = 0x80;
export const LENGTH = 0x7f;
/** Lengths that say how long the length is that follows. */
export const LENGTH_16 = 126;
export const LENGTH_64 = 127;
export const CONTROL_BYTES_MAX = 125;

/** `payload` as one frame, in memory of its own. */
export function framed(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const at = length < LENGTH_16 ? 2 : length < 0x1_0000 ? 4 : 10;
  const frame = Buffer.allocUnsafe(at + length);
  frame[0] = FINAL | opcode;
  if (at === 2) {
    frame[1] = length;
  } else if (at === 4) {
    frame[1] = LENGTH_16;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = LENGTH_64;
    frame.writeUInt32BE(0, 2);
    frame.writeUInt32BE(length, 6);
  }
  frame.set(payload, at);
  return frame;
}

export function closeFrame(status: number): Buffer {
  const payload = status === Status.None ? [] : [status >> 8, status & 0xff];
  return framed(Opcode.Close, Uint8Array.from(payload));
}
