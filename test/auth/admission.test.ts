// What the core does with an authenticator's verdict and with rules: how long a client may stay,
// what it brings with it, and that only what may be received is sent.

import assert from 'node:assert/strict';
import { Acl } from '../../src/auth/rules/acl.ts';
import { type RuleSpec, rulesOf } from '../../src/auth/rules/rule-spec.ts';
import type { AuthResult } from '../../src/core/access.ts';
import { describe, test } from '../harness.ts';
import { type Client, World } from '../world.ts';

const aclOf = (...specs: RuleSpec[]) =>
  new Acl({ rules: specs.flatMap((spec, at) => rulesOf(spec, `auth.rules.${at}`)) });

function topicsOf(client: Client): string[] {
  return client.take().flatMap(packet => (packet.type === 'publish' ? packet.topic : []));
}

const subscribe = (client: Client, ...filters: string[]) => {
  client.send({ type: 'subscribe', packetId: 7, filters });
  const [suback] = client.take();
  assert.ok(suback?.type === 'suback');
  return suback.reasons;
};

const publish = (client: Client, topic: string, retain = false) =>
  client.send({ type: 'publish', topic, payload: new Uint8Array([1]), retain });

describe('a client that may stay for a while', () => {
  const stays = (...results: AuthResult[]) =>
    new World({ authMethods: ['m'] }, undefined, () => results.shift() ?? { reason: 0x80 });

  test('is told when that is over, and not before', () => {
    const world = stays({ reason: 0, expiresInMs: 5_000 });
    const client = world.connect(5);
    world.advance(4_999);
    assert.deepEqual(client.take(), []);
    world.advance(1);
    const [packet] = client.take();
    assert.ok(packet?.type === 'disconnect');
    assert.equal(packet.reason, 0xa0);
    assert.equal(client.closed, true);
  });

  test('stays when it proves itself anew', () => {
    const world = stays({ reason: 0, expiresInMs: 5_000 }, { reason: 0, expiresInMs: 9_000 });
    const properties = { authenticationMethod: 'm' };
    const client = world.connect(5, { properties });
    world.advance(4_000);
    client.send({ type: 'auth', reason: 0x19, properties });
    world.advance(8_999);
    assert.equal(client.closed, false);
    world.advance(1);
    assert.equal(client.closed, true);
  });

  test('leaves no timer behind', () => {
    const world = stays({ reason: 0, expiresInMs: 5_000 });
    const client = world.connect(4);
    client.drop();
    assert.equal(world.broker.nextDeadline(), Number.POSITIVE_INFINITY);
  });
});

describe('rules that a client brings', () => {
  const rules = [{ allow: 'publish', filter: 'mine' }];
  const world = () =>
    new World({}, aclOf(), ({ username }) =>
      username === 'guest' ? { reason: 0, grants: { rules } } : { reason: 0 },
    );

  test('hold for it, and for its will', () => {
    const w = world();
    const watcher = w.connect(5);
    subscribe(watcher, '#');
    const will = (topic: string) => ({
      topic,
      payload: new Uint8Array(),
      qos: 0 as const,
      retain: false,
    });
    for (const topic of ['mine', 'other']) {
      const guest = w.connect(5, { username: 'guest', will: will(topic) });
      publish(guest, 'mine');
      publish(guest, 'other');
      guest.drop();
    }
    assert.deepEqual(topicsOf(watcher), ['mine', 'mine', 'mine']);
  });
});

describe('what may be received', () => {
  const acl = () =>
    aclOf(
      { deny: 'receive', filter: 'a/secret' },
      { user: 'reader', allow: 'receive', filter: 'a/#' },
      { user: 'writer', allow: 'all', filter: '#' },
    );
  const connect = (world: World, username: string, more = {}) =>
    world.connect(5, { username, ...more });

  test('is sent out of a wider subscription, live and retained', () => {
    const world = new World({}, acl());
    const writer = connect(world, 'writer');
    const topics = ['a/open', 'a/secret', 'b'];
    for (const topic of topics) publish(writer, topic, true);
    const reader = connect(world, 'reader');
    reader.send({ type: 'subscribe', packetId: 7, filters: ['#'] });
    assert.deepEqual(topicsOf(reader), ['a/open']);
    for (const topic of topics) publish(writer, topic);
    assert.deepEqual(topicsOf(reader), ['a/open']);
    assert.deepEqual(subscribe(reader, 'c/#', 'a/secret', 'a/open'), [0x87, 0x87, 0]);
  });

  test('decides which members of a share get a message', () => {
    const world = new World({}, acl());
    const writer = connect(world, 'writer');
    const [one, two] = [connect(world, 'reader'), connect(world, 'writer')];
    for (const member of [one, two]) assert.deepEqual(subscribe(member, '$share/g/#'), [0]);
    for (let i = 0; i < 4; i++) publish(writer, 'b');
    for (let i = 0; i < 4; i++) publish(writer, 'a/open');
    assert.deepEqual(topicsOf(one), ['a/open', 'a/open']);
    assert.deepEqual(topicsOf(two), ['b', 'b', 'b', 'b', 'a/open', 'a/open']);
  });

  test('is decided anew when somebody else takes a session over', () => {
    const world = new World({}, acl());
    const writer = connect(world, 'writer');
    const kept = { clientId: 'shared', properties: { sessionExpiryInterval: 100 } };
    const first = connect(world, 'writer', kept);
    subscribe(first, '#');
    publish(writer, 'b');
    assert.deepEqual(topicsOf(first), ['b']);
    const second = connect(world, 'reader', { ...kept, cleanStart: false });
    publish(writer, 'b');
    publish(writer, 'a/open');
    assert.deepEqual(topicsOf(second), ['a/open']);
  });
});
