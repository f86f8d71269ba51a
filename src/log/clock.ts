// The time as the logs know it; tests bring their own.

export interface LogClock {
  /** Milliseconds since 1970, for the eye only. */
  wall(): number;
  monotonic(): number;
  /** Runs `task` once after `ms`. */
  later(ms: number, task: () => void): void;
}

export const systemClock: LogClock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  later: (ms, task) => void setTimeout(task, ms),
};
