// Bytes that outlive the chunk they came in.

/** A copy of bytes[start, end). Not their own `slice`: what comes from a socket may be a Buffer,
 *  whose slices are views, so that a few bytes would keep a whole chunk. */
export function copyOf(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes, start, end);
}
