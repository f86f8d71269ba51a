// Who is turned away: too many at once, too often, too many of one user.

import assert from 'node:assert/strict';
import { Flapping } from '../../../src/core/limits/flapping.ts';
import { PaceTable } from '../../../src/core/limits/pace.ts';
import type { BrokerOptions } from '../../../src/core/options.ts';
import { across, everyVersion, subscribe } from '../../conformance/kit.ts';
import { describe, test } from '../../harness.ts';
import { KeptWorld } from '../../store/kept-world.ts';
import type { Version } from '../../wire.ts';
import { type Client, type ConnectFields, type Place, World } from '../../world.ts';

/** CONNECT; the reason code of its CONNACK, as MQTT 5 would say it. */
function tryConnect(world: World, version: Version, fields: ConnectFields, place: Place = {}) {
  const client: Client = world.open(version, place);
  client.send({ type: 'connect', version, ...fields });
  const connack = client.take()[0];
  assert.ok(connack?.type === 'connack');
  assert.equal(client.closed, connack.reason !== 0);
  return { client, reason: connack.reason };
}

/** The reason code as this version says it. */
function said(version: Version, reason: number): number {
  if (version === 5) return reason;
  return reason === 0x8a ? 5 : 3;
}

const rates: [Partial<BrokerOptions>, string][] = [
  [{ listenerConnectsPerSecond: 3 }, 'by one listener'],
  [{ addressConnectsPerSecond: 3 }, 'from one address'],
];
for (const [options, how] of rates) {
  across(`more clients than may connect at once ${how} are refused`, everyVersion, version => {
    const world = new World(options);
    const reasons = Array.from({ length: 5 }, (_, i) =>
      tryConnect(world, version, { clientId: `c${i}` }),
    ).map(({ reason }) => reason);
    const refused = said(version, 0x9f);
    assert.deepEqual(reasons, [0, 0, 0, refused, refused]);
    assert.equal(world.broker.state.counters.refusedRate, 2);
    const place = { peer: '198.51.100.7:4000', listener: 'other' };
    assert.equal(tryConnect(world, version, { clientId: 'far' }, place).reason, 0);
    world.advance(350);
    assert.equal(tryConnect(world, version, { clientId: 'later' }).reason, 0);
    assert.equal(tryConnect(world, version, { clientId: 'again' }).reason, refused);
  });
}

across('a client id that connects too often is banned for a while', everyVersion, version => {
  const options = { flapsPerClientMax: 3, flapWindowMs: 10_000, flapBanMs: 60_000 };
  const world = new World(options);
  for (let i = 0; i < 3; i++) {
    tryConnect(world, version, { clientId: 'flap' }).client.drop();
    world.advance(1_000);
  }
  const refused = said(version, 0x8a);
  assert.equal(tryConnect(world, version, { clientId: 'flap' }).reason, refused);
  assert.equal(tryConnect(world, version, { clientId: 'calm' }).reason, 0);
  world.advance(59_000);
  assert.equal(tryConnect(world, version, { clientId: 'flap' }).reason, refused);
  world.advance(1_100);
  assert.equal(tryConnect(world, version, { clientId: 'flap' }).reason, 0);
  const { bans, refusedBanned } = world.broker.state.counters;
  assert.deepEqual([bans, refusedBanned], [1, 2]);
  assert.equal(world.log.filter(({ event }) => event.startsWith('banned')).length, 1);
});

across('who connects as often as allowed is let in for ever', everyVersion, version => {
  const world = new World({ flapsPerClientMax: 3, flapsPerAddressMax: 3, flapWindowMs: 10_000 });
  for (let i = 0; i < 20; i++) {
    assert.equal(tryConnect(world, version, { clientId: 'a' }).reason, 0);
    world.advance(3_400);
  }
});

across('nobody has another client banned without its password', everyVersion, version => {
  const world = new World({ flapsPerClientMax: 2 }, undefined, ({ password }) => ({
    reason: password === null ? 0x86 : 0,
  }));
  const password = new Uint8Array([1]);
  for (let i = 0; i < 9; i++) {
    const { reason } = tryConnect(world, version, { clientId: 'a', username: 'u' });
    assert.equal(reason, version === 5 ? 0x86 : 4);
  }
  assert.equal(tryConnect(world, version, { clientId: 'a', username: 'u', password }).reason, 0);
});

across('an address is banned whether or not its clients are let in', everyVersion, version => {
  const world = new World({ flapsPerAddressMax: 3 }, undefined, () => ({ reason: 0x87 }));
  const refusals = Array.from({ length: 4 }, () => tryConnect(world, version, { clientId: 'a' }));
  assert.equal(refusals.at(-1)!.reason, said(version, 0x8a));
  assert.equal(refusals[2]!.reason, version === 5 ? 0x87 : 5);
  const elsewhere = tryConnect(world, version, { clientId: 'a' }, { peer: '198.51.100.7:1' });
  assert.equal(elsewhere.reason, version === 5 ? 0x87 : 5);
});

describe('quotas of a user', () => {
  const lasting = { cleanStart: false, properties: { sessionExpiryInterval: 100 } };

  across('connections', everyVersion, version => {
    const world = new World({ connectionsPerUserMax: 2 });
    const ada = (clientId: string) => tryConnect(world, version, { clientId, username: 'ada' });
    const first = ada('1').client;
    assert.equal(ada('2').reason, 0);
    assert.equal(ada('3').reason, said(version, 0x97));
    assert.equal(ada('2').reason, 0, 'one that takes its own place is no further one');
    assert.equal(tryConnect(world, version, { clientId: '4', username: 'bob' }).reason, 0);
    assert.equal(tryConnect(world, version, { clientId: '5' }).reason, 0);
    first.drop();
    assert.equal(ada('3').reason, 0);
    assert.equal(ada('6').reason, said(version, 0x97));
    assert.equal(world.broker.state.counters.refusedQuota, 2);
  });

  across('sessions', everyVersion, version => {
    const world = new World({ sessionsPerUserMax: 2 });
    const ada = (clientId: string) =>
      tryConnect(world, version, { ...lasting, clientId, username: 'ada' });
    for (const clientId of ['1', '2', '1', '2']) {
      const { client, reason } = ada(clientId);
      assert.equal(reason, 0);
      client.drop();
    }
    assert.equal(ada('3').reason, said(version, 0x97));
    // A client that somebody else has taken over is theirs.
    tryConnect(world, version, { ...lasting, clientId: '1', username: 'bob' });
    assert.equal(ada('3').reason, 0);
    if (version === 5) {
      world.advance(101_000);
      assert.equal(ada('4').reason, 0, 'sessions that have ended do not count');
    }
  });

  test('count the sessions of before a restart', () => {
    const options = { broker: { sessionsPerUserMax: 1 }, authenticate: () => ({ reason: 0 }) };
    const kept = new KeptWorld(options);
    const client = kept.world.open(5);
    client.send({ type: 'connect', version: 5, ...lasting, clientId: 'a', username: 'ada' });
    kept.settle();
    client.drop();
    kept.settle();
    const after = kept.cut();
    assert.equal(tryConnect(after.world, 5, { clientId: 'b', username: 'ada' }).reason, 0x97);
    assert.equal(tryConnect(after.world, 5, { clientId: 'b', username: 'bob' }).reason, 0);
  });

  test('count who is there when they come into force, and forget who has gone', () => {
    const world = new World();
    const clients = ['1', '2'].map(clientId => world.connect(5, { clientId, username: 'ada' }));
    world.broker.handleOptions({ ...world.broker.state.options, connectionsPerUserMax: 2 });
    assert.equal(tryConnect(world, 5, { clientId: '3', username: 'ada' }).reason, 0x97);
    for (const client of clients) client.drop();
    assert.equal(world.broker.state.guard.users!.size, 0);
  });
});

across('filters with too many wildcards are refused', everyVersion, version => {
  const world = new World({ filterWildcardsMax: 2 });
  const client = world.connect(version);
  const filters = ['+/a/#', '+/+/a', '+/+/#', '$share/g/+/a/+', '$share/g/+/+/+'];
  const { reasons } = subscribe(client, filters);
  const refused = version === 5 ? 0x8f : 0x80;
  assert.deepEqual(reasons, [0, 0, refused, 0, refused]);
});

describe('what is remembered of names that anybody can make up', () => {
  test('is bounded', () => {
    const paces = new PaceTable(100);
    const flapping = new Flapping(100);
    const bounds = { connectsMax: 1, windowMs: 1_000_000, banMs: 1_000_000 };
    for (let i = 0; i < 1_000; i++) {
      paces.tryTake(`n${i}`, 1_000_000, 0);
      paces.tryTake(`m${i}`, 1_000, 0);
      flapping.note(`n${i}`, bounds, 0);
    }
    assert.ok(paces.size <= 100, `${paces.size}`);
    assert.ok(flapping.size <= 100, `${flapping.size}`);
  });

  test('is forgotten when it does not matter any more', () => {
    const paces = new PaceTable(100);
    const flapping = new Flapping(100);
    const bounds = { connectsMax: 1, windowMs: 1_000, banMs: 1_000 };
    for (let i = 0; i < 1_000; i++) {
      paces.tryTake(`n${i}`, 100, i * 100);
      flapping.note(`n${i}`, bounds, i * 100);
    }
    assert.ok(paces.size <= 3, `${paces.size}`);
    assert.ok(flapping.size <= 12, `${flapping.size}`);
  });
});
