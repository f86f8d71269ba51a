// What brokers of the bench have in front of them: each is told the same in its own words, and what
// it is told to read is there.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  makeEntrance,
  minnowFlags,
  mosquittoLines,
  transportThrough,
} from '../../bench/entrance.ts';
import {
  type EntranceWish,
  entranceOf,
  families,
  scenarios,
  traffic,
} from '../../bench/scenarios.ts';
import { afterAll, describe, test } from '../harness.ts';

describe('entrances of the bench', () => {
  const directory = mkdtempSync(join(tmpdir(), 'minnow-entrance-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const entrance = (wish: EntranceWish) => makeEntrance(wish, directory, 1, 2);

  test('a plain port that is open is nothing but that', async () => {
    const plain = await entrance({});
    assert.deepEqual([plain.doorPort, plain.certificate, plain.secret], [1, null, null]);
    assert.deepEqual(minnowFlags(plain, directory), ['--set', 'io.acceptsPerSecond=100000']);
    assert.deepEqual(mosquittoLines(plain, directory), []);
    assert.deepEqual(transportThrough(plain, true), { tls: null, webSocket: null });
  });

  test('a door is a second port, with a certificate where it has TLS', async () => {
    const wss = await entrance({ door: 'wss' });
    const { certificate, key } = wss.certificate!;
    assert.match(readFileSync(certificate, 'utf8'), /BEGIN CERTIFICATE/);
    assert.ok(existsSync(key));
    const listeners = minnowFlags(wss, directory).find(flag => flag.startsWith('listeners='))!;
    const host = '127.0.0.1';
    assert.deepEqual(JSON.parse(listeners.slice(10)), [
      { host, port: 1 },
      { host, port: 2, protocol: 'websocket', tls: { certificate, key } },
    ]);
    assert.deepEqual(mosquittoLines(wss, directory), [
      'listener 2 127.0.0.1',
      'protocol websockets',
      `certfile ${certificate}`,
      `keyfile ${key}`,
    ]);
    const { tls, webSocket } = transportThrough(wss, true);
    assert.deepEqual([tls?.resume, tls?.trust, webSocket?.path], [true, 'anybody', '/mqtt']);
    const ws = await entrance({ door: 'ws' });
    assert.deepEqual([ws.certificate, transportThrough(ws, false).tls], [null, null]);
    assert.deepEqual(mosquittoLines(ws, directory).slice(1), ['protocol websockets']);
    const secure = await entrance({ door: 'tls' });
    assert.ok(!mosquittoLines(secure, directory).includes('protocol websockets'));
    assert.equal(transportThrough(secure, false).webSocket, null);
  });

  test('rules come in tens and ten thousands, and the last one lets the load through', async () => {
    for (const [guard, count] of [
      ['acl-10', 10],
      ['acl-10K', 10_000],
    ] as const) {
      const asked = await entrance({ guard });
      const [line] = mosquittoLines(asked, directory);
      const file = line!.slice('acl_file '.length);
      assert.ok(minnowFlags(asked, directory).includes(`auth.aclFile=${file}`));
      const rules = readFileSync(file, 'utf8').trim().split('\n');
      assert.deepEqual([rules.length, rules.at(-1)], [count, 'topic readwrite bench/#']);
    }
    const [flag, file] = minnowFlags(await entrance({ guard: 'rules-10' }), directory);
    assert.equal(flag, '--config');
    const rules = readFileSync(file!, 'utf8');
    assert.equal(rules.match(/^\[\[auth\.rules\]\]$/gm)?.length, 10);
    assert.match(rules, /filter = "bench\/#"\n$/);
  });

  test('tokens and passwords are kept as hashes, and clients know them', async () => {
    for (const [guard, kind] of [
      ['token', 'token'],
      ['password', 'scrypt'],
    ] as const) {
      const asked = await entrance({ guard });
      const { username, password } = asked.secret!.credentials;
      const flags = minnowFlags(asked, directory);
      const file = flags.find(flag => flag.startsWith('auth.passwordFile='))!.split('=')[1]!;
      const kept = readFileSync(file, 'utf8');
      assert.ok(kept.startsWith(`${username}:$${kind}$`) && !kept.includes(password));
      assert.ok(flags.includes('auth.anonymous=false'));
      assert.deepEqual(mosquittoLines(asked, directory)[0], 'allow_anonymous false');
      assert.match(readFileSync(file, 'utf8'), /^bench:\$7\$101\$/);
    }
  });

  test('only scenarios that ask for an entrance get one', () => {
    assert.equal(entranceOf(traffic('plain', {})), null);
    assert.equal(entranceOf(traffic('t', { door: 'tls' }))?.door, 'tls');
    for (const scenario of [...scenarios, ...families.locks!]) {
      const wanted = /^(doors|locks)-/.test(scenario.name);
      assert.equal(entranceOf(scenario) !== null, wanted, scenario.name);
    }
  });
});
