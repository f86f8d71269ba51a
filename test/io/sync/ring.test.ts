// The ring against a queue: whatever the order of writing and reading, what comes out is what went
// in, nothing is lost, and whoever waits is woken.

import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { createRing, RingReader, RingWriter } from '../../../src/io/sync/ring.ts';
import { describe, freshSeed, rounds, test } from '../../harness.ts';
import { Prng } from '../../prng.ts';
import { checksum } from './checksum.ts';

const RING_BYTES = 1024;

type Step =
  | { readonly do: 'write'; readonly length: number; readonly start: number }
  | { readonly do: 'publish' | 'read' | 'release' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('write' as const),
    length: fc.nat({ max: RING_BYTES / 4 - 12 }),
    start: fc.nat({ max: 8 }),
  }),
  fc.record({ do: fc.constantFrom('publish' as const, 'read' as const, 'release' as const) }),
);

describe('a ring', () => {
  test('is a queue of records', () => {
    const property = fc.property(fc.array(step, { maxLength: 300 }), steps => {
      const memory = createRing(RING_BYTES);
      const writer = new RingWriter(memory, () => {});
      const reader = new RingReader(memory, () => {});
      const written: { kind: number; bytes: Uint8Array }[] = [];
      let visible = 0;
      let count = 0;
      for (const one of steps) {
        if (one.do === 'write') {
          const bytes = new Uint8Array(one.start + one.length).fill(++count);
          const fits = writer.room() >= one.length;
          const taken = writer.write(count, -count, bytes, one.start, bytes.length);
          assert.equal(taken, fits, 'room says what write takes');
          if (taken) written.push({ kind: count, bytes: bytes.subarray(one.start) });
        } else if (one.do === 'publish') {
          writer.publish();
          visible = written.length;
        } else if (one.do === 'release') {
          reader.release();
        } else {
          assert.equal(reader.next(), visible > 0);
          if (visible === 0) continue;
          visible--;
          const { kind, bytes } = written.shift()!;
          assert.deepEqual([reader.kind, reader.about], [kind, -kind]);
          assert.deepEqual(reader.view(), bytes);
        }
      }
    });
    fc.assert(property, { seed: freshSeed() | 0, numRuns: 300 * rounds });
  });

  test('takes its longest record wherever it stands, once half of it is free', () => {
    const longest = new Uint8Array(RING_BYTES / 4 - 12);
    for (let before = 0; before < RING_BYTES; before += 4) {
      const memory = createRing(RING_BYTES);
      const writer = new RingWriter(memory, () => {});
      const reader = new RingReader(memory, () => {});
      for (let at = 0; at < before; ) {
        const bytes = Math.min(before - at, 212);
        assert.ok(writer.write(1, 1, longest, 0, Math.max(0, bytes - 12)));
        at += Math.max(12, bytes);
        writer.publish();
        while (reader.next());
        reader.release();
      }
      assert.ok(writer.write(2, 2, longest, 0, longest.length), `after ${before} bytes`);
      assert.ok(writer.write(3, 3, longest, 0, longest.length), `twice after ${before} bytes`);
    }
  });

  test('rings once for a reader that sleeps and never for one that does not', () => {
    const memory = createRing(RING_BYTES);
    let rings = 0;
    const writer = new RingWriter(memory, () => rings++);
    const reader = new RingReader(memory, () => {});
    const write = () => {
      writer.write(1, 1, new Uint8Array(4), 0, 4);
      writer.publish();
    };
    write();
    assert.equal(rings, 1, 'it has never looked');
    write();
    assert.equal(rings, 1);
    assert.ok(!reader.sleep(), 'there is something');
    assert.ok(reader.next() && reader.next());
    assert.ok(reader.sleep());
    writer.publish();
    assert.equal(rings, 1, 'nothing new');
    write();
    write();
    assert.equal(rings, 2);
    assert.ok(reader.next() && reader.next());
    assert.ok(reader.sleep());
    reader.awake();
    write();
    assert.equal(rings, 2);
  });

  test('wakes a writer that waits when half of it is free', () => {
    const memory = createRing(RING_BYTES);
    let rings = 0;
    const writer = new RingWriter(memory, () => {});
    const reader = new RingReader(memory, () => rings++);
    assert.ok(!writer.waitForRoom(), 'there is room');
    let count = 0;
    while (writer.write(1, ++count, new Uint8Array(100), 0, 100));
    writer.publish();
    assert.ok(writer.waitForRoom());
    for (let read = 0; rings === 0; read++) {
      assert.ok(reader.next(), 'was woken before the ring was empty');
      assert.equal(reader.about, read + 1);
      reader.release();
    }
    assert.ok(writer.room() >= 100);
    while (reader.next());
    reader.release();
    assert.equal(rings, 1);
  });

  test('goes on when its positions wrap at 2^32', () => {
    const memory = createRing(RING_BYTES);
    const control = new Int32Array(memory, 0, 64);
    control[0] = -512; // head and tail, as if so many bytes had gone through
    control[16] = -512;
    const writer = new RingWriter(memory, () => {});
    const reader = new RingReader(memory, () => {});
    for (let i = 1; i <= 30; i++) {
      assert.ok(writer.write(i, i, new Uint8Array(100).fill(i), 0, 100));
      writer.publish();
      assert.ok(reader.next());
      assert.deepEqual(reader.view(), new Uint8Array(100).fill(i));
      reader.release();
    }
    assert.ok(control[16]! > 0, 'it has wrapped');
  });

  for (const [name, bytes] of [
    ['small', 1024],
    ['large', 64 * 1024],
  ] as const) {
    test(`carries everything between two threads: a ${name} one`, async () => {
      const seed = freshSeed();
      const count = 40_000 * rounds;
      const memory = createRing(bytes);
      const worker = new Worker(new URL('./ring-writer.ts', import.meta.url), {
        workerData: { memory, seed, count },
      });
      const random = new Prng(seed);
      const reader = new RingReader(memory, () => worker.postMessage(null));
      let seen = 0;
      await new Promise<void>((resolve, reject) => {
        worker.once('error', reject);
        worker.on('message', () => {
          try {
            do {
              while (reader.next()) {
                seen++;
                assert.equal(reader.about, seen, `seed ${seed}`);
                assert.equal(reader.kind, checksum(reader.view()), `record ${seen}, seed ${seed}`);
                if (random.below(4) === 0) reader.release();
              }
              reader.release();
            } while (!reader.sleep());
            if (seen === count) resolve();
          } catch (error) {
            reject(error as Error);
          }
        });
      });
      await worker.terminate();
    });
  }
});
