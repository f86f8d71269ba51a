// The bench's command line: who takes part in what, what is left out and why.

import assert from 'node:assert/strict';
import { peerFor, storePeerNames } from '../../bench/peers.ts';
import { chosenScenarios, excuse, planFrom, resolved } from '../../bench/plan.ts';
import { traffic } from '../../bench/scenarios.ts';
import { natureOf } from '../../bench/starting.ts';
import { which } from '../../bench/which.ts';
import { describe, test } from '../harness.ts';

const namesOf = (...args: string[]) => planFrom(args).scenarios.map(({ name }) => name);

describe('bench plan', () => {
  test('families run only when they are asked for by how their names begin', () => {
    assert.ok(namesOf().every(name => !/^(store|io|conn-tcp|locks)/.test(name)));
    assert.deepEqual(namesOf('--scenario', 'conn-tcp'), ['conn-tcp-10K-100']);
    assert.ok(namesOf('--scenario', 'store-p2p').every(name => name.startsWith('store-p2p')));
    assert.ok(namesOf('--scenario', 'locks').every(name => name.startsWith('locks-')));
    assert.equal(namesOf().filter(name => name.startsWith('doors-')).length, 6);
    assert.equal(namesOf('--scenario', 'doors').length, 9);
    assert.ok(namesOf('--scenario', 'p2p').every(name => !name.startsWith('store')));
    assert.throws(() => planFrom(['--scenario', 'none-such']), /none has such a name/);
  });

  test('a share of another scenario brings that one along, before it', () => {
    const names = namesOf('--scenario', 'half');
    assert.deepEqual(names, ['p2p-50-50-qos1', 'half-p2p-50-50-qos1']);
    assert.equal(chosenScenarios(['p2p-50-50-qos1'], false).length, 3);
  });

  test('the usual peers follow from the scenarios, and the baseline from the peers', () => {
    const plan = planFrom(['--quick']);
    assert.deepEqual(
      plan.peers.map(({ name }) => name),
      ['minnow', 'mosquitto'],
    );
    assert.deepEqual([plan.baseline, plan.runs, plan.measureMs], ['mosquitto', 1, 1_000]);
    const store = planFrom(['--scenario', 'store']);
    assert.deepEqual(
      store.peers.map(({ name }) => name),
      storePeerNames,
    );
    assert.equal(store.baseline, 'minnow-none');
    assert.equal(planFrom(['--peer', 'minnow', '--peer', 'relay']).baseline, 'relay');
    assert.deepEqual(planFrom(['--once', 'aedes']).once, ['aedes']);
  });

  test('what makes no sense is refused, with the flag and what was expected', () => {
    for (const [args, expected] of [
      [['--runs', '0'], /--runs 0: expected a number above 0/],
      [['--peer', 'nobody'], /--peer nobody: expected one of minnow, /],
      [['--peer', 'x=serve'], /with \{port\} in it/],
      [['--baseline', 'aedes'], /expected one of the peers/],
      [['--program', 'exe'], /expected one of source, dist, node/],
      [['--frobnicate'], /frobnicate/],
    ] as const) {
      assert.throws(() => planFrom(args), expected);
    }
  });

  test('a broker is excused from what it does not offer', () => {
    const scenario = traffic('t', { qos: 2 });
    const here = { missing: () => null };
    const aedes = { ...peerFor('aedes'), ...here };
    const nats = { ...peerFor('nats'), ...here };
    assert.equal(excuse(aedes, scenario), null);
    assert.equal(excuse(nats, scenario), 'it has no QoS 2');
    assert.equal(excuse(aedes, { ...scenario, version: 5 }), 'it has no MQTT 5');
    const shared = { ...scenario, filter: '$share/a/bench/+' };
    assert.equal(excuse(aedes, shared), 'it has no shared subscriptions');
    assert.equal(excuse(aedes, { ...scenario, door: 'ws' }), 'it is not set up for ws');
    const mosquitto = { ...peerFor('mosquitto'), ...here };
    assert.equal(excuse(mosquitto, { ...scenario, door: 'wss', guard: 'acl-10K' }), null);
    const ruled = { ...scenario, guard: 'rules-10' } as const;
    assert.equal(excuse(mosquitto, ruled), 'it is not set up for rules-10');
    assert.equal(excuse({ ...peerFor('minnow'), ...here }, ruled), null);
    assert.equal(excuse({ ...nats, missing: () => 'not here' }, scenario), 'not here');
  });

  test('a rate that is a share is worked out from what was reached', () => {
    const half = traffic('h', {
      pace: { perSecond: 1, burst: 5 },
      shareOf: { scenario: 'x', share: 0.5 },
    });
    const scenario = resolved(half, name => (name === 'x' ? 3_000 : 0));
    assert.deepEqual('pace' in scenario && scenario.pace, { perSecond: 1_500, burst: 5 });
    assert.throws(() => resolved(half, () => Number.NaN), /no figure of x/);
  });
});

describe('bench peers', () => {
  test('a command line becomes a peer: its port and directory are filled in', () => {
    const peer = peerFor('own=/bin/serve -p {port} --dir={dir}/x');
    assert.equal(peer.name, 'own');
    assert.deepEqual(peer.command(7, '/d'), ['/bin/serve', '-p', '7', '--dir=/d/x']);
    assert.equal(
      peerFor('own=no-such-program {port}').missing!(),
      'there is no program no-such-program',
    );
  });

  test('each mode and promise is said to minnow, whatever it is started from', () => {
    const command = (name: string) => peerFor(name, 'dist').command(1, '/d').join(' ');
    assert.match(command('minnow-sync'), /dist\/minnow serve .* --set io\.mode=sync/);
    assert.match(command('minnow-batched'), /--set store\.durability=batched/);
    assert.doesNotMatch(command('minnow'), /io\.mode/);
    assert.deepEqual(
      ['minnow-sync', 'minnow-batched', 'mosquitto'].map(name => peerFor(name).store),
      [null, 'batched', 'memory'],
    );
  });

  test('mode and store of a running minnow are what its log says', () => {
    const log = '{"msg":"x"}\n{"profile":"constrained","io":"sync","msg":"minnow is ready"}\n';
    const minnow = peerFor('minnow');
    assert.deepEqual(natureOf(minnow, log), { io: 'sync', store: 'batched' });
    assert.deepEqual(natureOf(minnow, log.replace('constrained', 'server')).store, 'strict');
    assert.deepEqual(natureOf(minnow, ''), { io: '–', store: '–' });
    assert.equal(natureOf(peerFor('minnow-none'), log).store, 'none');
    assert.deepEqual(natureOf(peerFor('aedes'), ''), { io: 'node:net', store: 'memory' });
  });

  test('a program is found where the path leads', () => {
    assert.match(which('sh') ?? '', /\/sh$/);
    assert.equal(which('/bin/sh'), '/bin/sh');
    assert.equal(which('no-such-program'), null);
  });
});
