// The ceiling of the load generator: not a broker, only what hands bytes on. It answers CONNECT and
// SUBSCRIBE, and passes whole QoS 0 frames to every connection whose filter is the topic of a
// connection's first PUBLISH (or ends where `+` begins). What the generator reaches against it is
// the most that a row can show on this machine.

import type { Socket } from 'bun';
import { FrameScanner } from '../src/bench/scanner.ts';
import { PacketType } from '../src/mqtt/packet.ts';

interface Line {
  filter: string;
  /** Where this connection's messages go; null until its first PUBLISH. */
  targets: Socket<Line>[] | null;
  /** The beginning of a frame whose end has not come. */
  rest: Buffer;
  /** What the kernel would not take. */
  unsent: Buffer[];
}

const CONNACK = Uint8Array.of(PacketType.CONNACK << 4, 2, 0, 0);
const listeners = new Set<Socket<Line>>();
const scanner = new FrameScanner();

function hears(filter: string, topic: string): boolean {
  return filter === topic || (filter.endsWith('+') && topic.startsWith(filter.slice(0, -1)));
}

function send(socket: Socket<Line>, bytes: Uint8Array): void {
  const { unsent } = socket.data;
  const sent = unsent.length > 0 ? 0 : socket.write(bytes);
  if (sent < bytes.length) unsent.push(Buffer.from(bytes.subarray(sent)));
}

function flush(socket: Socket<Line>): void {
  const { unsent } = socket.data;
  while (unsent.length > 0) {
    const sent = socket.write(unsent[0]!);
    if (sent < unsent[0]!.length) {
      unsent[0] = unsent[0]!.subarray(sent);
      return;
    }
    unsent.shift();
  }
}

/** Answers what is not PUBLISH; returns where the first frame that cannot be read yet begins. */
function handle(socket: Socket<Line>, bytes: Buffer): number {
  let at = 0;
  for (;;) {
    const next = scanner.next(bytes, at, bytes.length);
    if (next < 0) return at;
    const { head, body, end } = scanner;
    const type = head >> 4;
    if (type === PacketType.CONNECT) send(socket, CONNACK);
    if (type === PacketType.SUBSCRIBE) {
      socket.data.filter = bytes.toString('utf8', body + 4, end - 1);
      listeners.add(socket);
      send(socket, Uint8Array.of(PacketType.SUBACK << 4, 3, bytes[body]!, bytes[body + 1]!, 0));
    }
    if (type === PacketType.PUBLISH) {
      const topic = bytes.toString('utf8', body + 2, body + 2 + bytes.readUInt16BE(body));
      socket.data.targets = [...listeners].filter(({ data }) => hears(data.filter, topic));
      return at;
    }
    at = next;
  }
}

/** The end of the last whole frame. */
function wholeFrames(bytes: Buffer, from: number): number {
  let at = from;
  for (;;) {
    const next = scanner.next(bytes, at, bytes.length);
    if (next < 0) return at;
    if (scanner.head >> 4 !== PacketType.PUBLISH) return at;
    at = next;
  }
}

Bun.listen<Line>({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  socket: {
    open(socket) {
      socket.data = { filter: '', targets: null, rest: Buffer.alloc(0), unsent: [] };
      socket.setNoDelay(true);
    },
    data(socket, chunk) {
      const line = socket.data;
      const bytes = line.rest.length > 0 ? Buffer.concat([line.rest, chunk]) : chunk;
      const from = line.targets ? 0 : handle(socket, bytes);
      const end = line.targets ? wholeFrames(bytes, from) : from;
      if (line.targets && end > from) {
        const frames = bytes.subarray(from, end);
        for (const target of line.targets) send(target, frames);
      }
      line.rest = Buffer.from(bytes.subarray(end));
    },
    drain: flush,
    close: socket => void listeners.delete(socket),
    error: socket => void listeners.delete(socket),
  },
});
