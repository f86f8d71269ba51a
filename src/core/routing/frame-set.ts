// The message being routed, encoded once per layout (MQTT 3 or 5, with or without packet
// identifier), so that a fan-out is one copy per recipient. Layouts are encoded when the first
// recipient needs them and forgotten with the next message.

import {
  type PublishBody,
  PublishExtras,
  publishLength,
  writePublish,
} from '../../mqtt/encode/publish.ts';
import { NO_BYTES } from './message.ts';

/** One layout of the current message. */
class Frame {
  bytes: Uint8Array = NO_BYTES;
  /** Where the packet identifier stands; 0 without one. */
  idAt = 0;
  ready = false;
  scratch: Uint8Array = new Uint8Array(1024);
}

/** Scratch larger than this is not kept from one message to the next. */
const SCRATCH_KEPT = 256 * 1024;

export class FrameSet {
  private readonly frames = [new Frame(), new Frame(), new Frame(), new Frame()];
  private readonly extras = new PublishExtras();
  private used = false;

  /** A new message: forget the layouts of the last one. */
  reset(expirySeconds: number): void {
    this.extras.expirySeconds = expirySeconds;
    if (!this.used) return;
    this.used = false;
    for (const frame of this.frames) {
      frame.ready = false;
      frame.bytes = NO_BYTES;
      if (frame.scratch.length > SCRATCH_KEPT) frame.scratch = new Uint8Array(1024);
    }
  }

  /** The whole PUBLISH of `body` with QoS 0 or more, first byte and identifier still to be set. */
  get(body: PublishBody, qos: number, v5: boolean): Frame {
    const frame = this.frames[(v5 ? 2 : 0) + (qos > 0 ? 1 : 0)];
    if (frame.ready) return frame;
    const length = publishLength(body, this.extras, qos, v5);
    if (frame.scratch.length < length) frame.scratch = new Uint8Array(length * 2);
    writePublish(frame.scratch, 0, 0x30 | (qos << 1), 0, body, this.extras, v5);
    frame.bytes = frame.scratch.subarray(0, length);
    frame.idAt = qos === 0 ? 0 : idOffset(frame.bytes, body.topicBytes.length);
    frame.ready = true;
    this.used = true;
    return frame;
  }
}

/** Where the packet identifier of a PUBLISH with QoS > 0 stands: behind header and topic name. */
function idOffset(bytes: Uint8Array, topicLength: number): number {
  let at = 1;
  while (bytes[at] >= 128) at++;
  return at + 1 + 2 + topicLength;
}
