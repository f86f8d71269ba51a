// From raw results to rows, and from rows to a table that a person reads.

import type { IdleResult, Result, TrafficResult } from './load/generator.ts';
import { median, ratio, spread } from './statistics.ts';

/** All runs of one scenario with one broker; a run that failed left its reason. */
export interface Series {
  readonly scenario: string;
  readonly peer: string;
  readonly runs: readonly (Result | { readonly error: string })[];
}

/** A generator busier than that may itself have been the limit: the row proves nothing. */
export const LOAD_SHARE_MAX = 0.8;
/** Other processes that took more than that of a processor have disturbed the run. */
export const FOREIGN_SHARE_MAX = 0.15;

/** In a closed loop a broker less busy than that was waiting: it could have done more. */
export const BROKER_SHARE_MIN = 0.9;

type Numbers<R> = (result: R) => number;

function isTraffic(run: Series['runs'][number]): run is TrafficResult {
  return 'kind' in run && run.kind === 'traffic';
}

function isIdle(run: Series['runs'][number]): run is IdleResult {
  return 'kind' in run && run.kind === 'idle';
}

function pick<R>(runs: readonly R[], of: Numbers<R>): number {
  return median(runs.map(of));
}

function remarksOn(series: Series, traffic: readonly TrafficResult[]): string[] {
  const remarks: string[] = [];
  const total = (of: Numbers<TrafficResult>) => traffic.reduce((sum, run) => sum + of(run), 0);
  if (pick(traffic, run => run.loadCpuShare) > LOAD_SHARE_MAX) remarks.push('void: load-bound');
  if (pick(traffic, run => run.foreignCpuShare) > FOREIGN_SHARE_MAX) remarks.push('disturbed');
  const waited = pick(traffic, run => run.brokerCpuShare) < BROKER_SHARE_MIN;
  if (waited && traffic.some(run => run.closedLoop)) remarks.push('broker had time left');
  const lost = total(run => run.lost);
  const repeated = total(run => run.repeated);
  const reordered = total(run => run.reordered);
  if (lost !== 0) remarks.push(`${lost} lost`);
  if (repeated > 0) remarks.push(`${repeated} repeated`);
  if (reordered > 0) remarks.push(`${reordered} out of order`);
  for (const run of series.runs) if ('error' in run) remarks.push(`failed: ${run.error}`);
  return remarks;
}

export interface TrafficRow {
  readonly scenario: string;
  readonly peer: string;
  readonly perSecond: number;
  readonly spread: number;
  /** Against the baseline broker in the same run; NaN for the baseline's failure. */
  readonly perSecondRatio: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly cpuUsPerMessage: number;
  readonly cpuRatio: number;
  readonly switchesPerMessage: number;
  readonly brokerCpuShare: number;
  readonly loadCpuShare: number;
  readonly foreignCpuShare: number;
  readonly rssBytes: number;
  readonly peakBytes: number;
  /** NaN where the scenario does not ask for it, or it cannot be told. */
  readonly syncsPerSecond: number;
  readonly diskBytesPerMessage: number;
  readonly drainedPerSecond: number;
  readonly remarks: readonly string[];
}

export interface IdleRow {
  readonly scenario: string;
  readonly peer: string;
  readonly emptyBytes: number;
  readonly emptyPrivateBytes: number;
  readonly rssBytes: number;
  readonly bytesPerConnection: number;
  readonly connectsPerSecond: number;
  readonly remarks: readonly string[];
}

export function trafficRow(series: Series, baseline: Series | undefined): TrafficRow {
  const runs = series.runs.filter(isTraffic);
  const perRun = (from: Series | undefined, of: Numbers<TrafficResult>) =>
    (from?.runs ?? []).map(run => (isTraffic(run) ? of(run) : null));
  const against = (of: Numbers<TrafficResult>) => ratio(perRun(series, of), perRun(baseline, of));
  return {
    scenario: series.scenario,
    peer: series.peer,
    perSecond: pick(runs, run => run.perSecond),
    spread: spread(runs.map(run => run.perSecond)),
    perSecondRatio: against(run => run.perSecond),
    p50Us: pick(runs, run => run.latencyUs.p50),
    p99Us: pick(runs, run => run.latencyUs.p99),
    p999Us: pick(runs, run => run.latencyUs.p999),
    cpuUsPerMessage: pick(runs, run => run.cpuUsPerMessage),
    cpuRatio: against(run => run.cpuUsPerMessage),
    switchesPerMessage: pick(runs, run => run.switchesPerMessage),
    brokerCpuShare: pick(runs, run => run.brokerCpuShare),
    loadCpuShare: pick(runs, run => run.loadCpuShare),
    foreignCpuShare: pick(runs, run => run.foreignCpuShare),
    rssBytes: pick(runs, run => run.rssBytes),
    peakBytes: pick(runs, run => run.peakBytes),
    syncsPerSecond: pick(runs, run => run.disk?.syncsPerSecond ?? Number.NaN),
    diskBytesPerMessage: pick(runs, run => run.disk?.bytesPerMessage ?? Number.NaN),
    drainedPerSecond: pick(runs, run => run.disk?.drainedPerSecond ?? Number.NaN),
    remarks: remarksOn(series, runs),
  };
}

export function idleRow(series: Series): IdleRow {
  const runs = series.runs.filter(isIdle);
  return {
    scenario: series.scenario,
    peer: series.peer,
    emptyBytes: pick(runs, run => run.emptyBytes),
    emptyPrivateBytes: pick(runs, run => run.emptyPrivateBytes),
    rssBytes: pick(runs, run => run.rssBytes),
    bytesPerConnection: pick(runs, run => run.bytesPerConnection),
    connectsPerSecond: pick(runs, run => run.connectsPerSecond),
    remarks: remarksOn(series, []),
  };
}

function count(value: number): string {
  return Number.isNaN(value) ? '–' : Math.round(value).toLocaleString('en-US');
}

function decimal(value: number, digits: number, unit = ''): string {
  return Number.isNaN(value) ? '–' : `${value.toFixed(digits)}${unit}`;
}

function percent(value: number): string {
  return decimal(value * 100, 0, ' %');
}

function megabytes(value: number): string {
  return decimal(value / 2 ** 20, 1);
}

function milliseconds(us: number): string {
  return decimal(us / 1000, us < 10_000 ? 2 : 0);
}

/** Pads every column to its widest cell: the first two to the left, the last one not at all. */
function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)));
  const cell = (text: string, column: number, last: number) => {
    if (column === last) return text;
    return column < 2 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!);
  };
  return rows
    .map(row =>
      row
        .map((text, i) => cell(text, i, row.length - 1))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const TRAFFIC_HEADS = [
  ...['scenario', 'broker', 'msg/s', '±', '×', 'p50 ms', 'p99 ms', 'p999 ms'],
  ...[
    'CPU µs/msg',
    '×',
    'sleeps/msg',
    'RSS MB',
    'peak MB',
    'broker CPU',
    'load CPU',
    'other CPU',
    '',
  ],
];

export function trafficTable(rows: readonly TrafficRow[]): string {
  const cells = rows.map(row => [
    row.scenario,
    row.peer,
    count(row.perSecond),
    percent(row.spread),
    decimal(row.perSecondRatio, 2),
    milliseconds(row.p50Us),
    milliseconds(row.p99Us),
    milliseconds(row.p999Us),
    decimal(row.cpuUsPerMessage, row.cpuUsPerMessage < 1 ? 3 : 2),
    decimal(row.cpuRatio, 2),
    decimal(row.switchesPerMessage, row.switchesPerMessage < 1 ? 3 : 2),
    megabytes(row.rssBytes),
    megabytes(row.peakBytes),
    percent(row.brokerCpuShare),
    percent(row.loadCpuShare),
    percent(row.foreignCpuShare),
    row.remarks.join('; '),
  ]);
  return aligned([TRAFFIC_HEADS, ...cells]);
}

const STORE_HEADS = [
  ...['scenario', 'broker', 'msg/s', '±', '×', 'p50 ms', 'p99 ms', 'CPU µs/msg', '×', 'syncs/s'],
  ...['kB/1,000 msg', 'drain msg/s', 'peak MB', 'broker CPU', 'load CPU', 'other CPU', ''],
];

/** Messages per second are acknowledged ones where subscribers are away; bytes are those that the
 *  kernel counts as written (write_bytes of /proc/PID/io). */
export function storeTable(rows: readonly TrafficRow[]): string {
  const cells = rows.map(row => [
    row.scenario,
    row.peer,
    count(row.perSecond),
    percent(row.spread),
    decimal(row.perSecondRatio, 2),
    milliseconds(row.p50Us),
    milliseconds(row.p99Us),
    decimal(row.cpuUsPerMessage, 2),
    decimal(row.cpuRatio, 2),
    count(row.syncsPerSecond),
    decimal(row.diskBytesPerMessage, 1),
    count(row.drainedPerSecond),
    megabytes(row.peakBytes),
    percent(row.brokerCpuShare),
    percent(row.loadCpuShare),
    percent(row.foreignCpuShare),
    row.remarks.join('; '),
  ]);
  return aligned([STORE_HEADS, ...cells]);
}

const IDLE_HEADS = [
  ...['scenario', 'broker', 'empty MB', 'of it private', 'RSS MB', 'bytes/connection'],
  ...['connects/s', ''],
];

export function idleTable(rows: readonly IdleRow[]): string {
  const cells = rows.map(row => [
    row.scenario,
    row.peer,
    megabytes(row.emptyBytes),
    megabytes(row.emptyPrivateBytes),
    megabytes(row.rssBytes),
    count(row.bytesPerConnection),
    count(row.connectsPerSecond),
    row.remarks.join('; '),
  ]);
  return aligned([IDLE_HEADS, ...cells]);
}
