// The line that says how far a load has come, on standard error: rewritten in place on a terminal,
// one after another elsewhere. Also where a load hears that it is to stop: the engine blocks, and
// only between its slices can a signal be handled.

import { setImmediate as turn } from 'node:timers/promises';

const SLICE_MS = 100;
const EVERY_MS = 1_000;

export interface Screen {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export class Progress {
  private readonly screen: Screen;
  private readonly describe: (elapsedMs: number) => string;
  private readonly startedMs = performance.now();
  private dueMs = this.startedMs + EVERY_MS;
  private interrupted = false;

  constructor(screen: Screen, describe: (elapsedMs: number) => string) {
    this.screen = screen;
    this.describe = describe;
  }

  get elapsedMs(): number {
    return performance.now() - this.startedMs;
  }

  /** Works slice by slice until `done`, for at most so long, or until somebody interrupts. */
  async run(
    slice: (durationMs: number) => void,
    durationMs: number,
    done: () => boolean,
  ): Promise<void> {
    const interrupt = () => {
      this.interrupted = true;
    };
    process.on('SIGINT', interrupt);
    try {
      const end = performance.now() + durationMs;
      for (let now = performance.now(); now < end && !done() && !this.interrupted; ) {
        slice(Math.min(SLICE_MS, end - now));
        await turn();
        now = performance.now();
        if (now >= this.dueMs) this.show(now);
      }
    } finally {
      process.off('SIGINT', interrupt);
    }
  }

  get wasInterrupted(): boolean {
    return this.interrupted;
  }

  private show(now: number): void {
    this.dueMs = now + EVERY_MS;
    const line = this.describe(now - this.startedMs);
    this.screen.write(this.screen.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
  }

  /** Takes the line away. */
  clear(): void {
    if (this.screen.isTTY) this.screen.write('\r\x1b[K');
  }
}
