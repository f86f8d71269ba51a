// That what nobody holds any more is collected when memory is given back, at once where a runtime
// does so. How much the system gets of it is measured by bench/memory.ts.

import assert from 'node:assert/strict';
import { openGarbage } from '../../src/platform/garbage.ts';
import { test } from '../harness.ts';

const COUNT = 1_000;

/** Nothing but what this returns refers to them. */
function discarded(): WeakRef<object>[] {
  return Array.from({ length: COUNT }, (_, i) => new WeakRef({ i }));
}

// Bun collects for a thread with an event loop as soon as it is idle, and tells nobody.
const blockedOrNot = 'Bun' in globalThis ? [true] : [true, false];

for (const blocked of blockedOrNot) {
  test(`garbage is collected on a thread that ${blocked ? 'blocks' : 'has a loop'}`, async () => {
    const giveBack = await openGarbage(blocked);
    const gone = discarded();
    // A WeakRef holds what it was made for until its turn is over.
    await new Promise(resolve => setImmediate(resolve));
    giveBack();
    const left = gone.filter(one => one.deref() !== undefined).length;
    assert.ok(left < COUNT / 10, `${left} are left`); // a stack may seem to refer to a few
    giveBack();
  });
}
