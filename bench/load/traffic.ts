// One traffic scenario at work: publishers that keep a window full or follow a clock, subscribers
// that check every sequence number and answer what QoS asks for. Nothing is allocated per message:
// frames are patched in place in a publisher's batch, and leave many to a write.

import { PacketType } from '../../src/mqtt/packet.ts';
import { copiesOf, isPaired, isShared, named, type TrafficScenario } from '../scenarios.ts';
import { type Client, Engine, type FrameHandler } from './engine.ts';
import { connectClients, subscribeClients } from './handshake.ts';
import { Histogram } from './histogram.ts';
import { Ledger } from './ledger.ts';
import { Memory, pause, Ticker } from './libc.ts';
import type { FrameScanner } from './scanner.ts';
import {
  connectFrame,
  disconnectFrame,
  payloadOf,
  publishTemplate,
  STAMP_SEQUENCE,
  STAMP_TIME,
} from './wire.ts';

const BATCH_BYTES_MAX = 64 * 1024;
/** A loop that has received nothing for that long will not recover. */
const STALL_MS = 5_000;
const TICKS_PER_SECOND_MAX = 10_000;
/** In a closed loop one message in that many has its latency recorded; a power of two. */
const SAMPLE_EVERY = 16;
/** In a closed loop the sockets are looked at again only after a short pause. A generator that is
 *  woken by every single packet makes the broker pay for the waking, keeps its own processor busy
 *  with nothing, and so measures its own promptness: noise on its processor makes brokers that
 *  write every packet by itself half as fast again. Windows are many times longer than the pause.
 * */
const PAUSE_US = 20;
/** Rate at which an open loop warms its broker up: at 1,000 messages per second a just-in-time
 *  compiler is still at work half a minute later. */
const WARM_UP_PER_SECOND = 20_000;
const PUBREL_HEAD = 0x62;
const SUBSCRIBER_PREFIX = 'bench-sub-';

/** A publisher's batch: the same frame many times, ready to be stamped and sent. */
class Publisher {
  readonly client: Client;
  readonly number: number;
  readonly batch: Memory;
  readonly batchFrames: number;
  readonly frameBytes: number;
  readonly packetIdAt: number;
  readonly stampAt: number;
  /** When the messages under way were sent, by sequence number modulo the window. */
  readonly sentUs: Float64Array;
  sent = 0;
  acknowledged = 0;
  touched = false;

  constructor(client: Client, number: number, scenario: TrafficScenario) {
    const { version, qos, payloadBytes, pace } = scenario;
    const frame = publishTemplate(version, named(scenario.topic, number), qos, payloadBytes);
    new DataView(frame.bytes.buffer).setUint32(frame.stampAt, number);
    const wanted = 'window' in pace ? pace.window : 1;
    this.client = client;
    this.number = number;
    this.frameBytes = frame.bytes.length;
    this.packetIdAt = frame.packetIdAt;
    this.stampAt = frame.stampAt;
    this.sentUs = new Float64Array(wanted);
    this.batchFrames = Math.max(1, Math.min(wanted, (BATCH_BYTES_MAX / this.frameBytes) | 0));
    this.batch = new Memory(this.batchFrames * this.frameBytes);
    for (let i = 0; i < this.batchFrames; i++) {
      this.batch.bytes.set(frame.bytes, i * this.frameBytes);
    }
  }

  /** Numbers and times the first frames of the batch; returns how many bytes they are. */
  stamp(frames: number, timeUs: number): number {
    const { view } = this.batch;
    for (let i = 0; i < frames; i++) {
      const at = i * this.frameBytes;
      const sequence = ++this.sent;
      this.sentUs[sequence % this.sentUs.length] = timeUs;
      if (this.packetIdAt > 0) view.setUint16(at + this.packetIdAt, (sequence % 65_535) + 1);
      view.setUint32(at + this.stampAt + STAMP_SEQUENCE, sequence);
      view.setUint32(at + this.stampAt + STAMP_TIME, timeUs);
    }
    return frames * this.frameBytes;
  }
}

export class Traffic implements FrameHandler {
  readonly ledger: Ledger;
  /** Microseconds from sending (closed loop) or from being due (open loop) to receipt, or to the
   *  acknowledgement where subscribers are away. */
  readonly latency = new Histogram();
  /** Whether latencies are recorded. */
  measuring = false;
  private readonly scenario: TrafficScenario;
  private readonly engine: Engine;
  private readonly port: number;
  private readonly publishers: Publisher[];
  private readonly away: boolean;
  /** Where among the engine's clients publishers and subscribers begin. */
  private readonly firstPublisher: number;
  private readonly firstSubscriber: number;
  private acknowledged = 0;
  private readonly window: number;
  private readonly refillAt: number;
  private readonly ticker = new Ticker();
  /** In an open loop the time from one message to the next; 0 in a closed loop. */
  private intervalMs = 0;
  private readonly sampleMask: number;
  private readonly touched: Publisher[] = [];
  private readonly epochMs = performance.now();
  private nowUs = 0;
  private firstDueMs = 0;
  private emitted = 0;

  constructor(engine: Engine, port: number, scenario: TrafficScenario) {
    const { version, pace, publishers, subscribers } = scenario;
    const shape = isPaired(scenario) ? 'pairs' : isShared(scenario) ? 'shared' : 'all';
    this.scenario = scenario;
    this.engine = engine;
    this.port = port;
    this.away = scenario.store?.away ?? false;
    this.firstPublisher = this.away ? 0 : subscribers;
    this.firstSubscriber = this.away ? publishers : 0;
    this.ledger = new Ledger(publishers, subscribers, shape);
    this.window = 'window' in pace ? pace.window : 0;
    // Half a window at a time: a message for every one received would make every write a small one.
    this.refillAt = Math.ceil(this.window / 2);
    this.sampleMask = 'window' in pace ? SAMPLE_EVERY - 1 : 0;
    if (this.away) {
      const visit = new Engine();
      this.listen(visit);
      for (const client of visit.clients) visit.sendFrame(client, disconnectFrame());
      visit.close();
    } else {
      this.listen(engine);
    }
    const sending = connectClients(engine, port, version, 'bench-pub-', publishers);
    this.publishers = sending.map((client, n) => new Publisher(client, n, scenario));
  }

  private listen(engine: Engine): void {
    const { version, qos, subscribers, filter, store } = this.scenario;
    const { port } = this;
    const session = store?.session ?? 'clean';
    const clients = connectClients(engine, port, version, SUBSCRIBER_PREFIX, subscribers, session);
    subscribeClients(engine, clients, version, qos, n => named(filter, n));
  }

  /** Sets the publishers going and lets the broker become what it will be after a day: a window
   *  kept full does that by itself, a fixed rate is raised for as long as this takes. */
  warmUp(durationMs: number): void {
    const { pace } = this.scenario;
    if ('window' in pace) {
      for (const publisher of this.publishers) this.touch(publisher);
      this.refill();
      this.run(durationMs);
    } else {
      this.engine.tickWith(this.ticker);
      this.setRate(Math.max(pace.perSecond, WARM_UP_PER_SECOND));
      this.run(durationMs);
      this.setRate(pace.perSecond);
      this.run(durationMs);
    }
  }

  run(durationMs: number): void {
    const end = performance.now() + durationMs;
    let now = performance.now();
    let { progress } = this;
    let progressMs = now;
    while (now < end) {
      const eager = this.intervalMs === 0 && this.touched.length > 0;
      const patienceMs = eager ? 0 : Math.min(100, Math.ceil(end - now));
      this.engine.turn(this, patienceMs);
      if (this.intervalMs > 0) {
        this.emitDue();
      } else {
        this.refill();
        pause(PAUSE_US);
      }
      now = performance.now();
      if (this.progress !== progress) {
        progress = this.progress;
        progressMs = now;
      } else if (now - progressMs > STALL_MS) {
        throw new Error(`nothing moved for ${STALL_MS} ms; ${this.underWay} under way`);
      }
    }
  }

  /** Sends nothing new and waits until everything has arrived, or for that long without progress.
   *  Subscribers who were away come back for it; gives how many messages per second they then get,
   *  NaN when nobody was away. */
  drain(patienceMs: number): number {
    let perSecond = Number.NaN;
    if (this.away) {
      this.await(patienceMs, () => this.acknowledged === this.sent);
      const backMs = performance.now();
      this.comeBack();
      this.await(patienceMs, () => this.underWay === 0);
      perSecond = (this.ledger.received * 1000) / (performance.now() - backMs);
    } else {
      this.await(patienceMs, () => this.underWay === 0);
    }
    this.leave();
    return perSecond;
  }

  private await(patienceMs: number, reached: () => boolean): void {
    let seen = this.acknowledged + this.ledger.received;
    let deadline = performance.now() + patienceMs;
    while (!reached() && performance.now() < deadline) {
      this.engine.turn(this, 50);
      const now = this.acknowledged + this.ledger.received;
      if (now === seen) continue;
      seen = now;
      deadline = performance.now() + patienceMs;
    }
  }

  /** Without waiting for CONNACK: messages come right behind it. */
  private comeBack(): void {
    const { version, subscribers, store } = this.scenario;
    for (let n = 0; n < subscribers; n++) {
      const frame = connectFrame(version, `${SUBSCRIBER_PREFIX}${n}`, store!.session);
      this.engine.sendFrame(this.engine.connect(this.port), frame);
    }
  }

  private leave(): void {
    for (const client of this.engine.clients) this.engine.sendFrame(client, disconnectFrame());
  }

  get sent(): number {
    return this.publishers.reduce((sum, publisher) => sum + publisher.sent, 0);
  }

  /** What is measured: messages received, or acknowledged where subscribers are away. */
  get progress(): number {
    return this.away ? this.acknowledged : this.ledger.received;
  }

  /** Copies that were sent and have not been received. */
  get underWay(): number {
    return this.sent * copiesOf(this.scenario) - this.ledger.received;
  }

  onRead(nowMs: number): void {
    this.nowUs = (nowMs - this.epochMs) * 1000;
  }

  onFrame(client: Client, scanner: FrameScanner, memory: Memory): void {
    switch (scanner.head >> 4) {
      case PacketType.PUBLISH:
        this.onPublish(client, scanner, memory);
        break;
      case PacketType.PUBREC:
        refuseRefusal(scanner, memory);
        this.engine.reply(PUBREL_HEAD, memory.view.getUint16(scanner.body));
        break;
      case PacketType.PUBREL:
        this.engine.reply(PacketType.PUBCOMP << 4, memory.view.getUint16(scanner.body));
        break;
      case PacketType.PUBACK:
      case PacketType.PUBCOMP:
        refuseRefusal(scanner, memory);
        this.onAcknowledged(this.publishers[client.index - this.firstPublisher]!);
        break;
      case PacketType.CONNACK:
        if (memory.bytes[scanner.body + 1] !== 0) throw new Error('the broker lets nobody return');
        break;
      default:
        throw new Error(`the broker sent packet type ${scanner.head >> 4} amid the traffic`);
    }
  }

  private onAcknowledged(publisher: Publisher): void {
    const sequence = ++publisher.acknowledged;
    this.acknowledged++;
    if (this.away && this.measuring && (sequence & this.sampleMask) === 0) {
      this.latency.record(this.nowUs - publisher.sentUs[sequence % publisher.sentUs.length]!);
    }
    if (!publisher.touched) this.touch(publisher);
  }

  private onPublish(client: Client, scanner: FrameScanner, memory: Memory): void {
    const { bytes, view } = memory;
    const { head, body, end } = scanner;
    const payload = payloadOf(bytes, head, body, this.scenario.version);
    if (end - payload !== this.scenario.payloadBytes) throw new Error('a payload changed its size');
    const number = view.getUint32(payload);
    const sequence = view.getUint32(payload + STAMP_SEQUENCE);
    if (!this.ledger.receive(client.index - this.firstSubscriber, number, sequence)) {
      throw new Error(`a message came from publisher ${number}, who does not exist`);
    }
    if (this.measuring && (sequence & this.sampleMask) === 0) {
      this.latency.record(this.nowUs - view.getUint32(payload + STAMP_TIME));
    }
    const qos = (head >> 1) & 3;
    if (qos > 0) {
      const packetId = view.getUint16(body + 2 + view.getUint16(body));
      this.engine.reply((qos === 1 ? PacketType.PUBACK : PacketType.PUBREC) << 4, packetId);
    }
    const publisher = this.publishers[number]!;
    if (!publisher.touched) this.touch(publisher);
  }

  private setRate(perSecond: number): void {
    this.intervalMs = 1000 / perSecond;
    this.firstDueMs = performance.now();
    this.emitted = 0;
    this.ticker.setPeriod(1e9 / Math.min(perSecond, TICKS_PER_SECOND_MAX));
  }

  private touch(publisher: Publisher): void {
    publisher.touched = true;
    this.touched.push(publisher);
  }

  /** Sends for those for whom something arrived, once half of a window is free. Room is given back
   *  by receipt, and with QoS 1 and 2 by acknowledgement as well. Never more than half a window at
   *  once: a whole one would stay together, and broker and generator would wait for each other. */
  private refill(): void {
    const { touched } = this;
    let open = 0;
    for (let i = 0; i < touched.length; i++) {
      const publisher = touched[i]!;
      publisher.touched = false;
      if (publisher.client.blocked) continue;
      const room = this.window - (publisher.sent - this.done(publisher));
      if (room < this.refillAt) continue;
      this.publish(publisher, this.refillAt);
      if (room - this.refillAt < this.refillAt) continue;
      publisher.touched = true;
      touched[open++] = publisher;
    }
    touched.length = open;
  }

  private done(publisher: Publisher): number {
    if (this.away) return publisher.acknowledged;
    const arrived = this.ledger.completed(publisher.number);
    return this.scenario.qos === 0 ? arrived : Math.min(arrived, publisher.acknowledged);
  }

  private publish(publisher: Publisher, count: number): void {
    const timeUs = (performance.now() - this.epochMs) * 1000;
    for (let left = count; left > 0; left -= publisher.batchFrames) {
      const frames = Math.min(left, publisher.batchFrames);
      this.engine.send(publisher.client, publisher.batch, publisher.stamp(frames, timeUs));
    }
  }

  /** Sends what is due by now, each message stamped with the time it was due: a broker that makes
   *  the generator wait does not get its latencies forgiven (coordinated omission). */
  private emitDue(): void {
    const due = (performance.now() - this.firstDueMs) / this.intervalMs;
    for (; this.emitted < due; this.emitted++) {
      const publisher = this.publishers[this.emitted % this.publishers.length]!;
      const dueMs = this.firstDueMs + this.emitted * this.intervalMs;
      const bytes = publisher.stamp(1, (dueMs - this.epochMs) * 1000);
      this.engine.send(publisher.client, publisher.batch, bytes);
    }
  }
}

/** MQTT 5 acknowledgements may carry a reason; from 0x80 on it is a refusal. */
function refuseRefusal(scanner: FrameScanner, memory: Memory): void {
  if (scanner.end - scanner.body <= 2) return;
  const reason = memory.bytes[scanner.body + 2]!;
  if (reason >= 0x80) throw new Error(`the broker refused a message with reason ${reason}`);
}
