// Real processes for the integration suites: brokers, clients, and commands that end by themselves.
// Nothing is waited for by the clock: a process says in its output that it is ready. Every wait has
// a bound, and what was started here is ended here, by its id.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from '../harness.ts';

/** How long anything may take: a bound for what hangs. */
let waitMs = 60_000;

/** For programs on an emulated processor. */
export function waitUpTo(ms: number): void {
  waitMs = ms;
}

const { MINNOW_BINARY, MINNOW_PROGRAM } = process.env;

/** How to call minnow: the executable that MINNOW_BINARY names; else on the runtime of this test
 *  the program that MINNOW_PROGRAM names (test/run-node.ts sets it), or the sources. */
export const minnow: readonly string[] = MINNOW_BINARY
  ? [MINNOW_BINARY]
  : [
      process.execPath,
      MINNOW_PROGRAM ?? fileURLToPath(new URL('../../src/main.ts', import.meta.url)),
    ];

const children = new Set<ChildProcess>();

/** Ends what a test that failed has left behind. */
export async function endChildren(): Promise<void> {
  const left = [...children];
  for (const child of left) child.kill('SIGKILL');
  await Promise.all(left.map(child => child.exitCode ?? child.signalCode ?? once(child, 'exit')));
}

function start(command: readonly string[]): ChildProcess {
  const [program, ...args] = command;
  const child = spawn(program, args, { stdio: 'pipe', env: { ...process.env, NO_COLOR: '1' } });
  children.add(child);
  child.once('exit', () => children.delete(child));
  child.stdin?.on('error', () => {}); // it may end before it has read everything
  return child;
}

export interface Outcome {
  readonly code: number | null;
  readonly stdout: Buffer;
  /** Standard output as lines. */
  readonly lines: readonly string[];
  readonly stderr: string;
}

/** Runs a command to its end. */
export async function run(
  command: readonly string[],
  stdin: string | Buffer = '',
): Promise<Outcome> {
  const child = start(command);
  const [stdout, stderr]: Buffer[][] = [[], []];
  child.stdout?.on('data', chunk => stdout.push(chunk as Buffer));
  child.stderr?.on('data', chunk => stderr.push(chunk as Buffer));
  child.stdin?.end(stdin);
  const timer = setTimeout(() => child.kill('SIGKILL'), waitMs);
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(timer);
  const errors = Buffer.concat(stderr).toString();
  assert.equal(signal, null, `${command.join(' ')} did not end within ${waitMs} ms:\n${errors}`);
  const bytes = Buffer.concat(stdout);
  const text = bytes.toString();
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n');
  return { code, stdout: bytes, lines, stderr: errors };
}

/** Runs a command that must succeed. */
export async function ok(
  command: readonly string[],
  stdin: string | Buffer = '',
): Promise<Outcome> {
  const outcome = await run(command, stdin);
  assert.equal(outcome.code, 0, `${command.join(' ')}: ${outcome.stderr}`);
  return outcome;
}

/** A process that goes on by itself; what it prints on either output is kept as lines. */
export class Background {
  readonly lines: string[] = [];
  readonly exited: Promise<number | string>;
  readonly #command: readonly string[];
  readonly #child: ChildProcess;
  #watchers = new Set<() => void>();
  #running = true;

  constructor(command: readonly string[]) {
    this.#command = command;
    this.#child = start(command);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on('line', line => {
        this.lines.push(line);
        this.#tell();
      });
    }
    this.exited = once(this.#child, 'close').then(([code, signal]) => {
      this.#running = false;
      this.#tell();
      return (code ?? signal) as number | string;
    });
  }

  get running(): boolean {
    return this.#running;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The first `count` lines that match, once they are there. */
  async matching(pattern: RegExp, count: number): Promise<string[]> {
    const found = () => this.lines.filter(line => pattern.test(line));
    await this.until(() => found().length >= count, `${count} lines like ${pattern}`);
    return found().slice(0, count);
  }

  async line(pattern: RegExp): Promise<string> {
    return (await this.matching(pattern, 1))[0];
  }

  /** Resolves when `holds` does, which is asked again after every line. */
  async until(holds: () => boolean, what: string): Promise<void> {
    const said = () => `${this.#command.join(' ')}:\n${this.lines.join('\n')}`;
    await new Promise<void>((resolve, reject) => {
      const settle = (error: Error | null) => {
        clearTimeout(timer);
        this.#watchers.delete(watch);
        if (error) reject(error);
        else resolve();
      };
      const watch = () => {
        if (holds()) settle(null);
        else if (!this.#running) settle(new Error(`ended without ${what}: ${said()}`));
      };
      const timer = setTimeout(() => settle(new Error(`no ${what} in time: ${said()}`)), waitMs);
      this.#watchers.add(watch);
      watch();
    });
  }

  /** Writes to its standard input and leaves that open. */
  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Signals the process and waits for its end; the exit code or the signal that ended it. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), waitMs);
    const code = await this.exited;
    clearTimeout(timer);
    return code;
  }

  /** The exit code of a process that is about to end by itself. */
  async finished(): Promise<number | string> {
    await this.until(() => !this.#running, 'its end').catch(async error => {
      await this.end('SIGKILL');
      throw error;
    });
    return this.exited;
  }

  #tell(): void {
    for (const watch of [...this.#watchers]) watch();
  }
}

/** A broker under test: minnow, or the one that shows that our clients are right. */
export interface Broker {
  readonly port: number;
  /** `-h HOST -p PORT`, as all command-line clients take it. */
  readonly address: readonly string[];
  readonly url: string;
  readonly process: Background;
}

class RunningBroker implements Broker {
  #process: Background | null = null;
  #port = 0;

  started(process: Background, port: number): void {
    this.#process = process;
    this.#port = port;
  }

  get process(): Background {
    assert.ok(this.#process, 'the broker has not been started');
    return this.#process;
  }

  get port(): number {
    assert.ok(this.#process, 'the broker has not been started');
    return this.#port;
  }

  get address(): readonly string[] {
    return ['-h', '127.0.0.1', '-p', String(this.port)];
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    await this.#process?.end();
    await endChildren();
  }
}

/** A minnow for the suite that calls this; `data` is its data directory. */
export function useMinnow(...flags: string[]): Broker & { readonly data: string } {
  const data = mkdtempSync(join(tmpdir(), 'minnow-integration-'));
  const broker = Object.assign(new RunningBroker(), { data });
  beforeAll(async () => {
    const listen = ['--listen', '127.0.0.1:0', '--data', data, '--set', 'log.format=json'];
    const process = new Background([...minnow, 'serve', ...listen, ...flags]);
    const ready = JSON.parse(await process.line(/"minnow is ready"/)) as { addresses: string };
    broker.started(process, Number(/:(\d+)/.exec(ready.addresses)?.[1]));
  });
  afterAll(async () => {
    await broker.stop();
    rmSync(data, { recursive: true });
  });
  return broker;
}

/** Debian's mosquitto for the suite that calls this. */
export function useMosquitto(): Broker {
  const broker = new RunningBroker();
  beforeAll(async () => {
    // It cannot choose a port itself; somebody else may take the one we found in between.
    for (let attempt = 1; ; attempt++) {
      const port = await freePort();
      const process = new Background([program('mosquitto') ?? '', '-v', '-p', String(port)]);
      try {
        await process.line(/mosquitto version .* running/);
        broker.started(process, port);
        return;
      } catch (error) {
        await process.end('SIGKILL');
        if (attempt === 5) throw error;
      }
    }
  });
  afterAll(() => broker.stop());
  return broker;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Where a program is, or null when this machine has none. */
export function program(name: string): string | null {
  const path = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;
  const found = spawnSync('sh', ['-c', 'command -v "$1"', 'sh', name], {
    encoding: 'utf8',
    env: { ...process.env, PATH: path },
  });
  return found.status === 0 ? found.stdout.trim() : null;
}

/** A Python that has paho-mqtt, or null. */
export function pythonWithPaho(): string | null {
  const candidates = ['python3', '/usr/bin/python3'];
  const works = (python: string) =>
    spawnSync(python, ['-c', 'import paho.mqtt.client'], { timeout: waitMs }).status === 0;
  return candidates.find(works) ?? null;
}

/** Why the suites with mosquitto's clients cannot run here, or null when they can. */
export function mosquittoClientsMissing(): string | null {
  const missing = ['mosquitto_pub', 'mosquitto_sub', 'stdbuf'].filter(name => !program(name));
  return missing.length === 0 ? null : `${missing.join(', ')} not installed`;
}

/** mosquitto_sub in the background, past its SUBACK. Its messages are the lines behind "MSG ". */
export async function mosquittoSub(broker: Broker, ...args: string[]): Promise<Background> {
  // Its standard output would be held back in a buffer when it is a pipe.
  const command = ['stdbuf', '-oL', 'mosquitto_sub', '-d', ...broker.address];
  const format = args.includes('-F') ? [] : ['-F', 'MSG %t %p'];
  const subscriber = new Background([...command, ...format, ...args]);
  await subscriber.line(/received SUBACK/);
  return subscriber;
}

/** minnow sub in the background, past its SUBACK. Its messages are the lines behind "MSG ". */
export async function minnowSub(broker: Broker, ...args: string[]): Promise<Background> {
  const format = args.includes('-F') ? [] : ['-F', 'MSG %t %p'];
  const command = [...minnow, 'sub', '-d', ...broker.address, ...format, ...args];
  const subscriber = new Background(command);
  await subscriber.line(/received SUBACK/);
  return subscriber;
}

/** The messages that a subscriber has printed, without "MSG ". */
export function messages(subscriber: Background): string[] {
  return subscriber.lines.filter(line => line.startsWith('MSG ')).map(line => line.slice(4));
}
