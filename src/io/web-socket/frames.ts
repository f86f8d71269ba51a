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

/** What a head of ours takes at most. */
export const SENT_HEAD_BYTES_MAX = 10;

function headBytes(length: number): number {
  if (length < LENGTH_16) return 2;
  return length < 0x1_0000 ? 4 : SENT_HEAD_BYTES_MAX;
}

/** Writes bytes[start, end) as one frame to the beginning of `into`; returns how long it is. */
export function writeFrame(
  into: Uint8Array,
  opcode: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  const length = end - start;
  const at = headBytes(length);
  into[0] = FINAL | opcode;
  into[1] = at === 2 ? length : at === 4 ? LENGTH_16 : LENGTH_64;
  for (let i = at - 1, left = length; i > 1; i--) {
    into[i] = left & 0xff;
    left >>>= 8;
  }
  // A copy of few bytes is faster than making the view that `set` wants.
  if (length < 32) for (let i = 0; i < length; i++) into[at + i] = bytes[start + i]!;
  else into.set(bytes.subarray(start, end), at);
  return at + length;
}

/** `payload` as one frame, in memory of its own. */
export function framed(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const frame = Buffer.allocUnsafe(headBytes(length) + length);
  writeFrame(frame, opcode, payload, 0, length);
  return frame;
}

/** What a close frame with this status carries. */
export function closePayload(status: number): Uint8Array {
  return Uint8Array.from(status === Status.None ? [] : [status >> 8, status & 0xff]);
}

export function closeFrame(status: number): Buffer {
  return framed(Opcode.Close, closePayload(status));
}
