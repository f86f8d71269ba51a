// What a change of the configuration means for a running broker.

import assert from 'node:assert/strict';
import { judge, type Settings } from '../src/config/schema.ts';
import { changesBetween, takeOver } from '../src/reload.ts';
import { describe, test } from './harness.ts';

function settingsFrom(value: Record<string, unknown>): Settings {
  const judged = judge(value);
  if ('issues' in judged) assert.fail(JSON.stringify(judged.issues));
  return judged;
}

describe('a changed configuration', () => {
  const running = settingsFrom({});

  test('without a difference changes nothing', () => {
    assert.deepEqual(changesBetween(running, settingsFrom({})), { live: [], restart: [] });
  });

  test('tells what is taken over and what waits for a restart', () => {
    const wanted = settingsFrom({
      listeners: ['localhost:1884'],
      log: { level: 'debug', levels: { core: 'warn' }, format: 'json' },
      queue: { messagesMax: 7 },
      limits: { packetSizeMaxBytes: '1MB' },
    });
    assert.deepEqual(changesBetween(running, wanted), {
      live: ['log.level', 'log.levels', 'queue.messagesMax'],
      restart: ['listeners', 'log.format', 'limits.packetSizeMaxBytes'],
    });
  });

  test('leaves all else as it is in force', () => {
    const wanted = settingsFrom({ log: { level: 'debug', format: 'json' }, data: '/elsewhere' });
    const { live } = changesBetween(running, wanted);
    const now = takeOver(running, wanted, live);
    assert.equal(now.log.level, 'debug');
    assert.equal(now.log.format, running.log.format);
    assert.equal(now.data, running.data);
    assert.deepEqual(now.limits, running.limits);
    // Asked again for the same: what waits still waits, nothing else is left to do.
    assert.deepEqual(changesBetween(now, wanted).live, []);
  });
});
