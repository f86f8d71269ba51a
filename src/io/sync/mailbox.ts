// Messages between two threads of which one may be blocked in a system call: anything but null that
// JSON can say, in order, in both directions, in rings of shared memory. A message longer than what
// is free travels in parts; what finds no room waits with its sender: up to a bound what may be
// refused (`send`), and all that the other side waits for (`deliver`).
// Each side is woken in its own way, and only when it has taken all there was: `wake` posts an
// empty message to a thread that has an event loop, or rings the Doorbell of one that has not.
// Whoever is woken calls `receive` until it gives null.

import { createRing, type RingMemory, RingReader, RingWriter } from './ring.ts';

/** Shared by both sides; may be given to a thread as it is. */
export interface MailboxMemory {
  readonly toFirst: RingMemory;
  readonly toSecond: RingMemory;
}

/** What one side has not been able to hand over yet, bytes; beyond it `send` refuses. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024;

const Part = { Last: 0, More: 1 } as const;

/** `bytes` per direction, as createRing takes them. */
export function createMailbox(bytes: number): MailboxMemory {
  return { toFirst: createRing(bytes), toSecond: createRing(bytes) };
}

export class Mailbox {
  private readonly writer: RingWriter;
  private readonly reader: RingReader;
  private readonly encoder = new TextEncoder();
  /** Messages that found no room, the first of them from `sent` on. */
  private readonly waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private sent = 0;
  /** The parts so far of the message that is coming in. */
  private parts: Uint8Array[] = [];

  /** `wake` wakes the other side. */
  constructor(memory: MailboxMemory, side: 'first' | 'second', wake: () => void) {
    const first = side === 'first';
    this.writer = new RingWriter(first ? memory.toSecond : memory.toFirst, wake);
    this.reader = new RingReader(first ? memory.toFirst : memory.toSecond, wake);
  }

  /** False: too much waits already, and this message is not among it. */
  send(message: unknown): boolean {
    const bytes = this.encode(message);
    if (this.waiting.length > 0 && this.waitingBytes + bytes.length > WAITING_BYTES_MAX) {
      return false;
    }
    this.enqueue(bytes);
    return true;
  }

  /** Sends what the other side waits for, however much waits: what bounds it is who asks. */
  deliver(message: unknown): void {
    this.enqueue(this.encode(message));
  }

  private encode(message: unknown): Uint8Array {
    return this.encoder.encode(JSON.stringify(message));
  }

  private enqueue(bytes: Uint8Array): void {
    this.waiting.push(bytes);
    this.waitingBytes += bytes.length;
    this.flush();
  }

  /** The next message; null: there is none yet, and this side will be woken when there is one or
   *  when what waits can go on. */
  receive(): unknown {
    this.flush();
    for (;;) {
      while (this.reader.next()) {
        const message = this.takePart();
        if (message !== null) {
          this.reader.release();
          return JSON.parse(message);
        }
      }
      this.reader.release();
      if (this.reader.sleep()) return null;
    }
  }

  private takePart(): string | null {
    this.parts.push(this.reader.view().slice());
    if (this.reader.kind === Part.More) return null;
    const { parts } = this;
    this.parts = [];
    return Buffer.concat(parts).toString();
  }

  private flush(): void {
    for (;;) {
      while (this.waiting.length > 0 && this.handOver(this.waiting[0]!));
      this.writer.publish();
      if (this.waiting.length === 0 || this.writer.waitForRoom()) return;
    }
  }

  /** Puts what fits of a message into the ring; true: all of it. */
  private handOver(message: Uint8Array): boolean {
    for (;;) {
      const rest = message.length - this.sent;
      const room = this.writer.room();
      if (room <= 0) return false;
      const size = Math.min(rest, room);
      const kind = size === rest ? Part.Last : Part.More;
      this.writer.write(kind, 0, message, this.sent, this.sent + size);
      this.sent += size;
      if (kind === Part.Last) break;
    }
    this.sent = 0;
    this.waitingBytes -= message.length;
    this.waiting.shift();
    return true;
  }
}
