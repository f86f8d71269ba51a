// mqtt-packet as the client commands use it. mqtt-packet is lenient and lossy in one way that a
// person would see: it groups received user properties by name. Their order is kept here.

import mqttPacket, { type IConnackPacket, type IPublishPacket, type Packet } from 'mqtt-packet';
import type { ProtocolVersion, UserProperty } from '../../mqtt/packet.ts';

export type { IConnackPacket, IPublishPacket, Packet };

export interface WireEvents {
  packet(packet: Packet, userProperties: readonly UserProperty[]): void;
  /** The peer sent something that is not MQTT; nothing more is parsed. */
  fault(error: Error): void;
}

/** The one method of mqtt-packet's parser that reads a user property. */
interface PairReader {
  _parseStringPair(): { name: string; value: string };
}

export class Wire {
  readonly #parser: ReturnType<typeof mqttPacket.parser>;
  readonly #version: ProtocolVersion;

  constructor(version: ProtocolVersion, events: WireEvents) {
    this.#version = version;
    this.#parser = mqttPacket.parser({ protocolVersion: version });
    let pairs: UserProperty[] = [];
    const reader = this.#parser as unknown as PairReader;
    const readPair = reader._parseStringPair.bind(reader);
    reader._parseStringPair = () => {
      const pair = readPair();
      pairs.push([pair.name, pair.value]);
      return pair;
    };
    this.#parser.on('packet', packet => {
      const userProperties = pairs;
      pairs = [];
      events.packet(packet, userProperties);
    });
    this.#parser.on('error', error => events.fault(error));
  }

  push(chunk: Buffer): void {
    this.#parser.parse(chunk);
  }

  encode(packet: Packet): Buffer {
    return mqttPacket.generate(packet, { protocolVersion: this.#version });
  }
}
