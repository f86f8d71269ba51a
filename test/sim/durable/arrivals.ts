// What reaches the clients of a crashing world: QoS 2 messages come once, none passes for another.

import { Durability } from '../../../src/core/journal.ts';
import type { WirePacket } from '../../wire.ts';
import { demand } from '../oracle/message.ts';
import type { Talk } from './talk.ts';

const decoder = new TextDecoder();

export class Arrivals {
  /** QoS 2 messages that each client has and was not released from. */
  readonly #incoming = new Map<string, Map<number, string>>();
  readonly #classOf: (topic: string) => number;

  constructor(classOf: (topic: string) => number) {
    this.#classOf = classOf;
  }

  /** A packet has reached a client. */
  arrived(talk: Talk, packet: WirePacket): void {
    let incoming = this.#incoming.get(talk.clientId);
    if (incoming === undefined) {
      incoming = new Map();
      this.#incoming.set(talk.clientId, incoming);
    }
    if (packet.type === 'connack' && !packet.sessionPresent) incoming.clear();
    if (packet.type === 'pubrel') incoming.delete(packet.packetId);
    const { state } = talk;
    if (packet.type !== 'publish' || packet.qos < 2 || state === null) return;
    const text = decoder.decode(packet.payload);
    const key = `${packet.topic} ${text} ${packet.retain}`;
    const known = incoming.get(packet.packetId);
    if (known !== undefined) {
      const may = state.weakened && this.#classOf(packet.topic) < Durability.Strict;
      demand(known === key || may, () => `«${text}» passes for «${known}» sent again`);
      if (known === key) return;
    }
    incoming.set(packet.packetId, key);
    if (packet.retain || text === '') return;
    const copies = state.copiesOf(packet.topic, text);
    copies.arrived++;
    demand(
      copies.arrived <= copies.allowed || state.revived,
      () => `${packet.topic} «${text}» with QoS 2 comes to ${talk.clientId} once too often`,
    );
  }
}
