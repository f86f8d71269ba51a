// The Config that the code reads: complete, frozen, and the core's defaults where nothing is said.

import assert from 'node:assert/strict';
import { defaultOptions } from '../../src/core/options.ts';
import { describe, test } from '../harness.ts';
import { configOf, HOST, loaded } from './load.ts';

describe('the derived configuration', () => {
  test('says what the core does by default when nobody says anything', () => {
    assert.deepEqual(configOf().broker, { ...defaultOptions, version: 'minnow 9.9.9' });
  });

  test('every field of BrokerOptions can be set, by one option each', () => {
    const other: Record<string, string> = {
      'limits.connectTimeoutMs': '1111',
      'mqtt.keepAliveMaxSeconds': '1112',
      'session.expiryMaxSeconds': '1113',
      'limits.packetSizeMaxBytes': '1114',
      'limits.receiveMaximum': '1115',
      'limits.inflightMax': '1116',
      'limits.topicAliasMaximum': '1117',
      'limits.topicAliasOutMax': '1118',
      'limits.topicLevelsMax': '1119',
      'queue.messagesMax': '1120',
      'queue.bytesMax': '1121',
      'queue.totalBytesMax': '1122',
      'queue.policy': 'drop-oldest',
      'queue.qos0': 'true',
      'limits.outputBytesMax': '11123',
      'limits.outputHighWaterBytes': '1124',
      'limits.publisherPauseMaxMs': '1125',
      'limits.connectionsMax': '1126',
      'limits.sessionsMax': '1127',
      'limits.subscriptionsPerSessionMax': '1128',
      'limits.retainedMessagesMax': '1129',
      'limits.retainedBytesMax': '1130',
      'limits.filterWildcardsMax': '1140',
      'limits.clientMessagesPerSecond': '1141',
      'limits.clientBytesPerSecond': '1142',
      'limits.userMessagesPerSecond': '1143',
      'limits.userBytesPerSecond': '1144',
      'limits.listenerMessagesPerSecond': '1145',
      'limits.listenerBytesPerSecond': '1146',
      'limits.ratePauseMaxMs': '1147',
      'limits.rateSlowedMaxMs': '1157',
      'limits.listenerConnectsPerSecond': '1148',
      'limits.addressConnectsPerSecond': '1149',
      'limits.connectionsPerUserMax': '1150',
      'limits.sessionsPerUserMax': '1151',
      'limits.flapsPerClientMax': '1152',
      'limits.flapsPerAddressMax': '1153',
      'limits.flapWindowMs': '1154',
      'limits.flapBanMs': '1155',
      'limits.memoryTargetBytes': '1156',
      'mqtt.maximumQos': '1',
      'mqtt.retainAvailable': 'false',
      'mqtt.wildcardSubscriptionAvailable': 'false',
      'mqtt.sharedSubscriptionAvailable': 'false',
      'mqtt.subscriptionIdentifierAvailable': 'false',
      'mqtt.checkPayloadFormat': 'false',
      'mqtt.assignClientIds': 'false',
      'sys.intervalMs': '1131',
      'limits.drainTimeoutMs': '1132',
      'mqtt.responseInformation': 'here/',
      'auth.superusers': '["a"]', // names mean something: session.takeover holds
    };
    const set = Object.entries(other).map(([key, value]) => `${key}=${value}`);
    const { broker } = configOf({ flags: { set } });
    // authMethods is what the authenticator can do, not what an operator wants.
    const kept = Object.entries(defaultOptions).filter(
      ([key, value]) => key !== 'authMethods' && broker[key as keyof typeof broker] === value,
    );
    assert.deepEqual(kept, []);
    const numbers = Object.values(broker).filter(value => typeof value === 'number');
    assert.equal(new Set(numbers).size, numbers.length, 'two options set the same field');
  });

  test('names that anybody may take tell nobody apart, those that a listener proves do', () => {
    const takeover = (toml: string) => configOf({ toml }).broker.takeover;
    const proves = '[[listeners]]\nunix = "/run/m"\nidentity = "account"\nanonymous = false';
    assert.equal(takeover(''), 'anyone');
    assert.equal(takeover('[auth.users]\na = "b"'), 'same-user');
    assert.equal(takeover(proves), 'same-user');
    assert.equal(takeover(`${proves}\n[session]\ntakeover = "anyone"`), 'anyone');
  });

  test('is frozen all the way down', () => {
    const config = configOf({ toml: '[auth.users]\na = "b"' });
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(frozen));
    assert.ok(frozen(config));
  });
});

describe('listeners', () => {
  const hosts = (...listen: string[]) =>
    configOf({ flags: { listen, set: ['auth.anonymous=true'] } }).listeners.map(
      l => `${l.host}|${l.port}${l.optional ? '|optional' : ''}`,
    );

  test('by default this machine only, and a missing IPv6 is no fault', () => {
    assert.deepEqual(configOf().listeners, [
      { host: '127.0.0.1', port: 1883, optional: false },
      { host: '::1', port: 1883, optional: true },
    ]);
  });

  test('every way to write one', () => {
    assert.deepEqual(hosts('192.0.2.1:1'), ['192.0.2.1|1']);
    assert.deepEqual(hosts('[::1]:2'), ['::1|2']);
    assert.deepEqual(hosts('broker.example:3'), ['broker.example|3']);
    assert.deepEqual(hosts(':4'), ['0.0.0.0|4', '::|4|optional']);
    assert.deepEqual(hosts('*:5'), ['0.0.0.0|5', '::|5|optional']);
    assert.deepEqual(hosts('6'), ['127.0.0.1|6', '::1|6|optional']);
    assert.deepEqual(hosts('localhost:7'), ['127.0.0.1|7', '::1|7|optional']);
    assert.deepEqual(hosts('127.0.0.1:0', '127.0.0.1:0'), ['127.0.0.1|0', '127.0.0.1|0']);
  });

  test('tables in the file, with defaults of their own', () => {
    const toml = 'auth.anonymous = true\n[[listeners]]\nhost = "*"\n\n[[listeners]]\nport = 1884\n';
    assert.deepEqual(
      configOf({ toml }).listeners.map(l => `${l.host}|${l.port}`),
      ['0.0.0.0|1883', '::|1883', '127.0.0.1|1884', '::1|1884'],
    );
  });
});

describe('defaults that depend on the machine', () => {
  const data = (env: Record<string, string>, isRoot = false) =>
    configOf({}, { ...HOST, env, isRoot });

  test('the data directory', () => {
    assert.equal(data({ HOME: '/somebody' }).dataDirectory, '/somebody/.local/state/minnow');
    assert.equal(data({ HOME: '/h', XDG_STATE_HOME: '/x' }).dataDirectory, '/x/minnow');
    assert.equal(data({ HOME: '/root' }, true).dataDirectory, '/var/lib/minnow');
    assert.equal(data({ STATE_DIRECTORY: '/s/minnow:/t' }, true).dataDirectory, '/s/minnow');
    assert.equal(data({}).dataDirectory, 'minnow-data');
  });

  test('the control socket lies in it unless it is told otherwise', () => {
    assert.equal(configOf({ flags: { data: '/d' } }).control.path, '/d/control.sock');
    const { control } = configOf({ flags: { data: '/d', set: ['control.path=/run/m.sock'] } });
    assert.equal(control.path, '/run/m.sock');
  });

  test('the settings that are printed have them filled in', () => {
    assert.equal(loaded().settings.data, '/somebody/.local/state/minnow');
  });
});
