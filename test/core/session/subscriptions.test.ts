// A session's subscriptions against a Map, while they come and go.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { Subscription } from '../../../src/core/routing/subscription.ts';
import { Session } from '../../../src/core/session/session.ts';
import {
  type Held,
  heldCount,
  heldFor,
  heldList,
  heldWith,
  heldWithout,
} from '../../../src/core/session/subscriptions.ts';
import { describe, test } from '../../harness.ts';
import { runs } from '../../mqtt/arbitrary.ts';

const session = new Session(1, 'c');
const make = (filter: string) => new Subscription(session, filter, 0, false, false, null, null);

describe('a session’s subscriptions', () => {
  test('are those that a Map would hold', () => {
    const toggles = fc.array(fc.nat(40), { maxLength: 200 });
    fc.assert(
      fc.property(fc.nat(), toggles, (seed, numbers) => {
        let held: Held = null;
        const model = new Map<string, Subscription>();
        for (const number of numbers) {
          const filter = `f/${number}`;
          const known = model.get(filter);
          if (known !== undefined) {
            held = heldWithout(held, known);
            model.delete(filter);
          } else {
            const made = make(filter);
            held = heldWith(held, made, seed);
            model.set(filter, made);
          }
          assert.equal(heldCount(held), model.size);
          for (let i = 0; i <= 40; i++) {
            assert.equal(heldFor(held, `f/${i}`), model.get(`f/${i}`));
          }
        }
        assert.deepEqual(new Set(heldList(held)), new Set(model.values()));
      }),
      runs(200),
    );
  });
});
