// One transport with WebSocket frames on it, as the hallway sees it: without them. It reads the
// request first and answers it. Then each read is unmasked where it lies and handed on in one
// piece, and all that the hallway writes at once is one frame, up to a bound. What the transport
// does not take of a frame is kept, and while it is nothing more is taken. Whatever ends it besides
// the transport is left to the hallway, which bounds the time that a goodbye takes.

import type { Origin } from '../../core/access.ts';
import type { Connection } from '../../core/session/connection.ts';
import { limits } from '../../limits.ts';
import { copyOf } from '../../mqtt/bytes.ts';
import type { Link } from '../driver.ts';
import { FrameReader } from './frame-reader.ts';
import { closePayload, Opcode, Status, writeFrame } from './frames.ts';
import {
  acceptance,
  judge,
  NEED_MORE,
  type Refusal,
  readUpgrade,
  refusalText,
  shown,
} from './upgrade.ts';
import type { WebSocketReception } from './web-socket-reception.ts';

const nothing: Buffer = Buffer.alloc(0);

export class FramedLink implements Link {
  connection: Connection | null = null;
  blocked = false;
  closing = false;
  private readonly reception: WebSocketReception;
  private readonly raw: Link;
  /** What has come of the request. */
  private seen = nothing;
  /** Null: the request is not answered yet, or was refused. */
  private frames: FrameReader | null = null;
  /** What the transport has not taken yet. */
  private kept: Uint8Array | null = null;
  /** The hallway was told that not all was taken. */
  private short = false;
  /** Nothing that comes counts any more: somebody has said goodbye, or there was a fault. */
  private deaf = false;
  /** We have said goodbye; the transport hears of it when nothing is kept. */
  private finished = false;

  constructor(reception: WebSocketReception, raw: Link) {
    this.reception = reception;
    this.raw = raw;
  }

  get peer(): string {
    return this.raw.peer;
  }

  get origin(): Origin | null {
    return this.raw.origin ?? null;
  }

  write(buffer: Uint8Array, start: number, end: number): number {
    if (this.frames === null || this.finished) return 0;
    let at = start;
    while (at < end && this.kept === null) {
      const next = Math.min(end, at + limits.doorWindowBytes);
      this.say(Opcode.Binary, buffer, at, next);
      at = next;
    }
    this.short = at < end;
    return at - start;
  }

  pause(paused: boolean): void {
    this.raw.pause(paused);
  }

  close(): void {
    if (this.finished) return;
    if (this.frames !== null) this.sayGoodbye(this.frames.ending || Status.Normal);
    this.finish();
  }

  abort(): void {
    this.deaf = true;
    this.finished = true;
    this.raw.abort();
  }

  /** Bytes came; the chunk is changed. */
  received(chunk: Uint8Array): void {
    if (this.deaf) return;
    if (this.frames !== null) this.unwrap(this.frames, chunk);
    else this.upgrade(chunk);
  }

  /** The transport takes bytes again. */
  drained(): void {
    const { kept, raw } = this;
    raw.blocked = false;
    this.kept = null;
    if (kept !== null) this.send(kept, kept.length);
    if (this.kept !== null) return;
    if (this.finished) {
      raw.close();
    } else if (this.short) {
      this.short = false;
      this.reception.hallway.drained(this);
    }
  }

  private upgrade(chunk: Uint8Array): void {
    const checked = this.seen.length;
    const more = chunk.subarray(0, limits.upgradeBytesMax - checked);
    const seen = Buffer.concat([this.seen, more]);
    const request = readUpgrade(seen, checked);
    if (request === NEED_MORE) {
      this.seen = seen;
      return;
    }
    this.seen = nothing;
    if ('status' in request) {
      this.refuse(request, 'no HTTP request', { why: request.why });
      return;
    }
    const { terms } = this.reception;
    const refusal = judge(request, terms);
    if (refusal !== null) {
      this.refuse(refusal, refusal.why, shown(request));
      return;
    }
    this.sendText(acceptance(request));
    this.frames = new FrameReader(terms.messageBytesMax);
    const rest = chunk.subarray(request.length - checked);
    if (rest.length > 0) this.unwrap(this.frames, rest);
  }

  private refuse(refusal: Refusal, reason: string, fields: Record<string, string>): void {
    const { peer, origin } = this;
    const listener = origin?.listener ?? '';
    this.reception.tell('info', 'refused at the door', { peer, listener, reason, ...fields });
    this.sendText(refusalText(refusal));
    this.finish();
  }

  private unwrap(frames: FrameReader, chunk: Uint8Array): void {
    const { hallway } = this.reception;
    const length = frames.read(chunk);
    if (length > 0) hallway.bytes(this, chunk.subarray(0, length));
    const { ping } = frames;
    frames.ping = null;
    // Somebody who pings without reading gets no more answers than fit.
    if (ping !== null && this.kept === null && !this.finished) {
      this.say(Opcode.Pong, ping, 0, ping.length);
    }
    if (frames.ending === 0 || this.deaf) return;
    this.deaf = true;
    const { broken, ending } = frames;
    hallway.parted(this, broken ? `WebSocket fault ${ending}` : 'connection closed');
  }

  private sayGoodbye(status: number): void {
    const payload = closePayload(status);
    this.say(Opcode.Close, payload, 0, payload.length);
  }

  /** Nothing more is said: the transport's own goodbye follows what is kept. */
  private finish(): void {
    this.deaf = true;
    this.finished = true;
    if (this.kept === null) this.raw.close();
  }

  private say(opcode: number, bytes: Uint8Array, start: number, end: number): void {
    const { stage } = this.reception;
    this.send(stage, writeFrame(stage, opcode, bytes, start, end));
  }

  private sendText(text: string): void {
    const { stage } = this.reception;
    stage.set(Buffer.from(text, 'latin1'));
    this.send(stage, text.length);
  }

  /** Writes bytes[0, length), or keeps them behind what is kept. */
  private send(bytes: Uint8Array, length: number): void {
    const { kept, raw } = this;
    if (kept !== null) {
      this.kept = Buffer.concat([kept, bytes.subarray(0, length)]);
      return;
    }
    const taken = raw.write(bytes, 0, length);
    if (taken === length) return;
    this.kept = copyOf(bytes, taken, length);
    raw.blocked = true;
  }
}
