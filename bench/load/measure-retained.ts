// Many retained messages: how fast they are stored, how fast somebody who subscribes to `#` gets
// all of them, and how long a pair of others that talks on has to wait meanwhile.

import type { Client, Engine, FrameHandler } from '../../src/bench/engine.ts';
import { connectClients } from '../../src/bench/handshake.ts';
import { Listener } from '../../src/bench/listener.ts';
import type { FrameScanner } from '../../src/bench/scanner.ts';
import type { Memory, System } from '../../src/bench/system.ts';
import { Traffic } from '../../src/bench/traffic.ts';
import { publishTemplate, subscribeFrame } from '../../src/bench/wire.ts';
import { PacketType } from '../../src/mqtt/packet.ts';
import { memoryOf } from '../proc.ts';
import { type RetainedScenario, traffic as trafficOf } from '../scenarios.ts';
import { settle } from './measure-idle.ts';
import { audience, engineFor, latencies } from './measure-traffic.ts';
import type { Job, RetainedResult } from './result.ts';

const WINDOW = 1_000;
const PATIENCE_MS = 20_000;

/** Publishes prepared messages at QoS 1 and keeps a window of them under way. */
class Keeper implements FrameHandler {
  private readonly engine: Engine;
  private readonly client: Client;
  private readonly frames: Memory;
  private readonly ends: number[] = [];
  private acknowledged = 0;

  constructor(engine: Engine, client: Client, scenario: RetainedScenario) {
    const { messages, payloadBytes, version } = scenario;
    const options = { version, payloadBytes, qos: 1, retain: true } as const;
    const all = Array.from({ length: messages }, (_, i) => {
      const { bytes, packetIdAt } = publishTemplate(`bench/retained/${i}`, options);
      new DataView(bytes.buffer).setUint16(packetIdAt, (i % 65_535) + 1);
      return bytes;
    });
    let end = 0;
    for (const bytes of all) {
      end += bytes.length;
      this.ends.push(end);
    }
    this.frames = engine.system.memory(end);
    all.forEach((bytes, i) => void this.frames.bytes.set(bytes, this.ends[i]! - bytes.length));
    this.engine = engine;
    this.client = client;
  }

  store(): void {
    const { ends, engine } = this;
    const deadline = performance.now() + PATIENCE_MS;
    for (let sent = 0; this.acknowledged < ends.length; ) {
      const upTo = Math.min(ends.length, this.acknowledged + WINDOW);
      if (upTo > sent && (upTo - sent >= WINDOW / 2 || upTo === ends.length)) {
        engine.send(this.client, this.frames, sent === 0 ? 0 : ends[sent - 1]!, ends[upTo - 1]!);
        sent = upTo;
      }
      engine.turn(this, 100);
      if (performance.now() > deadline) {
        throw new Error(`only ${this.acknowledged} retained messages were taken in time`);
      }
    }
  }

  onRead(): void {}
  onDrained(): void {}

  onFrame(client: Client, { head }: FrameScanner): void {
    if (client === this.client && head >> 4 === PacketType.PUBACK) this.acknowledged++;
  }
}

export async function measureRetained(
  system: System,
  job: Job,
  scenario: RetainedScenario,
): Promise<RetainedResult> {
  const { messages, version } = scenario;
  const all = audience(system, job);
  const engine = await engineFor(system, job);
  const pair = { topic: 'bench/pair', filter: 'bench/pair', publishers: 1, subscribers: 1 };
  const traffic = new Traffic(
    engine,
    all,
    trafficOf('pair', { ...pair, version, pace: { perSecond: 1_000 } }),
  );
  const [keeping] = connectClients(engine, { version, prefix: 'bench-keeper-' }, 1);
  const [collecting] = connectClients(engine, { version, prefix: 'bench-collector-' }, 1);
  const keeper = new Keeper(engine, keeping!, scenario);
  const before = memoryOf(job.brokerPid);
  const storeMs = performance.now();
  keeper.store();
  const storedMs = performance.now() - storeMs;
  const listener = new Listener(engine, version);
  settle(engine, listener);
  const memory = memoryOf(job.brokerPid);

  traffic.others = listener;
  traffic.warmUp(job.warmUpMs);
  traffic.measuring = true;
  const collectMs = performance.now();
  engine.sendFrame(collecting!, subscribeFrame(version, ['#'], 0));
  while (listener.retained < messages) {
    traffic.run(10);
    if (performance.now() - collectMs > PATIENCE_MS) {
      throw new Error(`only ${listener.retained} retained messages came in time`);
    }
  }
  const collectedMs = performance.now() - collectMs;
  traffic.measuring = false;
  const { peakBytes } = memoryOf(job.brokerPid);
  traffic.leave();
  engine.close();
  return {
    kind: 'retained',
    ...memory,
    peakBytes,
    storedPerSecond: (messages * 1000) / storedMs,
    collectedPerSecond: (messages * 1000) / collectedMs,
    bytesPerMessage: (memory.rssBytes - before.rssBytes) / messages,
    latencyUs: latencies(traffic.latency),
  };
}
