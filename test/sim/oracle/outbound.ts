// What the packets that the broker sends must be, in the order they stand in a connection's output.

import type { BrokerOptions } from '../../../src/core/options.ts';
import { type ConnackWire, encodePacket, type PublishWire, type WirePacket } from '../../wire.ts';
import type { BrokerModel } from './broker-model.ts';
import { type ConnectionModel, isAnswer } from './connection.ts';
import { type Copy, demand, show } from './message.ts';
import type { SessionModel } from './session.ts';
import { copyOf } from './wire-terms.ts';

/** What one output gained through one input. */
export interface Batch {
  /** Ranks of the publications acknowledged so far, when the input was a single packet. */
  readonly acknowledged: Set<number> | null;
}

export class Outbound {
  /** PUBLISH packets sent, and packets of any kind. */
  publishes = 0;
  packets = 0;
  readonly #model: BrokerModel;
  readonly #options: BrokerOptions;

  constructor(model: BrokerModel, options: BrokerOptions) {
    this.#model = model;
    this.#options = options;
  }

  check(c: ConnectionModel, packet: WirePacket, batch: Batch, now: number): void {
    this.packets++;
    const first = !c.connackSeen;
    const text = () => `${c.name} gets ${JSON.stringify(packet)}`;
    demand(!first || packet.type === 'connack', () => `${text()} before CONNACK`); // [MQTT-3.2.0-1]
    demand(first || packet.type !== 'connack', () => `${text()}: a second CONNACK`);
    if (packet.type === 'connack') {
      this.#connack(c, packet);
    } else if (packet.type === 'disconnect') {
      demand(c.version === 5, () => `${text()}, which speaks MQTT 3`);
      demand(c.farewells.has(packet.reason), () => `${text()} without a cause`);
      c.farewells.clear();
    } else if (packet.type === 'publish') {
      this.#publish(c, packet, batch, now);
    } else if (packet.type === 'pubrel') {
      this.#pubrel(c, packet);
    } else if (isAnswer(packet)) {
      const { rank } = c.answered(packet);
      if (rank >= 0) batch.acknowledged?.add(rank);
    } else {
      demand(false, () => `${text()}, which no client understands`);
    }
  }

  #connack(c: ConnectionModel, packet: ConnackWire): void {
    const text = () => `${c.name} gets ${JSON.stringify(packet)}`;
    c.connackSeen = true;
    const present = c.sessionPresent && c.version > 3; // MQTT 3.1 does not tell
    demand(packet.sessionPresent === present, () => `${text()}, session present is ${present}`);
    // MQTT 3 has words for little: not authorized is 5 [MQTT 3.1.1 table 3.1].
    const reason = c.refusal === 0 || c.version === 5 ? c.refusal : 5;
    demand(packet.reason === reason, () => `${text()}, expected reason ${reason}`);
    if (c.version < 5 || c.session === null) return;
    const { connect, session } = c;
    const { properties } = packet;
    const wish = connect!.properties.sessionExpiryInterval ?? 0;
    const expected: [string, unknown, unknown][] = [
      ['session expiry', properties.sessionExpiryInterval ?? wish, session.expirySeconds],
      ['keep alive', properties.serverKeepAlive ?? connect!.keepAlive, c.keepAliveMs / 1000],
      ['receive maximum', properties.receiveMaximum ?? 65_535, this.#options.receiveMaximum],
      ['aliases', properties.topicAliasMaximum ?? 0, this.#options.topicAliasMaximum],
      ['a new name', properties.assignedClientIdentifier !== undefined, connect!.clientId === ''],
    ];
    for (const [what, told, so] of expected) {
      demand(told === so, () => `${text()}: ${what} is told as ${told}, and is ${so}`);
    }
    const name = properties.assignedClientIdentifier;
    if (name !== undefined) this.#rename(session, name);
  }

  #rename(session: SessionModel, clientId: string): void {
    demand(!this.#model.sessions.has(clientId), () => `client id ${clientId} was given twice`);
    this.#model.sessions.delete(session.clientId);
    session.clientId = clientId;
    this.#model.sessions.set(clientId, session);
  }

  /** The session that output of `c` belongs to; a connection that closes has none any more. */
  #publish(c: ConnectionModel, packet: PublishWire, batch: Batch, now: number): void {
    this.publishes++;
    const topic = this.#topicOf(c, packet);
    if (topic.startsWith('$SYS/')) {
      this.#sys(c, topic, packet);
      return;
    }
    const copy = copyOf(topic, packet);
    const session = c.session;
    demand(session !== null, () => `${c.name} gets ${show(copy)} though it is closing`);
    if (c.packetSizeMax < Infinity) {
      const size = encodePacket(packet, c.version).length;
      const most = c.packetSizeMax;
      demand(size <= most, () => `${c.name} gets ${size} bytes, takes ${most}: ${show(copy)}`);
    }
    if (packet.dup) this.#model.met.add('a PUBLISH is sent again');
    if (packet.topic === '') this.#model.met.add('a topic alias is used by the broker');
    if (packet.dup) session.resent(copy, now);
    else this.#first(session, copy, batch, now);
    const waiting = session.unacknowledged;
    demand(
      waiting <= c.receiveMaximum,
      () => `${waiting} in flight, receive maximum is ${c.receiveMaximum}: ${show(copy)}`,
    );
  }

  #first(session: SessionModel, copy: Copy, batch: Batch, now: number): void {
    const { publication, retainedFor } = session.sent(copy, this.#model.owedToShares, now);
    demand(
      retainedFor !== null || !batch.acknowledged?.has(publication.rank),
      () => `acknowledged before it was routed: ${show(copy)}`,
    );
  }

  #topicOf(c: ConnectionModel, packet: PublishWire): string {
    const alias = packet.properties.topicAlias ?? 0;
    const text = () => `${c.name} gets ${JSON.stringify(packet.properties)} on «${packet.topic}»`;
    demand(alias <= c.aliasMax, () => `${text()}, but takes aliases up to ${c.aliasMax}`);
    if (alias > 0 && packet.topic !== '') c.aliasesOut.set(alias, packet.topic);
    const topic = packet.topic || c.aliasesOut.get(alias);
    demand(topic !== undefined, () => `${text()}: an alias that was never defined`);
    return topic;
  }

  #sys(c: ConnectionModel, topic: string, packet: PublishWire): void {
    const asked = c.session?.askedForSys ?? false;
    demand(asked, () => `${c.name} gets ${topic} without having asked for it`);
    demand(packet.qos === 0, () => `${c.name} gets ${topic} with QoS ${packet.qos}`);
  }

  /** PUBREL answers a PUBREC, or is sent again after a reconnect. */
  #pubrel(c: ConnectionModel, packet: WirePacket & { packetId: number }): void {
    const again = c.session?.resendPubrel ?? [];
    const at = again.findIndex(each => each.packetId === packet.packetId);
    if (at >= 0) {
      again.splice(at, 1);
      this.#model.met.add('a PUBREL is sent again');
    } else {
      c.answered(packet);
    }
  }
}
