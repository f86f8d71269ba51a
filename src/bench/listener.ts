// Subscribers who only count what comes, whoever sent it, and acknowledge it.

import { PacketType, type ProtocolVersion } from '../mqtt/packet.ts';
import type { Client, Engine, FrameHandler } from './engine.ts';
import type { FrameScanner } from './scanner.ts';
import type { Memory } from './system.ts';
import { payloadOf } from './wire.ts';

export class Listener implements FrameHandler {
  messages = 0;
  payloadBytes = 0;
  /** Of the messages, those that the broker had retained. */
  retained = 0;
  private readonly engine: Engine;
  private readonly version: ProtocolVersion;

  constructor(engine: Engine, version: ProtocolVersion) {
    this.engine = engine;
    this.version = version;
  }

  onRead(): void {}
  onDrained(): void {}

  onFrame(_client: Client, { head, body, end }: FrameScanner, { bytes, view }: Memory): void {
    const type = head >> 4;
    if (type === PacketType.PUBREL) {
      this.engine.reply(PacketType.PUBCOMP << 4, view.getUint16(body));
    } else if (type === PacketType.PUBLISH) {
      this.messages++;
      this.retained += head & 1;
      this.payloadBytes += end - payloadOf(bytes, head, body, this.version);
      const qos = (head >> 1) & 3;
      if (qos === 0) return;
      const packetId = view.getUint16(body + 2 + view.getUint16(body));
      this.engine.reply((qos === 1 ? PacketType.PUBACK : PacketType.PUBREC) << 4, packetId);
    } else if (type !== PacketType.SUBACK) {
      throw new Error(`the broker sent packet type ${type} to a subscriber`);
    }
  }
}
