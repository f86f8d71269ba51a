// The wire corpus against mqtt-packet, an implementation that is not ours. Where the two differ is
// listed in mqtt-packet.txt, and this test holds the list to the facts: a case that is not listed
// is read, refused and written by mqtt-packet as the corpus says. Most of the list is faults that
// it lets pass and user properties whose order it loses, which is why it does not read for us.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from '../harness.ts';
import { hex } from '../wire.ts';
import { type GoldenCase, loadCorpus } from './corpus.ts';
import { generateTheirs, parseTheirs } from './mqtt-packet.ts';

/** How mqtt-packet differs from the corpus in one case. */
function differences(c: GoldenCase): string[] {
  const parsed = parseTheirs(c.bytes, c.version);
  if (c.packet === null) return parsed === 'refused' ? [] : ['lets pass'];
  const found: string[] = [];
  if (parsed === 'refused') found.push('refuses');
  else if (!equal(parsed, c.packet)) found.push('misreads');
  if (!c.canonical) return found;
  const written = generateTheirs(c.packet, c.version);
  if (written === null) found.push('cannot write');
  else if (hex(written) !== hex(c.bytes)) found.push('writes otherwise');
  return found;
}

function equal(actual: unknown, expected: unknown): boolean {
  try {
    assert.deepEqual(actual, expected);
    return true;
  } catch {
    return false;
  }
}

/** The lines of the list, without blank lines and comments. */
function listed(): Set<string> {
  const file = readFileSync(new URL('mqtt-packet.txt', import.meta.url), 'utf8');
  return new Set(file.split('\n').filter(line => line !== '' && !line.startsWith('#')));
}

describe('mqtt-packet', () => {
  const found = loadCorpus().flatMap(c => differences(c).map(what => `${what} | ${c.title}`));
  const known = listed();

  test('agrees with the corpus wherever the list does not say otherwise', () => {
    assert.deepEqual(
      found.filter(line => !known.has(line)),
      [],
    );
  });

  test('differs from the corpus wherever the list says so', () => {
    const facts = new Set(found);
    assert.deepEqual(
      [...known].filter(line => !facts.has(line)),
      [],
    );
  });
});
