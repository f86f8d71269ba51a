// What the clients of a crashing world do, one step at a time, and how they come back at its end.

import type { WireInput } from '../../wire.ts';
import type { WireProperties } from '../../wire-properties.ts';
import type { Client } from '../client.ts';
import { workers } from './config.ts';
import type { DurableWorld } from './world.ts';

const tails = ['a', 'b', 'a/b'];
const filters = ['#', '+/a', '+/b', '+/a/b', 'strict/#', 'default/#', 'batched/a', '+/a/#'];
const LARGE = 120;
const shareFilter = '$share/workers/+/share';

export class Acting {
  readonly #world: DurableWorld;
  #named = 0;
  /** Who has begun anew, and says so until it is let in. */
  readonly #beginning = new Set<Client>();

  constructor(world: DurableWorld) {
    this.#world = world;
  }

  step(): void {
    const { prng, clients, config } = this.#world;
    const client = prng.pick(clients);
    if (client.connected) this.#beginning.delete(client);
    if (client.link === null) {
      if (prng.oneIn(2)) this.connect(client);
      return;
    }
    const act = prng.weighted(config.acts);
    if (act === 'takeover') {
      if (prng.oneIn(2)) client.link.abandon(prng.interval(1_000));
      this.connect(client);
    } else if (act === 'cut') {
      client.link.abandon(prng.interval(20));
      client.lost();
    } else if (client.connected) {
      this.#act(client, act);
    }
  }

  #act(client: Client, act: 'publish' | 'subscribe' | 'unsubscribe' | 'disconnect'): void {
    if (act === 'publish') this.#publish(client);
    else if (act === 'disconnect') this.#disconnect(client);
    else if (workers.includes(client.character)) this.#join(client);
    else if (act === 'subscribe') this.#subscribe(client);
    else this.#unsubscribe(client);
  }

  connect(client: Client): void {
    const { prng, healed } = this.#world;
    const { character, v5 } = client;
    const clean = prng.chance(character.cleanStart) && !(healed && v5);
    const always = character.cleanStart === 0.5 && !v5;
    const cleanStart = always || clean || this.#beginning.has(client);
    if (cleanStart) this.#beginning.add(client);
    const link = this.#world.open(client);
    const properties: WireProperties = {};
    if (v5) {
      if (character.sessionExpiry > 0) properties.sessionExpiryInterval = character.sessionExpiry;
      properties.receiveMaximum = character.receiveMaximum;
      if (character.packetSizeMax !== null) properties.maximumPacketSize = character.packetSizeMax;
    }
    this.#world.note(() => `${client.id} connects${cleanStart ? ' clean' : ''}`);
    const will = healed || workers.includes(character) || prng.oneIn(2) ? null : this.#will(client);
    client.connect(link, {
      ...{ type: 'connect', version: character.version, clientId: client.id },
      ...{ cleanStart, keepAlive: 0, will, properties },
    });
  }

  #will(client: Client): NonNullable<Extract<WireInput, { type: 'connect' }>['will']> {
    const { prng, config } = this.#world;
    const delay = client.v5 ? prng.pick([0, 0, 1, 5]) : 0;
    return {
      topic: `${prng.pick(config.levels)}/a/${client.id}`,
      payload: this.#world.payload(`will of ${client.id} ${++this.#named}`),
      ...{ qos: prng.below(3), retain: prng.oneIn(3) },
      properties: delay > 0 ? { willDelayInterval: delay } : {},
    };
  }

  #disconnect(client: Client): void {
    const withWill = client.v5 && this.#world.prng.oneIn(3);
    this.#world.note(() => `${client.id} disconnects${withWill ? ' with its will' : ''}`);
    client.send({ type: 'disconnect', reason: withWill ? 4 : 0 });
    client.link!.finish();
    client.lost();
  }

  #publish(client: Client): void {
    const { prng, config } = this.#world;
    const level = prng.pick(config.levels);
    const shared = prng.oneIn(6);
    const topic = shared ? `${level}/share` : `${level}/${prng.pick(tails)}`;
    const retain = !shared && prng.oneIn(5);
    const length = prng.oneIn(12) ? LARGE : 0; // too large for some
    const name = retain && prng.oneIn(3) ? '' : `${client.id}-${++this.#named}`.padEnd(length, '.');
    const qos = prng.pick([0, 1, 1, 2, 2]);
    const expires = client.v5 && prng.oneIn(10);
    const properties = expires ? { messageExpiryInterval: prng.pick([1, 30]) } : {};
    const payload = this.#world.payload(name);
    if (client.publish({ topic, payload, qos, retain, properties })) {
      const how = `QoS ${qos}${retain ? ' retained' : ''}`;
      this.#world.note(() => `${client.id} publishes «${name}» on ${topic} ${how}`);
    }
  }

  #join(client: Client): void {
    if (!client.idle) return;
    client.request({ type: 'subscribe', filters: [{ filter: shareFilter, qos: 2 }] });
  }

  #subscribe(client: Client): void {
    if (!client.idle) return;
    const { prng } = this.#world;
    const filter = prng.pick(filters);
    const qos = prng.below(3);
    this.#world.note(() => `${client.id} subscribes to ${filter} (${qos})`);
    client.request({ type: 'subscribe', filters: [{ filter, qos }] });
  }

  #unsubscribe(client: Client): void {
    if (!client.idle) return;
    const filter = this.#world.prng.pick(filters);
    this.#world.note(() => `${client.id} unsubscribes from ${filter}`);
    client.request({ type: 'unsubscribe', filters: [filter] });
  }

  /** Everybody who is there publishes something. */
  publishAll(): void {
    for (const client of this.#world.clients) if (client.connected) this.#publish(client);
  }

  /** Everybody who is away connects. */
  comeBack(): void {
    for (const client of this.#world.clients) if (client.link === null) this.connect(client);
  }
}
