// Asks the runtime to give memory back to the system: of garbage, and of the code that was compiled
// for a load that is over. Holds its thread up for about a millisecond per megabyte of what lives.

interface BunAlone {
  readonly Bun?: { gc(now: boolean): void; shrink(): void };
}

/** How that is done here. `blocked`: on a thread that waits in system calls, is never idle in its
 *  runtime's eyes, and runs no promises once this one has resolved. */
export async function openGarbage(blocked: boolean): Promise<() => void> {
  const bun = (globalThis as BunAlone).Bun;
  if (bun === undefined) return (await import('./garbage-node.ts')).openNodeGarbage(blocked);
  if (blocked) return () => bun.gc(true);
  return () => bun.shrink(); // as soon as it is idle; collects as well
}
