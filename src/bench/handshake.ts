// Brings clients up: TCP, CONNECT, CONNACK, and SUBSCRIBE, SUBACK for those who listen. A few at a
// time, so that a broker's accept queue never overflows and makes the kernel wait a second; or at a
// fixed rate, and then the time to CONNACK counts from when the client was due.

import { PacketType, type ProtocolVersion, type QoS } from '../mqtt/packet.ts';
import type { Client, Engine, FrameHandler } from './engine.ts';
import { Histogram } from './histogram.ts';
import type { FrameScanner } from './scanner.ts';
import type { Memory } from './system.ts';
import { type Credentials, connectFrame, type SessionKind, subscribeFrame } from './wire.ts';

const AT_ONCE = 64;
const STEP_TIMEOUT_MS = 10_000;
const SUBACK_FAILURE = 0x80;

export interface Identity {
  readonly version: ProtocolVersion;
  /** Client n is called that and n. */
  readonly prefix: string;
  readonly session?: SessionKind;
  readonly credentials?: Credentials | null;
}

/** Clients on their way. */
export class Arrivals implements FrameHandler {
  readonly clients: Client[] = [];
  /** Microseconds from when a client was due (at a rate) or began to connect, to its CONNACK. */
  readonly latency = new Histogram();
  /** How many CONNACKs have come. */
  arrived = 0;
  private readonly engine: Engine;
  private readonly identity: Identity;
  private readonly count: number;
  private readonly intervalMs: number;
  private readonly first: number;
  private readonly startedMs: number[] = [];
  private readonly epochMs = performance.now();
  private deadlineMs = performance.now() + STEP_TIMEOUT_MS;

  /** `perSecond`: how many begin to connect each second; 0: as many as the broker takes. */
  constructor(engine: Engine, identity: Identity, count: number, perSecond = 0) {
    this.engine = engine;
    this.identity = identity;
    this.count = count;
    this.intervalMs = perSecond > 0 ? 1_000 / perSecond : 0;
    this.first = engine.clients.length;
  }

  get complete(): boolean {
    return this.arrived === this.count;
  }

  /** How many may have begun by now. The first comes alone: where TLS sessions are resumed it is
   *  the first one's. */
  private get bound(): number {
    return this.arrived === 0 ? 1 : Math.min(this.count, this.arrived + AT_ONCE);
  }

  /** Lets those connect whose time has come, and waits for answers, at most so long. */
  step(timeoutMs: number): void {
    const before = this.arrived;
    if (this.intervalMs > 0) this.beginDue();
    else while (this.clients.length < this.bound) this.begin();
    const waiting = this.clients.length > this.arrived;
    const nextMs = this.epochMs + this.clients.length * this.intervalMs;
    const more = this.intervalMs > 0 && this.clients.length < this.count;
    const patienceMs = more ? Math.min(timeoutMs, nextMs - performance.now()) : timeoutMs;
    this.engine.turn(this, Math.max(0, patienceMs));
    const now = performance.now();
    if (this.arrived > before || !waiting) this.deadlineMs = now + STEP_TIMEOUT_MS;
    else if (now > this.deadlineMs) throw new Error('the broker did not answer a CONNECT');
  }

  onRead(): void {}
  onDrained(): void {}

  onFrame(client: Client, scanner: FrameScanner, memory: Memory): void {
    const type = scanner.head >> 4;
    if (type !== PacketType.CONNACK) throw new Error(`packet type ${type} came before CONNACK`);
    const code = memory.bytes[scanner.body + 1]!;
    if (code !== 0) throw new Error(`the broker refused CONNECT with code ${code}`);
    this.latency.record((performance.now() - this.startedMs[client.index - this.first]!) * 1000);
    this.arrived++;
  }

  private beginDue(): void {
    const due = Math.min(this.count, (performance.now() - this.epochMs) / this.intervalMs);
    while (this.clients.length < due) {
      this.begin(this.epochMs + this.clients.length * this.intervalMs);
    }
  }

  private begin(dueMs = performance.now()): void {
    const { version, prefix, session, credentials } = this.identity;
    const name = `${prefix}${this.clients.length}`;
    this.startedMs.push(dueMs);
    const client = this.engine.connect();
    this.engine.sendFrame(client, connectFrame(version, name, session, credentials));
    this.clients.push(client);
  }
}

/** Connects that many clients, each with an identifier of its own. */
export function connectClients(engine: Engine, identity: Identity, count: number): Client[] {
  const arrivals = new Arrivals(engine, identity, count);
  while (!arrivals.complete) arrivals.step(100);
  return arrivals.clients;
}

/** Counts SUBACKs and refuses refusals. */
class Subscribing implements FrameHandler {
  answers = 0;
  private readonly others: FrameHandler | null;

  constructor(others: FrameHandler | null) {
    this.others = others;
  }

  onRead(): void {}
  onDrained(): void {}

  onFrame(client: Client, scanner: FrameScanner, memory: Memory): void {
    const type = scanner.head >> 4;
    if (type !== PacketType.SUBACK) {
      if (!this.others) throw new Error(`the broker answered SUBSCRIBE with packet type ${type}`);
      this.others.onFrame(client, scanner, memory);
      return;
    }
    const code = memory.bytes[scanner.end - 1]!;
    if (code >= SUBACK_FAILURE) throw new Error(`the broker refused SUBSCRIBE with code ${code}`);
    this.answers++;
  }
}

/** Subscribes each client to the filters made for its place in the list; `others` gets what comes
 *  besides the answers. */
export function subscribeClients(
  engine: Engine,
  clients: readonly Client[],
  version: ProtocolVersion,
  qos: QoS,
  filtersOf: (n: number) => readonly string[],
  others: FrameHandler | null = null,
): void {
  const subscribing = new Subscribing(others);
  clients.forEach((client, n) => {
    engine.sendFrame(client, subscribeFrame(version, filtersOf(n), qos));
  });
  let deadlineMs = performance.now() + STEP_TIMEOUT_MS;
  while (subscribing.answers < clients.length) {
    const before = subscribing.answers;
    engine.turn(subscribing, 100);
    if (subscribing.answers > before) deadlineMs = performance.now() + STEP_TIMEOUT_MS;
    else if (performance.now() > deadlineMs) {
      throw new Error('the broker did not answer a SUBSCRIBE');
    }
  }
}
