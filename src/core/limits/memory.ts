// The memory target: what waits for clients, what they have not acknowledged, what is on its way to
// them, packets that are not whole and what is retained, in bytes, against what the operator wants
// to spend on it. As it fills up new work is refused, step by step in the order of `Pressure`; each
// step includes those before it. What was accepted stays.

import { limits } from '../../limits.ts';
import type { State } from '../state.ts';

export const Pressure = {
  None: 0,
  /** QoS 0 messages to clients with much output waiting are dropped. */
  SlowConsumers: 1,
  /** Messages that would be retained and take more room than what they replace are not kept. */
  Retained: 2,
  /** Messages to sessions without a connection are dropped, unless they can wait on disk. */
  Offline: 3,
  /** Clients without a session are turned away, and nothing more waits for anybody. */
  Newcomers: 4,
} as const;

const refusals = [
  'nothing is refused any more',
  'QoS 0 messages to slow clients are dropped',
  'new retained messages are refused',
  'messages to clients that are away are dropped',
  'new clients are turned away',
];

export class MemoryWatch {
  readonly targetBytes: number;
  /** One of `Pressure`, as of the last look. */
  pressure = 0;

  constructor(targetBytes: number) {
    this.targetBytes = targetBytes;
  }

  /** Sees how much there is now. Cheap enough to be done for every message. */
  look(b: State): void {
    const share = memoryBytes(b) / this.targetBytes;
    const steps = limits.memorySteps;
    let pressure = this.pressure;
    while (pressure < steps.length && share >= steps[pressure]) pressure++;
    // A step is left a little below where it began, so that it does not come and go all the time.
    while (pressure > 0 && share < steps[pressure - 1] * limits.memoryRelief) pressure--;
    if (pressure !== this.pressure) this.change(b, pressure);
  }

  private change(b: State, pressure: number): void {
    const rises = pressure > this.pressure;
    this.pressure = pressure;
    b.qos0OutputMax = qos0OutputMax(b, pressure);
    if (!rises && pressure !== Pressure.None) return;
    b.effects.log.push({
      level: rises ? 'warn' : 'info',
      event: 'memory target',
      fields: {
        bytes: memoryBytes(b),
        targetBytes: this.targetBytes,
        consequence: refusals[pressure],
      },
    });
  }
}

/** What the core knows to hold, bytes. */
export function memoryBytes(b: State): number {
  return b.queuedBytes + b.inflightBytes + b.pool.lentBytes + b.retained.bytes;
}

/** Output from which on QoS 0 messages to a client are dropped. */
export function qos0OutputMax(b: State, pressure: number): number {
  const { outputBytesMax } = b.options;
  return pressure === Pressure.None
    ? outputBytesMax
    : Math.min(outputBytesMax, limits.outputScarce);
}
