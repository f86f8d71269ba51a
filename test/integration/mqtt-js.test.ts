// minnow and MQTT.js, the client that TypeScript users have.

import assert from 'node:assert/strict';
import { type EventEmitter, once } from 'node:events';
import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import mqttPacket from 'mqtt-packet';
import { Reason } from '../../src/mqtt/reason.ts';
import { afterEach, describe, test } from '../harness.ts';
import { useMinnow } from './process.ts';

const open = new Set<MqttClient>();
afterEach(async () => {
  await Promise.all([...open].map(client => client.endAsync(true)));
  open.clear();
});

async function connect(url: string, options: IClientOptions = {}): Promise<MqttClient> {
  const client = await mqtt.connectAsync(url, { reconnectPeriod: 0, ...options });
  open.add(client);
  return client;
}

/** The first argument of the next `name` event. */
async function next(client: MqttClient, name: string): Promise<unknown> {
  const [value] = await once(client as unknown as EventEmitter, name);
  return value;
}

/** Collects what arrives from now on. */
class Inbox {
  readonly packets: IPublishPacket[] = [];
  readonly #client: MqttClient;

  constructor(client: MqttClient) {
    this.#client = client;
    client.on('message', (_topic, _payload, packet) => this.packets.push(packet));
  }

  get texts(): string[] {
    return this.packets.map(({ payload }) => payload.toString());
  }

  /** The messages, once there are `count` of them. */
  async take(count: number): Promise<IPublishPacket[]> {
    while (this.packets.length < count) await next(this.#client, 'message');
    return this.packets;
  }
}

/** The reason of the DISCONNECT that the broker sends. */
async function disconnectReason(client: MqttClient): Promise<number | undefined> {
  return ((await next(client, 'disconnect')) as { reasonCode?: number }).reasonCode;
}

describe('MQTT.js', () => {
  const broker = useMinnow();

  for (const protocolVersion of [4, 5] as const) {
    describe(`protocol version ${protocolVersion}`, () => {
      const join = (options: IClientOptions = {}) =>
        connect(broker.url, { protocolVersion, ...options });

      for (const qos of [0, 1, 2] as const) {
        test(`QoS ${qos}: a thousand messages arrive once and in order`, async () => {
          const topic = `js/${protocolVersion}/${qos}`;
          const [publisher, subscriber] = [await join(), await join()];
          const inbox = new Inbox(subscriber);
          const [granted] = await subscriber.subscribeAsync(topic, { qos });
          assert.equal(granted.qos, qos);
          const texts = Array.from({ length: 1000 }, (_, i) => `message ${i}`);
          await Promise.all(texts.map(text => publisher.publishAsync(topic, text, { qos })));
          await inbox.take(texts.length);
          assert.deepEqual(inbox.texts, texts);
          assert.ok(inbox.packets.every(packet => packet.qos === qos && !packet.dup));
        });
      }

      test('a retained message is set, replaced and cleared', async () => {
        const topic = `js/retained/${protocolVersion}`;
        const publisher = await join();
        for (const [payload, expected] of [
          ['one', ['one', 'end']],
          ['two', ['two', 'end']],
          ['', ['end']],
        ] as const) {
          await publisher.publishAsync(topic, payload, { retain: true, qos: 1 });
          const subscriber = await join();
          const inbox = new Inbox(subscriber);
          await subscriber.subscribeAsync([topic, `${topic}/end`], { qos: 1 });
          await publisher.publishAsync(`${topic}/end`, 'end', { qos: 1 });
          await inbox.take(expected.length);
          assert.deepEqual(inbox.texts, expected);
          assert.equal(inbox.packets[0].retain, expected.length === 2);
          await subscriber.endAsync();
        }
      });

      test('a will follows a lost connection and not a goodbye', async () => {
        const topic = `js/will/${protocolVersion}`;
        const watcher = await join();
        const inbox = new Inbox(watcher);
        await watcher.subscribeAsync(topic, { qos: 1 });
        const will = (text: string) => ({ topic, payload: Buffer.from(text), qos: 1 as const });
        const polite = await join({ will: will('never') });
        await polite.endAsync();
        const victim = await join({ will: will('lost') });
        victim.stream.destroy();
        await inbox.take(1);
        assert.deepEqual(inbox.texts, ['lost']);
      });

      // MQTT.js hands a QoS 2 message on at its PUBREL: one QoS at a time shows the order.
      for (const qos of [1, 2] as const) {
        test(`a session waits for its client, with what it missed at QoS ${qos}`, async () => {
          const topic = `js/session/${protocolVersion}/${qos}`;
          const properties = protocolVersion === 5 ? { sessionExpiryInterval: 60 } : {};
          const clientId = `js-${protocolVersion}-${qos}`;
          const options = { clientId, clean: false, properties, reconnectPeriod: 0 };
          const first = await join(options);
          await first.subscribeAsync(topic, { qos: 2 });
          await first.endAsync();
          const publisher = await join();
          const texts = ['one', 'two', 'three'];
          for (const text of texts) await publisher.publishAsync(topic, text, { qos });
          const second = mqtt.connect(broker.url, { ...options, protocolVersion });
          open.add(second);
          const inbox = new Inbox(second);
          const connack = await next(second, 'connect');
          assert.equal((connack as { sessionPresent: boolean }).sessionPresent, true);
          await inbox.take(texts.length);
          assert.deepEqual(inbox.texts, texts);
        });
      }

      test('a shared subscription gives each message to one member', async () => {
        const topic = `js/shared/${protocolVersion}`;
        const members = await Promise.all([join(), join(), join()]);
        const inboxes = members.map(member => new Inbox(member));
        for (const member of members) await member.subscribeAsync(`$share/g/${topic}`, { qos: 1 });
        const publisher = await join();
        const texts = Array.from({ length: 90 }, (_, i) => `n${i}`);
        await Promise.all(texts.map(text => publisher.publishAsync(topic, text, { qos: 1 })));
        const seen = () => inboxes.flatMap(inbox => inbox.texts);
        while (seen().length < texts.length) {
          await Promise.race(members.map(member => next(member, 'message')));
        }
        assert.deepEqual(seen().toSorted(), texts.toSorted());
        for (const inbox of inboxes) assert.ok(inbox.packets.length > 0, 'a member got nothing');
      });

      test('unsubscribing ends the messages', async () => {
        const topic = `js/unsubscribe/${protocolVersion}`;
        const client = await join();
        const inbox = new Inbox(client);
        await client.subscribeAsync([`${topic}/a`, `${topic}/b`], { qos: 1 });
        await client.unsubscribeAsync(`${topic}/a`);
        await client.publishAsync(`${topic}/a`, 'gone', { qos: 1 });
        await client.publishAsync(`${topic}/b`, 'here', { qos: 1 });
        await inbox.take(1);
        assert.deepEqual(inbox.texts, ['here']);
      });
    });
  }

  describe('what only MQTT 5 has', () => {
    const join = (options: IClientOptions = {}) =>
      connect(broker.url, { protocolVersion: 5, ...options });

    test('an empty client id is given one', async () => {
      const client = mqtt.connect(broker.url, {
        protocolVersion: 5,
        clientId: '',
        reconnectPeriod: 0,
      });
      open.add(client);
      const connack = await next(client, 'connect');
      const { properties } = connack as { properties?: { assignedClientIdentifier?: string } };
      assert.ok(properties?.assignedClientIdentifier);
    });

    test('properties arrive as they were sent', async () => {
      const [publisher, subscriber] = [await join(), await join()];
      const inbox = new Inbox(subscriber);
      const options = { qos: 1, properties: { subscriptionIdentifier: 268_435_455 } } as const;
      await subscriber.subscribeAsync('js/props', options);
      const properties = {
        payloadFormatIndicator: true,
        messageExpiryInterval: 1000,
        contentType: 'text/plain',
        responseTopic: 'reply',
        correlationData: Buffer.from([0, 1, 2, 255]),
        userProperties: { b: ['1', '2'], a: 'x' },
      };
      await publisher.publishAsync('js/props', 'x', { qos: 1, properties });
      const [packet] = await inbox.take(1);
      const { userProperties, ...others } = packet.properties ?? {};
      const { userProperties: sent, ...expected } = properties;
      assert.deepEqual({ ...userProperties }, sent);
      assert.deepEqual(Object.keys(userProperties ?? {}), ['b', 'a']);
      assert.deepEqual(others, { ...expected, subscriptionIdentifier: 268_435_455 });
    });

    test('topic aliases in both directions', async () => {
      const limited = { properties: { topicAliasMaximum: 4 } };
      const publisher = await join({ autoAssignTopicAlias: true });
      const subscriber = await join(limited);
      const inbox = new Inbox(subscriber);
      await subscriber.subscribeAsync('js/alias/#', { qos: 1 });
      const topics = Array.from({ length: 60 }, (_, i) => `js/alias/${i % 6}`);
      for (const [i, topic] of topics.entries()) {
        await publisher.publishAsync(topic, `${i}`, { qos: 1 });
      }
      await inbox.take(topics.length);
      assert.deepEqual(
        inbox.texts,
        topics.map((_, i) => `${i}`),
      );
      // MQTT.js gives the event the topic that the alias stands for and leaves the packet as it
      // was.
      assert.ok(inbox.packets.some(packet => packet.properties?.topicAlias !== undefined));
      assert.ok(inbox.packets.every(packet => (packet.properties?.topicAlias ?? 0) <= 4));
    });

    test('a client that takes one message at a time gets one at a time', async () => {
      const properties = { receiveMaximum: 1 };
      const [publisher, subscriber] = [await join(), await join({ properties })];
      const inbox = new Inbox(subscriber);
      // MQTT.js takes what has arrived in turn; the wire shows what was sent too early.
      const wire = mqttPacket.parser({ protocolVersion: 5 });
      let unacknowledged = 0;
      let most = 0;
      wire.on('packet', ({ cmd }) => {
        if (cmd === 'publish') most = Math.max(most, ++unacknowledged);
      });
      subscriber.stream.prependListener('data', chunk => wire.parse(chunk));
      subscriber.on('packetsend', ({ cmd }) => {
        if (cmd === 'puback') unacknowledged--;
      });
      await subscriber.subscribeAsync('js/window', { qos: 1 });
      const texts = Array.from({ length: 50 }, (_, i) => `${i}`);
      await Promise.all(texts.map(text => publisher.publishAsync('js/window', text, { qos: 1 })));
      await inbox.take(texts.length);
      assert.deepEqual(inbox.texts, texts);
      assert.equal(most, 1);
    });

    test('a session ends when its time is over', async () => {
      const options = { clientId: 'js-brief', clean: false };
      const first = await join({ ...options, properties: { sessionExpiryInterval: 0 } });
      await first.subscribeAsync('js/brief', { qos: 1 });
      await first.endAsync();
      const second = mqtt.connect(broker.url, {
        ...options,
        protocolVersion: 5,
        reconnectPeriod: 0,
      });
      open.add(second);
      const connack = await next(second, 'connect');
      assert.equal((connack as { sessionPresent: boolean }).sessionPresent, false);
    });

    test('no local, retain as published and retain handling', async () => {
      const client = await join();
      const other = await join();
      await other.publishAsync('js/options/kept', 'kept', { qos: 1, retain: true });
      const inbox = new Inbox(client);
      await client.subscribeAsync('js/options/#', { qos: 1, nl: true, rap: true, rh: 2 });
      await client.publishAsync('js/options/x', 'own', { qos: 1 });
      await other.publishAsync('js/options/x', 'other', { qos: 1, retain: true });
      await inbox.take(1);
      assert.deepEqual(inbox.texts, ['other']);
      assert.equal(inbox.packets[0].retain, true);
    });

    test('whoever takes a client id over ends the other connection', async () => {
      const first = await join({ clientId: 'js-twin' });
      const told = disconnectReason(first);
      await join({ clientId: 'js-twin' });
      assert.equal(await told, Reason.SessionTakenOver);
    });

    test('a message without subscribers is acknowledged as such', async () => {
      const client = await join();
      const answer = next(client, 'packetreceive');
      await client.publishAsync('js/nobody', 'x', { qos: 1 });
      const { cmd, reasonCode } = (await answer) as { cmd: string; reasonCode?: number };
      assert.deepEqual([cmd, reasonCode], ['puback', Reason.NoMatchingSubscribers]);
    });
  });
});

describe('a broker that stops', () => {
  const broker = useMinnow();

  test('tells its clients and ends with exit code 0', async () => {
    const client = await connect(broker.url, { protocolVersion: 5 });
    const told = disconnectReason(client);
    assert.equal(await broker.process.end('SIGTERM'), 0);
    assert.equal(await told, Reason.ServerShuttingDown);
  });
});
