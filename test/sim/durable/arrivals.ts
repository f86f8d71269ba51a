// What reaches the clients of a crashing world: QoS 2 messages come once, none passes for another.

import { Durability } from '../../../src/core/journal.ts';
import type { WirePacket } from '../../wire.ts';
import { demand } from '../oracle/message.ts';
import type { SessionState } from './session.ts';
import type { Talk } from './talk.ts';

const decoder = new TextDecoder();

interface Incoming {
  /** The session it came in: another one may use its identifier anew. */
  readonly session: SessionState;
  readonly topic: string;
  readonly text: string;
  readonly retain: boolean;
}

export class Arrivals {
  /** QoS 2 messages that each client has and was not released from. */
  readonly #incoming = new Map<string, Map<number, Incoming>>();
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
    const { topic, retain, packetId } = packet;
    const text = decoder.decode(packet.payload);
    const known = incoming.get(packetId);
    if (known !== undefined) {
      const same = known.topic === topic && known.text === text && known.retain === retain;
      // Its session has ended, and the CONNACK that would have said so got lost: by the next one
      // there is a session, and the client cannot know that it is another.
      const another = known.session !== state;
      const may = another || (state.weakened && this.#classOf(topic) < Durability.Strict);
      demand(same || may, () => `${topic} «${text}» passes for «${known.text}» sent again`);
      if (same && !another) return;
    }
    incoming.set(packetId, { session: state, topic, text, retain });
    if (retain || text === '') return;
    const copies = state.copiesOf(topic, text);
    copies.arrived++;
    demand(
      copies.arrived <= copies.allowed || state.revived,
      () => `${topic} «${text}» with QoS 2 comes to ${talk.clientId} once too often`,
    );
  }

  /** Its client has refused it, and the broker knows: it does not count as taken. */
  refused(state: SessionState, packetId: number): void {
    const incoming = this.#incoming.get(state.clientId);
    const message = incoming?.get(packetId);
    if (message === undefined) return;
    incoming!.delete(packetId);
    const { topic, text, retain } = message;
    if (!retain && text !== '') state.copiesOf(topic, text).arrived--;
  }
}
