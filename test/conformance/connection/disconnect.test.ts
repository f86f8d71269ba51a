// DISCONNECT, from the client and from the server, and the shutdown of the broker.

import assert from 'node:assert/strict';
import { kick } from '../../../src/core/report/control.ts';
import { bytes, encodePacket } from '../../wire.ts';
import type { WireProperties } from '../../wire-properties.ts';
import { World } from '../../world.ts';
import {
  across,
  closedSilently,
  ended,
  everyVersion,
  one,
  only5,
  publish,
  quiet,
  receive,
  subscribe,
  texts,
} from '../kit.ts';

across('[MQTT-3.14.1-1] DISCONNECT with reserved bits is a fault', everyVersion, version => {
  for (const flags of [1, 2, 4, 8]) {
    const world = new World();
    const watcher = world.connect(version);
    subscribe(watcher, 'gone');
    const client = world.connect(version, { will: { topic: 'gone' } });
    client.send(bytes(0xe0 | flags, 0));
    ended(client, 0x81);
    assert.equal(receive(watcher).length, 1, 'it is no goodbye: the will is published');
  }
});

across(
  '[v3 §3.14.4] [v5 §3.14.4] DISCONNECT closes the connection without an answer',
  everyVersion,
  version => {
    const client = new World().connect(version);
    client.send({ type: 'disconnect' });
    closedSilently(client);
  },
);

across('nothing that follows DISCONNECT is processed', everyVersion, version => {
  const world = new World();
  const watcher = world.connect(version);
  subscribe(watcher, '#');
  const client = world.connect(version);
  client.send({ type: 'disconnect' }, { type: 'publish', topic: 'a' });
  closedSilently(client);
  quiet(watcher);
});

across('a 3.x or empty DISCONNECT has no body', everyVersion, version => {
  const client = new World().connect(version);
  client.send(bytes('e0 03 00 00 00'));
  ended(client, 0x81);
});

across('[v5 MQTT-3.14.0-1] no DISCONNECT before a successful CONNACK', only5, version => {
  const world = new World({ connectTimeoutMs: 1_000 }, undefined, ({ clientId }) =>
    clientId === 'c' ? { reason: 0x87 } : null,
  );
  const refused = world.open(version);
  refused.send({ type: 'connect', clientId: 'c' });
  assert.equal(one(refused, 'connack').reason, 0x87);
  const early = world.open(version);
  early.send({ type: 'pingreq' });
  closedSilently(early);
  const slow = world.open(version);
  slow.send({ type: 'connect', clientId: 'unanswered' });
  world.advance(1_000);
  assert.ok(slow.take().every(packet => packet.type !== 'disconnect'));
  assert.equal(slow.closed, true);
  const shut = world.open(version);
  world.shutdown();
  closedSilently(shut);
});

across(
  '[v5 MQTT-3.14.2-1] a reason for servers only is a protocol error from a client',
  only5,
  version => {
    for (const reason of [0x01, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0xa0, 0xff]) {
      const client = new World().connect(version);
      client.send({ type: 'disconnect', reason });
      ended(client, 0x82);
    }
  },
);

across('[v5 §3.14.2.2.2] DISCONNECT may change the session expiry', only5, version => {
  const world = new World();
  const connect = (seconds: number) =>
    world.connect(version, {
      clientId: 'c',
      cleanStart: false,
      properties: { sessionExpiryInterval: seconds },
    });
  connect(10).send({ type: 'disconnect', properties: { sessionExpiryInterval: 100 } });
  world.advance(99_999);
  assert.equal(connect(10).connack!.sessionPresent, true);
  const client = connect(100);
  client.send({ type: 'disconnect', properties: { sessionExpiryInterval: 0 } });
  assert.equal(world.broker.state.sessions.has('c'), false);
});

across(
  '[v5 §3.14.2.2.2] DISCONNECT cannot prolong a session that ends with its connection',
  only5,
  version => {
    const world = new World();
    const client = world.connect(version, { clientId: 'c' });
    client.send({ type: 'disconnect', properties: { sessionExpiryInterval: 1 } });
    ended(client, 0x82);
    assert.equal(world.broker.state.sessions.has('c'), false);
    const zero = world.connect(version, { clientId: 'c' });
    zero.send({ type: 'disconnect', properties: { sessionExpiryInterval: 0 } });
    closedSilently(zero);
  },
);

/** What the server sends in a DISCONNECT whose reason it could explain. */
function farewell(properties: WireProperties): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  const client = new World().open(5);
  client.send({ type: 'connect', clientId: 'c', properties });
  client.arrive = chunk => chunks.push(chunk.slice());
  client.send(bytes('82 05 00 01 00 00 00'));
  assert.equal(client.closed, true);
  return chunks;
}

across(
  '[v5 MQTT-3.14.2-2] [v5 MQTT-3.14.2-3] [v5 MQTT-3.14.2-4] DISCONNECT carries what it may and what fits',
  only5,
  version => {
    const client = new World().connect(version);
    client.send(bytes('82 05 00 01 00 00 00'));
    const { reason, properties } = one(client, 'disconnect');
    assert.ok(reason >= 0x80);
    assert.deepEqual(Object.keys(properties), ['reasonString']);
    for (let most = 2; most < 100; most++) {
      for (const chunk of farewell({ maximumPacketSize: most })) {
        assert.ok(chunk.length <= most, `${chunk.length} bytes for ${most}`);
      }
    }
    assert.equal(farewell({ maximumPacketSize: 10 }).length, 1, 'it still says why');
  },
);

across(
  '[v5 MQTT-3.14.4-1] [v5 MQTT-3.14.4-2] the server sends nothing after DISCONNECT and closes',
  only5,
  version => {
    const world = new World();
    const client = world.connect(version, {
      clientId: 'c',
      cleanStart: false,
      properties: { sessionExpiryInterval: 100 },
    });
    subscribe(client, 'a');
    client.budget = 0;
    const publisher = world.connect(version);
    publish(publisher, 'a', { payload: 'before' });
    client.send({ type: 'connect', clientId: 'c' });
    publish(publisher, 'a', { payload: 'after' });
    assert.equal(client.closed, false);
    client.budget = Number.POSITIVE_INFINITY;
    world.turn();
    const packets = client.take();
    assert.deepEqual(
      packets.map(packet => packet.type),
      ['publish', 'disconnect'],
    );
    assert.equal(client.closed, true);
  },
);

across('a client that does not read is closed within a bound', everyVersion, version => {
  const world = new World({ drainTimeoutMs: 2_000 });
  const client = world.connect(version);
  subscribe(client, 'a');
  client.budget = 0;
  publish(client, 'a', { payload: 'stuck' });
  client.send(bytes('f1 00'));
  world.advance(1_999);
  assert.equal(client.closed, false);
  world.advance(1);
  assert.equal(client.closed, true);
});

across(
  '[v5 §3.14.2.1] shutdown tells MQTT 5 clients 0x8B and closes everybody',
  everyVersion,
  version => {
    const world = new World();
    const watcher = world.connect(version, { will: { topic: 'gone' } });
    const connecting = world.open(version);
    const other = world.connect(version, { clientId: 'other' });
    subscribe(other, 'gone');
    world.shutdown();
    ended(watcher, 0x8b);
    ended(other, 0x8b);
    closedSilently(connecting);
    assert.equal(world.broker.handleOpen('192.0.2.9:1', world.now), null, 'nobody new is let in');
  },
);

across('an operator can end a connection', everyVersion, version => {
  const world = new World();
  const client = world.connect(version, { clientId: 'c' });
  assert.equal(kick(world.broker.state, 'c', world.now), true);
  world.turn();
  ended(client, 0x98);
  assert.equal(kick(world.broker.state, 'c', world.now), false);
});

across('what was published before DISCONNECT is delivered', everyVersion, version => {
  const world = new World();
  const watcher = world.connect(version);
  subscribe(watcher, 'a');
  const last = encodePacket({ type: 'publish', topic: 'a', payload: 'last' }, version);
  world.connect(version).send(last, { type: 'disconnect' });
  assert.deepEqual(texts(receive(watcher)), ['last']);
});
