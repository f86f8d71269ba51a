// The writing end of a ring for those who cannot wait: a record that finds no room is kept, in
// order, and goes before anything else once there is some.

import { copyOf } from '../../../mqtt/bytes.ts';
import { type RingMemory, RingWriter } from '../ring.ts';

interface Kept {
  readonly kind: number;
  readonly about: number;
  readonly bytes: Uint8Array;
}

const NONE = new Uint8Array(0);

export class Sender {
  private readonly writer: RingWriter;
  private readonly kept: Kept[] = [];

  constructor(memory: RingMemory, wakeReader: () => void) {
    this.writer = new RingWriter(memory, wakeReader);
  }

  /** Something is kept: who can should bring nothing more. */
  get full(): boolean {
    return this.kept.length > 0;
  }

  /** There is room for whatever may be sent. */
  get roomy(): boolean {
    return !this.full && this.writer.room() === this.writer.recordMax;
  }

  /** Sends one record, now or later. */
  send(kind: number, about: number, bytes: Uint8Array = NONE): void {
    if (!this.full && this.writer.write(kind, about, bytes, 0, bytes.length)) return;
    this.kept.push({ kind, about, bytes: copyOf(bytes) });
  }

  /** Sends bytes as in as many records as it takes, now or later. */
  stream(kind: number, about: number, bytes: Uint8Array): void {
    const sent = this.offer(kind, about, bytes, 0, bytes.length);
    const { recordMax } = this.writer;
    for (let at = sent; at < bytes.length; at += recordMax) {
      this.send(kind, about, bytes.subarray(at, at + recordMax));
    }
  }

  /** Sends the front of bytes[start, end) as far as there is room; returns how many bytes. */
  offer(kind: number, about: number, bytes: Uint8Array, start: number, end: number): number {
    const { writer } = this;
    let at = start;
    while (at < end && !this.full) {
      const size = Math.min(end - at, writer.room());
      if (size <= 0) break;
      writer.write(kind, about, bytes, at, at + size);
      at += size;
    }
    return at - start;
  }

  /** Shows the reader what was sent. What is kept, or what `wanting` stands for, waits until the
   *  reader wakes this thread, which then calls this again. False: there is room already. */
  flush(wanting: boolean): boolean {
    for (;;) {
      while (this.kept.length > 0 && this.writeKept(this.kept[0]!)) this.kept.shift();
      this.writer.publish();
      if (!this.full) return !wanting || this.writer.waitForRoom();
      if (this.writer.waitForRoom()) return true;
    }
  }

  private writeKept({ kind, about, bytes }: Kept): boolean {
    return this.writer.write(kind, about, bytes, 0, bytes.length);
  }
}
