// A publisher of the load engine: its batch, which holds the same frame many times (or one for each
// of its topics), ready to be numbered, stamped and sent.

import type { Client } from './engine.ts';
import { BATCH_BYTES_MAX, namesOf, type TrafficScenario } from './scenario.ts';
import type { Memory, System } from './system.ts';
import { publishTemplate, STAMP_SEQUENCE, STAMP_TIME } from './wire.ts';

export class Publisher {
  readonly client: Client;
  readonly number: number;
  readonly batch: Memory;
  /** When the messages under way were sent, by sequence number modulo its length. */
  readonly sentUs: Float64Array;
  sent = 0;
  acknowledged = 0;
  touched = false;
  private readonly batchFrames: number;
  private readonly frameBytes: number;
  private readonly packetIdAt: number;
  private readonly stampAt: number;
  /** Of the batch, the frame to be stamped next and the first that is not sent. */
  private next = 0;
  private unsent = 0;

  /** `frames`: how many are written at once where so many are due; `timed`: how many messages under
   *  way have their times kept. */
  constructor(
    client: Client,
    number: number,
    scenario: TrafficScenario,
    system: System,
    frames: number,
    timed: number,
  ) {
    const { topic, spread } = scenario;
    const templates = namesOf(topic, number, spread).map(name => publishTemplate(name, scenario));
    const [{ bytes, packetIdAt, stampAt }] = templates as [(typeof templates)[0]];
    const wanted = Math.max(frames, spread);
    this.client = client;
    this.number = number;
    this.frameBytes = bytes.length;
    this.packetIdAt = packetIdAt;
    this.stampAt = stampAt;
    this.sentUs = new Float64Array(timed);
    this.batchFrames = Math.max(1, Math.min(wanted, (BATCH_BYTES_MAX / this.frameBytes) | 0));
    this.batch = system.memory(this.batchFrames * this.frameBytes);
    for (let i = 0; i < this.batchFrames; i++) {
      const at = i * this.frameBytes;
      this.batch.bytes.set(templates[i % spread]!.bytes, at);
      this.batch.view.setUint32(at + this.stampAt, number);
    }
  }

  /** Makes that many messages, which were due at that time. They leave together with what is made
   *  until `flush`, but for those for which the batch has no room. */
  put(count: number, timeUs: number): void {
    for (let left = count; left > 0; ) {
      const frames = Math.min(left, this.batchFrames - this.next);
      this.stamp(this.next * this.frameBytes, frames, timeUs);
      this.next += frames;
      left -= frames;
      if (this.next === this.batchFrames) this.flush();
    }
  }

  flush(): void {
    const { frameBytes, unsent, next } = this;
    if (next === unsent) return;
    this.next = next === this.batchFrames ? 0 : next;
    this.unsent = this.next;
    this.client.engine.send(this.client, this.batch, unsent * frameBytes, next * frameBytes);
  }

  private stamp(start: number, frames: number, timeUs: number): void {
    const { view } = this.batch;
    for (let i = 0, at = start; i < frames; i++, at += this.frameBytes) {
      const sequence = ++this.sent;
      this.sentUs[sequence % this.sentUs.length] = timeUs;
      if (this.packetIdAt > 0) view.setUint16(at + this.packetIdAt, (sequence % 65_535) + 1);
      view.setUint32(at + this.stampAt + STAMP_SEQUENCE, sequence);
      view.setUint32(at + this.stampAt + STAMP_TIME, timeUs);
    }
  }
}
