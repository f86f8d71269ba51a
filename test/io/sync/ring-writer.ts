// The other thread of ring.test.ts: writes records that carry their own checksum, as fast as there
// is room for them.

import { parentPort, workerData } from 'node:worker_threads';
import { RingWriter } from '../../../src/io/sync/ring.ts';
import { Prng } from '../../prng.ts';
import { checksum } from './checksum.ts';

const { memory, seed, count } = workerData as {
  readonly memory: SharedArrayBuffer;
  readonly seed: number;
  readonly count: number;
};
const port = parentPort!;
const random = new Prng(seed + 1);
const writer = new RingWriter(memory, () => port.postMessage(null));
const source = new Uint8Array(writer.recordMax + 16);
for (let i = 0; i < source.length; i++) source[i] = random.below(256);

let written = 0;
let start = 0;
let end = random.below(writer.recordMax);

function writeAll(): void {
  do {
    while (written < count && writer.write(sumOf(), written + 1, source, start, end)) {
      written++;
      start = random.below(16);
      // Mostly small ones, as in life.
      end = start + random.below(random.below(8) === 0 ? writer.recordMax : 64);
      if (random.below(3) === 0) writer.publish();
    }
    writer.publish();
  } while (written < count && !writer.waitForRoom());
}

function sumOf(): number {
  return checksum(source.subarray(start, end));
}

port.on('message', () => {
  writeAll();
  if (written === count) port.close();
});
writeAll();
