// Enhanced authentication: AUTH during CONNECT and afterwards. Without a configured method there is
// none; the state machine is shown with a method that the authenticator knows.

import assert from 'node:assert/strict';
import type { AuthResult } from '../../../src/core/access.ts';
import { bytes, frame, text } from '../../wire.ts';
import type { WireProperties } from '../../wire-properties.ts';
import { type Client, World } from '../../world.ts';
import {
  across,
  before5,
  closedSilently,
  ended,
  one,
  only5,
  publish,
  quiet,
  receive,
  subscribe,
  texts,
} from '../kit.ts';

const method = 'ping-pong';
const version = 5;

/** Answers each step of the method with the next of these. */
function scripted(...results: AuthResult[]): { world: World; heard: (string | null)[] } {
  const heard: (string | null)[] = [];
  const world = new World({ authMethods: [method] }, undefined, credentials => {
    if (credentials.authMethod === null) return { reason: 0 };
    heard.push(credentials.authData && new TextDecoder().decode(credentials.authData));
    return results.shift() ?? { reason: 0x80 };
  });
  return { world, heard };
}

function begin(world: World, properties: WireProperties = {}): Client {
  const client = world.open(version);
  const given = { authenticationMethod: method, authenticationData: text('ping'), ...properties };
  client.send({ type: 'connect', clientId: 'c', properties: given });
  return client;
}

function step(client: Client, data: string, reason = 0x18, authenticationMethod = method): void {
  const properties = { authenticationMethod, authenticationData: text(data) };
  client.send({ type: 'auth', reason, properties });
}

const goOn: AuthResult = { reason: 0x18, data: text('pong') };
const letIn: AuthResult = { reason: 0, data: text('welcome') };

across(
  '[v5 MQTT-4.12.0-1] a CONNECT with an unknown authentication method gets 0x8C',
  only5,
  () => {
    for (const world of [new World(), new World({ authMethods: ['another'] })]) {
      const client = begin(world);
      assert.equal(one(client, 'connack').reason, 0x8c);
      assert.equal(client.closed, true);
    }
  },
);

across(
  '[v5 MQTT-4.12.0-2] [v5 MQTT-4.12.0-5] [v5 MQTT-3.15.2-1] AUTH asks the client to go on, CONNACK ends it, both name the method',
  only5,
  () => {
    const { world, heard } = scripted(goOn, goOn, letIn);
    const client = begin(world);
    for (const data of ['ping 2', 'ping 3']) {
      const auth = one(client, 'auth');
      assert.equal(auth.reason, 0x18);
      assert.equal(auth.properties.authenticationMethod, method);
      assert.deepEqual(auth.properties.authenticationData, text('pong'));
      step(client, data);
    }
    const connack = one(client, 'connack');
    assert.equal(connack.reason, 0);
    assert.equal(connack.properties.authenticationMethod, method);
    assert.deepEqual(connack.properties.authenticationData, text('welcome'));
    assert.deepEqual(heard, ['ping', 'ping 2', 'ping 3']);
  },
);

across('[v5 MQTT-4.12.0-4] a rejected authentication ends in a close at every step', only5, () => {
  const first = begin(scripted({ reason: 0x87 }).world);
  assert.equal(one(first, 'connack').reason, 0x87);
  assert.equal(first.closed, true);
  const second = begin(scripted(goOn, { reason: 0x87 }).world);
  one(second, 'auth');
  step(second, 'wrong');
  assert.equal(one(second, 'connack').reason, 0x87);
  assert.equal(second.closed, true);
});

across('[v5 §4.12] nothing but AUTH may come while authentication goes on', only5, () => {
  const { world } = scripted(goOn, letIn);
  const watcher = world.connect(version);
  subscribe(watcher, '#');
  const client = begin(world);
  one(client, 'auth');
  client.send({ type: 'publish', topic: 'a' });
  assert.deepEqual(client.take(), []);
  assert.equal(client.closed, true);
  quiet(watcher);
});

across(
  '[v5 MQTT-4.12.0-6] without a method the server sends no AUTH and names no method',
  only5,
  () => {
    const { world } = scripted();
    const client = world.connect(version);
    assert.equal(client.connack!.properties.authenticationMethod, undefined);
    quiet(client);
    const refused = new World({}, undefined, () => goOn).open(version);
    refused.send({ type: 'connect', clientId: 'c' });
    assert.ok(refused.take().every(packet => packet.type === 'connack' && packet.reason >= 0x80));
    assert.equal(refused.closed, true);
  },
);

across('[v5 MQTT-4.12.0-7] AUTH from a client that named no method gets 0x82', only5, () => {
  for (const reason of [0x18, 0x19]) {
    const client = scripted(goOn).world.connect(version);
    step(client, 'hello', reason);
    ended(client, 0x82);
  }
});

across('[v5 §4.12.1] AUTH with another method than CONNECT gets 0x82', only5, () => {
  const client = begin(scripted(letIn, letIn).world);
  one(client, 'connack');
  step(client, 'again', 0x19, 'another');
  ended(client, 0x82);
});

across('[v5 §4.12.1] a client can authenticate again and goes on undisturbed', only5, () => {
  const { world, heard } = scripted(letIn, goOn, letIn);
  const client = begin(world);
  one(client, 'connack');
  subscribe(client, 'a');
  step(client, 'again', 0x19);
  assert.equal(one(client, 'auth').reason, 0x18);
  publish(client, 'a', { payload: 'meanwhile' });
  assert.deepEqual(texts(receive(client)), ['meanwhile']);
  step(client, 'more', 0x18);
  const last = one(client, 'auth');
  assert.equal(last.reason, 0);
  assert.equal(last.properties.authenticationMethod, method);
  assert.deepEqual(heard, ['ping', 'again', 'more']);
  quiet(client);
});

across('[v5 MQTT-4.12.1-2] a failed re-authentication ends the connection', only5, () => {
  const client = begin(scripted(letIn, { reason: 0x87 }).world);
  one(client, 'connack');
  step(client, 'again', 0x19);
  ended(client, 0x87);
});

across('[v5 MQTT-3.15.1-1] AUTH with flags set is malformed', only5, () => {
  for (const flags of [1, 2, 4, 8]) {
    const client = begin(scripted(letIn, letIn).world);
    one(client, 'connack');
    client.send(frame(0xf0 | flags, bytes('19 00')));
    ended(client, 0x81);
  }
});

across('[v5 MQTT-3.15.2-1] AUTH with a reason that is none is a protocol error', only5, () => {
  for (const reason of [0x00, 0x01, 0x80]) {
    const client = begin(scripted(letIn, letIn).world);
    one(client, 'connack');
    step(client, 'again', reason);
    ended(client, 0x82);
  }
});

across(
  '[v5 MQTT-3.15.2-2] [v5 MQTT-3.15.2-3] AUTH has no reason string and no user property',
  only5,
  () => {
    const { world } = scripted(goOn, letIn, letIn);
    const client = begin(world, { maximumPacketSize: 60 });
    const auths = [one(client, 'auth')];
    step(client, 'go on');
    one(client, 'connack');
    step(client, 'again', 0x19);
    auths.push(one(client, 'auth'));
    for (const { properties } of auths) {
      const names = Object.keys(properties).sort();
      assert.deepEqual(names, ['authenticationData', 'authenticationMethod']);
    }
  },
);

across('AUTH does not exist before MQTT 5', before5, old => {
  const client = new World().connect(old);
  client.send(bytes('f0 00'));
  ended(client, 0x82);
});

across('[v5 §4.12] a client may give up while authentication goes on', only5, () => {
  const { world, heard } = scripted(goOn, letIn);
  const client = begin(world);
  one(client, 'auth');
  client.send({ type: 'disconnect' });
  closedSilently(client);
  assert.deepEqual(heard, ['ping']);
  assert.equal(world.broker.state.sessions.size, 0);
});

across('[v5 §4.12.1] a client can authenticate again more than once', only5, () => {
  const { world, heard } = scripted(letIn, letIn, letIn);
  const client = begin(world);
  one(client, 'connack');
  for (const data of ['second', 'third']) {
    step(client, data, 0x19);
    assert.equal(one(client, 'auth').reason, 0);
  }
  assert.deepEqual(heard, ['ping', 'second', 'third']);
  step(client, 'out of turn', 0x18);
  ended(client, 0x82);
});
