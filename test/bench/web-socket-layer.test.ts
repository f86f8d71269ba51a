// The load engine's WebSocket: what it sends is what the ws package reads, and what comes is
// unwrapped wherever it is cut.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createConnection } from 'node:net';
import { WebSocketServer } from 'ws-plain';
import type { Memory, System } from '../../src/bench/system.ts';
import { WebSocketContext, WebSocketLayer } from '../../src/bench/transport/web-socket-layer.ts';
import { subscribeFrame } from '../../src/bench/wire.ts';
import { describe, test } from '../harness.ts';

function memory(size: number): Memory {
  const buffer = new ArrayBuffer(size);
  return { bytes: new Uint8Array(buffer), view: new DataView(buffer), address: 0 };
}

function filled(bytes: Uint8Array): Memory {
  const made = memory(bytes.length);
  made.bytes.set(bytes);
  return made;
}

/** No more of a system than this layer asks for. */
const system = { memory } as System;

class Side {
  readonly sent: Buffer[] = [];
  readonly received: number[] = [];
  opened = 0;
  readonly context = new WebSocketContext(system, { host: 'localhost', path: '/mqtt' });
  readonly layer = new WebSocketLayer(this.context, {
    below: ({ bytes }, start, end) => this.sent.push(Buffer.from(bytes.slice(start, end))),
    above: ({ bytes }, start, end) => this.received.push(...bytes.subarray(start, end)),
    opened: () => this.opened++,
  });

  get answer(): Buffer {
    const accept = `Sec-WebSocket-Accept: ${this.context.accept}`;
    return Buffer.from(`HTTP/1.1 101 Switching Protocols\r\n${accept}\r\n\r\n`);
  }

  gets(bytes: Uint8Array): void {
    this.layer.unwrap(filled(bytes), 0, bytes.length);
  }
}

/** As a server sends it. */
function frame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const head =
    length < 126
      ? [0x80 | opcode, length]
      : length < 65_536
        ? [0x80 | opcode, 126, length >> 8, length & 0xff]
        : [0x80 | opcode, 127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 0xff, length & 0xff];
  return Buffer.concat([Buffer.from(head), payload]);
}

const packet = (size: number) => subscribeFrame(4, ['x'.repeat(size)], 0);

describe('the WebSocket layer of the load engine', () => {
  test('speaks with a server: upgrade, packets of every length, and their echo', async () => {
    const http = createServer();
    const server = new WebSocketServer({ server: http, handleProtocols: () => 'mqtt' });
    const lengths: number[] = [];
    server.on('connection', socket => {
      socket.on('message', (data: Buffer) => {
        lengths.push(data.length);
        socket.send(data);
      });
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    const socket = createConnection((http.address() as AddressInfo).port, '127.0.0.1');
    const packets = [1, 100, 150, 40_000, 65_000].map(packet);
    const all = Buffer.concat([...packets, packet(30), packet(65_000), packet(65_000)]);
    const side = new Side();
    await new Promise<void>((resolve, reject) => {
      const flush = () => side.sent.splice(0).forEach(bytes => void socket.write(bytes));
      socket.once('connect', () => {
        side.layer.begin();
        flush();
      });
      socket.once('error', reject);
      socket.on('data', (chunk: Buffer) => {
        const before = side.opened;
        side.gets(chunk);
        if (side.opened > before) side.layer.wrap(filled(all), 0, all.length);
        flush();
        if (side.received.length >= all.length) resolve();
      });
    });
    socket.destroy();
    server.close();
    http.close();
    assert.deepEqual(
      lengths.slice(0, 5),
      packets.map(({ length }) => length),
    );
    assert.equal(lengths.length, 8);
    assert.ok(Buffer.from(side.received).equals(all));
  });

  test('takes frames cut at every byte, also within their heads and the answer', () => {
    const payloads = [packet(3), packet(200), packet(0)];
    const frames = payloads.map(payload => frame(2, payload));
    const ping = frame(9, Buffer.from('hello'));
    const empty = frame(2, Buffer.alloc(0));
    for (let cut = 1; ; cut++) {
      const side = new Side();
      const all = Buffer.concat([side.answer, frames[0]!, ping, empty, ...frames.slice(1)]);
      if (cut >= all.length) break;
      side.gets(all.subarray(0, cut));
      side.gets(all.subarray(cut));
      assert.equal(side.opened, 1);
      assert.deepEqual(side.received, [...Buffer.concat(payloads)], `cut at ${cut}`);
      const [pong] = side.sent;
      assert.deepEqual([side.sent.length, pong![0], pong![1]], [1, 0x8a, 0x85]);
      const mask = pong!.subarray(2, 6);
      const unmasked = pong!.subarray(6).map((byte, i) => byte ^ mask[i & 3]!);
      assert.equal(Buffer.from(unmasked).toString(), 'hello');
    }
  });

  test('says what a broker does wrong', () => {
    const after = (...frames: Uint8Array[]) => {
      const side = new Side();
      return () => side.gets(Buffer.concat([side.answer, ...frames]));
    };
    const gets = (text: string) => () => new Side().gets(Buffer.from(text));
    assert.throws(gets('HTTP/1.1 404 Not Found\r\n\r\n'), /refused .* HTTP\/1\.1 404 Not Found/);
    assert.throws(gets('HTTP/1.1 101 Well\r\nUpgrade: websocket\r\n\r\n'), /with a wrong key/);
    assert.throws(gets('x'.repeat(10_000)), /does not speak HTTP/);
    assert.throws(after(Buffer.from([0x82, 0x81, 0, 0, 0, 0, 1])), /masks its WebSocket frames/);
    assert.throws(after(frame(8, Buffer.from([3, 232]))), /closed the WebSocket/);
  });
});
