// What idle clients and their subscriptions take of the heap, within a twentieth of what they took
// at last: a field too many in a class that there are a million of, or a map where a slot would do,
// is noticed here. bench/matching.ts tells the figures.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, skipped, test } from '../harness.ts';

/** A Map that has just grown takes up to 183 bytes for each of its entries. */
const CLIENT_BYTES = 835;
const SUBSCRIPTION_BYTES = 315;

const program = join(import.meta.dirname, 'space-program.ts');

describe('on the heap', () => {
  if (typeof Bun === 'undefined') {
    skipped('bytes of idle clients', 'only Bun is asked here');
    return;
  }
  test('an idle client takes 835 bytes at most, and a filter of its own 315', () => {
    const printed = execFileSync(process.execPath, [program], { encoding: 'utf8' });
    const { client, subscription } = JSON.parse(printed) as Record<string, number>;
    assert.ok(client! < CLIENT_BYTES, `${client} bytes for a client`);
    assert.ok(subscription! < SUBSCRIPTION_BYTES, `${subscription} bytes for a filter`);
  });
});
