// `minnow bench`: what its flags come to, what is refused, and what it says at the end.

import assert from 'node:assert/strict';
import { Histogram } from '../../../src/bench/histogram.ts';
import { copiesOf } from '../../../src/bench/scenario.ts';
import { latencyMs, type Outcome, outcomeText } from '../../../src/cli/bench/outcome.ts';
import { flagTable, kinds, settingsFrom, targetOf } from '../../../src/cli/bench/settings.ts';
import { parseFlags, UsageError } from '../../../src/cli/client/flags.ts';
import { describe, test } from '../../harness.ts';

const settings = (line: string) => settingsFrom(parseFlags(line.split(' '), flagTable));

describe('settings of minnow bench', () => {
  test('each kind of load has its clients, topics and filters', () => {
    const shape = (line: string) => {
      const { scenario } = settings(line);
      assert.ok(scenario);
      const { publishers, subscribers, topic, filter } = scenario;
      return [publishers, subscribers, topic, filter, copiesOf(scenario)];
    };
    assert.deepEqual(shape('p2p -c 7'), [7, 7, 'bench/{n}', 'bench/{n}', 1]);
    assert.deepEqual(shape('pub -c 7 -t a/b'), [7, 0, 'a/b/{n}', '', 0]);
    assert.deepEqual(shape('fan-in'), [10, 1, 'bench/{n}', 'bench/+', 1]);
    assert.deepEqual(shape('fan-out -c 50'), [1, 50, 'bench', 'bench', 50]);
    assert.deepEqual(shape('share'), [10, 5, 'bench/{n}', '$share/bench/bench/+', 1]);
    for (const kind of ['conn', 'sub']) assert.equal(settings(kind).scenario, null);
  });

  test('what is not said has its usual value', () => {
    const { scenario, ...rest } = settings('p2p');
    assert.deepEqual(scenario?.pace, { window: 200 });
    assert.deepEqual([scenario.payloadBytes, scenario.qos, scenario.version], [64, 0, 4]);
    assert.deepEqual([rest.host, rest.port, rest.seconds], ['localhost', 1883, 10]);
    assert.equal(rest.credentials, null);
    assert.equal(settings('conn').clients, 100);
    assert.equal(settings('sub').filter, 'bench/#');
  });

  test('what is said is taken', () => {
    const { scenario, ...rest } = settings(
      'p2p -h 192.0.2.1 -p 1 -u me -P pw -V 5 --properties -q 2 -s 99 --rate 5 --seconds 3 --json',
    );
    assert.deepEqual(scenario?.pace, { perSecond: 5 });
    assert.deepEqual([scenario.payloadBytes, scenario.qos, scenario.version], [99, 2, 5]);
    assert.ok(scenario.properties && rest.json);
    assert.deepEqual([rest.host, rest.port, rest.seconds], ['192.0.2.1', 1, 3]);
    assert.deepEqual(rest.credentials, { username: 'me', password: 'pw' });
  });

  test('TLS and WebSocket have ports of their own, and flags as mosquitto_pub has them', () => {
    const way = (line: string) => {
      const { port, transport } = settings(`p2p ${line}`);
      return { port, ...transport };
    };
    assert.deepEqual(way('-c 1'), { port: 1883, tls: null, webSocket: null });
    const tls = { trust: 'system', host: 'localhost', checkHost: true, resume: false, own: null };
    assert.deepEqual(way('--tls'), { port: 8883, tls, webSocket: null });
    assert.deepEqual(way('-h b --cafile ca.pem --insecure --cert c --key k -p 1 --resume'), {
      port: 1,
      tls: {
        trust: { file: 'ca.pem' },
        host: 'b',
        checkHost: false,
        resume: true,
        own: { certificate: 'c', key: 'k' },
      },
      webSocket: null,
    });
    const webSocket = { host: 'localhost', path: '/mqtt' };
    assert.deepEqual(way('--ws'), { port: 8083, tls: null, webSocket });
    assert.deepEqual(way('--ws --tls --path /'), {
      port: 8084,
      tls,
      webSocket: { ...webSocket, path: '/' },
    });
  });

  test('every mistake is named', () => {
    for (const [line, expected] of [
      ['-q 1', /say which load: conn, /],
      ['swim', /'swim' is none of conn, /],
      ['p2p more', /'more' does not belong/],
      ['conn --rate 1', /--rate means nothing to conn/],
      ['p2p --subscribers 2', /--subscribers means nothing to p2p/],
      ['p2p --rate 1 --window 2', /exclude each other/],
      ['p2p -P secret', /--pw needs --username/],
      ['p2p -V 6', /'6' is not one of 31, 311, 5/],
      ['p2p --properties', /only MQTT 5 has properties/],
      ['p2p -s 11', /whole number from 12 to/],
      ['p2p -c 0', /whole number from 1 to/],
      ['p2p --insecure', /--insecure needs --tls or --cafile/],
      ['p2p --tls --cert c', /--cert and --key need each other/],
      ['p2p --path /mqtt', /--path needs --ws/],
      ['p2p --ws --path mqtt', /'mqtt' is no path/],
    ] as const) {
      assert.throws(
        () => settings(line),
        error => error instanceof UsageError && expected.test(error.message),
        line,
      );
    }
  });

  test('an address stands for itself, and a name is looked up', async () => {
    assert.deepEqual(await targetOf(settings('p2p -h ::1')), { address: '::1', port: 1883 });
    const { address } = await targetOf(settings('p2p -h localhost'));
    assert.match(address, /^(127\.0\.0\.1|::1)$/);
  });

  test('every kind says what it is', () => {
    for (const what of Object.values(kinds)) assert.match(what, /^[a-z].{10,60}$/);
  });
});

const outcome: Outcome = {
  ...{ kind: 'p2p', clients: 20, seconds: 2, counted: 'received', count: 2_468, perSecond: 1_234 },
  latencyMs: { p50: 1, p90: 2, p99: 3.456, p999: 14.5, max: 20 },
  faults: { lost: 1, repeated: 0, outOfOrder: 2 },
  payloadBytesPerSecond: 2 ** 20,
  tls: { handshakes: 1_020, resumed: 19 },
  loadCpuShare: 0.5,
};

describe('outcome of minnow bench', () => {
  test('says figures, latencies, faults and its own load', () => {
    assert.deepEqual(outcomeText(outcome).split('\n'), [
      'received  1,234 messages/s: 2,468 in 2.0 s',
      'payload  1.0 MB/s',
      'latency  p50 1.00, p90 2.00, p99 3.46, p99.9 15, max 20 ms',
      'faults   1 lost, 0 repeated, 2 out of order',
      'TLS      1,020 handshakes, 19 of them resumed',
      'load     50 % of a processor',
    ]);
  });

  test('leaves out what there is not, and doubts itself when it was busy', () => {
    const none = { latencyMs: null, faults: null, payloadBytesPerSecond: null, tls: null };
    const bare = { ...none, loadCpuShare: 0.9 };
    const text = outcomeText({ ...outcome, ...bare, counted: 'connected' });
    assert.match(
      text,
      /^connected {2}1,234 clients\/s.*\nload {5}90 % of a processor\nThis program/,
    );
  });

  test('latencies are milliseconds, and none is none', () => {
    const histogram = new Histogram();
    assert.equal(latencyMs(histogram), null);
    histogram.record(250);
    assert.equal(latencyMs(histogram)?.p50, 0.25);
  });
});
