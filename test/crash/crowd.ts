// The clients of the crash suite and what they do: publish in every class and QoS, subscribe and
// unsubscribe, keep and clear retained messages, leave well or badly, come back, hold back their
// acknowledgements. They go as fast as they are answered, and the oracle sees all of it.

import assert from 'node:assert/strict';
import type { Prng } from '../prng.ts';
import type { PublishWire } from '../wire.ts';
import { type Character, ModelClient, type Witness } from './model-client.ts';
import { Oracle, type Post } from './oracle.ts';
import { Watch } from './watch.ts';

type Client = ModelClient<Post>;

const classes = ['strict', 'strict', 'written', 'batched', 'none'] as const;
const families = [0, 1, 2, 3];
const topics = [...new Set(classes)].flatMap(name => families.map(family => `${name}/${family}`));
/** Watched by one session that never goes. */
const WILLS = 'strict/will';
/** Messages that a client has under way at once. */
const UNDER_WAY_MAX = 16;
/** How long nothing may happen while something is waited for. */
const SILENCE_MS = 10_000;
/** However much happens: clients that are shut out and come back for ever get nowhere. */
const SETTLE_MS_MAX = 60_000;

const characters: readonly Character[] = [
  { id: 'five-a', version: 5, persistent: true, receiveMaximum: 100 },
  { id: 'five-b', version: 5, persistent: true, receiveMaximum: 8 },
  { id: 'five-c', version: 5, persistent: true, receiveMaximum: 65_535 },
  { id: 'four-a', version: 4, persistent: true, receiveMaximum: 0 },
  { id: 'four-b', version: 4, persistent: true, receiveMaximum: 0 },
  { id: 'five-clean', version: 5, persistent: false, receiveMaximum: 100 },
  { id: 'four-clean', version: 4, persistent: false, receiveMaximum: 0 },
];
const watcher: Character = { id: 'watcher', version: 5, persistent: true, receiveMaximum: 100 };

/** The QoS a client asks for at each topic. */
function wishesOf({ persistent }: Character, index: number): Map<string, number> {
  const wishes = new Map<string, number>();
  for (const [at, topic] of topics.entries()) {
    const qos = (index + at) % 3;
    // The classes that forget with the process forget QoS 2 identifiers too, which the client of a
    // kept session does not: what that costs is not for this suite to find out.
    const forgets = topic.startsWith('batched/') || topic.startsWith('none/');
    wishes.set(topic, persistent && forgets ? Math.min(qos, 1) : qos);
  }
  return wishes;
}

export class Crowd implements Witness<Post> {
  readonly oracle = new Oracle();
  readonly #prng: Prng;
  readonly #members: Client[];
  readonly #watcher: Client;
  readonly #wishes = new Map<string, Map<string, number>>();
  readonly #clean = new Map<string, boolean>();
  /** Clients that take part in this round. */
  #present: Client[] = [];
  #port = 0;
  #phase: 'settling' | 'loading' | 'dying' = 'settling';
  #packets = 0;
  readonly #watch = new Watch();

  constructor(prng: Prng) {
    this.#prng = prng;
    for (const [index, character] of characters.entries()) {
      const wishes = wishesOf(character, index);
      this.#wishes.set(character.id, wishes);
      this.oracle.open(character.id, character.persistent, wishes);
    }
    this.#wishes.set(watcher.id, new Map([[WILLS, 1]]));
    this.oracle.open(watcher.id, true, new Map([[WILLS, 1]]));
    this.#members = characters.map(character => new ModelClient(character, this));
    this.#watcher = new ModelClient(watcher, this);
  }

  // ---- A round
  // ----------------------------------------------------------------------------------

  /** Some clients come, or all; the others stay away for this round. */
  begin(port: number, all: boolean): void {
    this.#port = port;
    this.#phase = 'settling';
    const present = this.#members.filter(() => all || !this.#prng.oneIn(4));
    this.#present = [this.#watcher, ...present];
    for (const client of this.#present) this.#connect(client);
  }

  /** Resolves when all that are here have been answered and have got what they are owed. */
  async settle(): Promise<void> {
    for (const client of this.#present) client.acknowledge();
    await this.#watch.until(() => this.#settled(), SILENCE_MS, SETTLE_MS_MAX);
    if (this.oracle.faults.length === 0) assert.deepEqual(this.#unsettled().slice(0, 10), []);
  }

  /** From now on they do as they like. */
  load(): void {
    this.#phase = 'loading';
    for (const client of this.#present) if (client.online) this.#act(client);
  }

  /** They do nothing more of their own. */
  rest(): void {
    this.#phase = 'settling';
  }

  /** Resolves when so many packets have come, or when none has come for long. */
  async packets(count: number, silenceMs: number): Promise<void> {
    this.#packets = 0;
    await this.#watch.until(() => this.#packets >= count, silenceMs);
  }

  /** The broker is being killed: what it said before still counts. Resolves when all is read. */
  async end(): Promise<void> {
    this.#phase = 'dying';
    const closed = () => this.#present.every(client => !client.open);
    assert.ok(await this.#watch.until(closed, SILENCE_MS), 'connections outlive the broker');
    this.#present = [];
  }

  #settled(): boolean {
    return this.oracle.faults.length > 0 || this.#unsettled().length === 0;
  }

  #unsettled(): string[] {
    return this.#present.flatMap(client => {
      const owed = [...this.oracle.owedTo(client.id)].map(({ topic, payload }) => {
        return `${client.id} was not sent «${payload}» at ${topic}`;
      });
      return client.idle ? owed : [`${client.id} is not answered`, ...owed];
    });
  }

  #connect(client: Client): void {
    const wanted = client === this.#watcher ? false : this.#prng.oneIn(2);
    const { id } = client;
    client.connect(this.#port, wanted ? this.oracle.post(id, WILLS, this.#prng.below(3)) : null);
  }

  // ---- What they do
  // -----------------------------------------------------------------------------

  #act(client: Client): void {
    if (client === this.#watcher) return;
    const prng = this.#prng;
    for (let left = prng.between(1, 6); left > 0; left--) {
      if (!client.online || client.outgoing.size >= UNDER_WAY_MAX) return;
      switch (prng.weighted({ publish: 60, retain: 8, subscribe: 6, hold: 2, ping: 4, leave: 1 })) {
        case 'publish': {
          const topic = `${prng.pick(classes)}/${prng.pick(families)}`;
          client.publish(this.oracle.post(client.id, topic, prng.below(3)));
          break;
        }
        case 'retain': {
          // Each client has its own: what is retained then follows from its order.
          const topic = `${prng.pick(classes)}/kept/${client.id}/${prng.below(2)}`;
          const empty = prng.oneIn(3);
          client.publish(this.oracle.post(client.id, topic, prng.below(3), true, empty));
          break;
        }
        case 'subscribe':
          this.#toggle(client);
          break;
        case 'hold':
          if (client.withholding) client.acknowledge();
          else client.withholding = true;
          break;
        case 'ping':
          client.ping();
          break;
        case 'leave':
          this.#leave(client);
          break;
      }
    }
  }

  #toggle(client: Client): void {
    const [topic, qos] = this.#prng.pick([...this.#wishes.get(client.id)!]);
    if (this.oracle.isOn(client, topic) && this.#prng.oneIn(3)) client.unsubscribe(filterOf(topic));
    else client.subscribe(filterOf(topic), qos);
  }

  #leave(client: Client): void {
    const { version, persistent } = client.character;
    client.wantsClean = version === 5 && persistent && this.#prng.oneIn(4);
    if (this.#prng.oneIn(2)) client.disconnect();
    else client.drop();
  }

  // ---- What they see
  // ----------------------------------------------------------------------------

  connecting(client: Client, clean: boolean, will: Post | null): void {
    this.#clean.set(client.id, clean);
    this.oracle.connecting(client, clean);
    if (will !== null) this.oracle.sent(will);
  }

  connected(client: Client, sessionPresent: boolean): void {
    this.oracle.connected(client, sessionPresent, this.#clean.get(client.id)!);
    if (client === this.#watcher && !this.oracle.isOn(client, WILLS)) client.subscribe(WILLS, 1);
    if (sessionPresent || client === this.#watcher) return;
    for (const [topic, qos] of this.#wishes.get(client.id)!) {
      if (!this.#prng.oneIn(3)) client.subscribe(filterOf(topic), qos);
    }
  }

  closed(client: Client, will: Post | null): void {
    if (this.#phase !== 'dying') this.#connect(client);
    else if (will !== null) this.oracle.willDue(will);
    this.#watch.tell();
  }

  sent(_client: Client, post: Post): void {
    this.oracle.sent(post);
  }

  acknowledged(_client: Client, post: Post, reason: number): void {
    this.oracle.acknowledged(post, reason);
  }

  subscribing(client: Client, filter: string): void {
    this.oracle.changing(client, topicOf(filter));
  }

  unsubscribing(client: Client, filter: string): void {
    this.oracle.changing(client, topicOf(filter));
  }

  subscribed(client: Client, filter: string, on: boolean): void {
    this.oracle.changed(client, topicOf(filter), on);
  }

  received(client: Client, packet: PublishWire): void {
    this.oracle.received(client, packet);
  }

  appalled(client: Client, error: Error): void {
    this.oracle.faults.push(`${client.id}: ${error.message}`);
    this.#watch.tell();
  }

  progressed(client: Client, packets: number): void {
    this.#packets += packets;
    if (this.#phase === 'loading') this.#act(client);
    this.#watch.tell();
  }
}

/** Half of the filters have a wildcard; each matches one topic that is published to. */
function filterOf(topic: string): string {
  return /[02]$/.test(topic) ? `${topic}/#` : topic;
}

function topicOf(filter: string): string {
  return filter.replace(/\/#$/, '');
}
