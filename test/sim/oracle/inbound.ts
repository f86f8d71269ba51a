// What the packets that the broker has read mean: the oracle's model of the broker follows them,
// and notes the answers that are due. Clients of the simulation keep to the protocol, so no packet
// here may make the broker close a connection (but for DISCONNECT).

import type { BrokerOptions } from '../../../src/core/options.ts';
import type { AckWire, ConnectWire, PublishWire, SubscribeWire, WirePacket } from '../../wire.ts';
import { FORBIDDEN, sharedParts } from '../topics.ts';
import type { BrokerModel } from './broker-model.ts';
import type { ConnectionModel } from './connection.ts';
import { demand, nameOf } from './message.ts';
import { type InFlight, SessionModel } from './session.ts';
import { draftOfPublish, draftOfWill, sizeOf } from './wire-terms.ts';

export class Inbound {
  /** Publications refused for want of permission, and errors answered by recipients. */
  notAuthorized = 0;
  rejected = 0;
  /** Packets of any kind, and PUBLISH packets. */
  packets = 0;
  publishes = 0;
  readonly #model: BrokerModel;
  readonly #options: BrokerOptions;
  readonly #connections: ReadonlyMap<unknown, ConnectionModel>;

  constructor(
    model: BrokerModel,
    options: BrokerOptions,
    connections: ReadonlyMap<unknown, ConnectionModel>,
  ) {
    this.#model = model;
    this.#options = options;
    this.#connections = connections;
  }

  read(c: ConnectionModel, packet: WirePacket, now: number): void {
    c.lastPacketAt = now;
    this.packets++;
    if (packet.type === 'connect') {
      c.connect = packet;
      c.version = packet.version;
      c.sent.version = packet.version;
      c.state = 'authenticating';
      return;
    }
    const session = c.session;
    demand(session !== null, () => `${c.name}: the broker went past CONNECT without an answer`);
    switch (packet.type) {
      case 'publish':
        this.#publish(c, session, packet, now);
        return;
      case 'puback':
      case 'pubrec':
      case 'pubrel':
      case 'pubcomp':
        this.#acknowledge(c, session, packet);
        return;
      case 'subscribe':
        this.#subscribe(c, session, packet, now);
        return;
      case 'unsubscribe': {
        const codes = packet.filters.map(filter =>
          this.#model.unsubscribe(session, filter) ? [0] : [0x11],
        );
        c.expect('unsuback', packet.packetId, codes);
        return;
      }
      case 'pingreq':
        c.expect('pingresp', 0);
        return;
      case 'disconnect':
        if (packet.properties.sessionExpiryInterval !== undefined) {
          session.expirySeconds = this.#bounded(packet.properties.sessionExpiryInterval);
        }
        if (packet.reason === 0) c.will = null; // [MQTT-3.14.4-3]
        this.leave(c, now);
        return;
      default:
        demand(false, () => `the simulation does not send ${packet.type}`);
    }
  }

  // ---- Coming and going ------------------------------------------------------------------------

  /** The authenticator has let `c` in. */
  accept(c: ConnectionModel, now: number): void {
    const connect = c.connect!;
    const clientId = connect.clientId || `unnamed ${c.name}`;
    const known = this.#model.sessions.get(clientId);
    if (known?.online) this.#displace(known, now);
    const present = !connect.cleanStart && this.#model.sessions.get(clientId) === known && !!known;
    if (known && !present && this.#model.sessions.has(clientId)) this.#model.end(known, now);
    const session = present ? known : new SessionModel(clientId, connect.version);
    this.#model.sessions.set(clientId, session);
    c.session = session;
    c.sessionPresent = present;
    c.state = 'connected';
    this.#agree(c, session, connect, now);
    this.#model.trimQueue(session); // before any of it can leave
    if (session.will !== null) this.#model.met.add('a client is back before its will');
    session.goOnline();
    for (const entry of session.inFlight.values()) entry.mayVanish = this.#tooLarge(c, entry);
  }

  /** What CONNECT settles for the connection. */
  #agree(c: ConnectionModel, session: SessionModel, connect: ConnectWire, now: number): void {
    const { properties, version } = connect;
    const wish =
      version === 5
        ? (properties.sessionExpiryInterval ?? 0)
        : connect.cleanStart
          ? 0
          : 0xffff_ffff;
    session.expirySeconds = this.#bounded(wish);
    const most = this.#options.keepAliveMaxSeconds;
    const short = connect.keepAlive > 0 && (most === 0 || connect.keepAlive <= most);
    c.keepAliveMs = (short ? connect.keepAlive : most) * 1000;
    c.receiveMaximum = Math.min(properties.receiveMaximum ?? 65_535, this.#options.inflightMax);
    c.packetSizeMax = properties.maximumPacketSize ?? Infinity;
    session.packetSizeMax = c.packetSizeMax;
    c.aliasMax = properties.topicAliasMaximum ?? 0;
    c.will = connect.will === null ? null : draftOfWill(connect.will);
    c.lastPacketAt = now;
    c.aliveAt = now;
  }

  #bounded(expirySeconds: number): number {
    return Math.min(expirySeconds, this.#options.sessionExpiryMaxSeconds);
  }

  #tooLarge(c: ConnectionModel, entry: InFlight): boolean {
    const { publication, terms } = entry.owed;
    return sizeOf(publication, terms, c.version, c.aliasMax > 0) > c.packetSizeMax;
  }

  #displace(session: SessionModel, now: number): void {
    for (const old of this.#connections.values()) {
      if (old.session !== session) continue;
      old.farewells.add(0x8e); // [MQTT-3.1.4-3]
      this.#model.met.add('a connection is taken over');
      this.leave(old, now);
    }
  }

  /** The connection is over for its session, whoever ended it. */
  leave(c: ConnectionModel, now: number): void {
    const session = c.session;
    c.state = 'closing';
    c.session = null;
    if (session === null) return;
    this.#model.disconnect(session, c.will, now);
  }

  // ---- Messages --------------------------------------------------------------------------------

  #publish(c: ConnectionModel, session: SessionModel, packet: PublishWire, now: number): void {
    this.publishes++;
    const { packetId, qos, properties } = packet;
    const alias = properties.topicAlias ?? 0;
    if (packet.topic === '') this.#model.met.add('a topic alias is used by a client');
    if (alias > 0 && packet.topic !== '') c.aliasesIn.set(alias, packet.topic);
    const topic = packet.topic || c.aliasesIn.get(alias)!;
    if (qos === 2 && session.received.has(packetId)) {
      this.#model.met.add('a QoS 2 message is received twice');
      c.expect('pubrec', packetId, [[0]]); // sent again: acknowledged again, nothing more
      return;
    }
    let reason = 0x87;
    let rank = -1;
    if (topic.startsWith(`${FORBIDDEN}/`)) {
      this.notAuthorized++;
    } else {
      const draft = draftOfPublish(topic, packet);
      const { publication, recipients } = this.#model.publish(session.clientId, draft, now);
      rank = publication.rank;
      reason = recipients > 0 ? 0 : 0x10;
      if (qos === 2) this.#onlyOnce(session, topic, packet);
    }
    if (qos === 2 && reason < 0x80) session.received.add(packetId);
    if (qos > 0) {
      const told = c.version === 5 ? reason : 0;
      c.expect(qos === 1 ? 'puback' : 'pubrec', packetId, [[told]], rank);
      // A 3.x client cannot be told, so its exchange goes on and has to come to an end.
      if (qos === 2 && reason >= 0x80 && c.version < 5) session.received.add(-packetId);
    }
  }

  /** Exactly once, seen from the publisher's end: however often it had to send it. */
  #onlyOnce(session: SessionModel, topic: string, packet: PublishWire): void {
    if (packet.payload.length === 0) return;
    const name = nameOf(topic, packet.payload);
    demand(!session.accepted.has(name), () => `a QoS 2 message was accepted twice: ${name}`);
    session.accepted.add(name);
  }

  #acknowledge(c: ConnectionModel, session: SessionModel, packet: AckWire): void {
    const { packetId } = packet;
    if (packet.type === 'pubrel') {
      const known = session.received.delete(packetId);
      const refused = session.received.delete(-packetId);
      const codes = known || refused || c.version < 5 ? [0, ...(refused ? [0x92] : [])] : [0x92];
      c.expect('pubcomp', packetId, [codes]);
      return;
    }
    const entry = session.inFlight.get(packetId);
    demand(entry !== undefined, () => `the simulation acknowledged what ${c.name} never got`);
    if (packet.reason >= 0x80) this.rejected++;
    if (packet.type === 'pubrec' && packet.reason < 0x80) {
      session.release(entry);
      c.expect('pubrel', packetId, [[0]]);
      return;
    }
    session.finish(entry);
  }

  // ---- Subscriptions ---------------------------------------------------------------------------

  #subscribe(c: ConnectionModel, session: SessionModel, packet: SubscribeWire, now: number): void {
    const identifier = packet.properties.subscriptionIdentifiers?.[0] ?? 0;
    const codes = packet.filters.map(entry => {
      const share = sharedParts(entry.filter);
      const filter = share === null ? entry.filter : share.filter;
      if (filter.startsWith(`${FORBIDDEN}/`)) return [c.version === 5 ? 0x87 : 0x80];
      const subscription = {
        filter,
        share: share === null ? null : `${share.group}/${share.filter}`,
        qos: entry.qos,
        noLocal: entry.noLocal,
        retainAsPublished: entry.retainAsPublished,
        identifier,
      };
      this.#model.subscribe(session, entry.filter, subscription, entry.retainHandling, now);
      return [entry.qos];
    });
    c.expect('suback', packet.packetId, codes);
  }
}
