// Memory that the runtime made for one chunk and that nobody needs any more. Left to the collector,
// so much of it is written before any is used again that none is in the processor's cache by then.

/** Smaller chunks cost more to give back than to leave. */
export const RELEASED_BYTES = 64 * 1024;

/** TypeScript's ES2023 lacks `transfer`, and so does Node 20. */
type Detachable = ArrayBuffer & { transfer?(length: number): ArrayBuffer };

/** Gives the memory of a large chunk back at once, unless it may not be the chunk's alone. Nothing
 *  is left in the chunk, so whoever kept a view of it is left with nothing as well. */
export function release(chunk: Uint8Array): void {
  if (chunk.length < RELEASED_BYTES) return;
  const memory = chunk.buffer as Detachable;
  if (memory.byteLength === chunk.length) memory.transfer?.(0);
}
