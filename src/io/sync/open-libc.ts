// The C library through what this runtime has for it. Neither reaches the other's.

import type { Libc } from './libc.ts';

/** Rejects where there is no way to it. */
export async function openLibc(): Promise<Libc> {
  if ('Bun' in globalThis) return (await import('./ffi-bun.ts')).openLibc();
  return (await import('./ffi-node.ts')).openLibc();
}
