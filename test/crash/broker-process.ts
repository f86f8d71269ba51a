// A broker that is killed and started again on the same data directory.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Background, minnow, waitUpTo } from '../integration/process.ts';

// A broker that recovers may take its time, on a machine that has much else to do.
waitUpTo(60_000);

export class BrokerProcess {
  readonly data: string;
  port = 0;
  #process: Background | null = null;
  readonly #flags: readonly string[];
  readonly #temporary: boolean;

  /** Without `data` it has a directory of its own, which goes with it. */
  constructor(flags: readonly string[] = [], data: string | null = null) {
    this.data = data ?? mkdtempSync(join(tmpdir(), 'minnow-crash-'));
    this.#temporary = data === null;
    this.#flags = flags;
  }

  get process(): Background {
    if (this.#process === null) throw new Error('the broker has not been started');
    return this.#process;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** Starts it and waits until it is ready; the port is another one each time. */
  async start(): Promise<void> {
    this.#process = new Background(this.command());
    const ready = await this.#process.line(/"minnow is ready"/);
    const { addresses } = JSON.parse(ready) as { addresses: string };
    this.port = Number(/:(\d+)/.exec(addresses)?.[1]);
  }

  command(): string[] {
    const listen = ['--listen', '127.0.0.1:0', '--data', this.data];
    const log = ['--set', 'log.format=json', '--set', 'log.levels={"core":"warn"}'];
    return [...minnow, 'serve', ...listen, ...log, ...this.#flags];
  }

  /** Takes its life at once; resolves when it is gone. */
  async kill(): Promise<void> {
    await this.process.end('SIGKILL');
  }

  /** Asks it to stop; resolves with its exit code. */
  stop(): Promise<number | string> {
    return this.process.end('SIGTERM');
  }

  /** Whatever state it is in: afterwards nothing of it is left. */
  async remove(): Promise<void> {
    await this.#process?.end('SIGKILL');
    if (this.#temporary) rmSync(this.data, { recursive: true, force: true });
  }
}
