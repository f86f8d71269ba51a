// The $SYS topics: what the broker says about itself, under the names that mosquitto made common.
// Published retained at an interval, and only what has changed.

import { utf8Encode } from '../../mqtt/utf8.ts';
import { publishOwn } from '../packets/publish.ts';
import { makeMessage, NO_BYTES } from '../routing/message.ts';
import type { State } from '../state.ts';
import { Timer, TimerKind } from '../timers.ts';
import { statistics } from './statistics.ts';

/** A start has more urgent things to do, and whoever came with it is counted by then. */
const FIRST_AFTER_MS = 1000;

/** Exponentially weighted rate per minute, as a Unix load average is one. */
class Load {
  readonly topic: string;
  private readonly minutes: number;
  private value = 0;

  constructor(topic: string, minutes: number) {
    this.topic = topic;
    this.minutes = minutes;
  }

  update(perMinute: number, elapsedMs: number): string {
    const weight = Math.exp(-elapsedMs / (this.minutes * 60_000));
    this.value = perMinute + weight * (this.value - perMinute);
    return this.value.toFixed(2);
  }
}

/** The counters that have load averages, by their topic below $SYS/broker/load. */
const loadNames = [
  'messages/received',
  'messages/sent',
  'publish/received',
  'publish/sent',
  'publish/dropped',
  'bytes/received',
  'bytes/sent',
  'sockets',
  'connections',
] as const;

export class SysReport {
  private readonly state: State;
  private readonly timer = new Timer<unknown>(TimerKind.Sys, null);
  private readonly loads: Load[][];
  private lastTotals: number[];
  private lastAt: number;
  private readonly published = new Map<string, string>();

  constructor(state: State, now: number) {
    this.state = state;
    this.lastAt = now;
    this.lastTotals = this.totals();
    this.loads = loadNames.map(name =>
      [1, 5, 15].map(minutes => new Load(`$SYS/broker/load/${name}/${minutes}min`, minutes)),
    );
    const interval = state.options.sysIntervalMs;
    if (interval > 0) state.timers.arm(this.timer, now + Math.min(FIRST_AFTER_MS, interval));
  }

  /** Publishes what has changed and arms the timer for the next time. */
  publish(now: number): void {
    for (const [name, value] of Object.entries(statistics(this.state, now))) {
      this.say(`$SYS/broker/${name}`, name === 'uptime' ? `${value} seconds` : String(value), now);
    }
    const elapsedMs = now - this.lastAt;
    if (elapsedMs > 0) {
      const totals = this.totals();
      totals.forEach((total, i) => {
        const perMinute = ((total - this.lastTotals[i]) * 60_000) / elapsedMs;
        for (const load of this.loads[i])
          this.say(load.topic, load.update(perMinute, elapsedMs), now);
      });
      this.lastTotals = totals;
      this.lastAt = now;
    }
    this.state.timers.arm(this.timer, now + this.state.options.sysIntervalMs);
  }

  private totals(): number[] {
    const c = this.state.counters;
    return [
      c.packetsReceived,
      c.packetsSent,
      c.publishReceived,
      c.publishSent,
      c.dropped,
      c.bytesReceived,
      c.bytesSent,
      c.connectionsOpened,
      c.connectsReceived,
    ];
  }

  private say(topic: string, value: string, now: number): void {
    if (this.published.get(topic) === value) return;
    this.published.set(topic, value);
    const bytes = utf8Encode(topic);
    publishOwn(
      this.state,
      makeMessage(topic, bytes, NO_BYTES, utf8Encode(value), 0, true),
      null,
      now,
    );
  }
}
