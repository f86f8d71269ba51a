// What is chosen for recorded machines, and what becomes of wishes.

import assert from 'node:assert/strict';
import type { Facts } from '../../src/platform/facts.ts';
import { chooseProfile, noWishes, type Profile, type Wishes } from '../../src/platform/profile.ts';
import { type ChoicePath, profileNames } from '../../src/platform/table.ts';
import { describe, test } from '../harness.ts';
import { factsOf, type MachineName, machineNames } from './recorded.ts';

const MB = 2 ** 20;

function profileOf(facts: Facts, wishes: Partial<Wishes> = {}): Profile {
  const profile = chooseProfile(facts, { ...noWishes, ...wishes });
  if ('refused' in profile) assert.fail(profile.refused);
  return profile;
}

function refusal(facts: Facts, wishes: Partial<Wishes>): string {
  const profile = chooseProfile(facts, { ...noWishes, ...wishes });
  assert.ok('refused' in profile, 'this wish was expected to be refused');
  return profile.refused;
}

const values = (profile: Profile, ...paths: ChoicePath[]) =>
  paths.map(path => profile.choices[path].value);

const without = (facts: Facts): Facts => ({
  ...facts,
  ffi: { ...facts.ffi, works: false, fault: 'Cannot find module' },
});

describe('recorded machines', () => {
  const paths = [
    ...(['profile', 'io.mode', 'io.poolSize', 'limits.connectionsMax'] as const),
    ...(['store.durability', 'store.thread', 'store.flashBytesPerDay'] as const),
  ];
  const expected: Record<MachineName, unknown[]> = {
    'openwrt-arm64': ['constrained', 'async', 1, 1_000, 'batched', 'own', 0],
    'armv7-512m': ['constrained', 'sync', 1, 1_000, 'batched', 'inline', 1024 * MB],
    'gateway-4c8g': ['gateway', 'async', 1, 25_000, 'strict', 'own', 0],
    'server-64': ['server', 'async', 1, 1_000_000, 'strict', 'own', 0],
    'container-128m': ['constrained', 'async', 1, 1_000, 'batched', 'inline', 0],
  };
  for (const name of machineNames) {
    test(name, () => assert.deepEqual(values(profileOf(factsOf(name)), ...paths), expected[name]));

    test(`${name}: every choice has a reason, and nothing can be changed`, () => {
      const profile = profileOf(factsOf(name));
      for (const [path, choice] of Object.entries(profile.choices)) {
        assert.match(choice.why, /\w+ \w+/, path);
        assert.ok(Object.isFrozen(choice), path);
      }
      assert.ok([profile, profile.choices, profile.notes].every(Object.isFrozen));
    });
  }

  test('a router that keeps its data on its NAND is sparing with it', () => {
    const { choices, notes } = profileOf(factsOf('openwrt-arm64', '/etc/minnow'));
    const { value, why } = choices['store.flashBytesPerDay'];
    assert.equal(value, 64 * MB);
    assert.match(why, /ubifs on \/dev\/ubi0_2 is raw flash/);
    assert.deepEqual(notes, []);
  });

  test('a data directory in memory is told of, with its name', () => {
    const { notes } = profileOf(factsOf('openwrt-arm64'));
    assert.equal(notes.length, 1);
    assert.match(notes[0]!, /\/var\/lib\/minnow is in memory \(tmpfs\)/);
  });
});

describe('the class of machine', () => {
  const gateway = factsOf('gateway-4c8g');
  const classOf = (changes: Partial<Facts>) => profileOf({ ...gateway, ...changes }).name;
  const { cpu } = gateway;
  const openwrt = { release: '24.10.0', target: 'x86/64', packages: 'x86_64' };

  test('follows what the control groups leave, not what the machine has', () => {
    assert.equal(classOf({ memoryLimitBytes: 512 * MB }), 'constrained');
    assert.equal(classOf({ cpuQuota: 0.5 }), 'constrained');
    assert.equal(classOf({ cpuQuota: 1 }), 'gateway');
  });

  test('OpenWrt makes a router of a small machine, not of a large one', () => {
    assert.equal(classOf({ openwrt, memoryBytes: 1_000 * MB }), 'constrained');
    assert.equal(classOf({ memoryBytes: 1_000 * MB }), 'gateway');
    assert.equal(classOf({ openwrt }), 'gateway');
  });

  test('a server has many processors and much memory', () => {
    const many = { ...cpu, online: 8, allowed: 8 };
    assert.equal(classOf({ cpu: many }), 'gateway');
    assert.equal(classOf({ memoryBytes: 64_000 * MB }), 'gateway');
    assert.equal(classOf({ cpu: many, memoryBytes: 16_000 * MB }), 'server');
    assert.equal(classOf({ cpu: { ...many, allowed: 2 }, memoryBytes: 16_000 * MB }), 'gateway');
  });

  test('a machine that does not say how much memory it has is no router', () => {
    const { name, choices } = profileOf({ ...gateway, memoryBytes: 0 });
    assert.equal(name, 'gateway');
    assert.equal(choices['limits.retainedBytesMax'].value, 128 * MB);
  });

  for (const name of profileNames) {
    test(`${name}, asked for by name`, () => {
      const { choices } = profileOf(gateway, { profile: name });
      assert.deepEqual(choices.profile, { value: name, why: 'asked for by name' });
    });
  }
});

describe('limits of the machine below those of its class', () => {
  const server = factsOf('server-64');

  test('descriptors bound connections', () => {
    const { choices } = profileOf({
      ...server,
      descriptors: { soft: 4_096, hard: 4_096, notRaised: null },
    });
    assert.equal(choices['limits.connectionsMax'].value, 4_032);
    assert.match(choices['limits.connectionsMax'].why, /4096 descriptors, less 64/);
  });

  test('no descriptors at all are too few, and told of', () => {
    const { choices, notes } = profileOf({
      ...server,
      descriptors: { soft: 60, hard: 60, notRaised: null },
    });
    assert.equal(choices['limits.connectionsMax'].value, 1);
    assert.match(notes.join(), /only 60 file descriptors/);
  });

  test('a limit that could not be raised is told of', () => {
    const { notes } = profileOf({
      ...server,
      descriptors: { soft: 1_024, hard: 4_096, notRaised: 'the system refused it (EPERM)' },
    });
    const expected = 'only 1024 of 4096 file descriptors may be used: the system refused it';
    assert.deepEqual(notes, [`${expected} (EPERM)`]);
  });

  test('memory bounds connections, retained messages and queues', () => {
    const { choices } = profileOf({ ...server, memoryBytes: 1_024 * MB }, { profile: 'server' });
    assert.equal(choices['limits.connectionsMax'].value, 131_072);
    assert.equal(choices['limits.retainedBytesMax'].value, 128 * MB);
    assert.equal(choices['queue.totalBytesMax'].value, 128 * MB);
  });

  test('one queue always fits into all of them', () => {
    for (const profile of profileNames) {
      for (const memory of [8, 32, 64, 128, 1_024]) {
        const { choices } = profileOf({ ...server, memoryBytes: memory * MB }, { profile });
        const [one, all] = [choices['queue.bytesMax'], choices['queue.totalBytesMax']];
        assert.ok(one.value <= all.value, `${profile} with ${memory} MB`);
      }
    }
  });
});

describe('the I/O mode', () => {
  const armv7 = factsOf('armv7-512m');

  test('chosen by itself it falls back where it cannot work, and says so', () => {
    const { choices, notes } = profileOf(without(armv7));
    assert.equal(choices['io.mode'].value, 'async');
    const why = 'libc cannot be reached through koffi (Cannot find module)';
    assert.deepEqual(notes, [`asynchronous I/O: synchronous would be better here, but ${why}`]);
  });

  test('asked for by name where it cannot work it is refused', () => {
    const cannot = 'the synchronous I/O mode cannot work here';
    const windows: Facts = { ...armv7, system: 'win32' };
    assert.equal(
      refusal(without(armv7), { mode: 'sync' }),
      `${cannot}: libc cannot be reached through koffi (Cannot find module)`,
    );
    assert.equal(
      refusal(windows, { mode: 'sync' }),
      `${cannot}: it needs Linux, and this is win32`,
    );
    assert.equal(
      refusal({ ...armv7, kernel: '2.4.37', epoll: false }, { mode: 'sync' }),
      `${cannot}: Linux 2.4.37 has no epoll or eventfd`,
    );
  });

  test('asked for by name where it works', () => {
    const { choices } = profileOf(factsOf('server-64'), { mode: 'sync' });
    assert.deepEqual(choices['io.mode'], { value: 'sync', why: 'asked for by name' });
    assert.equal(profileOf(armv7, { mode: 'async' }).choices['io.mode'].value, 'async');
  });

  test('on Node a machine that is not constrained does without blocking calls', () => {
    const runtime = { name: 'node', version: '22.0.0' } as const;
    const facts = { ...factsOf('gateway-4c8g'), runtime };
    assert.equal(profileOf(facts).choices['io.mode'].value, 'async');
  });
});
