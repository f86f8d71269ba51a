// The profile of a machine in the configuration: above the defaults, below everything that was
// said.

import assert from 'node:assert/strict';
import { loadConfig } from '../../src/config/config.ts';
import { effectiveToml } from '../../src/config/effective.ts';
import { judge, options } from '../../src/config/schema.ts';
import { chooseProfile, noWishes } from '../../src/platform/profile.ts';
import { type ProfileName, profileNames } from '../../src/platform/table.ts';
import { describe, test } from '../harness.ts';
import { factsOf } from '../platform/recorded.ts';
import { HOST } from './load.ts';

function profileOf(name: ProfileName) {
  const profile = chooseProfile(factsOf('server-64'), { ...noWishes, profile: name });
  if ('refused' in profile) assert.fail(profile.refused);
  return profile;
}

function on(name: ProfileName, set: string[] = [], toml?: string) {
  const file = toml === undefined ? {} : { file: { name: 'minnow.toml', text: toml } };
  const result = loadConfig({ ...file, flags: { set } }, HOST, profileOf(name));
  if ('faults' in result) assert.fail(result.faults.join('\n'));
  return result;
}

describe('options that a profile decides', () => {
  for (const name of profileNames) {
    test(`${name}: each is an option, and its value one that could be written`, () => {
      const { choices } = profileOf(name);
      for (const [path, { value }] of Object.entries(choices)) {
        assert.ok(options.has(path), path);
        const [section, key] = path.split('.') as [string, string?];
        const written = key === undefined ? { [section]: value } : { [section]: { [key]: value } };
        assert.ok(!('issues' in judge(written)), `${path} = ${value}`);
      }
    });

    test(`${name}: what nobody set is as the profile says`, () => {
      const { config, sourceOf } = on(name);
      const { choices } = profileOf(name);
      assert.equal(config.io.mode, choices['io.mode'].value);
      assert.equal(config.io.acceptsPerSecond, choices['io.acceptsPerSecond'].value);
      assert.equal(config.broker.connectionsMax, choices['limits.connectionsMax'].value);
      assert.equal(config.broker.outputHighWater, choices['limits.outputHighWaterBytes'].value);
      assert.equal(config.store.durability, choices['store.durability'].value);
      assert.equal(config.store.thread, choices['store.thread'].value);
      assert.equal(sourceOf('store.walBytes'), `profile ${name}`);
    });
  }

  test('what somebody said stays', () => {
    const toml = '[store]\ndurability = "written"\n[limits]\nconnectionsMax = 7\n';
    const { config, sourceOf } = on('constrained', ['queue.messagesMax=8'], toml);
    assert.deepEqual(
      [config.store.durability, config.broker.connectionsMax, config.broker.queueMessagesMax],
      ['written', 7, 8],
    );
    assert.equal(sourceOf('store.durability'), 'minnow.toml:2');
    assert.equal(sourceOf('queue.messagesMax'), '--set');
    assert.equal(sourceOf('mqtt.retainAvailable'), null);
  });

  test('"auto" says nothing', () => {
    const { settings } = on('gateway', ['io.mode=auto', 'profile=auto', 'store.thread=auto']);
    assert.deepEqual(
      [settings.io.mode, settings.profile, settings.store.thread],
      ['async', 'gateway', 'own'],
    );
  });

  test('a bound that somebody sets is not refused for the sake of one that nobody did', () => {
    const { broker } = on('constrained', ['queue.bytesMax=64MB']).config;
    assert.equal(broker.queuedBytesTotalMax, 64 * 2 ** 20);
    const less = on('constrained', ['queue.totalBytesMax=100kB']).config.broker;
    assert.equal(less.queueBytesMax, 100 * 2 ** 10);
    const high = on('constrained', ['limits.outputHighWaterBytes=4MB']).config.broker;
    assert.equal(high.outputBytesMax, 8 * 2 ** 20);
    const low = on('constrained', ['limits.outputBytesMax=128kB']).config.broker;
    assert.equal(low.outputHighWater, 64 * 2 ** 10);
  });

  test('two bounds that somebody set and that contradict each other still do', () => {
    const set = ['queue.bytesMax=64MB', 'queue.totalBytesMax=1MB'];
    const result = loadConfig({ flags: { set } }, HOST, profileOf('constrained'));
    assert.ok('faults' in result);
    assert.match(result.faults.join(), /^--set: queue.bytesMax: found 67108864/);
  });
});

describe('the effective configuration', () => {
  const { settings, sourceOf, config } = on('gateway', ['log.levels.io=error', 'data=/d']);
  const text = effectiveToml(settings, sourceOf);

  test('says who decided what is no default', () => {
    const lines = text.split('\n');
    for (const line of [
      'data = "/d" # --set',
      'profile = "gateway" # this machine',
      'connectionsMax = 25000 # profile gateway',
      'io = "error" # --set',
      'subscriptionsPerSessionMax = 10000',
    ]) {
      assert.ok(lines.includes(line), line);
    }
  });

  test('means the same when it is read back, whatever the machine', () => {
    const file = { name: 'minnow.toml', text };
    const again = loadConfig({ file }, HOST, profileOf('constrained'));
    assert.ok('config' in again);
    assert.deepEqual(again.config, config);
  });
});
