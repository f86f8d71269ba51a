// What happens in a world, one step at a time: a client is chosen and publishes, subscribes,
// leaves, is cut off, stops reading … And how it ends: everybody comes back, drains, and leaves for
// good.

import { join, text, type WireFilter, type WireInput } from '../wire.ts';
import type { WireProperties } from '../wire-properties.ts';
import { Client } from './client.ts';
import type { Act } from './config.ts';
import { demand } from './oracle/message.ts';
import { drawFilter, drawTopic } from './topics.ts';
import type { World } from './world.ts';

const words = ['', 'ä', 'text/plain', '日本', 'x'.repeat(130)];

export class Acting {
  readonly #world: World;
  #published = 0;
  #shared = 0;

  constructor(world: World) {
    this.#world = world;
  }

  step(): void {
    const { prng, config, clients } = this.#world;
    const client = prng.pick(clients);
    const act = prng.weighted(config.acts);
    if (client.link === null) {
      if (act === 'connect' || prng.oneIn(3)) this.connect(client, prng.oneIn(40));
    } else if (client.connected && !client.mute) {
      this.#act(client, act);
    } else if (act === 'cut' || act === 'takeover') {
      this.#act(client, act);
    }
  }

  #act(client: Client, act: Act): void {
    const world = this.#world;
    const { prng, clock } = world;
    const link = client.link!;
    switch (act) {
      case 'publish':
        this.#publish(client);
        return;
      case 'subscribe':
        this.#subscribe(client);
        return;
      case 'unsubscribe':
        this.#unsubscribe(client);
        return;
      case 'disconnect':
        this.#disconnect(client);
        return;
      case 'cut':
        world.note(() => `${client.id} is cut off`);
        link.abandon(prng.interval(100));
        client.lost();
        return;
      case 'vanish':
        world.note(() => `${client.id} vanishes`);
        link.abandon(prng.oneIn(2) ? null : prng.interval(20_000));
        client.lost();
        return;
      case 'takeover':
        world.note(() => `${client.id} connects once more`);
        if (prng.oneIn(2)) link.abandon(prng.oneIn(2) ? null : prng.interval(5_000));
        this.connect(client, false);
        return;
      case 'stall':
        link.stall(true);
        clock.after(prng.interval(3_000), () => link.stall(false));
        return;
      case 'mute':
        world.note(() => `${client.id} falls silent`);
        client.mute = true;
        if (prng.oneIn(2)) this.#drip(client);
        clock.after(prng.interval(30_000), () => {
          client.mute = false;
        });
        return;
      default:
        world.pass(prng.interval(2_000)); // nothing but time
        return;
    }
  }

  // ---- Connecting ------------------------------------------------------------------------------

  connect(client: Client, hesitant: boolean): void {
    const world = this.#world;
    const { prng } = world;
    const { character } = client;
    const link = world.open(client);
    // Without a name of its own a client cannot come back to its session.
    const unnamed = client.id === '';
    const cleanStart = unnamed || prng.chance(character.cleanStart);
    const connect = this.#connectPacket(client, cleanStart);
    world.note(
      () => `${client.id} connects${cleanStart ? ' clean' : ''} as ${link.connection.peer}`,
    );
    client.connect(link, connect);
    if (hesitant) {
      // Half a handshake, and silence.
      link.abandon(prng.oneIn(2) ? null : prng.interval(1_000));
      client.lost();
    } else if (character.eager && !world.healed) {
      this.#subscribe(client);
    }
  }

  #connectPacket(client: Client, cleanStart: boolean): WireInput & { type: 'connect' } {
    const { prng, healed } = this.#world;
    const { character, v5, id } = client;
    const properties: WireProperties = {};
    if (v5) {
      const expiry = id === '' ? Math.min(character.sessionExpiry, 20) : character.sessionExpiry;
      if (expiry > 0) properties.sessionExpiryInterval = expiry;
      if (character.receiveMaximum < 65_535) properties.receiveMaximum = character.receiveMaximum;
      if (character.aliasMax > 0) properties.topicAliasMaximum = character.aliasMax;
      if (character.packetSizeMax !== null) properties.maximumPacketSize = character.packetSizeMax;
    }
    return {
      type: 'connect',
      version: character.version,
      clientId: id,
      cleanStart,
      keepAlive: character.keepAlive,
      will: healed || prng.oneIn(2) ? null : this.#will(client),
      properties,
    };
  }

  #will(client: Client) {
    const { prng, config } = this.#world;
    const properties = client.v5 ? this.#properties() : {};
    const delay = prng.pick([0, 1, 5, 30]);
    if (client.v5 && delay > 0) properties.willDelayInterval = delay;
    return {
      topic: this.#topic().replace('forbidden', 'a'),
      payload: this.#payload(`will of ${client.id} ${++this.#published}`, 20),
      qos: prng.below(3),
      retain: config.retained && prng.oneIn(4),
      properties,
    };
  }

  #disconnect(client: Client): void {
    const { prng } = this.#world;
    const withWill = client.v5 && prng.oneIn(3);
    const properties: WireProperties = {};
    if (client.v5 && client.character.sessionExpiry > 0 && prng.oneIn(3)) {
      properties.sessionExpiryInterval = prng.pick([0, 1, 10]);
    }
    this.#world.note(() => `${client.id} disconnects${withWill ? ' with its will' : ''}`);
    client.send({ type: 'disconnect', reason: withWill ? 4 : 0, properties });
    client.link!.finish();
    client.lost();
  }

  // ---- Messages and subscriptions --------------------------------------------------------------

  #topic(): string {
    return drawTopic(this.#world.prng, this.#world.config.fewTopics);
  }

  #payload(name: string, most: number): Uint8Array {
    const { prng } = this.#world;
    const filler = prng.bytes(prng.below(most + 1));
    return join([text(`${name}|`), filler]);
  }

  #properties(): WireProperties {
    const { prng, config } = this.#world;
    const properties: WireProperties = {};
    if (config.expiry && prng.oneIn(4)) properties.messageExpiryInterval = prng.pick([1, 5, 60]);
    if (prng.oneIn(6)) properties.contentType = prng.pick(words);
    if (prng.oneIn(6)) properties.responseTopic = 'answer/here';
    if (prng.oneIn(6)) properties.correlationData = prng.bytes(prng.below(20));
    if (prng.oneIn(4)) {
      properties.userProperties = Array.from({ length: prng.between(1, 4) }, () => {
        return [prng.pick(['b', 'a', 'b', '']), prng.pick(words)];
      });
    }
    return properties;
  }

  #publish(client: Client): void {
    const world = this.#world;
    const { prng, config } = world;
    const topic = this.#topic();
    const retain = config.retained && prng.oneIn(4);
    const name = `${client.id || 'nobody'}-${++this.#published}`;
    const large = prng.oneIn(200) ? 40_000 : config.payloadMax;
    const payload = prng.oneIn(retain ? 4 : 40) ? new Uint8Array(0) : this.#payload(name, large);
    const qos = prng.below(3);
    const properties = client.v5 ? this.#properties() : {};
    const sent = client.publish({ topic, payload, qos, retain, properties });
    if (sent) world.note(() => `${client.id} publishes ${name} on ${topic} QoS ${qos} ${retain}`);
  }

  /** A message that takes its time, and nothing besides: longer than any keep alive, perhaps. */
  #drip(client: Client): void {
    const name = `${client.id || 'nobody'}-${++this.#published}`;
    const packet = { topic: this.#topic(), payload: this.#payload(name, 50) };
    if (!client.drip({ type: 'publish', ...packet })) return;
    this.#world.note(() => `${client.id} drips ${name}`);
  }

  #filter(client: Client): WireFilter {
    const { prng, config } = this.#world;
    const { v5 } = client;
    const sys = config.options.sysIntervalMs > 0 && prng.oneIn(20);
    return {
      filter: sys ? '$SYS/#' : drawFilter(prng),
      qos: sys ? 0 : prng.below(3),
      noLocal: v5 && prng.oneIn(5),
      retainAsPublished: v5 && prng.oneIn(4),
      retainHandling: v5 ? prng.below(3) : 0,
    };
  }

  #subscribe(client: Client): void {
    const { prng, config } = this.#world;
    if (config.shares && client.v5 && prng.oneIn(4)) {
      this.#subscribeShared(client);
      return;
    }
    const filters = Array.from({ length: prng.between(1, 3) }, () => this.#filter(client));
    // MQTT 3.1 has no word for a refused filter.
    if (client.character.version === 3 && filters.some(f => f.filter.startsWith('forbidden'))) {
      return;
    }
    const identified = client.v5 && prng.oneIn(2);
    const properties = identified
      ? { subscriptionIdentifiers: [prng.pick([1, 2, 3, 200, 20_000])] }
      : {};
    if (!client.request({ type: 'subscribe', filters, properties })) return;
    this.#world.note(
      () => `${client.id} subscribes to ${filters.map(f => `${f.filter} (${f.qos})`)}`,
    );
  }

  /** With an identifier that is used once, so that each copy tells which share it came through. */
  #subscribeShared(client: Client): void {
    const { prng } = this.#world;
    const name = prng.pick(['g', 'h']);
    const inner = prng.oneIn(2) ? prng.pick(['#', 'a/#', 'b', '+']) : drawFilter(prng);
    const filter = { ...this.#filter(client), filter: `$share/${name}/${inner}`, noLocal: false };
    const properties = { subscriptionIdentifiers: [100_000 + ++this.#shared] };
    if (!client.request({ type: 'subscribe', filters: [filter], properties })) return;
    this.#world.note(() => `${client.id} subscribes to ${filter.filter} (${filter.qos})`);
  }

  #unsubscribe(client: Client): void {
    const { prng, oracle } = this.#world;
    const known = [...(oracle.model.sessions.get(client.id)?.subscriptions.keys() ?? [])];
    const filters = known.length > 0 && !prng.oneIn(6) ? [prng.pick(known)] : [drawFilter(prng)];
    if (prng.oneIn(3)) filters.push(drawFilter(prng));
    if (!client.request({ type: 'unsubscribe', filters })) return;
    this.#world.note(() => `${client.id} unsubscribes from ${filters}`);
  }

  // ---- The end ---------------------------------------------------------------------------------

  /** Everybody reads and answers again, and those who are away come back. */
  heal(): void {
    const { clients, clock } = this.#world;
    for (const link of this.#world.links) {
      if (!clients.some(client => client.link === link)) link.abandon(null);
      link.weather.capacity = 1_000_000;
      link.weather.fragments = 0;
      link.stall(false);
      clock.after(0, () => link.reveal());
    }
    for (const client of clients) {
      client.mute = false;
      this.#keepConnected(client);
    }
  }

  #keepConnected(client: Client): void {
    if (client.link === null) this.connect(client, false);
    this.#world.clock.after(5_000, () => {
      if (!this.#leaving) this.#keepConnected(client);
    });
  }

  #leaving = false;

  /** Nobody comes back any more. */
  stop(): void {
    this.#leaving = true;
  }

  /** Who or what is not at rest, or null. */
  busy(): string | null {
    const { clients, links } = this.#world;
    for (const link of links) {
      if (!link.quiet || link.connection.out.length > 0) return `a link of ${link.connection.peer}`;
    }
    if (this.#leaving) {
      const left = links.map(link => link.connection.peer);
      left.push(...this.#world.oracle.model.sessions.keys());
      return left.length === 0 ? null : left.join(', ');
    }
    // Whoever was given a name and lost it with its link came back under another: until it expires,
    // what waits for that first session waits for nobody.
    for (const [name, { online }] of this.#world.oracle.model.sessions) {
      if (!online) return `the session of ${name}`;
    }
    return clients.find(client => !client.idle)?.id ?? null;
  }

  /** Somebody new subscribes to everything: the oracle holds what arrives against what it knows. */
  checkRetained(): void {
    const world = this.#world;
    const character = {
      ...{ version: 5 as const, cleanStart: 1, sessionExpiry: 0, keepAlive: 0, aliasMax: 0 },
      ...{ receiveMaximum: 65_535, packetSizeMax: null, ackDelayMs: 1, shuffles: false },
      ...{ errors: 0, eager: false, packetIds: 65_535 },
    };
    const probe = new Client('probe', character, world.clock, world.prng);
    world.clients.push(probe);
    this.connect(probe, false);
    const all = { qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0 };
    const filters = ['#', '$dev/#'].map(filter => ({ ...all, filter }));
    probe.request({ type: 'subscribe', filters });
  }

  /** Retained messages are cleared, sessions ended, links closed. */
  leaveForGood(): void {
    const world = this.#world;
    const probe = world.clients.at(-1)!;
    for (const topic of world.oracle.model.retained.keys()) {
      const empty = { payload: new Uint8Array(0), qos: 0, retain: true, properties: {} };
      demand(probe.publish({ ...empty, topic }), () => `${topic} could not be cleared`);
    }
    this.stop();
    for (const client of world.clients) this.#leave(client);
  }

  #leave(client: Client): void {
    const world = this.#world;
    if (client !== world.clients.at(-1)) {
      client.link?.finish();
      client.connect(world.open(client), {
        ...{ type: 'connect', version: client.character.version, clientId: client.id },
        cleanStart: true,
      });
    }
    this.#leaveOnceConnected(client);
  }

  #leaveOnceConnected(client: Client): void {
    if (!client.connected) {
      this.#world.clock.after(50, () => this.#leaveOnceConnected(client));
      return;
    }
    client.send({ type: 'disconnect' });
    client.link?.finish();
    client.lost();
  }
}
