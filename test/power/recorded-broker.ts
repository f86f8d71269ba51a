// A real broker under shim.c, which is compiled here: where it can be, and why it cannot elsewhere.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { minnow, program } from '../integration/process.ts';
import { type Event, readRecording } from './recording.ts';

export interface Faults {
  readonly delayMs?: number;
  /** The n-th sync fails, counted from 1. */
  readonly failSync?: number;
  /** A write-ahead log cannot be opened, so the broker falls back. */
  readonly noWal?: boolean;
}

export interface RecordedBroker {
  readonly port: number;
  readonly data: string;
  /** What it has printed. */
  readonly lines: readonly string[];
  /** Ends it and gives what was recorded. */
  stop(signal?: NodeJS.Signals): Promise<Recorded>;
}

export interface Recorded {
  readonly events: Event[];
  /** The file that they stand in. */
  readonly path: string;
}

/** A place for what a suite leaves behind; `remove` when it is done. */
export class Workshop {
  readonly path = mkdtempSync(join(tmpdir(), 'minnow-power-'));
  private readonly shim = join(this.path, 'shim.so');
  private readonly children = new Set<ChildProcess>();
  private brokers = 0;

  /** Compiles the shim and tries it; gives why it does not work here, or null when it does. */
  prepare(): string | null {
    if (process.platform !== 'linux' || process.arch !== 'x64') {
      return 'system calls are recorded on Linux on x86-64 only';
    }
    const compiler = program('gcc') ?? program('cc');
    if (compiler === null) return 'there is no C compiler';
    const source = fileURLToPath(new URL('./shim.c', import.meta.url));
    const flags = ['-O2', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-pthread'];
    const built = spawnSync(compiler, [...flags, '-o', this.shim, source], { encoding: 'utf8' });
    if (built.status !== 0) return `the shim does not compile here: ${built.stderr}`;
    const env = { LD_PRELOAD: this.shim, POWER_DIRECTORY: this.path };
    const tried = spawnSync(program('true') ?? 'true', [], { env, encoding: 'utf8' });
    return tried.status === 0 ? null : `system calls cannot be filtered here: ${tried.stderr}`;
  }

  async start(
    settings: string,
    faults: Faults = {},
    flags: readonly string[] = [],
  ): Promise<RecordedBroker> {
    const place = join(this.path, `broker-${++this.brokers}`);
    const data = join(place, 'data');
    const recording = join(place, 'recording');
    mkdirSync(data, { recursive: true });
    const config = join(place, 'minnow.toml');
    writeFileSync(config, settings);
    const listen = ['--config', config, '--listen', '127.0.0.1:0', '--data', data];
    const [file, ...args] = [...minnow, 'serve', ...listen, '--set', 'log.format=json', ...flags];
    const child = spawn(file!, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        LD_PRELOAD: this.shim,
        POWER_DIRECTORY: data,
        POWER_RECORDING: recording,
        POWER_DELAY_MS: String(faults.delayMs ?? 0),
        POWER_FAIL_SYNC: String(faults.failSync ?? 0),
        POWER_NO_WAL: faults.noWal ? '1' : '0',
      },
    });
    this.children.add(child);
    const exited = once(child, 'close').finally(() => this.children.delete(child));
    const lines: string[] = [];
    const port = await readPort(child, lines, exited);
    const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
      child.kill(signal);
      const [code, killed] = await exited;
      if (signal === 'SIGTERM') assert.equal(code ?? killed, 0, lines.join('\n'));
      return { events: readRecording(recording), path: recording };
    };
    return { port, data, lines, stop };
  }

  /** Runs a program on the directory `data` to its end and gives what was recorded. */
  record(script: string, data: string): Event[] {
    const recording = `${data}.recording`;
    const env = {
      ...process.env,
      LD_PRELOAD: this.shim,
      POWER_DIRECTORY: data,
      POWER_RECORDING: recording,
    };
    const ran = spawnSync(process.execPath, [...process.execArgv, script, data], {
      env,
      encoding: 'utf8',
    });
    assert.equal(ran.status, 0, ran.stderr);
    const events = readRecording(recording);
    rmSync(recording);
    return events;
  }

  async remove(): Promise<void> {
    const left = [...this.children];
    for (const child of left) child.kill('SIGKILL');
    await Promise.all(left.map(child => child.exitCode ?? child.signalCode ?? once(child, 'exit')));
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** The port that it says it listens on, once it is ready. Collects what it prints. */
function readPort(
  child: ChildProcess,
  lines: string[],
  exited: Promise<unknown[]>,
): Promise<number> {
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface({ input: stream }).on('line', line => {
        lines.push(line);
        const port = /"addresses":"127\.0\.0\.1:(\d+)/.exec(line)?.[1];
        if (port !== undefined) resolve(Number(port));
      });
    }
    exited.then(() => reject(new Error(`the broker did not start:\n${lines.join('\n')}`)), reject);
  });
}
