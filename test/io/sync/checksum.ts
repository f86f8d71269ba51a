// What the tests of the synchronous driver compare bytes by.

/** Of bytes, so that a test can tell whether they are what was sent. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) | 0;
  return sum;
}
