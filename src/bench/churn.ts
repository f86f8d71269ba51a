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

export class Churn implements FrameHandler {
  /** How many CONNACKs have come. */
  answered = 0;
  /** Microseconds from the start of a connection to its CONNACK. */
  readonly latency = new Histogram();
  /** Whether latencies are recorded. */
  measuring = false;
  private readonly engine: Engine;
  private readonly identity: Identity;
  private readonly atOnce: number;
  private begun = 0;
  private readonly startedMs = new Map<Client, number>();
  private readonly leaving: Client[] = [];
  private readonly goodbye = disconnectFrame();

  constructor(engine: Engine, identity: Identity, atOnce: number) {
    this.engine = engine;
    this.identity = identity;
    this.atOnce = atOnce;
  }

  run(durationMs: number): void {
    const end = performance.now() + durationMs;
    let { answered } = this;
    let deadline = performance.now() + PATIENCE_MS;
    for (let now = performance.now(); now < end; now = performance.now()) {
      while (this.startedMs.size < this.atOnce) this.begin();
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
    const { version, prefix, session, credentials } = this.identity;
    const name = `${prefix}${this.begun++}`;
    const startedMs = performance.now();
    const client = this.engine.connect();
    this.engine.sendFrame(client, connectFrame(version, name, session, credentials));
    this.startedMs.set(client, startedMs);
  }

  private leave(client: Client): void {
    this.startedMs.delete(client);
    this.engine.sendFrame(client, this.goodbye);
    this.engine.drop(client);
  }
}
