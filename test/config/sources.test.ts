// Where settings come from and which of them wins.

import assert from 'node:assert/strict';
import { options } from '../../src/config/schema.ts';
import { environmentName } from '../../src/config/sources.ts';
import { describe, test } from '../harness.ts';
import { configOf, loaded } from './load.ts';

describe('later sources win', () => {
  const toml = '[log]\nlevel = "warn"\n';
  const env = { MINNOW_LOG_LEVEL: 'error' };
  const set = ['log.level=silent'];

  test('defaults < file < environment < flags', () => {
    assert.equal(configOf().log.level, 'info');
    assert.equal(configOf({ toml }).log.level, 'warn');
    assert.equal(configOf({ toml, env }).log.level, 'error');
    assert.equal(configOf({ toml, env, flags: { logLevel: 'debug' } }).log.level, 'debug');
  });

  test('--set is laid over the flags that have a name of their own, the last one wins', () => {
    assert.equal(configOf({ flags: { logLevel: 'debug', set } }).log.level, 'silent');
    assert.equal(configOf({ flags: { set: [...set, 'log.level=warn'] } }).log.level, 'warn');
  });

  test('tables are laid over each other key by key', () => {
    const { auth } = configOf({
      toml: '[auth.users]\nalice = "a"\nbob = "b"\n',
      env: { MINNOW_AUTH_USERS: 'bob=B,carol=C' },
      flags: { set: ['auth.users.carol=CC', 'auth.users.dave=x=y,z'] },
    });
    assert.deepEqual({ ...auth.users }, { alice: 'a', bob: 'B', carol: 'CC', dave: 'x=y,z' });
  });

  test('lists are replaced as a whole', () => {
    const toml = 'listeners = ["192.0.2.1:1", "192.0.2.2:2"]\nauth.anonymous = true';
    const { listeners } = configOf({ toml, flags: { listen: ['192.0.2.3:3'] } });
    assert.deepEqual(listeners, [{ host: '192.0.2.3', port: 3, optional: false }]);
  });
});

describe('the environment', () => {
  test('every option has a name of its own', () => {
    const names = [...options.keys()].map(environmentName);
    assert.equal(new Set(names).size, names.length);
    for (const name of names) assert.match(name, /^MINNOW(_[A-Z\d]+)+$/);
  });

  test('dots and humps become underscores', () => {
    assert.equal(
      environmentName('limits.packetSizeMaxBytes'),
      'MINNOW_LIMITS_PACKET_SIZE_MAX_BYTES',
    );
    assert.equal(environmentName('mqtt.maximumQos'), 'MINNOW_MQTT_MAXIMUM_QOS');
    assert.equal(environmentName('data'), 'MINNOW_DATA');
  });

  test('text becomes what the option holds', () => {
    const config = configOf({
      env: {
        MINNOW_LISTENERS: '192.0.2.1:1, [2001:db8::1]:2',
        MINNOW_AUTH_ANONYMOUS: 'true',
        MINNOW_LOG_LEVELS: 'core=debug, io=error',
        MINNOW_QUEUE_QOS0: 'yes',
        MINNOW_MQTT_RETAIN_AVAILABLE: 'OFF',
        MINNOW_MQTT_MAXIMUM_QOS: '1',
        MINNOW_LIMITS_INFLIGHT_MAX: '7',
        MINNOW_AUTH_USERS: '{"a,b": "c=d"}',
        MINNOW_AUTH_RULES: '[{"filter": "a/#", "allow": "all"}]',
      },
    });
    assert.deepEqual(
      config.listeners.map(l => l.host),
      ['192.0.2.1', '2001:db8::1'],
    );
    assert.deepEqual({ ...config.log.levels }, { core: 'debug', io: 'error' });
    assert.equal(config.broker.queueQoS0, true);
    assert.equal(config.broker.retainAvailable, false);
    assert.equal(config.broker.maximumQoS, 1);
    assert.equal(config.broker.inflightMax, 7);
    assert.deepEqual({ ...config.auth.users }, { 'a,b': 'c=d' });
    const [rule] = config.auth.rules;
    assert.deepEqual([rule.user, rule.filter, rule.allow], ['*', ['a/#'], ['all']]);
  });

  test('an empty variable is as good as none', () => {
    assert.equal(configOf({ env: { MINNOW_LOG_LEVEL: '', MINNOW_DATA: '' } }).log.level, 'info');
  });

  test('a near miss is a warning; what orchestrators and others put there is nothing', () => {
    const { warnings } = loaded({
      env: {
        MINNOW_LOG_LEVLE: 'debug',
        MINNOW_SERVICE_HOST: '10.0.0.1',
        MINNOW_PORT: 'tcp://10.0.0.1:1883',
        MINNOW_SEED: '1',
        PATH: '/bin',
      },
    });
    assert.deepEqual(warnings, [
      'MINNOW_LOG_LEVLE: no option has this name, it is ignored; did you mean MINNOW_LOG_LEVEL?',
    ]);
  });
});

describe('values as people write them', () => {
  const bytes = (text: string) =>
    configOf({ flags: { set: [`limits.packetSizeMaxBytes=${text}`] } }).broker.packetSizeMax;
  const ms = (text: string) =>
    configOf({ flags: { set: [`limits.connectTimeoutMs=${text}`] } }).broker.connectTimeoutMs;
  const expiry = (text: string) =>
    configOf({ flags: { set: [`session.expiryMaxSeconds=${text}`] } }).broker
      .sessionExpiryMaxSeconds;

  test('sizes', () => {
    assert.equal(bytes('65536'), 65_536);
    assert.equal(bytes('65_536'), 65_536);
    assert.equal(bytes('64kB'), 65_536);
    assert.equal(bytes('64 KB'), 65_536);
    assert.equal(bytes('1.5MB'), 1_572_864);
  });

  test('times', () => {
    assert.equal(ms('500'), 500);
    assert.equal(ms('500ms'), 500);
    assert.equal(ms('10s'), 10_000);
    assert.equal(ms('2m'), 120_000);
    assert.equal(expiry('90'), 90);
    assert.equal(expiry('90s'), 90);
    assert.equal(expiry('12h'), 43_200);
    assert.equal(expiry('7d'), 604_800);
  });

  test('in the file, with and without quotes', () => {
    const toml = '[limits]\npacketSizeMaxBytes = "64kB"\nconnectTimeoutMs = 700\n';
    const { broker } = configOf({ toml });
    assert.equal(broker.packetSizeMax, 65_536);
    assert.equal(broker.connectTimeoutMs, 700);
  });
});
