// Whoever supervises the process, as the main thread sees it: systemd, or another that speaks
// sd_notify(3). It is told when we are ready, reload and stop, in order. Nobody: all of this is
// null, and nothing of the C library is loaded.

import { NotifySocket, type Warn } from './notify-socket.ts';
import { type WatchdogRequest, watchdogTimeout } from './watchdog.ts';

/** Until a message that found no room is tried again. */
const RETRY_MS = 50;
/** Messages that wait for room. */
const WAITING_MAX = 16;

export class Supervisor {
  /** What it wants of the core's loop. */
  readonly watchdog: WatchdogRequest | null;
  private readonly socket: NotifySocket;
  private readonly waiting: string[] = [];
  /** It was told that we stop; nothing that was under way is ready any more. */
  private ended = false;
  private timer: ReturnType<typeof setTimeout> | null = null;

  /** Null: there is none, or it cannot be spoken to, which was said then. */
  static async find(
    env: Readonly<Record<string, string | undefined>>,
    pid: number,
    warn: Warn,
  ): Promise<Supervisor | null> {
    const { NOTIFY_SOCKET: address = '' } = env;
    if (address === '') return null;
    const socket = await NotifySocket.open(address, warn);
    if (socket === null) return null;
    const timeoutMs = watchdogTimeout(env, pid);
    return new Supervisor(socket, timeoutMs === null ? null : { socket: address, timeoutMs });
  }

  private constructor(socket: NotifySocket, watchdog: WatchdogRequest | null) {
    this.socket = socket;
    this.watchdog = watchdog;
  }

  starting(): void {
    this.tell(status('reading what is kept'));
  }

  ready(text: string): void {
    this.tell('READY=1', status(text));
  }

  reloading(): void {
    const now = this.socket.monotonicMicroseconds();
    this.tell('RELOADING=1', `MONOTONIC_USEC=${now}`, status('reading the configuration again'));
  }

  stopping(): void {
    this.tell('STOPPING=1', status('saying goodbye to clients'));
    this.ended = true;
  }

  private tell(...lines: string[]): void {
    if (this.ended) return;
    if (this.waiting.length === WAITING_MAX) this.waiting.pop(); // the latest state counts
    this.waiting.push(lines.join('\n'));
    if (this.timer === null) this.flush();
  }

  private flush(): void {
    this.timer = null;
    while (this.waiting.length > 0) {
      if (!this.socket.send(this.waiting[0]!)) {
        this.timer = setTimeout(() => this.flush(), RETRY_MS);
        return;
      }
      this.waiting.shift();
    }
  }
}

/** One line, whatever is in it. */
function status(text: string): string {
  return `STATUS=${text.replace(/\s+/g, ' ')}`;
}
