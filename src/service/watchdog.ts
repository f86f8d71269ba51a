// The answer to a service manager's watchdog, given by the core's loop within its turns: a loop
// that hangs gives none, however well the other threads are, and is ended and started again. Where
// the core has a thread of its own the main thread has to live, too, which it shows by a count.

import { NotifySocket } from './notify-socket.ts';

/** Plain data: the core may be on another thread. */
export interface WatchdogRequest {
  /** As it stands in NOTIFY_SOCKET. */
  readonly socket: string;
  /** Silence after which we are taken for dead. */
  readonly timeoutMs: number;
  /** Of the main thread's LifeSigns, where the loop is on another. */
  readonly lifeSigns?: SharedArrayBuffer;
}

/** A thread with an event loop says that it lives, often enough for every answer. */
export class LifeSigns {
  readonly memory = new SharedArrayBuffer(4);
  private readonly timer: ReturnType<typeof setInterval>;

  constructor(timeoutMs: number) {
    const count = new Int32Array(this.memory);
    this.timer = setInterval(() => Atomics.add(count, 0, 1), timeoutMs / 4);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }
}

export class Watchdog {
  private readonly send: (text: string) => boolean;
  private readonly intervalMs: number;
  /** Null: nobody else has to live. */
  private readonly lifeSigns: Int32Array | null;
  /** The life sign that was there at the last answer. */
  private answeredSign = -1;
  private due = Number.NEGATIVE_INFINITY;

  /** Null where the socket cannot be spoken to: the Supervisor has met that before, and said so. */
  static async open({ socket, timeoutMs, lifeSigns }: WatchdogRequest): Promise<Watchdog | null> {
    const open = await NotifySocket.open(socket, () => {});
    return open && new Watchdog(text => open.send(text), timeoutMs, lifeSigns);
  }

  /** `send` tells whether there was room. */
  constructor(send: (text: string) => boolean, timeoutMs: number, lifeSigns?: SharedArrayBuffer) {
    this.send = send;
    this.intervalMs = timeoutMs / 2;
    this.lifeSigns = lifeSigns === undefined ? null : new Int32Array(lifeSigns);
  }

  /** To be called in every turn; returns when it wants the next one at the latest. */
  beat(now: number): number {
    if (now >= this.due) {
      this.due = now + (this.answer() ? this.intervalMs : this.intervalMs / 8);
    }
    return this.due;
  }

  /** Not without a life sign since the last answer. */
  private answer(): boolean {
    const { lifeSigns } = this;
    if (lifeSigns === null) return this.send('WATCHDOG=1');
    const sign = Atomics.load(lifeSigns, 0);
    if (sign === this.answeredSign || !this.send('WATCHDOG=1')) return false;
    this.answeredSign = sign;
    return true;
  }
}

/** What WATCHDOG_USEC asks of this process, or null. */
export function watchdogTimeout(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): number | null {
  const { WATCHDOG_USEC: text = '', WATCHDOG_PID: meant } = env;
  if (!/^[1-9]\d*$/.test(text)) return null;
  if (meant !== undefined && meant !== '' && Number(meant) !== pid) return null;
  return Number(text) / 1_000;
}
