// Rows as tables: one list of columns per kind of row, shown as aligned text or as HTML.

import type { ConnectsRow, IdleRow, RetainedRow, StartRow, TrafficRow } from './rows.ts';

export interface Column<Row> {
  readonly head: string;
  cell(row: Row): string;
}

export function count(value: number): string {
  return Number.isNaN(value) ? '–' : Math.round(value).toLocaleString('en-US');
}

export function decimal(value: number, digits: number, unit = ''): string {
  return Number.isNaN(value) ? '–' : `${value.toFixed(digits)}${unit}`;
}

function percent(value: number): string {
  return decimal(value * 100, 0, ' %');
}

function megabytes(value: number): string {
  return decimal(value / 2 ** 20, 1);
}

export function milliseconds(us: number): string {
  return decimal(us / 1000, us < 10_000 ? 2 : 0);
}

/** Microseconds or calls per message: small ones with more digits. */
export function perMessage(value: number): string {
  return decimal(value, value < 1 ? 3 : 2);
}

type Named = Pick<TrafficRow, 'scenario' | 'peer' | 'store' | 'io'>;

const names: readonly Column<Named>[] = [
  { head: 'scenario', cell: row => row.scenario },
  { head: 'broker', cell: row => row.peer },
  { head: 'store', cell: row => row.store },
  { head: 'I/O', cell: row => row.io },
];
/** How many columns at the front are words. */
export const WORDS = names.length;

const remarks: Column<Pick<TrafficRow, 'remarks'>> = {
  head: '',
  cell: row => row.remarks.join('; '),
};

type Timed = Pick<TrafficRow, 'latencyUs'>;
const latency: readonly Column<Timed>[] = [
  { head: 'p50 ms', cell: row => milliseconds(row.latencyUs.p50) },
  { head: 'p90 ms', cell: row => milliseconds(row.latencyUs.p90) },
  { head: 'p99 ms', cell: row => milliseconds(row.latencyUs.p99) },
  { head: 'p99.9 ms', cell: row => milliseconds(row.latencyUs.p999) },
];

type Paced = Pick<TrafficRow, 'perSecond' | 'spread' | 'perSecondRatio'>;

function paceIn(unit: string): readonly Column<Paced>[] {
  return [
    { head: unit, cell: row => count(row.perSecond) },
    { head: '±', cell: row => percent(row.spread) },
    { head: '×', cell: row => decimal(row.perSecondRatio, 2) },
  ];
}
const pace = paceIn('msg/s');

/** Microseconds per message, which is the same number as seconds per million messages. */
const cost: readonly Column<TrafficRow>[] = [
  { head: 'CPU µs/msg', cell: row => perMessage(row.cpuUsPerMessage) },
  { head: '×', cell: row => decimal(row.cpuRatio, 2) },
];

type Shared = Pick<TrafficRow, 'brokerCpuShare' | 'loadCpuShare' | 'foreignCpuShare'>;

const processors: readonly Column<Shared>[] = [
  { head: 'broker CPU', cell: row => percent(row.brokerCpuShare) },
  { head: 'load CPU', cell: row => percent(row.loadCpuShare) },
  { head: 'other CPU', cell: row => percent(row.foreignCpuShare) },
];

const machine: readonly Column<TrafficRow>[] = [
  { head: 'RSS MB', cell: row => megabytes(row.rssBytes) },
  { head: 'peak MB', cell: row => megabytes(row.peakBytes) },
  ...processors,
];

export const trafficColumns: readonly Column<TrafficRow>[] = [
  ...names,
  ...pace,
  ...latency,
  { head: 'late p99', cell: row => milliseconds(row.lateP99Us) },
  ...cost,
  { head: 'sleeps/msg', cell: row => perMessage(row.switchesPerMessage) },
  { head: 'calls/msg', cell: row => perMessage(row.callsPerMessage) },
  ...machine,
  remarks,
];

/** Messages per second are acknowledged ones where subscribers are away; bytes are those that the
 *  kernel counts as written (write_bytes of /proc/PID/io). */
export const storeColumns: readonly Column<TrafficRow>[] = [
  ...names,
  ...pace,
  ...latency,
  ...cost,
  { head: 'syncs/s', cell: row => count(row.syncsPerSecond) },
  { head: 'kB/1,000 msg', cell: row => decimal(row.diskBytesPerMessage, 1) },
  { head: 'drain msg/s', cell: row => count(row.drainedPerSecond) },
  ...machine,
  remarks,
];

export const idleColumns: readonly Column<IdleRow>[] = [
  ...names,
  { head: 'empty MB', cell: row => megabytes(row.emptyBytes) },
  { head: 'of it private', cell: row => megabytes(row.emptyPrivateBytes) },
  { head: 'RSS MB', cell: row => megabytes(row.rssBytes) },
  { head: 'bytes/connection', cell: row => count(row.bytesPerConnection) },
  { head: 'bytes/subscription', cell: row => count(row.bytesPerSubscription) },
  { head: 'connects/s', cell: row => count(row.connectsPerSecond) },
  ...latency,
  remarks,
];

/** Latencies are those of a pair that talks on while somebody gets everything retained. */
export const retainedColumns: readonly Column<RetainedRow>[] = [
  ...names,
  { head: 'stored/s', cell: row => count(row.storedPerSecond) },
  { head: 'collected/s', cell: row => count(row.collectedPerSecond) },
  { head: 'bytes/message', cell: row => count(row.bytesPerMessage) },
  { head: 'RSS MB', cell: row => megabytes(row.rssBytes) },
  ...latency,
  { head: 'max ms', cell: row => milliseconds(row.latencyUs.max) },
  remarks,
];

/** Clients that come, get their CONNACK and leave. */
export const connectsColumns: readonly Column<ConnectsRow>[] = [
  ...names,
  ...paceIn('clients/s'),
  ...latency,
  { head: 'CPU µs/client', cell: row => perMessage(row.cpuUsPerConnect) },
  { head: '×', cell: row => decimal(row.cpuRatio, 2) },
  { head: 'resumed', cell: row => percent(row.resumedShare) },
  ...processors,
  remarks,
];

export const startColumns: readonly Column<StartRow>[] = [
  ...names,
  { head: 'first CONNACK ms', cell: row => decimal(row.connackMs, 1) },
  { head: '±', cell: row => percent(row.spread) },
  { head: 'RSS MB', cell: row => megabytes(row.rssBytes) },
  { head: 'private MB', cell: row => megabytes(row.privateBytes) },
  remarks,
];

/** Pads every column to its widest cell: words to the left, the last one not at all. */
export function textTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const lines = [
    columns.map(({ head }) => head),
    ...rows.map(row => columns.map(({ cell }) => cell(row))),
  ];
  const widths = columns.map((_, column) => Math.max(...lines.map(line => line[column]!.length)));
  const padded = (text: string, column: number) => {
    if (column === columns.length - 1) return text;
    return column < WORDS ? text.padEnd(widths[column]!) : text.padStart(widths[column]!);
  };
  return lines.map(line => line.map(padded).join('  ').trimEnd()).join('\n');
}
