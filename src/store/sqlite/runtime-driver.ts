// The SQLite driver of the runtime that this is.

import type { Driver } from './driver.ts';

export async function runtimeDriver(): Promise<Driver> {
  if ('Bun' in globalThis) return (await import('./open-bun.ts')).bunDriver;
  return (await import('./open-node.ts')).nodeDriver();
}
