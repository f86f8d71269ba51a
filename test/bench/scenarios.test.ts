// The scenarios are well formed, malformed ones are told so, and the ledger keeps honest books.

import assert from 'node:assert/strict';
import { Ledger } from '../../bench/load/ledger.ts';
import type { TrafficScenario } from '../../bench/scenarios.ts';
import { copiesOf, families, faultsOf, named, scenarios } from '../../bench/scenarios.ts';
import { describe, test } from '../harness.ts';

const sound: TrafficScenario = {
  kind: 'traffic',
  name: 'p2p-2-2',
  version: 4,
  qos: 1,
  publishers: 2,
  subscribers: 2,
  topic: 'bench/{n}',
  filter: 'bench/{n}',
  payloadBytes: 64,
  pace: { window: 10 },
  store: null,
};

describe('scenarios', () => {
  test('those that ship have no faults and names of their own', () => {
    const all = [scenarios, ...Object.values(families)].flat();
    assert.deepEqual(all.flatMap(faultsOf), []);
    const names = all.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
  });

  test('each fault is named together with the scenario', () => {
    const broken: readonly [Partial<TrafficScenario>, RegExp][] = [
      [{ name: 'two words' }, /letters, digits and dashes/],
      [{ publishers: 0 }, /publishers lie between/],
      [{ subscribers: 1.5 }, /subscribers lie between/],
      [{ payloadBytes: 11 }, /stamp of 12 bytes/],
      [{ publishers: 3 }, /as many publishers as subscribers/],
      [{ topic: 'bench/all' }, /a topic of their own/],
      [{ filter: '$share/g/bench/{n}' }, /one filter for all its members/],
      [{ filter: '$share/bench' }, /\$share\/group\/filter/],
      [{ pace: { window: 40_000 } }, /window is 1 to/],
      [{ pace: { perSecond: 0 } }, /rate lies between/],
      [{ store: { session: 'clean', away: true } }, /only a persistent session/],
      [{ qos: 0, store: { session: 'persistent', away: true } }, /acknowledgements of QoS 1/],
    ];
    assert.deepEqual(faultsOf(sound), []);
    for (const [change, expected] of broken) {
      const faults = faultsOf({ ...sound, ...change });
      assert.match(faults.join('\n'), expected);
      assert.ok(faults.every(fault => fault.startsWith(`${change.name ?? sound.name}: `)));
    }
    const idle = { kind: 'idle', name: 'idle', version: 4, connections: 0 } as const;
    assert.match(faultsOf(idle).join(), /connections lie between/);
  });

  test('copies per message follow from the filter', () => {
    assert.equal(copiesOf(sound), 1);
    assert.equal(copiesOf({ ...sound, filter: 'bench/+' }), 2);
    assert.equal(copiesOf({ ...sound, filter: '$share/g/bench/+' }), 1);
    assert.equal(named('bench/{n}/{n}', 7), 'bench/7/7');
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
  });
});
