// The policies about who comes in: how fast, and how many there is room for.

import assert from 'node:assert/strict';
import { Pacing } from '../../src/io/pacing.ts';
import { createRoom, Room } from '../../src/io/room.ts';
import { describe, test } from '../harness.ts';

/** Lets in whoever it may at `now`. */
function takeAll(pacing: Pacing, now: number): number {
  let taken = 0;
  while (pacing.take(now)) taken++;
  return taken;
}

describe('pacing', () => {
  test('a burst at once, the rest at the rate', () => {
    const pacing = new Pacing(5_000, 0);
    assert.equal(takeAll(pacing, 0), 50);
    let waiting = 10_000 - 50;
    let now = 0;
    while (waiting > 0) {
      now += pacing.delay(now);
      const taken = takeAll(pacing, now);
      assert.ok(taken > 0, 'delay says when there is something to take');
      waiting -= taken;
    }
    assert.ok(Math.abs(now - 1_990) < 1, `all are in after ${now} ms`);
  });

  test('time without newcomers is not saved up beyond a burst', () => {
    const pacing = new Pacing(5_000, 0);
    assert.equal(takeAll(pacing, 3_600_000), 50);
    assert.equal(takeAll(pacing, 3_600_001), 5);
  });

  test('turns that take longer than a burst let in fewer', () => {
    const pacing = new Pacing(1_000, 0);
    takeAll(pacing, 0);
    assert.equal(takeAll(pacing, 100), pacing.burst);
  });

  test('a rate below one per burst still lets everybody in', () => {
    const pacing = new Pacing(2, 0);
    assert.equal(takeAll(pacing, 0), 1);
    assert.equal(pacing.delay(0), 500);
    assert.equal(takeAll(pacing, 499), 0);
    assert.equal(takeAll(pacing, 500), 1);
  });

  test('a clock that stands still or goes back gives nothing away', () => {
    const pacing = new Pacing(1_000, 100);
    takeAll(pacing, 100);
    assert.equal(takeAll(pacing, 100), 0);
    assert.equal(takeAll(pacing, 50), 0);
    assert.equal(takeAll(pacing, 101), 1);
  });
});

describe('room', () => {
  test('being full is told once, and once that it is over', () => {
    const told: string[] = [];
    const room = new Room(createRoom(32), level => told.push(level));
    for (let i = 0; i < 32; i++) assert.ok(room.enter());
    assert.deepEqual(told, []);
    for (let i = 0; i < 5; i++) assert.ok(!room.enter());
    assert.deepEqual(told, ['warn']);
    room.leave();
    assert.deepEqual(told, ['warn'], 'one place is not worth telling');
    assert.ok(room.enter());
    assert.ok(!room.enter());
    assert.deepEqual(told, ['warn']);
    room.leave();
    room.leave();
    assert.deepEqual(told, ['warn', 'info']);
    assert.ok(room.enter());
    assert.ok(room.enter());
    assert.ok(!room.enter());
    assert.deepEqual(told, ['warn', 'info', 'warn']);
  });
});
