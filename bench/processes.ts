// Every process the bench starts and every directory it makes, and the promise that none outlives
// it: each goes when its work is done, when the bench ends for whatever reason, and, where setpriv
// exists, processes are ended by the kernel when the bench itself is killed.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { which } from './which.ts';

type Child = ReturnType<typeof spawn>;

const living = new Set<Child>();
const directories = new Set<string>();

process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
  for (const directory of directories) removeDirectory(directory);
});
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.on(signal, () => process.exit(code));
}

/** A new directory of nobody else's. */
export function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'minnow-bench-'));
  directories.add(directory);
  return directory;
}

export function removeDirectory(directory: string): void {
  directories.delete(directory);
  rmSync(directory, { recursive: true, force: true });
}

function wrapped(command: readonly string[], cpu: number | null): string[] {
  const pinned = cpu !== null && which('taskset') ? ['taskset', '-c', String(cpu)] : [];
  const tied = which('setpriv') ? ['setpriv', '--pdeathsig', 'KILL'] : [];
  // Each of these replaces itself with the next, so the process identifier stays the broker's.
  return [...pinned, ...tied, ...command];
}

export class Process {
  readonly pid: number;
  readonly ended: Promise<number | null>;
  /** What it wrote, the last 64 kB of each. */
  stdout = '';
  stderr = '';
  private readonly child: Child;

  /** Starts a command on one processor, or anywhere when cpu is null; `bare`: at once, without the
   *  programs that pin it and tie it to this one. */
  constructor(command: readonly string[], cpu: number | null, directory?: string, bare = false) {
    const [program, ...args] = bare ? command : wrapped(command, cpu);
    const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: directory });
    this.child = child;
    this.pid = child.pid ?? 0;
    living.add(child);
    child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout = `${this.stdout}${chunk}`.slice(-65_536);
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr = `${this.stderr}${chunk}`.slice(-65_536);
    });
    this.ended = new Promise(resolve => {
      child.on('error', error => {
        this.stderr += error.message;
        living.delete(child);
        resolve(null);
      });
      child.on('close', code => {
        living.delete(child);
        resolve(code);
      });
    });
  }

  get running(): boolean {
    return living.has(this.child);
  }

  /** Waits for its end, and brings it about when it takes longer than that. */
  async endWithin(limitMs: number): Promise<number | null> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), limitMs);
    const code = await this.ended;
    clearTimeout(timer);
    return code;
  }

  async stop(graceMs: number): Promise<void> {
    this.child.kill('SIGTERM');
    await this.endWithin(graceMs);
  }
}
