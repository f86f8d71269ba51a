// A ring of records in shared memory: one thread writes, one reads, no lock and, while both are
// busy, no system call. Records lie in one piece, so what is read is a view into the ring.
// Two flags say who wants to be woken: the reader when it sleeps on an empty ring, the writer when
// it waits for room. Each is set before looking once more, and looked at after having moved on, so
// that one of the two always sees the other. A full ring refuses; it never drops or overwrites.

/** What both sides make their end of. */
export type RingMemory = SharedArrayBuffer;

/** Positions are counted in bytes, go on for ever and wrap at 2^32; each has a cache line. */
const HEAD = 0;
const TAIL = 16;
const READER_SLEEPS = 32;
const WRITER_WAITS = 48;
const CONTROL_BYTES = 256;

/** Before each record: its bytes, its kind, whom it is about. */
const HEADER_BYTES = 12;
const ALIGN = 4;
/** In place of a length: the rest up to the end of the ring is empty. */
const SKIP = -1;

/** `bytes` is rounded up to a power of two, and to 1024. */
export function createRing(bytes: number): RingMemory {
  const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, 1024)));
  const memory = new SharedArrayBuffer(CONTROL_BYTES + size);
  new Int32Array(memory)[READER_SLEEPS] = 1; // it has not looked yet
  return memory;
}

function recordBytes(length: number): number {
  return (HEADER_BYTES + length + ALIGN - 1) & -ALIGN;
}

export class RingWriter {
  private readonly control: Int32Array;
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  private readonly size: number;
  /** The longest record: it finds room wherever the positions stand when half of the ring is free.
   *  */
  readonly recordMax: number;
  private readonly wakeReader: () => void;
  private tail: number;
  private head: number;
  private published: number;

  /** `wakeReader` is called when there is something and the reader sleeps. */
  constructor(memory: RingMemory, wakeReader: () => void) {
    this.size = memory.byteLength - CONTROL_BYTES;
    this.control = new Int32Array(memory, 0, CONTROL_BYTES / 4);
    this.words = new Int32Array(memory, CONTROL_BYTES);
    this.bytes = new Uint8Array(memory, CONTROL_BYTES);
    this.recordMax = this.size / 4 - HEADER_BYTES;
    this.wakeReader = wakeReader;
    this.tail = Atomics.load(this.control, TAIL);
    this.head = Atomics.load(this.control, HEAD);
    this.published = this.tail;
  }

  /** Puts in a record with bytes[start, end), at most `recordMax`; false: there is no room. It is
   *  seen after `publish`. */
  write(kind: number, about: number, bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    if (length > this.recordMax) throw new RangeError(`no record has ${length} bytes here`);
    const at = this.reserve(recordBytes(length));
    if (at < 0) return false;
    const word = at >> 2;
    this.words[word] = length;
    this.words[word + 1] = kind;
    this.words[word + 2] = about;
    if (length > 0) {
      const data = at + HEADER_BYTES;
      // A copy of few bytes is faster than making the view that `set` wants.
      if (length < 32) for (let i = 0; i < length; i++) this.bytes[data + i] = bytes[start + i]!;
      else this.bytes.set(bytes.subarray(start, end), data);
    }
    this.tail = (this.tail + recordBytes(length)) | 0;
    return true;
  }

  /** How long a record may be that `write` takes now; negative: none. */
  room(): number {
    const free = this.free();
    const toEnd = this.size - (this.tail & (this.size - 1));
    // In one piece either here or, behind a skip, at the front.
    const whole = free <= toEnd ? free : Math.max(toEnd, free - toEnd);
    return Math.min(whole - HEADER_BYTES, this.recordMax);
  }

  /** Shows the reader what was written, and wakes it if it sleeps. */
  publish(): void {
    if (this.published === this.tail) return;
    this.published = this.tail;
    Atomics.store(this.control, TAIL, this.tail);
    if (Atomics.load(this.control, READER_SLEEPS) === 0) return;
    if (Atomics.exchange(this.control, READER_SLEEPS, 0) === 1) this.wakeReader();
  }

  /** Asks to be woken when half of the ring is free. False: it is already. */
  waitForRoom(): boolean {
    Atomics.store(this.control, WRITER_WAITS, 1);
    if (this.free() < this.size / 2) return true;
    Atomics.store(this.control, WRITER_WAITS, 0);
    return false;
  }

  private free(): number {
    this.head = Atomics.load(this.control, HEAD);
    return this.size - ((this.tail - this.head) >>> 0);
  }

  /** Where a record of `needed` bytes goes; -1: nowhere. */
  private reserve(needed: number): number {
    const at = this.tail & (this.size - 1);
    const toEnd = this.size - at;
    const skipped = needed <= toEnd ? 0 : toEnd;
    if (needed + skipped > this.size - ((this.tail - this.head) >>> 0)) {
      if (needed + skipped > this.free()) return -1;
    }
    if (skipped === 0) return at;
    this.words[at >> 2] = SKIP;
    this.tail = (this.tail + skipped) | 0;
    return 0;
  }
}

export class RingReader {
  private readonly control: Int32Array;
  private readonly words: Int32Array;
  /** The ring's bytes; a record's lie in [start, end). */
  readonly bytes: Uint8Array;
  private readonly size: number;
  private readonly wakeWriter: () => void;
  private head: number;
  private tail: number;
  private released: number;
  /** The record that `next` stands on. */
  kind = 0;
  about = 0;
  start = 0;
  end = 0;

  /** `wakeWriter` is called when there is room and the writer waits for it. */
  constructor(memory: RingMemory, wakeWriter: () => void) {
    this.size = memory.byteLength - CONTROL_BYTES;
    this.control = new Int32Array(memory, 0, CONTROL_BYTES / 4);
    this.words = new Int32Array(memory, CONTROL_BYTES);
    this.bytes = new Uint8Array(memory, CONTROL_BYTES);
    this.wakeWriter = wakeWriter;
    this.head = Atomics.load(this.control, HEAD);
    this.tail = this.head;
    this.released = this.head;
  }

  /** Goes to the next record, which is good until `release`; false: there is none. */
  next(): boolean {
    for (;;) {
      if (this.head === this.tail) {
        this.tail = Atomics.load(this.control, TAIL);
        if (this.head === this.tail) return false;
      }
      const at = this.head & (this.size - 1);
      const word = at >> 2;
      const length = this.words[word]!;
      if (length !== SKIP) {
        this.kind = this.words[word + 1]!;
        this.about = this.words[word + 2]!;
        this.start = at + HEADER_BYTES;
        this.end = this.start + length;
        this.head = (this.head + recordBytes(length)) | 0;
        return true;
      }
      this.head = (this.head + this.size - at) | 0;
    }
  }

  /** The bytes of the record that `next` stands on: a view into the ring. */
  view(): Uint8Array {
    return this.bytes.subarray(this.start, this.end);
  }

  /** Gives back the room of all records so far, and wakes the writer if it waits for that. */
  release(): void {
    if (this.released === this.head) return;
    this.released = this.head;
    Atomics.store(this.control, HEAD, this.head);
    if (Atomics.load(this.control, WRITER_WAITS) === 0) return;
    const used = (Atomics.load(this.control, TAIL) - this.head) >>> 0;
    if (used > this.size / 2) return;
    if (Atomics.exchange(this.control, WRITER_WAITS, 0) === 1) this.wakeWriter();
  }

  /** Asks to be woken when something comes. False: there is something already. */
  sleep(): boolean {
    Atomics.store(this.control, READER_SLEEPS, 1);
    if (Atomics.load(this.control, TAIL) === this.head) return true;
    Atomics.store(this.control, READER_SLEEPS, 0);
    return false;
  }

  /** Not asleep any more: nobody needs to ring. */
  awake(): void {
    Atomics.store(this.control, READER_SLEEPS, 0);
  }
}
