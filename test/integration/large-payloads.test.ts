// Payloads of many kilobytes, byte by byte, on all ways through the broker: at once, from a queue,
// as retained messages, as wills. Much of it comes in chunks whose memory is given back as soon as
// they are handled (src/io/lent.ts), so whatever kept a view of one delivers something else.

import assert from 'node:assert/strict';
import { type EventEmitter, once } from 'node:events';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { afterAll, afterEach, describe, freshSeed, test } from '../harness.ts';
import { Authority } from '../io/doors/authority.ts';
import { Prng } from '../prng.ts';
import { modes, useDoors } from './door-kit.ts';

const MESSAGES = 96;
/** So many are under way at once: far less than what would slow their publisher. */
const BATCH = 8;
const WILL_BYTES_MAX = 65_535;

const authority = new Authority();
afterAll(() => authority.remove());
const server = authority.issue('localhost', { names: 'IP:127.0.0.1' });

const open = new Set<MqttClient>();
afterEach(async () => {
  await Promise.all([...open].map(client => client.endAsync(true)));
  open.clear();
});

/** A client and what it was sent, by topic. */
class Client {
  readonly mqtt: MqttClient;
  readonly #payloads = new Map<string, Buffer>();
  #arrived = () => {};

  /** It listens from the start on: what waits for a session comes with its CONNACK. */
  constructor(url: string, options: IClientOptions) {
    this.mqtt = mqtt.connect(url, { reconnectPeriod: 0, rejectUnauthorized: false, ...options });
    open.add(this.mqtt);
    this.mqtt.on('message', (topic, payload) => {
      assert.ok(!this.#payloads.has(topic), `${topic} has come twice`);
      this.#payloads.set(topic, payload);
      this.#arrived();
    });
  }

  async connected(): Promise<this> {
    const emitter = this.mqtt as unknown as EventEmitter;
    await once(emitter, 'connect'); // rejects with an error
    return this;
  }

  /** Once as much has come as is expected, it is that. */
  async holds(expected: ReadonlyMap<string, Buffer>, seed: number): Promise<void> {
    while (this.#payloads.size < expected.size) {
      await new Promise<void>(resolve => {
        this.#arrived = resolve;
      });
    }
    for (const [topic, found] of this.#payloads) {
      const payload = expected.get(topic);
      assert.ok(payload !== undefined, `seed ${seed}: ${topic} is not for this client`);
      assert.equal(found.length, payload.length, `seed ${seed}: ${topic}`);
      assert.equal(Buffer.compare(found, payload), 0, `seed ${seed}: ${topic} has other bytes`);
    }
  }
}

function randomBytes(prng: Prng, length: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0; i < words.length; i++) words[i] = prng.uint32();
  return Buffer.from(words.buffer, 0, length);
}

for (const mode of modes) {
  describe(`large payloads in the mode ${mode}`, () => {
    const broker = useDoors(mode, [{}, { tls: server }]);

    for (const scheme of ['mqtt', 'mqtts'] as const) {
      test(`${scheme}: every byte arrives as it was sent`, async () => {
        const seed = freshSeed();
        const prng = new Prng(seed);
        const port = scheme === 'mqtt' ? broker.port : broker.portOf(scheme);
        const join = (options: IClientOptions = {}) =>
          new Client(`${scheme}://127.0.0.1:${port}`, options).connected();
        const about = `${scheme}/#`;
        const [here, publisher] = [await join(), (await join()).mqtt];
        await here.mqtt.subscribeAsync(about, { qos: 2 });
        const lasting = { clientId: `away-${scheme}`, clean: false };
        const away = await join(lasting);
        await away.mqtt.subscribeAsync(about, { qos: 2 });
        await away.mqtt.endAsync();

        const sent = new Map<string, Buffer>();
        const queued = new Map<string, Buffer>();
        const kept = new Map<string, Buffer>();
        for (let i = 0; i < MESSAGES; i += BATCH) {
          const batch = Array.from({ length: BATCH }, (_, k) => {
            const topic = `${scheme}/${i + k}`;
            const payload = randomBytes(prng, prng.between(1_000, 200_000));
            const [qos, retain] = [prng.pick([0, 1, 2] as const), prng.oneIn(4)];
            sent.set(topic, payload);
            if (qos > 0) queued.set(topic, payload);
            if (retain) kept.set(topic, payload);
            return publisher.publishAsync(topic, payload, { qos, retain });
          });
          await Promise.all(batch);
          await here.holds(sent, seed);
        }

        const will = randomBytes(prng, prng.between(WILL_BYTES_MAX / 2, WILL_BYTES_MAX));
        const topic = `${scheme}/will`;
        const victim = await join({ will: { topic, payload: will, qos: 1, retain: true } });
        victim.mqtt.stream.destroy();
        for (const map of [sent, queued, kept]) map.set(topic, will);
        await here.holds(sent, seed);

        await (await join(lasting)).holds(queued, seed);
        const late = await join();
        await late.mqtt.subscribeAsync(about, { qos: 2 });
        await late.holds(kept, seed);
      });
    }
  });
}
