// `minnow bench` against a running broker: every kind of load counts what it should and ends.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from '../../bench/report/report.ts';
import type { Outcome } from '../../src/cli/bench/outcome.ts';
import { Exit } from '../../src/cli/exit.ts';
import { afterAll, describe, skipped, test } from '../harness.ts';
import { Authority } from '../io/doors/authority.ts';
import { useDoors } from './door-kit.ts';
import { minnow, ok, run, useMinnow } from './process.ts';

describe('minnow bench', () => {
  const broker = useMinnow();
  const bench = async (...args: string[]) => {
    const flags = [...broker.address, '--seconds', '1', '--json'];
    const { stdout } = await ok([...minnow, 'bench', ...args, ...flags]);
    return JSON.parse(stdout.toString()) as Outcome;
  };
  const faultless = { lost: 0, repeated: 0, outOfOrder: 0 };

  for (const [counted, ...args] of [
    ['received', 'p2p', '-q', '2', '-c', '3', '--window', '20'],
    ['received', 'p2p', '-q', '1', '-V', '5', '--properties', '--rate', '300'],
    ['received', 'p2p', '-c', '3', '--rate', '60000'],
    ['received', 'fan-in', '-q', '1', '--window', '20'],
    ['received', 'fan-out', '-q', '1', '--window', '10', '-s', '2000'],
    ['received', 'share', '-q', '1', '--window', '20'],
  ] as const) {
    test(`${args.join(' ')}: everything arrives once and in order`, async () => {
      const outcome = await bench(...args);
      assert.equal(outcome.counted, counted);
      assert.ok(outcome.count > 0 && outcome.perSecond > 0);
      assert.deepEqual(outcome.faults, faultless);
      const { p50, p99, max } = outcome.latencyMs!;
      assert.ok(p50 <= p99 && p99 <= max);
    });
  }

  test('pub counts what was acknowledged, or at QoS 0 what was sent', async () => {
    const acknowledged = await bench('pub', '-q', '1');
    assert.equal(acknowledged.counted, 'acknowledged');
    assert.ok(acknowledged.count > 0 && acknowledged.latencyMs !== null);
    const sent = await bench('pub', '--rate', '100');
    assert.deepEqual([sent.counted, sent.latencyMs, sent.faults], ['sent', null, null]);
    assert.ok(sent.count > 0 && sent.count <= 110, `${sent.count} of about 100`);
  });

  test('sub counts what others send', async () => {
    const retained = ['-t', 'bench/kept', '-m', 'x', '-r'];
    await ok([...minnow, 'pub', ...broker.address, ...retained]);
    const outcome = await bench('sub', '-c', '3', '-t', 'bench/kept', '-q', '1');
    assert.deepEqual([outcome.counted, outcome.count], ['received', 3]);
  });

  test('conn brings its clients up at the rate that was asked for', async () => {
    const outcome = await bench('conn', '-c', '40', '--connect-rate', '100');
    assert.deepEqual([outcome.counted, outcome.count], ['connected', 40]);
    assert.ok(outcome.seconds >= 0.38, `${outcome.seconds} s`);
  });

  test('where nobody listens it says so', async () => {
    const { code, stderr } = await run([...minnow, 'bench', 'p2p', '-h', '127.0.0.1', '-p', '1']);
    assert.equal(code, Exit.unavailable);
    assert.match(stderr, /bench: nobody listens on 127\.0\.0\.1 port 1\n/);
  });
});

describe('minnow bench through other doors', () => {
  const authority = new Authority();
  afterAll(() => authority.remove());
  const tls = authority.issue('localhost', { names: 'DNS:localhost,IP:127.0.0.1' });
  const meter = authority.issue('meter-7');
  const ca = authority.certificate;
  const mutual = { ...tls, clientCertificate: 'required', ca };
  const webSocket = { protocol: 'websocket', websocket: { path: '/mqtt' } };
  const broker = useDoors('async', [
    { tls },
    { tls: mutual, mountPoint: 'mutual/' },
    webSocket,
    { ...webSocket, tls },
  ]);
  const trust = ['--cafile', ca];
  const bench = (scheme: string, ...args: string[]) => {
    const to = ['-h', '127.0.0.1', '-p', String(broker.portOf(scheme)), '--seconds', '1'];
    return run([...minnow, 'bench', ...args, ...to, '--json']);
  };

  for (const [scheme, ...how] of [
    ['mqtts', ...trust],
    ['ws', '--ws'],
    ['wss', '--ws', ...trust],
  ] as const) {
    test(`${scheme}: everything arrives once and in order`, async () => {
      const shape = ['p2p', '-q', '2', '-c', '3', '--window', '20', '-s', '20000'];
      const { stdout, stderr } = await bench(scheme, ...shape, ...how);
      assert.equal(stderr.replaceAll(/^ .*\n/gm, ''), '');
      const outcome = JSON.parse(stdout.toString()) as Outcome;
      assert.ok(outcome.count > 0);
      assert.deepEqual(outcome.faults, { lost: 0, repeated: 0, outOfOrder: 0 });
    });
  }

  test('a listener that wants certificates gets the clients’ own', async () => {
    const lines = broker.process.lines.find(text => text.includes('"minnow is ready"'));
    const [, second] = [...lines!.matchAll(/mqtts:\/\/127\.0\.0\.1:(\d+)/g)];
    const to = ['-h', 'localhost', '-p', second![1]!, '--seconds', '1', '--json'];
    const conn = [...minnow, 'bench', 'conn', '-c', '5', '--resume', ...trust, ...to];
    const { stdout } = await ok([...conn, '--cert', meter.certificate, '--key', meter.key]);
    const { count, tls } = JSON.parse(stdout.toString()) as Outcome;
    assert.deepEqual([count, tls], [5, { handshakes: 5, resumed: 4 }]);
    const without = await run(conn);
    assert.equal(without.code, Exit.unavailable);
  });

  test('what is wrong at the door is said', async () => {
    for (const [scheme, args, expected] of [
      ['mqtts', ['--tls'], /certificate is refused: certificate verify failed/],
      ['mqtts', ['--cafile', '/nowhere.pem'], /\/nowhere\.pem: /],
      ['ws', ['--ws', '--path', '/elsewhere'], /refused the WebSocket upgrade: HTTP\/1\.1 404/],
    ] as const) {
      const { code, stderr } = await bench(scheme, 'conn', ...args);
      assert.equal(code, Exit.unavailable);
      assert.match(stderr, expected);
    }
  });
});

describe('bench/main.ts', () => {
  if (!('Bun' in globalThis)) {
    skipped('brokers behind doors and locks', 'the bench runs on Bun');
    return;
  }
  const folder = new Authority();
  afterAll(() => folder.remove());

  test('brokers are set up with their doors and locks, and lose nothing', async () => {
    const names = ['doors-wss-50-50-qos0', 'doors-tls-resumptions', 'locks-rules-10K'];
    const guarded = ['locks-acl-10K', 'locks-limits', 'locks-connects-password'];
    const wanted = [...names, ...guarded].flatMap(name => ['--scenario', name]);
    const json = folder.at('report.json');
    const main = join(import.meta.dirname, '../../bench/main.ts');
    const flags = ['--runs', '1', '--seconds', '0.5', '--peer', 'minnow', '--json', json];
    await ok([process.execPath, main, ...flags, ...wanted]);
    const { passing, connects } = JSON.parse(readFileSync(json, 'utf8')) as Report;
    assert.deepEqual([passing.length, connects.length], [4, 2]);
    for (const { scenario, perSecond, remarks } of [...passing, ...connects]) {
      assert.ok(perSecond > 0, scenario);
      const faults = remarks.filter(text => /failed|skipped|lost|repeated|order/.test(text));
      assert.deepEqual(faults, [], scenario);
    }
    const [resumptions] = connects;
    assert.ok(resumptions!.resumedShare > 0.5, `${resumptions!.resumedShare} resumed`);
  });
});
