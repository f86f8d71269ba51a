// The layer between a driver and the hallway: a transport that takes as few bytes as it likes and
// brings them cut anywhere, and a hallway that must not notice.

import assert from 'node:assert/strict';
import type { Connection } from '../../../src/core/session/connection.ts';
import type { Hallway, Link } from '../../../src/io/driver.ts';
import { WebSocketReception } from '../../../src/io/web-socket/web-socket-reception.ts';
import { limits } from '../../../src/limits.ts';
import { describe, test } from '../../harness.ts';
import { clientFrame, closing } from './frames-kit.ts';

const REQUEST = [
  'GET /mqtt HTTP/1.1',
  'Host: broker.example',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Protocol: mqtt',
  '\r\n',
].join('\r\n');

const BINARY = 2;
const PING = 9;

const terms = { path: '/mqtt', origins: [], messageBytesMax: 1_000_000 };

/** The transport: takes what `room` says, in all. */
class Raw implements Link {
  readonly peer = '192.0.2.1:7';
  readonly origin = {
    listener: 'ws://here/mqtt',
    username: null,
    certificate: null,
    anonymous: null,
    mountPoint: 'm/',
  };
  connection: Connection | null = null;
  blocked = false;
  closing = false;
  room = Number.POSITIVE_INFINITY;
  paused = false;
  closed = false;
  aborted = false;
  private readonly sent: Uint8Array[] = [];

  write(buffer: Uint8Array, start: number, end: number): number {
    assert.ok(!this.closed && !this.aborted, 'written to after goodbye');
    const taken = Math.min(end - start, this.room);
    this.sent.push(Buffer.from(buffer.subarray(start, start + taken)));
    buffer.fill(0xee, start, start + taken); // what was taken is not looked at again
    this.room -= taken;
    return taken;
  }

  pause(paused: boolean): void {
    this.paused = paused;
  }

  close(): void {
    this.closed = true;
  }

  abort(): void {
    this.aborted = true;
  }

  get said(): Buffer {
    return Buffer.concat(this.sent);
  }
}

interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** What the layer has said: the head of the answer, then whole frames. */
function heard(raw: Raw): { head: string; frames: Frame[] } {
  const { said } = raw;
  const end = said.indexOf('\r\n\r\n') + 4;
  const frames: Frame[] = [];
  for (let at = end; at < said.length; ) {
    const short = said[at + 1]!;
    const start = at + (short === 127 ? 10 : short === 126 ? 4 : 2);
    let size = short;
    if (short === 126) size = said.readUInt16BE(at + 2);
    else if (short === 127) size = Number(said.readBigUInt64BE(at + 2));
    const next = start + size;
    assert.ok(next <= said.length, 'half a frame');
    frames.push({ opcode: said[at]! & 0x0f, payload: said.subarray(start, next) });
    at = next;
  }
  return { head: said.toString('latin1', 0, end), frames };
}

function setUp(room = Number.POSITIVE_INFINITY) {
  const chunks: Buffer[] = [];
  const calls: string[] = [];
  let link!: Link;
  const hallway: Hallway = {
    opened(opened) {
      link = opened;
      return true;
    },
    bytes: (_link, chunk) => chunks.push(Buffer.from(chunk)),
    drained: () => calls.push('drained'),
    parted: (_link, why) => calls.push(why),
    closed: () => calls.push('closed'),
    turn: () => Number.POSITIVE_INFINITY,
  };
  const told: object[] = [];
  const reception = new WebSocketReception(hallway, terms, (_level, _message, fields = {}) =>
    told.push(fields),
  );
  const raw = new Raw();
  raw.room = room;
  assert.ok(reception.opened(raw));
  const bring = (bytes: Uint8Array | string) =>
    reception.bytes(raw, Uint8Array.from(Buffer.from(bytes as string)));
  const drain = (more: number) => {
    assert.ok(raw.blocked, 'nothing was refused');
    raw.room += more;
    reception.drained(raw);
  };
  const got = () => Buffer.concat(chunks).toString();
  return { raw, link, reception, bring, drain, got, chunks, calls, told };
}

/** One that was let in, with `room` for what is said from then on. */
function letIn(room = Number.POSITIVE_INFINITY) {
  const all = setUp();
  all.bring(REQUEST);
  assert.match(heard(all.raw).head, /^HTTP\/1\.1 101 /);
  all.raw.room = room;
  return all;
}

describe('a link with frames around its bytes', () => {
  test('is known from the start, by the name and origin of its transport', () => {
    const { link, raw } = setUp();
    assert.deepEqual([link.peer, link.origin], [raw.peer, raw.origin]);
    assert.equal(link.write(Buffer.from('x'), 0, 1), 0);
    link.pause(true);
    assert.ok(raw.paused);
  });

  test('reads request and frames wherever they are cut', () => {
    const frames = Buffer.concat([
      clientFrame({ opcode: BINARY, payload: 'one', final: false }),
      clientFrame({ opcode: PING, payload: '?' }),
      clientFrame({ opcode: 0, payload: ' and ' }),
      clientFrame({ opcode: BINARY, payload: 'two'.repeat(50) }),
    ]);
    const all = Buffer.concat([Buffer.from(REQUEST), frames]);
    const expected = `one and ${'two'.repeat(50)}`;
    for (let cut = 0; cut <= all.length; cut++) {
      const { raw, bring, got } = setUp();
      bring(all.subarray(0, cut));
      bring(all.subarray(cut));
      assert.equal(got(), expected, `cut at ${cut}`);
      const pongs = heard(raw).frames.map(({ opcode, payload }) => `${opcode} ${payload}`);
      assert.deepEqual(pongs, ['10 ?'], `cut at ${cut}`);
    }
    const { bring, got, chunks } = setUp();
    for (const byte of all) bring(Uint8Array.of(byte));
    assert.equal(got(), expected);
    assert.ok(chunks.every(({ length }) => length > 0));
  });

  test('hands on in one piece what one read brings', () => {
    const { bring, chunks } = letIn();
    const frame = clientFrame({ opcode: BINARY, payload: 'abc' });
    bring(Buffer.concat([frame, frame, frame]));
    assert.deepEqual(chunks.map(String), ['abcabcabc']);
  });

  test('writes what it takes once, however little the transport takes at a time', () => {
    const sent = Buffer.from('The quick brown fox jumps over the lazy dog. '.repeat(4));
    for (const step of [1, 2, 3, 5, 64, 179, 1000]) {
      const { raw, link, drain, calls } = letIn(0);
      const block = new Uint8Array(sent.length + 2);
      let at = 0;
      while (at < sent.length) {
        const end = Math.min(sent.length, at + 70);
        block.set(sent.subarray(at, end), 1);
        const taken = link.write(block, 1, 1 + end - at);
        block.fill(0);
        at += taken;
        if (at === end) continue;
        calls.length = 0;
        while (calls.length === 0) drain(step);
        assert.deepEqual(calls, ['drained']);
      }
      while (raw.blocked) drain(step);
      const { frames } = heard(raw);
      assert.ok(frames.every(({ opcode }) => opcode === BINARY));
      assert.equal(Buffer.concat(frames.map(({ payload }) => payload)).toString(), String(sent));
    }
  });

  test('takes no more than a bound while the transport takes nothing', () => {
    const { raw, link, drain, calls } = letIn(0);
    const much = Buffer.alloc(3 * limits.doorWindowBytes, 'abcdefg');
    const taken = link.write(much, 0, much.length);
    assert.equal(taken, limits.doorWindowBytes);
    assert.equal(link.write(much, taken, much.length), 0);
    drain(taken); // the head of the frame lacks room
    assert.deepEqual(calls, []);
    drain(Number.POSITIVE_INFINITY);
    assert.deepEqual(calls, ['drained']);
    assert.equal(link.write(much, taken, much.length), much.length - taken);
    const { frames } = heard(raw);
    assert.ok(Buffer.concat(frames.map(({ payload }) => payload)).equals(much));
  });

  test('is not told of room that it did not lack', () => {
    const { raw, link, drain, calls } = letIn(3);
    assert.equal(link.write(Buffer.from('hello'), 0, 5), 5);
    drain(100);
    assert.deepEqual([calls, raw.blocked], [[], false]);
  });
});

describe('the end of such a link', () => {
  test('comes behind what is kept', () => {
    const { raw, link, drain } = letIn(1);
    link.write(Buffer.from('last'), 0, 4);
    link.close();
    link.close();
    assert.equal(link.write(Buffer.from('x'), 0, 1), 0);
    for (let i = 0; i < 8; i++) {
      assert.ok(!raw.closed, `goodbye after ${raw.said.length} bytes`);
      drain(1);
    }
    drain(1);
    assert.ok(raw.closed);
    const [data, bye] = heard(raw).frames;
    assert.deepEqual([String(data?.payload), bye?.payload.readUInt16BE()], ['last', 1000]);
  });

  test('is the transport’s alone before the request is answered', () => {
    const { raw, link, bring } = setUp();
    bring(REQUEST.slice(0, 40));
    link.close();
    bring(REQUEST.slice(40));
    assert.deepEqual([raw.closed, raw.said.length], [true, 0]);
  });

  for (const [what, bytes, why, status] of [
    ['a goodbye', closing(4000, 'enough'), 'connection closed', 4000],
    ['a goodbye without a word', closing(null), 'connection closed', null],
    ['a text', clientFrame({ opcode: 1, payload: 'x' }), 'WebSocket fault 1003', 1003],
    ['no mask', clientFrame({ opcode: 2, masked: false }), 'WebSocket fault 1002', 1002],
    ['too much', clientFrame({ opcode: 2, declared: 9e9 }), 'WebSocket fault 1009', 1009],
    ['what is no UTF-8', closing(1000, Uint8Array.of(0xff)), 'WebSocket fault 1007', 1007],
  ] as const) {
    test(`is left to the hallway after ${what}, whose answers still go`, () => {
      const { raw, link, bring, calls, got, reception } = letIn();
      const data = clientFrame({ opcode: BINARY, payload: 'before' });
      bring(Buffer.concat([data, bytes, data]));
      bring(data);
      assert.deepEqual([got(), calls], ['before', [why]]);
      link.write(Buffer.from('answer'), 0, 6);
      link.close();
      const [answer, bye] = heard(raw).frames;
      assert.equal(String(answer?.payload), 'answer');
      assert.deepEqual([bye?.opcode, bye?.payload.length], [8, status === null ? 0 : 2]);
      if (status !== null) assert.equal(bye?.payload.readUInt16BE(), status);
      assert.ok(raw.closed);
      reception.closed(raw);
      reception.closed(raw);
      assert.deepEqual(calls, [why, 'closed']);
    });
  }

  test('is a refusal that says why, and takes its time', () => {
    const { raw, bring, drain, told, calls, got } = setUp(10);
    bring(REQUEST.replace('/mqtt', '/other').replace('Host:', 'Origin: http://x\r\nHost:'));
    const { peer } = raw;
    const [listener, reason] = ['ws://here/mqtt', 'no such path'];
    assert.deepEqual(told, [{ peer, listener, reason, path: '/other', origin: 'http://x' }]);
    assert.ok(!raw.closed);
    bring(clientFrame({ opcode: BINARY, payload: 'x' }));
    drain(Number.POSITIVE_INFINITY);
    assert.ok(raw.closed);
    assert.match(
      raw.said.toString(),
      /^HTTP\/1\.1 404 Not Found\r\n[\s\S]*\r\n\r\nno such path\n$/,
    );
    assert.deepEqual([got(), calls], ['', []]);
  });

  test('is a refusal of whatever is no request, or longer than one', () => {
    for (const text of ['\x10\x0c\0\x04MQTT', `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`]) {
      const { raw, bring, told } = setUp();
      bring(text);
      assert.ok(raw.closed);
      assert.equal((told[0] as { reason: string }).reason, 'no HTTP request');
    }
  });
});

describe('pings', () => {
  const ping = (payload: string) => clientFrame({ opcode: PING, payload });

  test('are answered by the last of those that came at once', () => {
    const { raw, bring } = letIn();
    bring(Buffer.concat([ping('1'), ping('2'), ping('3')]));
    assert.deepEqual(
      heard(raw).frames.map(({ payload }) => String(payload)),
      ['3'],
    );
  });

  test('without end take no memory when nobody reads the answers', () => {
    const { raw, link, bring, drain } = letIn(0);
    for (let i = 0; i < 1000; i++) bring(ping(`${i}`));
    drain(Number.POSITIVE_INFINITY);
    assert.deepEqual(
      heard(raw).frames.map(({ payload }) => String(payload)),
      ['0'],
    );
    link.close();
    bring(ping('late'));
    assert.equal(heard(raw).frames.length, 2);
  });
});

test('frames that the layer writes are read as they were meant, at every size of a head', () => {
  for (const length of [0, 1, 31, 32, 125, 126, 127, 65_535, 65_536, 100_000]) {
    const { raw, link } = letIn();
    const sent = Buffer.alloc(length, 'abcdefg');
    assert.equal(link.write(sent, 0, length), length);
    const { frames } = heard(raw);
    assert.ok(
      Buffer.concat(frames.map(({ payload }) => payload)).equals(Buffer.alloc(length, 'abcdefg')),
    );
  }
});
