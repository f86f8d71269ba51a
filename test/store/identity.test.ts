// Who a session acts for survives a restart: what a client that is away was granted, and where it
// had come in, decides about what is kept for it as before.

import assert from 'node:assert/strict';
import type { Access, Principal } from '../../src/core/access.ts';
import { Identities } from '../../src/store/kept.ts';
import { identityText } from '../../src/store/log.ts';
import { lineOf, opOf } from '../../src/store/upkeep/lines.ts';
import {
  driver,
  newFolder,
  openInline,
  removeFolders,
  StoreUser,
  settingsIn,
} from '../contract/store-kit.ts';
import { sessionPut } from '../contract/store-ops.ts';
import { afterAll, describe, test } from '../harness.ts';
import { back, payloads, persistent, publish } from './kept-clients.ts';
import { KeptWorld } from './kept-world.ts';

afterAll(removeFolders);

/** Whoever was granted a topic, or came in by the listener of that name, may receive it. */
const access: Access = {
  mayPublish: () => true,
  maySubscribe: () => true,
  mayReceive: ({ grants, origin }: Principal, topic) => {
    const granted = (grants as { topics?: readonly string[] } | null)?.topics ?? [];
    return granted.includes(topic) || origin?.listener === topic;
  },
};

describe('what a client was granted', () => {
  test('holds for its session while it is away, across restarts', () => {
    let topics = ['strict/a'];
    const options = { access, authenticate: () => ({ reason: 0, grants: { topics } }) };
    const kept = new KeptWorld(options);
    const client = kept.world.open(5, { listener: 'strict/door' });
    client.send({ type: 'connect', version: 5, clientId: 'away', ...persistent });
    kept.settle();
    client.send({ type: 'subscribe', packetId: 1, filters: [{ filter: '#', qos: 1 }] });
    kept.settle();
    client.drop();
    kept.settle();
    const after = kept.cut().cut();
    const publisher = after.world.connect(5);
    for (const topic of ['strict/a', 'strict/b', 'strict/door']) {
      publish(publisher, topic, topic, 1);
      after.settle();
    }
    assert.deepEqual(payloads(back(after).packets), ['strict/a', 'strict/door']);
    // It has come back by another door, and was granted something else.
    topics = ['strict/b'];
    const { client: again } = back(after);
    again.drop();
    after.settle();
    const last = after.cut();
    const sender = last.world.connect(5);
    for (const topic of ['strict/a', 'strict/b', 'strict/door']) {
      publish(sender, topic, topic, 1);
      last.settle();
    }
    const waiting = payloads(back(last).packets);
    assert.deepEqual(waiting.slice(-1), ['strict/b']);
    assert.equal(waiting.filter(payload => payload === 'strict/a').length, 1, 'the old one only');
  });

  test('that cannot be read takes its session along: it would be allowed too much', async () => {
    const folder = newFolder();
    const user = new StoreUser(openInline(folder));
    await user.store.load();
    await user.commit([sessionPut(1, { grants: '{"rules":[]}' }), sessionPut(2)]);
    await user.store.close();
    const database = driver.open(settingsIn(folder).path);
    database.exec("UPDATE sessions SET grants = '{' WHERE sid = 1");
    database.close();
    const store = openInline(folder);
    const { sessions, skippedRows } = await store.load();
    await store.close();
    assert.deepEqual(
      sessions.map(({ sid }) => sid),
      [2],
    );
    assert.equal(skippedRows, 1);
  });

  test('is one object in memory, however many have it', () => {
    const text = identityText({ rules: ['a'] });
    const identities = new Identities();
    assert.deepEqual(identities.grants(text), { rules: ['a'] });
    assert.equal(identities.grants(text), identities.grants(identityText({ rules: ['a'] })));
    assert.equal(identities.grants(identityText(null)), null);
  });
});

describe('a line of an export', () => {
  test('shows it as it is, and leaves out what is not there', () => {
    const origin = '{"listener":"door"}';
    const op = sessionPut(1, { origin });
    const line = JSON.parse(lineOf(op));
    assert.deepEqual(line.origin, { listener: 'door' });
    assert.ok(!('grants' in line));
    assert.deepEqual(opOf(line), op);
  });

  test('with something else in its place is refused', () => {
    const line = JSON.parse(lineOf(sessionPut(1)));
    for (const grants of ['text', 5, [1]]) {
      assert.throws(() => opOf({ ...line, grants }), /grants: found .*, expected an object/);
    }
  });
});
