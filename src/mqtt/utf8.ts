// UTF-8 as MQTT wants it [MQTT 5.0 1.5.4]: strict validation in place, decoding that keeps a
// leading U+FEFF, encoding. Non-characters and control characters other than U+0000 are let pass:
// the specification advises against them and does not forbid them.

// U+FEFF is never skipped or stripped [MQTT-1.5.4-3].
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/** Whether [start, end) is a valid UTF-8 Encoded String, free of U+0000 [MQTT-1.5.4-2]. */
export function utf8Valid(buf: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; ) {
    const byte = buf[at];
    if (byte === 0) return false;
    const length = byte < 0x80 ? 1 : sequenceLength(buf, at, end);
    if (length === 0) return false;
    at += length;
  }
  return true;
}

/** Whether [start, end) is UTF-8 as a payload may be: U+0000 is a character like any other. */
export function payloadUtf8Valid(buf: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; ) {
    const length = buf[at] < 0x80 ? 1 : sequenceLength(buf, at, end);
    if (length === 0) return false;
    at += length;
  }
  return true;
}

/** Bytes of the well-formed sequence at `at`, whose first byte is >= 0x80; 0 when there is none.
 *  Overlong forms, surrogates and what lies above U+10FFFF are ill-formed [MQTT-1.5.4-1]. */
export function sequenceLength(buf: Uint8Array, at: number, end: number): number {
  const first = buf[at];
  if (first < 0xc2) return 0; // A continuation byte, or an overlong form of ASCII.
  if (first < 0xe0) return continues(buf, at, end, 2);
  const second = buf[at + 1];
  if (first < 0xf0) {
    if (first === 0xe0 && second < 0xa0) return 0; // Overlong.
    if (first === 0xed && second > 0x9f) return 0; // A surrogate.
    return continues(buf, at, end, 3);
  }
  if (first > 0xf4) return 0;
  if (first === 0xf0 && second < 0x90) return 0; // Overlong.
  if (first === 0xf4 && second > 0x8f) return 0; // Above U+10FFFF.
  return continues(buf, at, end, 4);
}

function continues(buf: Uint8Array, at: number, end: number, length: number): number {
  if (at + length > end) return 0;
  for (let i = 1; i < length; i++) if ((buf[at + i] & 0xc0) !== 0x80) return 0;
  return length;
}

/** The text of [start, end), which has been validated before. */
export function utf8Decode(buf: Uint8Array, start: number, end: number): string {
  if (start === end) return '';
  const whole = start === 0 && end === buf.length;
  return decoder.decode(whole ? buf : buf.subarray(start, end));
}

export function utf8Encode(text: string): Uint8Array {
  return encoder.encode(text);
}
