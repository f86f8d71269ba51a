// One traffic scenario at work: publishers that keep a window full or follow a clock, subscribers
// that check every sequence number and answer what QoS asks for. Nothing is allocated per message:
// frames are patched in place in a publisher's batch, and leave many to a write.

import { PacketType } from '../mqtt/packet.ts';
import type { Client, Engine, FrameHandler } from './engine.ts';
import { connectClients, type Identity, subscribeClients } from './handshake.ts';
import { Histogram } from './histogram.ts';
import { Ledger } from './ledger.ts';
import { Publisher } from './publisher.ts';
import type { FrameScanner } from './scanner.ts';
import {
  copiesOf,
  isHeard,
  isPaired,
  isShared,
  namesOf,
  type TrafficScenario,
} from './scenario.ts';
import type { Memory, System, Ticker } from './system.ts';
import {
  type Credentials,
  connectFrame,
  disconnectFrame,
  payloadOf,
  STAMP_SEQUENCE,
  STAMP_TIME,
} from './wire.ts';

/** A loop that has received nothing for that long will not recover. */
const STALL_MS = 5_000;
const TICKS_PER_SECOND_MAX = 10_000;
/** An open loop faster than that does in each tick what has come due and what has come in. Woken by
 *  every packet it would be busy with system calls, late, and measure itself. */
const UNTICKED_PER_SECOND_MAX = 50_000;
/** In a closed loop one message in that many has its latency recorded; a power of two. */
const SAMPLE_EVERY = 16;
/** In a closed loop the sockets are looked at again only after a short pause. A generator that is
 *  woken by every single packet makes the broker pay for the waking, keeps its own processor busy
 *  with nothing, and so measures its own promptness: noise on its processor makes brokers that
 *  write every packet by itself half as fast again. Windows are many times longer than the pause.
 * */
const PAUSE_US = 20;
/** Deliveries in a closed loop with which an open one warms its broker up. After half as many a
 *  just-in-time compiler is still at work, at 1,000 per second for minutes. Slow brokers need not
 *  finish. */
const WARM_UP_DELIVERIES = 300_000;
const WARM_UP_MS_MAX = 3_000;
/** Of them, under way at any time: few, so that they leave no memory behind. */
const WARM_UP_UNDER_WAY = 1_000;
/** An open loop that is ticked brings so many messages in its first seconds that the compilers of
 *  both ends go to work again, which slower ones never do. It is not measured before. */
const FAST_WARM_UP_MS = 2_000;
/** What the warm-up left behind is not to be measured, unless it takes longer than that. */
const SETTLE_PATIENCE_MS = 2_000;
const PUBREL_HEAD = 0x62;
/** Acknowledgements of an open loop come this much later at most, in messages, or are not timed. */
const UNTIMED_AFTER = 8_192;

export interface Audience {
  readonly system: System;
  readonly credentials: Credentials | null;
  /** What client identifiers begin with. */
  readonly prefix: string;
}

export class Traffic implements FrameHandler {
  readonly ledger: Ledger;
  /** Messages that were sent. */
  sent = 0;
  /** Microseconds from sending (closed loop) or from being due (open loop) to receipt, or to the
   *  acknowledgement where nobody listens. */
  readonly latency = new Histogram();
  /** Of an open loop, microseconds from when messages were due until they were sent: as much of
   *  their latency is the generator's own. */
  readonly lateness = new Histogram();
  /** Whether latencies are recorded. */
  measuring = false;
  /** Who gets what comes for clients that are not of this traffic. */
  others: FrameHandler | null = null;
  private readonly scenario: TrafficScenario;
  private readonly audience: Audience;
  private readonly engine: Engine;
  private readonly publishers: Publisher[];
  private readonly heard: boolean;
  private readonly copies: number;
  /** Where among the engine's clients publishers and subscribers begin and all of them end. */
  private readonly firstPublisher: number;
  private firstSubscriber = 0;
  private end: number;
  private acknowledged = 0;
  private window = 0;
  private refillAt = 0;
  private readonly ticker: Ticker | null;
  /** In an open loop the time from one burst to the next; 0 in a closed loop. */
  private intervalMs = 0;
  private readonly burst: number;
  /** Whether sockets are looked at once per tick. */
  private ticked = false;
  private readonly sampleMask: number;
  private readonly touched: Publisher[] = [];
  private readonly epochMs = performance.now();
  private nowUs = 0;
  private firstDueMs = 0;
  private emitted = 0;

  /** Connects and subscribes everybody. */
  constructor(engine: Engine, audience: Audience, scenario: TrafficScenario) {
    const { pace, publishers, subscribers, stalled } = scenario;
    const shape = isPaired(scenario) ? 'pairs' : isShared(scenario) ? 'shared' : 'all';
    this.scenario = scenario;
    this.audience = audience;
    this.engine = engine;
    this.heard = isHeard(scenario);
    this.copies = copiesOf(scenario);
    this.ledger = new Ledger(publishers, subscribers, shape);
    this.sampleMask = 'window' in pace ? SAMPLE_EVERY - 1 : 0;
    this.burst = 'window' in pace ? 1 : (pace.burst ?? 1);
    if (this.heard) {
      this.firstSubscriber = engine.clients.length;
      this.listen(engine, 'sub', subscribers);
    } else if (subscribers > 0) {
      const visit = engine.another();
      this.listen(visit, 'sub', subscribers);
      for (const client of visit.clients) visit.sendFrame(client, disconnectFrame());
      visit.close();
    }
    for (const client of this.listen(engine, 'stalled', stalled)) engine.mute(client);
    this.firstPublisher = engine.clients.length;
    const timed = this.heard ? 1 : 'window' in pace ? pace.window : UNTIMED_AFTER;
    const frames = framesAtOnce(scenario);
    const sending = connectClients(engine, this.identity('pub'), publishers);
    this.publishers = sending.map(
      (client, n) => new Publisher(client, n, scenario, audience.system, frames, timed),
    );
    this.end = engine.clients.length;
    this.ticker = 'window' in pace ? null : audience.system.ticker();
    if (this.ticker) engine.watch(this.ticker);
  }

  private identity(kind: string): Identity {
    const { prefix, credentials } = this.audience;
    return { version: this.scenario.version, prefix: `${prefix}${kind}-`, credentials };
  }

  private listen(engine: Engine, kind: string, count: number): Client[] {
    const { version, qos, filter, spread, store } = this.scenario;
    const session = store?.session ?? 'clean';
    const clients = connectClients(engine, { ...this.identity(kind), session }, count);
    subscribeClients(engine, clients, version, qos, n => namesOf(filter, n, spread));
    return clients;
  }

  /** Sets the publishers going and lets the broker become what it will be after a day: a window
   *  kept full does that by itself, and comes before a fixed rate. */
  warmUp(durationMs: number): void {
    if (!('window' in this.scenario.pace)) this.hurry();
    this.start();
    this.run(this.ticked ? Math.max(durationMs, FAST_WARM_UP_MS) : durationMs);
  }

  /** Sets the publishers going. */
  start(): void {
    const { pace } = this.scenario;
    if ('window' in pace) this.keepFull(pace.window);
    else this.setRate(pace.perSecond);
  }

  private hurry(): void {
    const each = WARM_UP_UNDER_WAY / this.publishers.length / Math.max(1, this.copies);
    this.keepFull(Math.max(1, Math.floor(each)));
    const endMs = performance.now() + WARM_UP_MS_MAX;
    while (this.progress < WARM_UP_DELIVERIES && performance.now() < endMs) this.run(10);
    this.settle(SETTLE_PATIENCE_MS);
  }

  private keepFull(window: number): void {
    this.intervalMs = 0;
    this.window = window;
    // Half a window at a time: a message for every one received would make every write a small one.
    this.refillAt = Math.ceil(window / 2);
    for (const publisher of this.publishers) if (!publisher.touched) this.touch(publisher);
    this.refill();
  }

  run(durationMs: number): void {
    const end = performance.now() + durationMs;
    let now = performance.now();
    let { progress } = this;
    let progressMs = now;
    while (now < end) {
      this.turn(Math.min(100, end - now));
      now = performance.now();
      if (this.progress !== progress || this.underWay === 0) {
        progress = this.progress;
        progressMs = now;
      } else if (now - progressMs > STALL_MS) {
        throw new Error(`nothing moved for ${STALL_MS} ms; ${this.underWay} under way`);
      }
    }
  }

  private turn(patienceMs: number): void {
    const { engine } = this;
    if (this.intervalMs === 0) {
      engine.turn(this, this.touched.length > 0 ? 0 : patienceMs);
      this.refill();
      engine.system.pause(PAUSE_US);
    } else if (this.ticked) {
      this.ticker!.wait();
      this.emitDue();
      engine.turn(this, 0);
    } else {
      engine.turn(this, patienceMs);
      this.emitDue();
    }
  }

  /** Sends nothing new and waits until everything has arrived, or for that long without progress.
   *  Subscribers who were away come back for it; gives how many messages per second they then get,
   *  NaN when nobody was away. */
  drain(patienceMs: number): number {
    this.settle(patienceMs);
    if (this.heard || this.copies === 0) return Number.NaN;
    const backMs = performance.now();
    this.comeBack();
    this.await(patienceMs, () => this.missing === 0);
    return (this.ledger.received * 1000) / (performance.now() - backMs);
  }

  /** Sends nothing new and waits until nothing is under way. */
  settle(patienceMs: number): void {
    this.await(patienceMs, () => this.underWay === 0);
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
    const { prefix, credentials } = this.identity('sub');
    this.firstSubscriber = this.engine.clients.length;
    this.end = this.firstSubscriber + subscribers;
    for (let n = 0; n < subscribers; n++) {
      const frame = connectFrame(version, `${prefix}${n}`, store!.session, credentials);
      this.engine.sendFrame(this.engine.connect(), frame);
    }
  }

  /** Says goodbye for everybody. */
  leave(): void {
    for (const client of this.engine.clients) this.engine.sendFrame(client, disconnectFrame());
  }

  /** What is measured: messages received; where nobody listens those acknowledged, and at QoS 0
   *  those sent. */
  get progress(): number {
    if (this.heard) return this.ledger.received;
    return this.scenario.qos > 0 ? this.acknowledged : this.sent;
  }

  /** What the loop waits for: copies not received, or messages not acknowledged. */
  get underWay(): number {
    return this.heard ? this.missing : this.sent - this.progress;
  }

  /** Copies that were sent and have not been received. */
  get missing(): number {
    return this.sent * this.copies - this.ledger.received;
  }

  onRead(nowMs: number): void {
    this.nowUs = (nowMs - this.epochMs) * 1000;
    this.others?.onRead(nowMs);
  }

  onDrained(client: Client): void {
    const publisher = this.publishers[client.index - this.firstPublisher];
    if (publisher && !publisher.touched) this.touch(publisher);
  }

  onFrame(client: Client, scanner: FrameScanner, memory: Memory): void {
    if (client.index >= this.end) {
      this.others?.onFrame(client, scanner, memory);
      return;
    }
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
    const { sentUs } = publisher;
    const timed = publisher.sent - sequence < sentUs.length;
    if (this.measuring && !this.heard && timed && (sequence & this.sampleMask) === 0) {
      this.latency.record(this.nowUs - sentUs[sequence % sentUs.length]!);
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
      throw new Error(`a message came from publisher ${number}, whom nobody subscribed to`);
    }
    const sampled = ((sequence + client.index) & this.sampleMask) === 0;
    if (this.measuring && this.heard && sampled) {
      // Stamps come round again after 71 minutes; their difference does not mind.
      this.latency.record((this.nowUs - view.getUint32(payload + STAMP_TIME)) | 0);
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
    const bursts = perSecond / this.burst;
    this.intervalMs = 1000 / bursts;
    this.ticked = perSecond > UNTICKED_PER_SECOND_MAX;
    this.firstDueMs = performance.now();
    this.emitted = 0;
    this.ticker!.setPeriod(1e9 / Math.min(bursts, TICKS_PER_SECOND_MAX));
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
      this.put(publisher, this.refillAt, performance.now());
      publisher.flush();
      if (room - this.refillAt < this.refillAt) continue;
      publisher.touched = true;
      touched[open++] = publisher;
    }
    touched.length = open;
  }

  private done(publisher: Publisher): number {
    const { qos } = this.scenario;
    if (!this.heard) return qos > 0 ? publisher.acknowledged : publisher.sent;
    const arrived = this.ledger.completed(publisher.number);
    return qos === 0 ? arrived : Math.min(arrived, publisher.acknowledged);
  }

  /** Sends what is due by now, each message stamped with the time it was due: a broker that makes
   *  the generator wait does not get its latencies forgiven (coordinated omission). One write for
   *  each publisher, whatever has come due for it. */
  private emitDue(): void {
    const { publishers, firstDueMs, intervalMs, emitted } = this;
    const nowMs = performance.now();
    const due = Math.ceil((nowMs - firstDueMs) / intervalMs);
    for (let burst = emitted; burst < due; burst++) {
      const dueMs = firstDueMs + burst * intervalMs;
      this.put(publishers[burst % publishers.length]!, this.burst, dueMs);
      if (this.measuring) this.lateness.record((nowMs - dueMs) * 1000);
    }
    const last = Math.min(due, emitted + publishers.length);
    for (let burst = emitted; burst < last; burst++) publishers[burst % publishers.length]!.flush();
    this.emitted = Math.max(due, emitted);
  }

  private put(publisher: Publisher, count: number, atMs: number): void {
    this.sent += count;
    publisher.put(count, (atMs - this.epochMs) * 1000);
  }
}

/** How many messages one publisher is to write at once: its window, or what comes due for it in a
 *  few ticks. */
function framesAtOnce({ pace, publishers }: TrafficScenario): number {
  if ('window' in pace) return pace.window;
  const perTick = pace.perSecond / publishers / TICKS_PER_SECOND_MAX;
  return Math.max(pace.burst ?? 1, Math.ceil(perTick * 4));
}

/** MQTT 5 acknowledgements may carry a reason; from 0x80 on it is a refusal. */
function refuseRefusal(scanner: FrameScanner, memory: Memory): void {
  if (scanner.end - scanner.body <= 2) return;
  const reason = memory.bytes[scanner.body + 2]!;
  if (reason >= 0x80) throw new Error(`the broker refused a message with reason ${reason}`);
}
