// One application message. While a PUBLISH is being handled its bytes are borrowed from the
// received chunk; `own()` is the one copy, made only when the message must outlive the call.

import { copyOf } from '../../mqtt/bytes.ts';
import type { PublishBody } from '../../mqtt/encode/publish.ts';
import type { QoS } from '../../mqtt/packet.ts';

export const NO_BYTES = new Uint8Array(0);
export const NEVER = Number.POSITIVE_INFINITY;

export class Message implements PublishBody {
  topic = '';
  topicBytes: Uint8Array = NO_BYTES;
  source: Uint8Array = NO_BYTES;
  propertiesStart = 0;
  payloadStart = 0;
  end = 0;
  qos: QoS = 0;
  retain = false;
  /** Monotonic milliseconds after which nobody new gets it; NEVER without an expiry interval. */
  expiresAt = NEVER;
  /** The durability class of its topic. */
  durability = 0;
  /** The journal's own: how the store knows it, while that is undecided on. */
  stored: unknown = null;
  /** How many clients it is in flight to. */
  private holders = 0;

  get payloadLength(): number {
    return this.end - this.payloadStart;
  }

  /** What it costs to keep, bytes, near enough for a bound. */
  get size(): number {
    return this.end - this.propertiesStart + this.topicBytes.length + 64;
  }

  /** One more client is sent it and has to acknowledge it; the first counts its bytes. */
  hold(b: { inflightBytes: number }): void {
    if (this.holders++ === 0) b.inflightBytes += this.size;
  }

  /** One of them has. */
  letGo(b: { inflightBytes: number }): void {
    if (--this.holders === 0) b.inflightBytes -= this.size;
  }

  /** A copy that owns its bytes. */
  own(): Message {
    const copy = new Message();
    copy.topic = this.topic;
    copy.topicBytes = this.topicBytes;
    copy.source = copyOf(this.source, this.propertiesStart, this.end);
    copy.payloadStart = this.payloadStart - this.propertiesStart;
    copy.end = copy.source.length;
    copy.qos = this.qos;
    copy.retain = this.retain;
    copy.expiresAt = this.expiresAt;
    copy.durability = this.durability;
    return copy;
  }

  /** Remaining message expiry interval, seconds; -1 without one [MQTT-3.3.2-6]. */
  remainingSeconds(now: number): number {
    if (this.expiresAt === NEVER) return -1;
    return Math.max(0, Math.ceil((this.expiresAt - now) / 1000));
  }
}

/** A message made by the broker itself or kept by it: will, $SYS. */
export function makeMessage(
  topic: string,
  topicBytes: Uint8Array,
  properties: Uint8Array,
  payload: Uint8Array,
  qos: QoS,
  retain: boolean,
): Message {
  const message = new Message();
  message.topic = topic;
  message.topicBytes = topicBytes;
  if (properties.length === 0) {
    message.source = payload;
  } else {
    message.source = new Uint8Array(properties.length + payload.length);
    message.source.set(properties, 0);
    message.source.set(payload, properties.length);
  }
  message.payloadStart = properties.length;
  message.end = message.source.length;
  message.qos = qos;
  message.retain = retain;
  return message;
}
