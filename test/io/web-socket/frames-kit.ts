// Frames as clients write them, right or wrong.

export const MASK = Buffer.from([0x12, 0x34, 0x56, 0x78]);

export interface FrameShape {
  readonly opcode: number;
  readonly payload?: Uint8Array | string;
  readonly final?: boolean;
  readonly reserved?: number;
  readonly masked?: boolean;
  /** What it says its length is. */
  readonly declared?: number;
  /** 7, 16 or 64; the shortest that will do. */
  readonly lengthBits?: number;
}

/** A frame: final, masked, and as long as its payload where nothing else is said. */
export function clientFrame(shape: FrameShape): Buffer {
  const { opcode, final = true, reserved = 0, masked = true } = shape;
  const payload = Buffer.from((shape.payload ?? '') as string);
  const size = shape.declared ?? payload.length;
  const bits = shape.lengthBits ?? (size < 126 ? 7 : size < 0x1_0000 ? 16 : 64);
  const length = Buffer.alloc(bits === 7 ? 1 : bits === 16 ? 3 : 9);
  length[0] = bits === 7 ? size : bits === 16 ? 126 : 127;
  if (bits === 16) length.writeUInt16BE(size, 1);
  else if (bits === 64) length.writeBigUInt64BE(BigInt(size), 1);
  length[0]! |= masked ? 0x80 : 0;
  const first = (final ? 0x80 : 0) | (reserved << 4) | opcode;
  if (!masked) return Buffer.concat([Buffer.from([first]), length, payload]);
  const hidden = payload.map((byte, i) => byte ^ MASK[i & 3]!);
  return Buffer.concat([Buffer.from([first]), length, MASK, hidden]);
}

export function closing(status: number | null, reason: Uint8Array | string = ''): Buffer {
  const said = status === null ? [] : [status >> 8, status & 0xff];
  const payload = Buffer.concat([Buffer.from(said), Buffer.from(reason as string)]);
  return clientFrame({ opcode: 8, payload });
}
