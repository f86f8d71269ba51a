// The timer heap against a plain list: whatever is armed, moved and cancelled, what is due comes
// out in the order of its deadlines, and nothing else does.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { Timer, TimerKind, Timers } from '../../src/core/timers.ts';
import { describe, test } from '../harness.ts';
import { runs } from '../mqtt/arbitrary.ts';

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ arm: fc.nat(30), at: fc.nat(100) }) },
  { weight: 2, arbitrary: fc.record({ cancel: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ take: fc.nat(100) }) },
);

/** Deadlines by timer, the obvious way. */
function takeDue(armed: Map<number, number>, now: number): number[] {
  const due = [...armed].filter(([, deadline]) => deadline <= now);
  for (const [id] of due) armed.delete(id);
  return due.map(([, deadline]) => deadline).sort((a, b) => a - b);
}

describe('timers', () => {
  test('behave like a sorted list', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), steps => {
        const timers = new Timers<number>();
        const known = Array.from({ length: 31 }, (_, id) => new Timer(TimerKind.Session, id));
        const armed = new Map<number, number>();
        for (const action of steps) {
          if ('arm' in action) {
            timers.arm(known[action.arm]!, action.at);
            armed.set(action.arm, action.at);
          } else if ('cancel' in action) {
            timers.cancel(known[action.cancel]!);
            armed.delete(action.cancel);
          } else {
            const due: number[] = [];
            for (let t = timers.takeDue(action.take); t; t = timers.takeDue(action.take)) {
              due.push(t.deadline);
            }
            assert.deepEqual(due, takeDue(armed, action.take));
          }
          assert.equal(timers.size, armed.size);
          assert.equal(timers.next(), Math.min(Number.POSITIVE_INFINITY, ...armed.values()));
        }
      }),
      runs(500),
    );
  });

  test('a timer that is not armed can be cancelled', () => {
    const timers = new Timers<null>();
    timers.cancel(new Timer(TimerKind.Session, null));
    assert.equal(timers.next(), Number.POSITIVE_INFINITY);
  });
});
