// Asks the runtime to give memory back to the system: of garbage, and of the code that was compiled
// for a load that is over. Holds its thread up for about a millisecond per megabyte of what lives.
// Node has no such word, and collecting there gave nothing back: its C library keeps what is freed.

interface BunAlone {
  readonly Bun?: { gc(now: boolean): void; shrink(): void };
}

/** `blocked`: on a thread that waits in system calls and is never idle in its runtime's eyes. */
export function giveMemoryBack(blocked: boolean): void {
  const bun = (globalThis as BunAlone).Bun;
  if (bun === undefined) return;
  if (blocked) bun.gc(true);
  else bun.shrink(); // as soon as it is idle; collects as well
}
