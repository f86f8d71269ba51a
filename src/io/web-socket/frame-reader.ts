// A client's frames as a stream of bytes: MQTT does not care where they begin and end
// [MQTT-6.0.0-2], so neither they nor their fragments are put together. A read is unmasked in
// place and handed on in one piece. Frames are checked as RFC 6455 asks (section 5), lengths
// before a byte of what they announce is taken.

import { isUtf8 } from 'node:buffer';
import {
  CONTROL_BYTES_MAX,
  FINAL,
  LENGTH,
  LENGTH_16,
  LENGTH_64,
  MASKED,
  OPCODE,
  Opcode,
  RESERVED,
  Status,
} from './frames.ts';

/** First bytes, length, mask. */
const HEAD_BYTES_MAX = 14;
const MASK_BYTES = 4;
/** Of a head's reader: there is not enough of it, or it must not be. */
const NEED_MORE = -1;
const FAULT = -2;

const nothing = new Uint8Array(0);

export class FrameReader {
  /** The status to end the connection with; 0 while it goes on. Nothing is read beyond. */
  ending = 0;
  /** With `ending`: the client broke the rules; it did not just say goodbye. */
  broken = false;
  /** What the last ping carried; null again once it was answered. An answer to the last of several
   *  is enough (section 5.5.3). */
  ping: Uint8Array | null = null;
  private readonly messageBytesMax: number;
  /** What came of a head that was cut. */
  private carried: Uint8Array = nothing;
  /** The frame that is being read: what it is, and what is still to come of it. */
  private opcode = 0;
  private left = 0;
  /** Its next byte is masked by the lowest byte. */
  private mask = 0;
  /** What a control frame carries, as far as it has come. */
  private control: Uint8Array = nothing;
  /** The message that the data frames belong to: more of it follows, so long it is so far. */
  private unfinished = false;
  private messageBytes = 0;

  constructor(messageBytesMax: number) {
    this.messageBytesMax = messageBytesMax;
  }

  /** Moves the payloads in `chunk`, which is the caller's own, to its beginning; returns how many
   *  bytes they have. */
  read(chunk: Uint8Array): number {
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
    const end = chunk.length;
    let to = 0;
    for (let at = 0; at < end && this.ending === 0; ) {
      if (this.left === 0) {
        at = this.readHead(chunk, at);
        continue;
      }
      const count = Math.min(this.left, end - at);
      if (this.opcode >= Opcode.Close) {
        const { control } = this;
        const done = control.length - this.left;
        control.set(chunk.subarray(at, at + count), done);
        this.unmask(new DataView(control.buffer), done, done, count);
      } else {
        this.unmask(view, at, to, count);
        to += count;
      }
      at += count;
      this.left -= count;
      if (this.left === 0) this.endFrame();
    }
    return to;
  }

  /** Takes what is there of a head; returns where what follows begins. */
  private readHead(chunk: Uint8Array, start: number): number {
    const { carried } = this;
    const had = carried.length;
    let bytes = chunk;
    let at = start;
    if (had > 0) {
      bytes = Buffer.concat([carried, chunk.subarray(start, start + HEAD_BYTES_MAX - had)]);
      at = 0;
    }
    const length = this.parseHead(bytes, at);
    if (length === FAULT) return chunk.length;
    if (length === NEED_MORE) {
      this.carried = Uint8Array.from(bytes.subarray(at));
      return chunk.length;
    }
    if (had > 0) this.carried = nothing;
    if (this.left === 0) this.endFrame();
    return start + length - had;
  }

  /** Returns the length of the head at `at`, or NEED_MORE or FAULT. */
  private parseHead(bytes: Uint8Array, at: number): number {
    const there = bytes.length - at;
    if (there < 2) return NEED_MORE;
    const first = bytes[at]!;
    const second = bytes[at + 1]!;
    const fault = this.faultOf(first, second);
    if (fault !== 0) return this.fail(fault);
    let size = second & LENGTH;
    const maskAt = at + (size === LENGTH_64 ? 10 : size === LENGTH_16 ? 4 : 2);
    if (bytes.length < maskAt) return NEED_MORE;
    if (size >= LENGTH_16) {
      size = 0;
      for (let i = at + 2; i < maskAt; i++) size = size * 256 + bytes[i]!;
    }
    const opcode = first & OPCODE;
    const messageBytes = this.unfinished ? this.messageBytes + size : size;
    const isData = opcode < Opcode.Close;
    if (isData && messageBytes > this.messageBytesMax) return this.fail(Status.TooLarge);
    const next = maskAt + MASK_BYTES;
    if (bytes.length < next) return NEED_MORE;
    if (isData) {
      this.unfinished = first < FINAL;
      this.messageBytes = messageBytes;
    } else {
      this.control = new Uint8Array(size);
    }
    this.opcode = opcode;
    this.left = size;
    this.mask =
      bytes[maskAt]! |
      (bytes[maskAt + 1]! << 8) |
      (bytes[maskAt + 2]! << 16) |
      (bytes[maskAt + 3]! << 24);
    return next - at;
  }

  /** What is wrong with a frame by its first two bytes; 0: nothing. */
  private faultOf(first: number, second: number): number {
    if ((first & RESERVED) !== 0 || second < MASKED) return Status.ProtocolError;
    switch (first & OPCODE) {
      case Opcode.Continuation:
        return this.unfinished ? 0 : Status.ProtocolError;
      case Opcode.Binary:
        return this.unfinished ? Status.ProtocolError : 0;
      case Opcode.Text: // [MQTT-6.0.0-1]
        return this.unfinished ? Status.ProtocolError : Status.UnsupportedData;
      case Opcode.Close:
      case Opcode.Ping:
      case Opcode.Pong: {
        const whole = first >= FINAL && (second & LENGTH) <= CONTROL_BYTES_MAX;
        return whole ? 0 : Status.ProtocolError;
      }
      default:
        return Status.ProtocolError;
    }
  }

  private endFrame(): void {
    const { opcode, control } = this;
    if (opcode < Opcode.Close) return;
    this.control = nothing;
    if (opcode === Opcode.Ping) this.ping = control;
    else if (opcode === Opcode.Close) this.readClose(control);
  }

  private readClose(payload: Uint8Array): void {
    if (payload.length === 0) {
      this.ending = Status.None;
      return;
    }
    const status = payload.length === 1 ? 0 : (payload[0]! << 8) | payload[1]!;
    if (!mayBeSent(status)) this.fail(Status.ProtocolError);
    else if (!isUtf8(payload.subarray(2))) this.fail(Status.InvalidPayload);
    else this.ending = status;
  }

  private fail(status: number): typeof FAULT {
    this.ending = status;
    this.broken = true;
    return FAULT;
  }

  /** Moves `count` bytes from `at` down to `to` (they may be the same) without their mask. */
  private unmask(view: DataView, at: number, to: number, count: number): void {
    const { mask } = this;
    const words = count & ~3;
    let i = 0;
    for (; i < words; i += 4) view.setInt32(to + i, view.getInt32(at + i, true) ^ mask, true);
    for (; i < count; i++) view.setUint8(to + i, view.getUint8(at + i) ^ (mask >> (8 * (i & 3))));
    const turned = 8 * (count & 3);
    if (turned !== 0) this.mask = (mask >>> turned) | (mask << (32 - turned));
  }
}

/** Whether a close frame may carry it (section 7.4). */
function mayBeSent(status: number): boolean {
  if (status >= 3000) return status < 5000;
  return status >= 1000 && status <= 1014 && (status < 1004 || status > 1006);
}
