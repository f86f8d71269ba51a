// When the loop answers a watchdog, and what WATCHDOG_USEC and WATCHDOG_PID ask of whom.

import assert from 'node:assert/strict';
import { Watchdog, watchdogTimeout } from '../../src/service/watchdog.ts';
import { describe, test } from '../harness.ts';

describe('a watchdog', () => {
  test('is answered twice as often as it asks, however many turns there are', () => {
    const sent: number[] = [];
    let now = 0;
    const watchdog = new Watchdog(text => {
      assert.equal(text, 'WATCHDOG=1');
      return sent.push(now) > 0;
    }, 1_000);
    for (now = 5; now < 2_000; now++) {
      const next = watchdog.beat(now);
      assert.ok(next > now && next <= now + 500, `asked for a turn at ${next}`);
    }
    assert.deepEqual(sent, [5, 505, 1_005, 1_505]);
    now = 60_000; // a turn that comes late
    watchdog.beat(now);
    assert.equal(sent.at(-1), 60_000);
  });

  test('is answered sooner when there was no room for the answer', () => {
    let room = false;
    const watchdog = new Watchdog(() => room, 800);
    assert.equal(watchdog.beat(1_000), 1_050);
    assert.equal(watchdog.beat(1_049), 1_050);
    room = true;
    assert.equal(watchdog.beat(1_050), 1_450);
  });

  test('is answered while another thread gives signs of life, and soon after it goes on', () => {
    const signs = new SharedArrayBuffer(4);
    const sent: number[] = [];
    let now = 0;
    const watchdog = new Watchdog(() => sent.push(now) > 0, 1_000, signs);
    for (; now < 6_000; now++) {
      const alive = now < 2_000 || now >= 4_000;
      if (alive && now % 250 === 249) Atomics.add(new Int32Array(signs), 0, 1);
      const next = watchdog.beat(now);
      assert.ok(next > now && next <= now + 500, `asked for a turn at ${next}`);
    }
    const before = sent.filter(at => at < 4_000);
    assert.deepEqual(before, [0, 500, 1_000, 1_500, 2_000]);
    const after = sent.filter(at => at >= 4_000);
    assert.ok(after[0]! - 4_249 <= 63, `${after}`);
    assert.ok(
      after.every((at, i) => i === 0 || at - after[i - 1]! === 500),
      `${after}`,
    );
  });

  test('is not answered twice for one sign of life, when there was no room', () => {
    const signs = new SharedArrayBuffer(4);
    let room = true;
    const sent: number[] = [];
    let now = 0;
    const watchdog = new Watchdog(() => room && sent.push(now) > 0, 800, signs);
    watchdog.beat(now);
    Atomics.add(new Int32Array(signs), 0, 1);
    room = false;
    for (now = 400; now < 500; now += 50) assert.equal(watchdog.beat(now), now + 50);
    room = true;
    for (; now < 1_000; now += 50) watchdog.beat(now);
    assert.deepEqual(sent, [0, 500]);
  });

  test('is one where WATCHDOG_USEC is a time and WATCHDOG_PID this process', () => {
    const timeout = (usec?: string, pid?: string) =>
      watchdogTimeout({ WATCHDOG_USEC: usec, WATCHDOG_PID: pid }, 42);
    assert.equal(timeout('30000000', '42'), 30_000);
    assert.equal(timeout('1500'), 1.5);
    assert.equal(timeout('30000000', '43'), null);
    for (const text of [undefined, '', '0', '-5', 'soon']) assert.equal(timeout(text), null);
  });
});
