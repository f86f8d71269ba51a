// Whose a client id is: nobody takes connection or session of somebody else who has a name.

import assert from 'node:assert/strict';
import type { BrokerOptions } from '../../../src/core/options.ts';
import { configOf } from '../../config/load.ts';
import {
  across,
  everyVersion,
  publish,
  quiet,
  receive,
  subscribe,
  texts,
} from '../../conformance/kit.ts';
import { describe, test } from '../../harness.ts';
import { KeptWorld } from '../../store/kept-world.ts';
import type { Version } from '../../wire.ts';
import { type ConnectFields, World } from '../../world.ts';

const strict = { takeover: 'same-user' } as const;

/** CONNECT as "c"; whether it was let in, and what CONNACK says. */
function come(world: World, version: Version, username: string | null, more: ConnectFields = {}) {
  const client = world.open(version);
  client.send({ type: 'connect', version, clientId: 'c', username, ...more });
  const [connack, ...rest] = client.take();
  assert.ok(connack?.type === 'connack');
  assert.equal(client.closed, connack.reason !== 0);
  client.keep(rest);
  return { client, connack };
}

const lasting = (version: Version): ConnectFields => ({
  cleanStart: false,
  properties: version === 5 ? { sessionExpiryInterval: 600 } : {},
});

across('a client id that somebody is connected by is theirs', everyVersion, version => {
  const world = new World(strict);
  const { client: alice } = come(world, version, 'alice');
  for (const stranger of ['bob', null]) {
    for (const cleanStart of [true, false]) {
      const { connack } = come(world, version, stranger, { cleanStart });
      assert.equal(connack.reason, version === 5 ? 0x85 : 2);
      assert.equal(connack.sessionPresent, false);
    }
  }
  quiet(alice);
  assert.equal(world.broker.state.counters.refusedTakeover, 4);
  assert.equal(come(world, version, 'alice').connack.reason, 0);
  assert.equal(alice.closed, true, 'one takes over from oneself');
});

across(
  'a session that waits for its user is theirs, with all that is in it',
  everyVersion,
  version => {
    const world = new World(strict);
    const { client } = come(world, version, 'alice', lasting(version));
    subscribe(client, { filter: 'a', qos: 1 });
    client.drop();
    publish(world.connect(version), 'a', { payload: 'secret', qos: 1 });
    assert.notEqual(come(world, version, 'bob', lasting(version)).connack.reason, 0);
    assert.notEqual(come(world, version, 'bob', { cleanStart: true }).connack.reason, 0);
    const { client: back } = come(world, version, 'alice', lasting(version));
    assert.deepEqual(texts(receive(back)), ['secret']);
  },
);

across('once it has ended its client id is free', everyVersion, version => {
  const world = new World(strict);
  come(world, version, 'alice').client.drop();
  assert.equal(come(world, version, 'bob').connack.reason, 0);
});

across('what belongs to nobody may be taken by anybody', everyVersion, version => {
  const world = new World(strict);
  const { client } = come(world, version, null, lasting(version));
  assert.equal(come(world, version, 'alice', lasting(version)).connack.reason, 0);
  assert.equal(client.closed, true);
  assert.notEqual(come(world, version, 'bob').connack.reason, 0);
});

across('who may not have an id cannot have it banned', everyVersion, version => {
  const world = new World({ ...strict, flapsPerClientMax: 2, flapWindowMs: 60_000 });
  come(world, version, 'alice');
  for (let i = 0; i < 5; i++) {
    assert.equal(come(world, version, 'bob').connack.reason, version === 5 ? 0x85 : 2);
  }
  assert.equal(come(world, version, 'alice').connack.reason, 0);
});

describe('the rule about take-over', () => {
  test('holds for sessions from before a restart', () => {
    const kept = new KeptWorld({ broker: strict });
    const { client } = come5(kept, 'alice');
    client.drop();
    kept.settle();
    const after = kept.cut();
    assert.equal(come(after.world, 5, 'bob', lasting(5)).connack.reason, 0x85);
    const [connack] = come5(after, 'alice').client.take();
    assert.ok(connack?.type === 'connack' && connack.sessionPresent);
  });

  test('may be lifted, and comes back, while the broker runs', () => {
    const world = new World(strict);
    const say = (takeover: BrokerOptions['takeover']) =>
      world.broker.handleOptions({ ...world.broker.state.options, takeover });
    come(world, 5, 'alice');
    say('anyone');
    const { client: bob, connack } = come(world, 5, 'bob');
    assert.equal(connack.reason, 0);
    say('same-user');
    assert.equal(come(world, 5, 'alice').connack.reason, 0x85);
    quiet(bob);
  });

  test('does not hold where names are taken for granted', () => {
    const takeover = (toml: string) => configOf({ toml }).broker.takeover;
    assert.equal(takeover(''), 'anyone');
    assert.equal(takeover('[auth]\nusers = { a = "secret" }'), 'same-user');
    assert.equal(
      takeover('[session]\ntakeover = "anyone"\n[auth]\nusers = { a = "secret" }'),
      'anyone',
    );
  });
});

function come5(kept: KeptWorld, username: string) {
  const client = kept.world.open(5);
  client.send({ type: 'connect', version: 5, clientId: 'c', username, ...lasting(5) });
  kept.settle();
  return { client };
}
