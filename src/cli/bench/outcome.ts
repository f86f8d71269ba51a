// What came of a load: figures, and what a person reads of them.

import type { Histogram } from '../../bench/histogram.ts';

/** Milliseconds. */
export interface Latency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface Outcome {
  readonly kind: string;
  readonly clients: number;
  readonly seconds: number;
  /** What `count` and `perSecond` count: connected, received, acknowledged or sent. */
  readonly counted: 'connected' | 'received' | 'acknowledged' | 'sent';
  readonly count: number;
  readonly perSecond: number;
  /** Null where there was nothing to time. */
  readonly latencyMs: Latency | null;
  /** Null where nothing can be missing. */
  readonly faults: { lost: number; repeated: number; outOfOrder: number } | null;
  readonly payloadBytesPerSecond: number | null;
  /** Null without TLS. */
  readonly tls: { readonly handshakes: number; readonly resumed: number } | null;
  /** Of one processor, by this program. */
  readonly loadCpuShare: number;
}

/** From there on the load itself may have been the limit. */
const LOAD_SHARE_MAX = 0.8;

export function latencyMs(histogram: Histogram): Latency | null {
  if (histogram.count === 0) return null;
  const at = (share: number) => histogram.percentile(share) / 1000;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) };
}

export function grouped(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function ms(value: number): string {
  return value.toFixed(value < 10 ? 2 : 0);
}

export function outcomeText(outcome: Outcome): string {
  const { counted, count, perSecond, seconds, latencyMs: latency, faults } = outcome;
  const unit = counted === 'connected' ? 'clients' : 'messages';
  const lines = [
    `${counted}  ${grouped(perSecond)} ${unit}/s: ${grouped(count)} in ${seconds.toFixed(1)} s`,
  ];
  if (outcome.payloadBytesPerSecond !== null) {
    lines.push(`payload  ${(outcome.payloadBytesPerSecond / 2 ** 20).toFixed(1)} MB/s`);
  }
  if (latency) {
    const { p50, p90, p99, p999, max } = latency;
    lines.push(
      `latency  p50 ${ms(p50)}, p90 ${ms(p90)}, p99 ${ms(p99)}, p99.9 ${ms(p999)}, ` +
        `max ${ms(max)} ms`,
    );
  }
  if (faults) {
    const { lost, repeated, outOfOrder } = faults;
    lines.push(
      `faults   ${grouped(lost)} lost, ${grouped(repeated)} repeated, ` +
        `${grouped(outOfOrder)} out of order`,
    );
  }
  if (outcome.tls) {
    const { handshakes, resumed } = outcome.tls;
    lines.push(`TLS      ${grouped(handshakes)} handshakes, ${grouped(resumed)} of them resumed`);
  }
  lines.push(`load     ${Math.round(outcome.loadCpuShare * 100)} % of a processor`);
  if (outcome.loadCpuShare > LOAD_SHARE_MAX) {
    lines.push('This program itself may have been the limit: run several, or on another machine.');
  }
  return lines.join('\n');
}
