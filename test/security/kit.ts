// What the attackers of these suites share: raw sockets that speak as slowly or as wrongly as they
// like, and what the broker's process costs meanwhile.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Broker } from '../integration/process.ts';
import { encodePacket, type Version } from '../wire.ts';

/** What a socket has said, and how it came to its end. */
export class Stranger {
  readonly socket: Socket;
  /** Resolves when the connection is gone, with the milliseconds since it was begun. */
  readonly gone: Promise<number>;
  said = Buffer.alloc(0);
  private watchers = new Set<() => void>();

  private constructor(socket: Socket, since: number) {
    this.socket = socket;
    this.gone = new Promise(resolve => {
      socket.once('close', () => resolve(performance.now() - since));
    });
    socket.on('error', () => {}); // `close` follows and is enough
    socket.on('end', () => socket.destroy());
    socket.on('data', chunk => {
      this.said = Buffer.concat([this.said, chunk as Buffer]);
      for (const watch of [...this.watchers]) watch();
    });
  }

  static async arrive(port: number): Promise<Stranger> {
    const since = performance.now(); // the broker may take the time from when we hear of it on
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new Stranger(socket, since);
  }

  say(bytes: Uint8Array | string): void {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  /** A byte of `bytes` every few milliseconds, over and over, for as long as it is let. */
  drip(bytes: Uint8Array | string, everyMs: number): void {
    const all = Buffer.from(bytes as string);
    let next = 0;
    const timer = setInterval(
      () => this.say(all.subarray(next++ % all.length).subarray(0, 1)),
      everyMs,
    );
    void this.gone.then(() => clearInterval(timer));
  }

  /** Resolves once it was told at least `count` bytes; rejects when it never will be. */
  async told(count: number): Promise<Buffer> {
    await new Promise<void>((resolve, reject) => {
      const watch = () => {
        if (this.said.length < count) return;
        this.watchers.delete(watch);
        resolve();
      };
      this.watchers.add(watch);
      void this.gone.then(() => {
        reject(new Error(`gone after ${this.said.length} of ${count} bytes`));
      });
      watch();
    });
    return this.said;
  }

  leave(): void {
    this.socket.destroy();
  }
}

/** A client that is past its CONNACK. */
export async function enter(port: number, version: Version = 5, clientId = ''): Promise<Stranger> {
  const stranger = await Stranger.arrive(port);
  stranger.say(encodePacket({ type: 'connect', version, clientId, keepAlive: 0 }, version));
  await stranger.told(4);
  return stranger;
}

/** The head of a packet of that type and declared length. */
export function head(first: number, length: number): Buffer {
  const bytes = [first];
  for (let rest = length; ; rest >>>= 7) {
    bytes.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) return Buffer.from(bytes);
  }
}

/** Bytes that the broker's process has in memory. */
export function residentBytes({ process }: Broker): number {
  const status = readFileSync(`/proc/${process.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

/** Seconds that processors have worked for the broker's process. */
export function cpuSeconds({ process }: Broker): number {
  const stat = readFileSync(`/proc/${process.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Many connections of a process of their own (crowd.ts). */
export class Crowd {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  constructor(port: number, count: number, opening: Uint8Array) {
    const program = fileURLToPath(new URL('./crowd.ts', import.meta.url));
    const args = [String(port), String(count), Buffer.from(opening).toString('hex')];
    this.child = spawn(process.execPath, [...process.execArgv, program, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const input = this.child.stdout!;
    this.lines = createInterface({ input })[Symbol.asyncIterator]();
  }

  /** What it says next: "all are in", then "all are gone". */
  async next(): Promise<string> {
    const { value } = (await this.lines.next()) as { value?: string };
    return value ?? 'it has ended';
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'close');
  }
}
