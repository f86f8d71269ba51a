// Clients that come and go: so many are always on their way in, and each says goodbye as soon as it
// has its CONNACK.

import { PacketType } from '../mqtt/packet.ts';
import type { Client, Engine, FrameHandler } from './engine.ts';
import type { Identity } from './handshake.ts';
import { Histogram } from './histogram.ts';
import type { FrameScanner } from './scanner.ts';
import type { Memory } from './system.ts';
import { connectFrame, disconnectFrame } from './wire.ts';

const PATIENCE_MS = 10_000;
const DIGITS = 8;

export class Churn implements FrameHandler {
  /** How many CONNACKs have come. */
  answered = 0;
  /** Microseconds from the start of a connection to its CONNACK. */
  readonly latency = new Histogram();
  /** Whether latencies are recorded. */
  measuring = false;
  private readonly engine: Engine;
  private readonly atOnce: number;
  /** One CONNECT for all: the digits of the client identifier, which ends it, are patched. */
  private readonly hello: Memory;
  private readonly digitsAt: number;
  private begun = 0;
  private readonly startedMs = new Map<Client, number>();
  private readonly leaving: Client[] = [];
  private readonly goodbye: Memory;

  constructor(engine: Engine, identity: Identity, atOnce: number) {
    const { version, prefix, session, credentials } = identity;
    const name = `${prefix}${'0'.repeat(DIGITS)}`;
    const frame = connectFrame(version, name, session, credentials);
    this.engine = engine;
    this.atOnce = atOnce;
    this.hello = filled(engine, frame);
    this.digitsAt = Buffer.from(frame).indexOf(name) + prefix.length;
    this.goodbye = filled(engine, disconnectFrame());
  }

  run(durationMs: number): void {
    const end = performance.now() + durationMs;
    let { answered } = this;
    let deadline = performance.now() + PATIENCE_MS;
    for (let now = performance.now(); now < end; now = performance.now()) {
      // Where a TLS session is resumed it is the first client's: the others wait for it.
      const atOnce = this.answered === 0 ? 1 : this.atOnce;
      while (this.startedMs.size < atOnce) this.begin();
      this.engine.turn(this, Math.min(100, end - now));
      for (const client of this.leaving.splice(0)) this.leave(client);
      if (this.answered > answered) {
        answered = this.answered;
        deadline = performance.now() + PATIENCE_MS;
      } else if (performance.now() > deadline) {
        throw new Error('the broker did not answer a CONNECT');
      }
    }
  }

  onRead(): void {}
  onDrained(): void {}

  onFrame(client: Client, scanner: FrameScanner, memory: Memory): void {
    const type = scanner.head >> 4;
    if (type !== PacketType.CONNACK) throw new Error(`packet type ${type} came before CONNACK`);
    const code = memory.bytes[scanner.body + 1]!;
    if (code !== 0) throw new Error(`the broker refused CONNECT with code ${code}`);
    const startedMs = this.startedMs.get(client)!;
    if (this.measuring) this.latency.record((performance.now() - startedMs) * 1000);
    this.answered++;
    this.leaving.push(client);
  }

  private begin(): void {
    const { engine, hello } = this;
    const number = this.begun++;
    for (let i = DIGITS - 1, rest = number; i >= 0; i--, rest = Math.floor(rest / 10)) {
      hello.bytes[this.digitsAt + i] = 0x30 + (rest % 10);
    }
    const startedMs = performance.now();
    const client = engine.connect();
    engine.send(client, hello, 0, hello.bytes.length);
    this.startedMs.set(client, startedMs);
  }

  private leave(client: Client): void {
    this.startedMs.delete(client);
    this.engine.send(client, this.goodbye, 0, this.goodbye.bytes.length);
    this.engine.drop(client);
  }
}

function filled(engine: Engine, frame: Uint8Array): Memory {
  const memory = engine.system.memory(frame.length);
  memory.bytes.set(frame);
  return memory;
}
