// Bytes as they come in, and those that outlive the chunk they came in.

/** The same bytes as a plain Uint8Array. Sockets bring Buffers: copying a part of one takes three
 *  times as long, and code that meets both kinds is slower for either. */
export function plain(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A copy of bytes[start, end). Not their own `slice`: what comes from a socket may be a Buffer,
 *  whose slices are views, so that a few bytes would keep a whole chunk. */
export function copyOf(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes, start, end);
}
