// The scenarios are well formed, malformed ones are told so, and the ledger keeps honest books.

import assert from 'node:assert/strict';
import {
  families,
  faultsOf,
  measureMsLeast,
  quick,
  type Scenario,
  scenarios,
  slackMs,
  type TrafficScenario,
  traffic,
  usual,
} from '../../bench/scenarios.ts';
import { Ledger } from '../../src/bench/ledger.ts';
import { copiesOf, isHeard, named, namesOf } from '../../src/bench/scenario.ts';
import { describe, test } from '../harness.ts';

const sound = traffic('p2p-2-2', { qos: 1, publishers: 2, subscribers: 2, pace: { window: 10 } });

describe('scenarios', () => {
  test('those that ship have no faults and names of their own', () => {
    const all: Scenario[] = [scenarios, ...Object.values(families)].flat();
    assert.deepEqual(all.flatMap(faultsOf), []);
    const names = all.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
  });

  test('each fault is named together with the scenario', () => {
    const broken: readonly [Partial<TrafficScenario>, RegExp][] = [
      [{ name: 'two words' }, /letters, digits and dashes/],
      [{ publishers: 0 }, /publishers lie between/],
      [{ subscribers: 1.5 }, /subscribers lie between/],
      [{ stalled: -1 }, /stalled subscribers lie between/],
      [{ payloadBytes: 11 }, /stamp of 12 bytes/],
      [{ payloadBytes: 131_073 }, /nor above 128 kB/],
      [{ properties: true }, /only MQTT 5 has properties/],
      [{ spread: 0 }, /a spread lies between/],
      [{ spread: 2 }, /differ by \{i\}/],
      [{ spread: 400, topic: 'bench/{n}/{i}' }, /exceed 64 kB/],
      [{ publishers: 3 }, /as many publishers as subscribers/],
      [{ topic: 'bench/all' }, /a topic of their own/],
      [{ filter: '$share/g/bench/{n}' }, /one filter for all its members/],
      [{ filter: '$share/bench' }, /\$share\/group\/filter/],
      [{ pace: { window: 40_000 } }, /window is 1 to/],
      [{ pace: { perSecond: 9, burst: 0 } }, /a burst lies between/],
      [{ filter: '$share/a/bench/+', stalled: 1 }, /keep its share/],
      [{ pace: { perSecond: 0 } }, /rate lies between/],
      [{ shareOf: { scenario: 'p2p', share: 0.5 } }, /of another scenario is a rate/],
      [{ shareOf: { scenario: 'p2p', share: 0 } }, /a share is above 0/],
      [{ store: { session: 'clean', away: true } }, /only a persistent session/],
      [{ qos: 0, store: { session: 'persistent', away: true } }, /acknowledgements of QoS 1/],
    ];
    assert.deepEqual(faultsOf(sound), []);
    for (const [change, expected] of broken) {
      const faults = faultsOf({ ...sound, ...change });
      assert.match(faults.join('\n'), expected);
      assert.ok(faults.every(fault => fault.startsWith(`${change.name ?? sound.name}: `)));
    }
    const idle = { kind: 'idle', name: 'idle', version: 4 } as const;
    const none = { ...idle, connections: 0, perSecond: -1, subscriptionsEach: 1.5 };
    assert.equal(faultsOf(none).length, 3);
    assert.match(faultsOf(none).join(), /connections \(ports\) lie between 10 and 28,000/);
    const retained = { kind: 'retained', name: 'kept', version: 4 } as const;
    assert.equal(faultsOf({ ...retained, messages: 0, payloadBytes: 0 }).length, 2);
    assert.deepEqual(faultsOf({ kind: 'start', name: 'start' }), []);
  });

  test('the usual ones and the quick ones are some of them, and the suite has its names', () => {
    const names = new Set(scenarios.map(({ name }) => name));
    assert.ok(usual.every(({ name }) => names.has(name)));
    assert.equal(quick.length, 11);
    const every = [...names, ...Object.values(families).flatMap(all => all.map(one => one.name))];
    for (const name of [
      'conn-tcp-10K-100',
      'fanout-1-1K-1-1K',
      'p2p-1K-1K-1K-1K',
      'sharedsub-1K-5-1K-1K',
    ]) {
      assert.ok(every.includes(name), name);
    }
  });

  test('a share of what another scenario reached is one of those that are measured', () => {
    const shares = scenarios.flatMap(scenario =>
      scenario.kind === 'traffic' && scenario.shareOf ? [scenario.shareOf.scenario] : [],
    );
    assert.ok(shares.length > 0);
    for (const name of shares) assert.ok(usual.some(scenario => scenario.name === name));
  });

  test('few messages per second are measured for longer, slow arrivals waited for', () => {
    assert.equal(measureMsLeast(sound), 0);
    assert.equal(measureMsLeast({ ...sound, pace: { perSecond: 1 } }), 3_000);
    const slow = families['conn-tcp']![0]!;
    assert.ok(slow.kind === 'idle' && slow.perSecond === 100);
    assert.ok(slackMs(slow) > (slow.connections / slow.perSecond) * 1_000);
    assert.ok(slackMs(sound) < slackMs(slow));
  });

  test('copies per message follow from the filter', () => {
    assert.equal(copiesOf(sound), 1);
    assert.equal(copiesOf({ ...sound, filter: 'bench/+' }), 2);
    assert.equal(copiesOf({ ...sound, filter: '$share/g/bench/+' }), 1);
    assert.equal(copiesOf({ ...sound, subscribers: 0 }), 0);
    assert.equal(named('bench/{n}/{n}', 7), 'bench/7/7');
    assert.deepEqual(namesOf('{n}/{i}', 7, 2), ['7/000', '7/001']);
  });

  test('nobody hears what is sent while subscribers are away', () => {
    assert.ok(isHeard(sound));
    assert.ok(!isHeard({ ...sound, subscribers: 0 }));
    assert.ok(!isHeard({ ...sound, store: { session: 'persistent', away: true } }));
  });
});

describe('ledger', () => {
  test('a message is complete when the slowest subscriber has it', () => {
    const ledger = new Ledger(2, 3, 'all');
    for (const subscriber of [0, 1, 2]) ledger.receive(subscriber, 1, 1);
    ledger.receive(0, 1, 2);
    ledger.receive(2, 1, 2);
    assert.equal(ledger.completed(1), 1);
    assert.equal(ledger.completed(0), 0);
    ledger.receive(1, 1, 2);
    assert.equal(ledger.completed(1), 2);
    assert.equal(ledger.received, 6);
  });

  test('pairs count their own subscriber only', () => {
    const ledger = new Ledger(2, 2, 'pairs');
    ledger.receive(1, 1, 1);
    assert.equal(ledger.completed(1), 1);
    assert.equal(ledger.completed(0), 0);
  });

  test('a share may pass over numbers but not go back', () => {
    const ledger = new Ledger(1, 2, 'shared');
    ledger.receive(0, 0, 1);
    ledger.receive(1, 0, 2);
    ledger.receive(0, 0, 3);
    assert.equal(ledger.completed(0), 3);
    assert.equal(ledger.skipped, 0);
    ledger.receive(0, 0, 3);
    assert.equal(ledger.repeated, 1);
    assert.equal(ledger.received, 3);
  });

  test('gaps and repetitions are counted, and strangers are refused', () => {
    const ledger = new Ledger(1, 1, 'pairs');
    ledger.receive(0, 0, 1);
    ledger.receive(0, 0, 4);
    ledger.receive(0, 0, 4);
    assert.equal(ledger.skipped, 2);
    assert.equal(ledger.repeated, 1);
    assert.equal(ledger.received, 2);
    assert.equal(ledger.receive(0, 1, 1), false);
    assert.equal(new Ledger(2, 2, 'pairs').receive(0, 1, 1), false);
  });
});
