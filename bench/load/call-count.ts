// How many system calls a broker makes: strace(1) is attached to the running process for a while,
// counts, and lets it go. The broker is several times slower meanwhile, so this comes after what is
// timed.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export class CallCount {
  private readonly child: ChildProcess;
  private said = '';
  private readonly attached: Promise<boolean>;
  private readonly ended: Promise<unknown>;

  constructor(pid: number) {
    this.child = spawn('strace', ['-c', '-f', '-p', String(pid)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.ended = once(this.child, 'close').catch(() => {});
    this.attached = new Promise(resolve => {
      this.child.stderr!.on('data', chunk => {
        this.said += chunk;
        if (/attached/.test(this.said)) resolve(true);
      });
      void this.ended.then(() => resolve(false));
    });
  }

  /** False where strace is missing or may not look. */
  ready(): Promise<boolean> {
    return this.attached;
  }

  /** Lets the process go; the number of calls it made since `ready`, or null. */
  async end(): Promise<number | null> {
    this.child.kill('SIGINT');
    await this.ended;
    return totalCalls(this.said);
  }
}

/** The calls in strace's table, summed: % time, seconds, usecs/call, calls, errors or none, name.
 */
export function totalCalls(table: string): number | null {
  const rows = /^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$/gm;
  let sum: number | null = null;
  for (const [, calls, name] of table.matchAll(rows)) {
    if (name !== 'total') sum = (sum ?? 0) + Number(calls);
  }
  return sum;
}
