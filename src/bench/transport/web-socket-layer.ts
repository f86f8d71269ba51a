// WebSocket for the load engine [RFC 6455]: an upgrade, then binary frames, one for each MQTT
// packet, as clients send them. What comes is unwrapped in place.

import { createHash, randomBytes } from 'node:crypto';
import { FrameScanner } from '../scanner.ts';
import type { Memory, System } from '../system.ts';
import type { Layer, Sink, Surroundings } from './layer.ts';

const BUFFER_BYTES = 256 * 1024;
const ANSWER_BYTES_MAX = 8 * 1024;
/** Opcode, length in up to nine bytes, mask. */
const HEAD_BYTES_MAX = 14;
const FINAL = 0x80;
const MASKED = 0x80;
const BINARY = 0x2;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

export interface WebSocketSettings {
  /** As the Host header has it. */
  readonly host: string;
  readonly path: string;
}

/** What all clients have in common. */
export class WebSocketContext {
  readonly request: Memory;
  /** What the broker has to answer the request's key with. */
  readonly accept: string;
  readonly framed: Memory;
  readonly scanner = new FrameScanner();

  constructor(system: System, { host, path }: WebSocketSettings) {
    const key = randomBytes(16).toString('base64');
    const lines = [
      `GET ${path} HTTP/1.1`,
      `Host: ${host}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Key: ${key}`,
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Protocol: mqtt',
    ];
    const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`);
    this.request = system.memory(bytes.length);
    this.request.bytes.set(bytes);
    this.framed = system.memory(BUFFER_BYTES);
    const told = `${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    this.accept = createHash('sha1').update(told).digest('base64');
  }
}

export class WebSocketLayer implements Layer {
  private readonly context: WebSocketContext;
  private readonly around: Surroundings;
  private readonly mask = randomBytes(4).readUInt32BE();
  /** What came of the answer to the upgrade; null: it is complete. */
  private answer: string | null = '';
  /** Of the frame that is being read: its head, and what is to come of its payload. */
  private readonly head = new Uint8Array(HEAD_BYTES_MAX);
  private headLength = 0;
  private left = 0;
  private control: number[] = [];

  constructor(context: WebSocketContext, around: Surroundings) {
    this.context = context;
    this.around = around;
  }

  begin(): void {
    const { request } = this.context;
    this.around.below(request, 0, request.bytes.length);
  }

  readonly wrap: Sink = (memory, start, end) => {
    const { framed, scanner } = this.context;
    let length = 0;
    for (let at = start; at < end; ) {
      const next = scanner.next(memory.bytes, at, end);
      if (next < 0) throw new Error('only whole packets can be framed');
      if (length + HEAD_BYTES_MAX + next - at > BUFFER_BYTES) {
        this.around.below(framed, 0, length);
        length = 0;
      }
      length = this.frame(BINARY, memory, at, next, length);
      at = next;
    }
    if (length > 0) this.around.below(framed, 0, length);
  };

  readonly unwrap: Sink = (memory, start, end) => {
    const at = this.answer === null ? start : this.readAnswer(memory.bytes, start, end);
    if (at < end) this.readFrames(memory, at, end);
  };

  free(): void {}

  /** Appends a frame to what goes out; returns where that ends then. */
  private frame(opcode: number, from: Memory, start: number, end: number, at: number): number {
    const { bytes, view } = this.context.framed;
    const { mask } = this;
    const size = end - start;
    let to = at;
    bytes[to++] = FINAL | opcode;
    if (size < LENGTH_16) {
      bytes[to++] = MASKED | size;
    } else if (size < 0x1_0000) {
      bytes[to++] = MASKED | LENGTH_16;
      view.setUint16(to, size);
      to += 2;
    } else {
      bytes[to++] = MASKED | LENGTH_64;
      view.setUint32(to, 0);
      view.setUint32(to + 4, size);
      to += 8;
    }
    view.setUint32(to, mask);
    to += 4;
    let i = 0;
    for (; i + 4 <= size; i += 4) view.setUint32(to + i, from.view.getUint32(start + i) ^ mask);
    for (; i < size; i++) bytes[to + i] = from.bytes[start + i]! ^ (mask >>> (24 - 8 * (i & 3)));
    return to + size;
  }

  /** Returns where the first frame begins, or `end`. */
  private readAnswer(bytes: Uint8Array, start: number, end: number): number {
    const before = this.answer!.length;
    const answer = this.answer + Buffer.from(bytes.subarray(start, end)).toString('latin1');
    const length = answer.indexOf('\r\n\r\n') + 4;
    if (length === 3) {
      if (answer.length > ANSWER_BYTES_MAX) throw new Error('the broker does not speak HTTP');
      this.answer = answer;
      return end;
    }
    const [status = '', ...headers] = answer.slice(0, length).split('\r\n');
    if (!status.startsWith('HTTP/1.1 101')) {
      throw new Error(`the broker refused the WebSocket upgrade: ${status}`);
    }
    const accept = headers.find(header => /^sec-websocket-accept:/i.test(header)) ?? '';
    if (accept.slice(accept.indexOf(':') + 1).trim() !== this.context.accept) {
      throw new Error('the broker answered the WebSocket upgrade with a wrong key');
    }
    this.answer = null;
    this.around.opened();
    return start + length - before;
  }

  /** Moves the payloads of all frames together and hands them on. */
  private readFrames(memory: Memory, start: number, end: number): void {
    const { bytes } = memory;
    let to = start;
    for (let at = start; at < end; ) {
      if (this.left === 0) {
        at = this.readHead(bytes, at, end);
        continue;
      }
      const count = Math.min(this.left, end - at);
      if ((this.head[0]! & 0xf) >= CLOSE) {
        this.control.push(...bytes.subarray(at, at + count));
      } else {
        if (to !== at) bytes.copyWithin(to, at, at + count);
        to += count;
      }
      at += count;
      this.left -= count;
      if (this.left === 0) this.endFrame();
    }
    if (to > start) this.around.above(memory, start, to);
  }

  /** Takes what is there of a frame's head; returns where what follows begins. */
  private readHead(bytes: Uint8Array, start: number, end: number): number {
    const { head } = this;
    let at = start;
    let wanted: number;
    do {
      head[this.headLength++] = bytes[at++]!;
      const short = this.headLength < 2 ? 0 : head[1]!;
      if (short >= MASKED) throw new Error('the broker masks its WebSocket frames');
      wanted = short === LENGTH_64 ? 10 : short === LENGTH_16 ? 4 : 2;
    } while (this.headLength < wanted && at < end);
    if (this.headLength < wanted) return at;
    this.headLength = 0;
    this.left = head[1]!;
    if (wanted === 4) this.left = (head[2]! << 8) | head[3]!;
    else if (wanted === 10) this.left = new DataView(head.buffer).getUint32(6);
    if (this.left === 0) this.endFrame();
    return at;
  }

  private endFrame(): void {
    const opcode = this.head[0]! & 0xf;
    if (opcode < CLOSE) return;
    const { control } = this;
    this.control = [];
    if (opcode === CLOSE) throw new Error('the broker closed the WebSocket');
    if (opcode === PING) this.answerPing(control);
  }

  private answerPing(payload: readonly number[]): void {
    const { framed } = this.context;
    // From the end of the same memory to its beginning: a ping carries 125 bytes at most.
    const start = BUFFER_BYTES - payload.length;
    framed.bytes.set(payload, start);
    this.around.below(framed, 0, this.frame(PONG, framed, start, BUFFER_BYTES, 0));
  }
}
