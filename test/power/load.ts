// The load of the recorded runs. Publishers with persistent sessions send, with several messages in
// flight, to topics of all classes; one session is away and gathers everything, one is there, takes
// everything and loses its connection now and then, one changes its subscriptions, one begins again
// with nothing. Every message carries a marker of its own: "m<publisher>.<number>;".

import type { Prng } from '../prng.ts';
import { Client } from './client.ts';

export const classes = ['strict', 'written', 'batched', 'none'] as const;
export type Class = (typeof classes)[number];

/** A configuration in which the second level of a topic is its class. */
export function settingsWith(...store: readonly string[]): string {
  const rule = (name: Class) => [
    '[[store.rules]]',
    `filter = "+/${name}/#"`,
    `durability = "${name}"`,
  ];
  const common = ['[sys]', 'intervalMs = 0', '[queue]', 'messagesMax = 1000000', '[store]'];
  return [...common, ...store, ...classes.flatMap(rule)].join('\n');
}

/** What the broker under the load is set to: the log is written back often. */
export const settings = settingsWith('walBytes = 65536', 'batchMs = 50');

const PUBLISHERS = 3;
const IN_FLIGHT = 6;
const classWeights = { strict: 4, written: 2, batched: 3, none: 1 };
const kindWeights = { queued: 14, large: 1, retained: 4, cleared: 1 };

/** Resolves when everything was acknowledged and everybody has gone. */
export async function runLoad(port: number, messages: number, random: Prng): Promise<void> {
  const away = await Client.connect(port, 'away', false);
  await away.subscribe('q/#', 2);
  await away.disconnect();
  const gone = await Client.connect(port, 'gone', false);
  await gone.subscribe('q/#', 1);
  await gone.disconnect();

  const here = new Here(port, random.fork());
  await here.connect();
  await here.client.subscribe('q/#', 2);
  let done = false;
  const churning = churn(port, random.fork(), () => done);
  const publishing: Promise<void>[] = [];
  for (let n = 0; n < PUBLISHERS; n++) {
    publishing.push(publish(port, n, Math.ceil(messages / PUBLISHERS), random.fork()));
  }
  await publishing[0];
  await (await Client.connect(port, 'gone', true)).disconnect();
  await Promise.all(publishing);
  done = true;
  await churning;
  await here.leave();
}

/** Sends its messages, each once. A broker whose disk fails closes the connection: then it goes on
 *  with the next message on another one, under identifiers that it has not used. */
async function publish(port: number, n: number, count: number, random: Prng): Promise<void> {
  let next = 0;
  let lastId = 0;
  while (next < count) {
    const client = await Client.connect(port, `pub${n}`, false);
    client.lastId = lastId;
    const send = async () => {
      while (next < count && !client.closed) await publishOne(client, n, next++, random);
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, send));
    await client.disconnect();
    lastId = client.lastId;
  }
}

function publishOne(client: Client, n: number, number: number, random: Prng): Promise<void> {
  const name = random.weighted(classWeights);
  const kind = random.weighted(kindWeights);
  const marker = `m${n}.${number};`;
  const qos = random.oneIn(2) ? 1 : 2;
  const retainedTopic = `r/${name}/${n}-${random.below(4)}`;
  switch (kind) {
    case 'queued':
      return client.publish(`q/${name}/${number % 7}`, marker + 'x'.repeat(random.below(100)), qos);
    case 'large':
      return client.publish(`q/${name}/large`, marker + 'y'.repeat(random.below(9_000)), qos);
    case 'retained':
      return client.publish(retainedTopic, marker, random.pick([0, 1, 2] as const), true);
    case 'cleared':
      return client.publish(retainedTopic, '', qos, true);
  }
}

/** A session that takes everything and is cut off now and then. */
class Here {
  client!: Client;
  private readonly port: number;
  private readonly random: Prng;
  private connecting: Promise<void> = Promise.resolve();
  private left = false;

  constructor(port: number, random: Prng) {
    this.port = port;
    this.random = random;
  }

  async connect(): Promise<void> {
    const will = { topic: 'q/strict/will', payload: Buffer.from('will'), qos: 1, retain: false };
    this.client = await Client.connect(this.port, 'here', false, will as never);
    let rest = this.random.between(50, 150);
    const { client } = this;
    client.onMessage = () => {
      if (--rest !== 0 || this.left) return;
      client.drop();
      this.connecting = this.connect();
    };
  }

  async leave(): Promise<void> {
    this.left = true;
    await this.connecting;
    await this.client.disconnect();
  }
}

async function churn(port: number, random: Prng, done: () => boolean): Promise<void> {
  const client = await Client.connect(port, 'churn', false);
  while (!done() && !client.closed) {
    const filter = `c/${random.below(5)}`;
    if (random.oneIn(2)) await client.subscribe(filter, random.pick([0, 1, 2] as const));
    else await client.unsubscribe(filter);
  }
  await client.disconnect();
}
