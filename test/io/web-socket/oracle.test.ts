// The reader of frames against that of the ws package: the same bytes, right and wrong, cut in the
// same way, mean the same to both. fast-check prints the seed of what fails.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Receiver } from 'ws-plain';
import { FrameReader } from '../../../src/io/web-socket/frame-reader.ts';
import { test } from '../../harness.ts';
import { clientFrame, type FrameShape } from './frames-kit.ts';

const MESSAGE_MAX = 1000;

interface Heard {
  data: Buffer;
  /** The last ping of each chunk. */
  readonly pings: (string | null)[];
  ending: number;
}

function ours(chunks: readonly Buffer[]): Heard {
  const reader = new FrameReader(MESSAGE_MAX);
  const heard: Heard = { data: Buffer.alloc(0), pings: [], ending: 0 };
  for (const chunk of chunks) {
    const own = Buffer.from(chunk);
    heard.data = Buffer.concat([heard.data, own.subarray(0, reader.read(own))]);
    heard.pings.push(reader.ping === null ? null : Buffer.from(reader.ping).toString('hex'));
    reader.ping = null;
  }
  heard.ending = reader.ending;
  return heard;
}

function theirs(chunks: readonly Buffer[]): Heard {
  const receiver = new Receiver({
    isServer: true,
    maxPayload: MESSAGE_MAX,
    allowSynchronousEvents: true,
  });
  const heard: Heard = { data: Buffer.alloc(0), pings: [], ending: 0 };
  let ping: string | null = null;
  receiver.on('message', (data: Buffer) => {
    heard.data = Buffer.concat([heard.data, data]);
  });
  receiver.on('ping', (data: Buffer) => {
    ping = data.toString('hex');
  });
  receiver.on('conclude', (status: number) => {
    heard.ending = status;
  });
  receiver.on('error', error => {
    heard.ending = statusIn(error);
  });
  for (const chunk of chunks) {
    ping = null;
    // Its answer to an error comes later; what it has heard by then it says at once.
    receiver._write(Buffer.from(chunk), 'binary', error => {
      if (error) heard.ending = statusIn(error);
    });
    heard.pings.push(ping);
    if (heard.ending !== 0) break;
  }
  return heard;
}

function statusIn(error: object): number {
  const key = Object.getOwnPropertySymbols(error).find(each => each.description === 'status-code');
  assert.ok(key, `${error}`);
  return (error as Record<symbol, number>)[key]!;
}

const often = <T>(usual: T, ...others: T[]) =>
  fc.oneof({ weight: 40, arbitrary: fc.constant(usual) }, fc.constantFrom(usual, ...others));

/** Text is left out: ws hands on all of it, ours nothing. */
const shape: fc.Arbitrary<FrameShape> = fc.record({
  opcode: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(0, 2) },
    { weight: 4, arbitrary: fc.constantFrom(9, 10) },
    fc.constantFrom(3, 8, 11, 15),
  ),
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 12 }),
    fc.uint8Array({ minLength: 120, maxLength: 130 }),
    fc.uint8Array({ minLength: 400, maxLength: 600 }),
    fc.constantFrom(1000, 1004, 1005, 1015, 3000).map(n => Uint8Array.of(n >> 8, n & 0xff, 0x61)),
  ),
  final: fc.boolean(),
  reserved: often(0, 1, 4),
  masked: often(true, false),
});

/** Mostly streams that a client could send: fragments follow each other. */
function orderly(shapes: readonly FrameShape[], disorder: boolean): FrameShape[] {
  let open = false;
  return shapes.map(each => {
    if (disorder || each.opcode > 2) {
      return disorder || (each.payload?.length ?? 0) > 125 ? each : { ...each, final: true };
    }
    const opcode = open ? 0 : 2;
    open = !each.final;
    return { ...each, opcode };
  });
}

/** Two that mean the same agree in all but when: ours hands on what of a message has come. */
function check(shapes: readonly FrameShape[], places: readonly number[]): void {
  const bytes = Buffer.concat(shapes.map(clientFrame));
  const marks = places.map(place => place % (bytes.length + 1)).sort((a, b) => a - b);
  const chunks = [0, ...marks].map((at, i) => bytes.subarray(at, marks[i] ?? bytes.length));
  const some = chunks.filter(chunk => chunk.length > 0);
  const [mine, other] = [ours(some), theirs(some)];
  assert.equal(mine.ending, other.ending);
  assert.ok(mine.data.subarray(0, other.data.length).equals(other.data));
  const count = other.pings.length;
  assert.deepEqual(mine.pings.slice(0, count), other.pings);
  const sent = Buffer.concat(
    shapes.filter(({ opcode }) => opcode < 8).map(({ payload }) => Buffer.from(payload!)),
  );
  assert.ok(sent.subarray(0, mine.data.length).equals(mine.data));
}

const cutting = fc.array(fc.nat(), { maxLength: 12 });

test('what is orderly, and what is not, means to both the same', () => {
  const streams = fc.tuple(fc.array(shape, { maxLength: 20 }), cutting, fc.nat(5));
  fc.assert(
    fc.property(streams, ([shapes, places, order]) => check(orderly(shapes, order === 0), places)),
    { numRuns: 3000 },
  );
});

test('noise means to both the same', () => {
  const noise = fc.uint8Array({ maxLength: 60 });
  fc.assert(
    fc.property(noise, cutting, (bytes, places) => {
      const first = bytes[0] ?? 0;
      fc.pre((first & 0x0f) !== 1);
      const marks = places.map(place => place % (bytes.length + 1)).sort((a, b) => a - b);
      const chunks = [0, ...marks]
        .map((at, i) => Buffer.from(bytes.subarray(at, marks[i] ?? bytes.length)))
        .filter(chunk => chunk.length > 0);
      const [mine, other] = [ours(chunks), theirs(chunks)];
      if (mine.ending === 1003) return; // text further on
      assert.equal(mine.ending, other.ending);
    }),
    { numRuns: 3000 },
  );
});
