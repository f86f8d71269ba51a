// How often a broker tells the disk to keep what it was given: perf(1) counts its fsync and
// fdatasync calls for a moment. While it does, every system call of the machine is a little slower,
// so it has a moment of its own behind the measurement. Needs root and a kernel with tracepoints.

import { Process } from '../processes.ts';

const COUNT_MS = 500;
/** What perf takes to begin and to end. */
const MARGIN_MS = 300;
const CALLS = ['fdatasync', 'fsync'].map(call => `syscalls:sys_enter_${call}`);

export class SyncCount {
  /** How long traffic has to go on. */
  readonly takesMs = COUNT_MS + MARGIN_MS;
  private readonly perf: Process | null;

  constructor(pid: number) {
    const events = ['duration_time', ...CALLS].join(',');
    const command = ['perf', 'stat', '-x,', '-e', events, '-p', String(pid)];
    const available = Bun.which('perf') !== null;
    this.perf = available
      ? new Process([...command, 'sleep', String(COUNT_MS / 1000)], null)
      : null;
  }

  /** Null where they cannot be counted. */
  async perSecond(): Promise<number | null> {
    if (this.perf === null) return null;
    const code = await this.perf.endWithin(this.takesMs);
    return code === 0 ? syncsPerSecond(this.perf.stderr) : null;
  }
}

/** From what perf says with `-x,`: one event a line, value first. A call that never happened is
 *  `<not counted>`; an event the kernel does not have is `<not supported>`. */
export function syncsPerSecond(said: string): number | null {
  const lines = said.split('\n').map(line => line.split(','));
  const field = (event: string) => lines.find(fields => fields[2] === event)?.[0];
  const nanoseconds = Number(field('duration_time'));
  let calls = 0;
  for (const event of CALLS) {
    const value = field(event);
    if (value === '<not counted>') continue;
    calls += Number(value ?? Number.NaN);
  }
  const perSecond = (calls * 1e9) / nanoseconds;
  return Number.isFinite(perSecond) ? perSecond : null;
}
