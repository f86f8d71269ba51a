// A bounded, asynchronous way out for log lines. One write is under way at a time and everything
// that arrives meanwhile leaves with the next one. When the other side does not read, lines wait up
// to a bound and are counted and dropped past it: the caller never waits.

import { constants, fstatSync, openSync, write } from 'node:fs';
import { Socket } from 'node:net';
import type { LogClock } from './clock.ts';

const WAITING_BYTES_MAX = 1024 * 1024;
const RETRY_MS = 50;
/** What may pass: nobody reads just now, the disk is full just now. */
const PASSING = new Set(['EAGAIN', 'EINTR', 'ENOSPC']);

export interface Sink {
  /** Writes some of `bytes` and reports how many, or why not. Must not block the caller. */
  write(
    bytes: Uint8Array,
    done: (error: NodeJS.ErrnoException | null, written: number) => void,
  ): void;
}

/** A file descriptor, written to from the runtime's thread pool. A pipe or terminal is opened once
 *  more without blocking, so that a reader who stopped reading holds up no thread either. */
export function openSink(fd: number): Sink {
  if (!('bun' in process.versions) && isSocket(fd)) return socketSink(fd);
  const target = reopen(fd);
  return { write: (bytes, done) => write(target, bytes, 0, bytes.length, null, done) };
}

/** systemd's journal hands out sockets. Node does not exit while a thread of its pool is stuck in
 *  one, but its own sockets do not block; in Bun it is the other way round. */
function socketSink(fd: number): Sink {
  const socket = new Socket({ fd, readable: false, writable: true });
  socket.on('error', () => {}); // Each write's callback is told as well.
  return {
    write: (bytes, done) => {
      socket.write(bytes, error => done(error ?? null, error ? 0 : bytes.length));
    },
  };
}

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false;
  }
}

function reopen(fd: number): number {
  try {
    const stat = fstatSync(fd);
    if (!stat.isFIFO() && !stat.isCharacterDevice()) return fd;
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    // No /proc, or not ours to open (after su): the pool's thread blocks instead of us.
    return fd;
  }
}

export class Writer {
  /** Called with a count when lines were lost and there is room again. */
  onDropped: (count: number) => void = () => {};
  private readonly sink: Sink;
  private readonly clock: LogClock;
  private waiting: string[] = [];
  private waitingBytes = 0;
  private underWay: Uint8Array | null = null;
  private dropped = 0;
  private broken = false;
  private idle: (() => void)[] = [];

  constructor(sink: Sink, clock: LogClock) {
    this.sink = sink;
    this.clock = clock;
  }

  write(line: string): void {
    if (this.broken || this.waitingBytes + line.length > WAITING_BYTES_MAX) {
      this.dropped++;
      return;
    }
    this.waiting.push(line);
    this.waitingBytes += line.length;
    if (this.underWay === null) this.next();
  }

  /** Resolves when nothing is left to write or `timeoutMs` have passed. */
  flush(timeoutMs: number): Promise<void> {
    return new Promise(resolve => {
      if (this.underWay === null) return resolve();
      this.idle.push(resolve);
      this.clock.later(timeoutMs, resolve);
    });
  }

  private next(): void {
    if (this.waiting.length === 0) {
      for (const resolve of this.idle.splice(0)) resolve();
      return;
    }
    this.underWay = Buffer.from(this.waiting.join(''));
    this.waiting = [];
    this.waitingBytes = 0;
    this.push();
  }

  private push(): void {
    this.sink.write(this.underWay as Uint8Array, (error, written) => {
      const bytes = this.underWay as Uint8Array;
      if (error !== null && PASSING.has(error.code ?? '')) {
        this.clock.later(RETRY_MS, () => this.push());
      } else if (error !== null) {
        // Nobody will ever read this (EPIPE, EBADF): the broker goes on without a voice.
        this.broken = true;
        this.finish();
      } else if (written < bytes.length) {
        this.underWay = bytes.subarray(written);
        this.push();
      } else {
        this.finish();
      }
    });
  }

  private finish(): void {
    if (this.broken) {
      this.waiting = [];
    } else if (this.dropped > 0 && this.waitingBytes < WAITING_BYTES_MAX / 2) {
      // Before underWay is null, so that the line which reports it only joins the others.
      const count = this.dropped;
      this.dropped = 0;
      this.onDropped(count);
    }
    this.underWay = null;
    this.next();
  }
}
