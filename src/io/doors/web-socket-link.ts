// MQTT in WebSocket frames. They say nothing: all that a turn has for a client is one frame, and
// what comes is unwrapped where it lies. Whoever breaks the rules is told by a status why it ends.

import { limits } from '../../limits.ts';
import { FrameReader } from '../web-socket/frame-reader.ts';
import { closeFrame, framed, Opcode, Status } from '../web-socket/frames.ts';
import { DoorLink, type Passage } from './door-link.ts';
import type { DoorSide } from './side.ts';

export class WebSocketLink extends DoorLink {
  private readonly frames: FrameReader;
  /** Our close frame was sent. */
  private said = false;
  /** Nothing that comes counts any more: a close frame came, a fault, or the end of the stream. */
  private over = false;

  constructor(messageBytesMax: number, passage: Passage, side: DoorSide) {
    super(passage, side);
    this.frames = new FrameReader(messageBytesMax);
  }

  protected read(): void {
    this.stream.on('data', (chunk: Buffer) => this.unwrap(chunk));
    this.stream.on('end', () => this.left());
  }

  protected send(bytes: Uint8Array): void {
    this.give(framed(Opcode.Binary, bytes));
  }

  protected sayGoodbye(): void {
    const { ending } = this.frames;
    this.say(ending === 0 ? Status.Normal : ending);
    if (this.over) this.stream.end();
  }

  private unwrap(chunk: Buffer): void {
    if (this.over) return;
    const { frames } = this;
    const length = frames.read(chunk);
    if (length > 0) this.received(chunk.subarray(0, length));
    if (frames.ping !== null) this.answer(frames.ping);
    frames.ping = null;
    if (frames.broken) this.refuse(frames.ending);
    else if (frames.ending !== 0) this.left();
  }

  private answer(ping: Uint8Array): void {
    // Somebody who pings without reading gets no more answers than fit.
    const room = this.stream.writableLength < limits.doorWindowBytes;
    if (room && !this.said) this.stream.write(framed(Opcode.Pong, ping));
  }

  private refuse(status: number): void {
    this.over = true;
    this.finish();
    this.say(status);
    this.stream.end();
    this.abortIn(limits.doorFarewellMs); // it may not take what it is told
  }

  /** The client has nothing more to say. */
  private left(): void {
    const known = this.over;
    this.over = true;
    if (this.said) this.stream.end();
    else if (!known) this.ended();
  }

  private say(status: number): void {
    if (this.said) return;
    this.said = true;
    this.stream.write(closeFrame(status));
  }
}
