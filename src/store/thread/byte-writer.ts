// Writes numbers, strings and bytes one after the other into one growing buffer, and reads them
// back in the same order. Both sides are this program, so nothing is checked and no format is kept.

const INITIAL_BYTES = 4096;
/** Up to this length a string is likely a topic or an id, and ASCII: faster by hand. */
const SHORT = 64;

export class ByteWriter {
  private bytes: Buffer;
  private view: DataView;
  private end = 0;

  constructor(capacity = INITIAL_BYTES) {
    this.bytes = Buffer.from(new ArrayBuffer(capacity));
    this.view = new DataView(this.bytes.buffer);
  }

  get length(): number {
    return this.end;
  }

  /** What was written, as a buffer of its own; the writer is empty afterwards. */
  take(): ArrayBuffer {
    const taken = this.bytes.buffer.slice(0, this.end) as ArrayBuffer;
    this.end = 0;
    return taken;
  }

  byte(value: number): void {
    if (this.end === this.bytes.length) this.grow(1);
    this.bytes[this.end++] = value;
  }

  /** An integer from 0 to 2^53: one byte when it is small. */
  count(value: number): void {
    if (this.end + 9 > this.bytes.length) this.grow(9);
    if (value < 0xfe) {
      this.bytes[this.end++] = value;
    } else if (value <= 0xffff_ffff) {
      this.bytes[this.end++] = 0xfe;
      this.view.setUint32(this.end, value);
      this.end += 4;
    } else {
      this.bytes[this.end++] = 0xff;
      this.view.setFloat64(this.end, value);
      this.end += 8;
    }
  }

  /** Any number. */
  number(value: number): void {
    if (this.end + 8 > this.bytes.length) this.grow(8);
    this.view.setFloat64(this.end, value);
    this.end += 8;
  }

  flag(value: boolean): void {
    this.byte(value ? 1 : 0);
  }

  string(value: string): void {
    const { length } = value;
    if (length <= SHORT && this.ascii(value)) return;
    if (this.end + 5 + length * 3 > this.bytes.length) this.grow(5 + length * 3);
    this.bytes[this.end] = 0xfe;
    const written = this.bytes.write(value, this.end + 5);
    this.view.setUint32(this.end + 1, written);
    this.end += 5 + written;
  }

  private ascii(value: string): boolean {
    const { length } = value;
    if (this.end + 1 + length > this.bytes.length) this.grow(1 + length);
    const { bytes, end } = this;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[end + 1 + i] = code;
    }
    bytes[end] = length;
    this.end = end + 1 + length;
    return true;
  }

  data(value: Uint8Array): void {
    this.count(value.length);
    if (this.end + value.length > this.bytes.length) this.grow(value.length);
    this.bytes.set(value, this.end);
    this.end += value.length;
  }

  private grow(room: number): void {
    const larger = Buffer.from(new ArrayBuffer(Math.max(this.bytes.length * 2, this.end + room)));
    larger.set(this.bytes.subarray(0, this.end));
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }
}

export class ByteReader {
  private readonly bytes: Buffer;
  private readonly view: DataView;
  private readonly copies: boolean;
  private at = 0;

  /** `copies`: whether what `data` gives owns its bytes, or is a view that keeps all of `buffer`
   *  alive. */
  constructor(buffer: ArrayBuffer, copies: boolean) {
    this.bytes = Buffer.from(buffer);
    this.view = new DataView(buffer);
    this.copies = copies;
  }

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  byte(): number {
    return this.bytes[this.at++];
  }

  count(): number {
    const first = this.bytes[this.at++];
    if (first < 0xfe) return first;
    const { at } = this;
    if (first === 0xfe) {
      this.at += 4;
      return this.view.getUint32(at);
    }
    this.at += 8;
    return this.view.getFloat64(at);
  }

  number(): number {
    const { at } = this;
    this.at += 8;
    return this.view.getFloat64(at);
  }

  flag(): boolean {
    return this.bytes[this.at++] !== 0;
  }

  string(): string {
    const first = this.bytes[this.at];
    if (first < 0xfe) {
      const start = this.at + 1;
      this.at = start + first;
      return this.bytes.toString('latin1', start, this.at);
    }
    const start = this.at + 5;
    this.at = start + this.view.getUint32(this.at + 1);
    return this.bytes.toString('utf8', start, this.at);
  }

  data(): Uint8Array {
    const length = this.count();
    const start = this.at;
    this.at = start + length;
    return this.copies
      ? new Uint8Array(this.bytes.buffer.slice(start, this.at) as ArrayBuffer)
      : new Uint8Array(this.bytes.buffer, start, length);
  }
}
