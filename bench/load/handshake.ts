// Brings clients up: TCP, CONNECT, CONNACK, and SUBSCRIBE, SUBACK for those who listen. A few at a
// time, so that a broker's accept queue never overflows and makes the kernel wait a second.

import { PacketType, type ProtocolVersion, type QoS } from '../../src/mqtt/packet.ts';
import type { Client, Engine, FrameHandler } from './engine.ts';
import type { Memory } from './libc.ts';
import type { FrameScanner } from './scanner.ts';
import { connectFrame, type SessionKind, subscribeFrame } from './wire.ts';

const AT_ONCE = 64;
const STEP_TIMEOUT_MS = 10_000;

/** Counts answers and refuses refusals. */
class Greeter implements FrameHandler {
  answers = 0;

  onRead(): void {}

  onFrame(_client: Client, scanner: FrameScanner, memory: Memory): void {
    const type = scanner.head >> 4;
    if (type === PacketType.CONNACK) {
      const code = memory.bytes[scanner.body + 1]!;
      if (code !== 0) throw new Error(`the broker refused CONNECT with code ${code}`);
    } else if (type === PacketType.SUBACK) {
      const code = memory.bytes[scanner.end - 1]!;
      if (code > 2) throw new Error(`the broker refused SUBSCRIBE with code ${code}`);
    } else {
      throw new Error(`the broker answered a handshake with packet type ${type}`);
    }
    this.answers++;
  }
}

function awaitAnswers(engine: Engine, greeter: Greeter, wanted: number): void {
  const deadline = performance.now() + STEP_TIMEOUT_MS;
  while (greeter.answers < wanted) {
    if (performance.now() > deadline) throw new Error('the broker did not answer a handshake');
    engine.turn(greeter, 100);
  }
}

/** Connects that many clients, each with an identifier of its own beginning with the prefix. */
export function connectClients(
  engine: Engine,
  port: number,
  version: ProtocolVersion,
  prefix: string,
  count: number,
  session: SessionKind = 'clean',
): Client[] {
  const clients: Client[] = [];
  const greeter = new Greeter();
  while (clients.length < count) {
    const upTo = Math.min(count, clients.length + AT_ONCE);
    while (clients.length < upTo) {
      const client = engine.connect(port);
      engine.sendFrame(client, connectFrame(version, `${prefix}${clients.length}`, session));
      clients.push(client);
    }
    awaitAnswers(engine, greeter, clients.length);
  }
  return clients;
}

/** Subscribes each client to the filter made for its place in the list. */
export function subscribeClients(
  engine: Engine,
  clients: readonly Client[],
  version: ProtocolVersion,
  qos: QoS,
  filterOf: (n: number) => string,
): void {
  const greeter = new Greeter();
  clients.forEach((client, n) => {
    engine.sendFrame(client, subscribeFrame(version, filterOf(n), qos));
  });
  awaitAnswers(engine, greeter, clients.length);
}
