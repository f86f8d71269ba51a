// Variable byte integers, up to 268,435,455 in up to four bytes [MQTT 5.0 1.5.5].

/** A minimal variable byte integer at `pos`, or -1 [MQTT-1.5.5-1]. */
export function readVarint(buf: Uint8Array, pos: number, stop: number): number {
  let value = 0;
  for (let i = 0; i < 4 && pos + i < stop; i++) {
    const byte = buf[pos + i];
    value += (byte & 127) * 2 ** (7 * i);
    if (byte < 128) return i > 0 && byte === 0 ? -1 : value;
  }
  return -1;
}

/** How many bytes the variable byte integer `value` takes. */
export function varintLength(value: number): number {
  if (value < 128) return 1;
  if (value < 16_384) return 2;
  return value < 2_097_152 ? 3 : 4;
}

/** Writes a variable byte integer (up to 268,435,455) and returns where it ends. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  let pos = at;
  let rest = value;
  while (rest > 127) {
    target[pos++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  target[pos++] = rest;
  return pos;
}
