// The answer to a service manager's watchdog, given by the core's loop within its turns: a loop
// that hangs gives none, however well the other threads are, and is ended and started again.

import { NotifySocket } from './notify-socket.ts';

/** Plain data: the core may be on another thread. */
export interface WatchdogRequest {
  /** As it stands in NOTIFY_SOCKET. */
  readonly socket: string;
  /** Silence after which we are taken for dead. */
  readonly timeoutMs: number;
}

export class Watchdog {
  private readonly send: (text: string) => boolean;
  private readonly intervalMs: number;
  private due = Number.NEGATIVE_INFINITY;

  /** Null where the socket cannot be spoken to: the Supervisor has met that before, and said so. */
  static async open({ socket, timeoutMs }: WatchdogRequest): Promise<Watchdog | null> {
    const open = await NotifySocket.open(socket, () => {});
    return open && new Watchdog(text => open.send(text), timeoutMs);
  }

  /** `send` tells whether there was room. */
  constructor(send: (text: string) => boolean, timeoutMs: number) {
    this.send = send;
    this.intervalMs = timeoutMs / 2;
  }

  /** To be called in every turn; returns when it wants the next one at the latest. */
  beat(now: number): number {
    if (now >= this.due) {
      const sent = this.send('WATCHDOG=1');
      this.due = now + (sent ? this.intervalMs : this.intervalMs / 8);
    }
    return this.due;
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
