// Finds MQTT frames in received bytes, in place: no object, slice or closure per frame. It trusts
// the broker under test no further than needed to stay inside the buffer, and checks no rules.

/** Answers of FrameScanner.next: the frame's end is not there yet; the length field is not one. */
export const NEED_MORE = -1;
export const MALFORMED = -2;

export class FrameScanner {
  /** The first byte of the frame found last: packet type and flags. */
  head = 0;
  /** Where its variable header begins and where the frame ends. */
  body = 0;
  end = 0;

  /** Looks for a whole frame in [at, limit). Returns where it ends, NEED_MORE or MALFORMED. */
  next(bytes: Uint8Array, at: number, limit: number): number {
    if (limit - at < 2) return NEED_MORE;
    let body = at + 2;
    let length = bytes[at + 1]!;
    if (length >= 0x80) {
      length &= 0x7f;
      let shift = 7;
      let byte: number;
      do {
        if (shift > 21) return MALFORMED;
        if (body >= limit) return NEED_MORE;
        byte = bytes[body++]!;
        length |= (byte & 0x7f) << shift;
        shift += 7;
      } while (byte >= 0x80);
    }
    const end = body + length;
    if (end > limit) return NEED_MORE;
    this.head = bytes[at]!;
    this.body = body;
    this.end = end;
    return end;
  }
}
