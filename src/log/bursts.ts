// Limits how many lines one cause may have per window and sums up the rest: a flood of refused
// clients costs a handful of lines and one "… 4,812 more like this in 10 s".

import type { LogClock } from './clock.ts';

export const WINDOW_MS = 10_000;
/** Causes that are remembered at once; further ones share one window. */
const CAUSES_MAX = 1_000;
const OTHERS = '';

type Summarize = (more: string) => void;

interface Window {
  readonly startMs: number;
  lines: number;
  held: number;
  summarize: Summarize;
}

export class Bursts {
  limit: number;
  private readonly clock: LogClock;
  private readonly windows = new Map<string, Window>();
  private armed = false;

  constructor(limit: number, clock: LogClock) {
    this.limit = limit;
    this.clock = clock;
  }

  /** Whether this line may be written now; if not it is counted, and `summarize` will be called
   *  with the count when the window ends. */
  admit(cause: string, summarize: Summarize): boolean {
    const now = this.clock.monotonic();
    const window = this.windowOf(cause, now, summarize);
    if (window.lines < this.limit) {
      window.lines++;
      return true;
    }
    window.held++;
    window.summarize = summarize;
    if (!this.armed) {
      this.armed = true;
      this.clock.later(window.startMs + WINDOW_MS - now, () => {
        this.armed = false;
        this.report(false);
      });
    }
    return false;
  }

  /** Sums up the windows that have ended, or all of them. */
  report(all: boolean): void {
    const now = this.clock.monotonic();
    let next = Number.POSITIVE_INFINITY;
    for (const [cause, window] of this.windows) {
      const endMs = window.startMs + WINDOW_MS;
      if (all || endMs <= now) {
        this.windows.delete(cause);
        this.close(window, now);
      } else if (window.held > 0) {
        next = Math.min(next, endMs);
      }
    }
    if (this.armed || next === Number.POSITIVE_INFINITY) return;
    this.armed = true;
    this.clock.later(next - now, () => {
      this.armed = false;
      this.report(false);
    });
  }

  private windowOf(cause: string, now: number, summarize: Summarize): Window {
    const window = this.windows.get(cause);
    if (window !== undefined && now < window.startMs + WINDOW_MS) return window;
    if (window !== undefined) {
      this.windows.delete(cause);
      this.close(window, now);
    } else if (this.windows.size >= CAUSES_MAX) {
      this.report(false);
      if (this.windows.size >= CAUSES_MAX && cause !== OTHERS) {
        return this.windowOf(OTHERS, now, summarize);
      }
    }
    const fresh: Window = { startMs: now, lines: 0, held: 0, summarize };
    this.windows.set(cause, fresh);
    return fresh;
  }

  private close(window: Window, now: number): void {
    if (window.held === 0) return;
    const seconds = Math.max(1, Math.round((now - window.startMs) / 1000));
    const count = window.held.toLocaleString('en-US');
    window.summarize(`… ${count} more like this in ${seconds} s`);
  }
}
