// From raw results to rows: medians over the runs, ratios within each, and what is to be said about
// a figure that proves less than it seems to.

import type {
  ConnectsResult,
  IdleResult,
  Latencies,
  Result,
  RetainedResult,
  StartResult,
  TrafficResult,
} from '../load/result.ts';
import { median, ratio, spread } from '../statistics.ts';

/** All runs of one scenario with one broker; a run that failed left its reason. */
export interface Series {
  readonly scenario: string;
  readonly peer: string;
  /** How the broker keeps what it acknowledges, and how it moves bytes. */
  readonly store: string;
  readonly io: string;
  readonly runs: readonly Outcome[];
}

export type Outcome = Result | { readonly error: string } | { readonly skipped: string };

/** A generator busier than that may itself have been the limit: the row proves nothing. */
export const LOAD_SHARE_MAX = 0.8;
/** Other processes that took more than that of a processor have disturbed the run. */
export const FOREIGN_SHARE_MAX = 0.15;
/** In a closed loop a broker less busy than that was waiting: it could have done more. */
export const BROKER_SHARE_MIN = 0.9;

/** An open loop of which less arrived in time does not show that rate. */
export const RATE_SHARE_MIN = 0.95;
/** An open loop's generator that sends this late measures itself, if that is most of a latency. */
const LATE_MS_MAX = 1;
const LATE_SHARE_MAX = 0.5;

type Numbers<R> = (result: R) => number | null;

interface Row {
  readonly scenario: string;
  readonly peer: string;
  readonly store: string;
  readonly io: string;
  readonly remarks: readonly string[];
}

/** Figures are NaN where there is none. */
export interface TrafficRow extends Row {
  readonly perSecond: number;
  readonly spread: number;
  /** Against the baseline broker in the same run; NaN for the baseline's failure. */
  readonly perSecondRatio: number;
  readonly latencyUs: Latencies;
  readonly lateP99Us: number;
  readonly cpuUsPerMessage: number;
  readonly cpuRatio: number;
  readonly switchesPerMessage: number;
  readonly callsPerMessage: number;
  readonly brokerCpuShare: number;
  readonly loadCpuShare: number;
  readonly foreignCpuShare: number;
  readonly rssBytes: number;
  readonly peakBytes: number;
  readonly syncsPerSecond: number;
  readonly diskBytesPerMessage: number;
  readonly drainedPerSecond: number;
}

export interface IdleRow extends Row {
  readonly emptyBytes: number;
  readonly emptyPrivateBytes: number;
  readonly rssBytes: number;
  readonly bytesPerConnection: number;
  readonly bytesPerSubscription: number;
  readonly connectsPerSecond: number;
  readonly latencyUs: Latencies;
}

export interface RetainedRow extends Row {
  readonly storedPerSecond: number;
  readonly collectedPerSecond: number;
  readonly bytesPerMessage: number;
  readonly rssBytes: number;
  readonly latencyUs: Latencies;
}

export interface ConnectsRow extends Row {
  readonly perSecond: number;
  readonly spread: number;
  /** Against the baseline broker in the same run. */
  readonly perSecondRatio: number;
  readonly latencyUs: Latencies;
  readonly cpuUsPerConnect: number;
  readonly cpuRatio: number;
  readonly resumedShare: number;
  readonly brokerCpuShare: number;
  readonly loadCpuShare: number;
  readonly foreignCpuShare: number;
}

export interface StartRow extends Row {
  readonly connackMs: number;
  readonly rssBytes: number;
  readonly privateBytes: number;
  readonly spread: number;
}

function runsOf<Kind extends Result['kind']>(
  series: Series | undefined,
  kind: Kind,
): (Extract<Result, { kind: Kind }> | null)[] {
  type Wanted = Extract<Result, { kind: Kind }>;
  return (series?.runs ?? []).map(run =>
    'kind' in run && run.kind === kind ? (run as Wanted) : null,
  );
}

function present<R>(runs: readonly (R | null)[]): R[] {
  return runs.filter(run => run !== null);
}

/** JSON knows no NaN: what a load process could not tell came as null. */
function pick<R>(runs: readonly R[], of: Numbers<R>): number {
  return median(runs.map(run => of(run) ?? Number.NaN));
}

function pickLatencies(runs: readonly { readonly latencyUs: Latencies }[]): Latencies {
  const at = (key: keyof Latencies) => pick(runs, run => run.latencyUs[key]);
  return { p50: at('p50'), p90: at('p90'), p99: at('p99'), p999: at('p999'), max: at('max') };
}

function row({ scenario, peer, store, io, runs }: Series, remarks: readonly string[] = []): Row {
  const told = runs.flatMap(run => {
    if ('error' in run) return [`failed: ${run.error}`];
    return 'skipped' in run ? [`skipped: ${run.skipped}`] : [];
  });
  return { scenario, peer, store, io, remarks: [...new Set([...remarks, ...told])] };
}

function commonDoubts(runs: readonly (TrafficResult | ConnectsResult)[]): string[] {
  const remarks: string[] = [];
  if (pick(runs, run => run.loadCpuShare) > LOAD_SHARE_MAX) remarks.push('void: load-bound');
  if (pick(runs, run => run.foreignCpuShare) > FOREIGN_SHARE_MAX) remarks.push('disturbed');
  return remarks;
}

function doubts(runs: readonly TrafficResult[]): string[] {
  const remarks = commonDoubts(runs);
  const total = (of: (run: TrafficResult) => number) => runs.reduce((sum, run) => sum + of(run), 0);
  const waited = pick(runs, run => run.brokerCpuShare) < BROKER_SHARE_MIN;
  if (waited && runs.some(run => run.wantedPerSecond === null)) {
    remarks.push('broker had time left');
  }
  if (runs.some(run => run.perSecond === 0)) remarks.push('nothing came');
  const reached = pick(runs, run => run.wantedPerSecond && run.perSecond / run.wantedPerSecond);
  if (reached < RATE_SHARE_MIN) remarks.push('fell behind the rate');
  const lateUs = pick(runs, run => run.lateP99Us);
  const late = lateUs > LATE_MS_MAX * 1000;
  if (late && lateUs > LATE_SHARE_MAX * pick(runs, run => run.latencyUs.p99)) {
    remarks.push('latency void: the generator was late');
  }
  const lost = total(run => run.lost);
  const repeated = total(run => run.repeated);
  const reordered = total(run => run.reordered);
  if (lost !== 0) remarks.push(`${lost} lost`);
  if (repeated > 0) remarks.push(`${repeated} repeated`);
  if (reordered > 0) remarks.push(`${reordered} out of order`);
  return remarks;
}

export function trafficRow(series: Series, baseline: Series | undefined): TrafficRow {
  const all = runsOf(series, 'traffic');
  const base = runsOf(baseline, 'traffic');
  const runs = present(all);
  const against = (of: (run: TrafficResult) => number) =>
    ratio(
      all.map(run => run && of(run)),
      base.map(run => run && of(run)),
    );
  return {
    ...row(series, doubts(runs)),
    perSecond: pick(runs, run => run.perSecond),
    spread: spread(runs.map(run => run.perSecond)),
    perSecondRatio: against(run => run.perSecond),
    latencyUs: pickLatencies(runs),
    lateP99Us: pick(runs, run => run.lateP99Us),
    cpuUsPerMessage: pick(runs, run => run.cpuUsPerMessage),
    cpuRatio: against(run => run.cpuUsPerMessage),
    switchesPerMessage: pick(runs, run => run.switchesPerMessage),
    callsPerMessage: pick(runs, run => run.callsPerMessage),
    brokerCpuShare: pick(runs, run => run.brokerCpuShare),
    loadCpuShare: pick(runs, run => run.loadCpuShare),
    foreignCpuShare: pick(runs, run => run.foreignCpuShare),
    rssBytes: pick(runs, run => run.rssBytes),
    peakBytes: pick(runs, run => run.peakBytes),
    syncsPerSecond: pick(runs, run => run.disk?.syncsPerSecond ?? null),
    diskBytesPerMessage: pick(runs, run => run.disk?.bytesPerMessage ?? null),
    drainedPerSecond: pick(runs, run => run.disk?.drainedPerSecond ?? null),
  };
}

export function idleRow(series: Series): IdleRow {
  const runs: IdleResult[] = present(runsOf(series, 'idle'));
  return {
    ...row(series),
    emptyBytes: pick(runs, run => run.emptyBytes),
    emptyPrivateBytes: pick(runs, run => run.emptyPrivateBytes),
    rssBytes: pick(runs, run => run.rssBytes),
    bytesPerConnection: pick(runs, run => run.bytesPerConnection),
    bytesPerSubscription: pick(runs, run => run.bytesPerSubscription),
    connectsPerSecond: pick(runs, run => run.connectsPerSecond),
    latencyUs: pickLatencies(runs),
  };
}

export function retainedRow(series: Series): RetainedRow {
  const runs: RetainedResult[] = present(runsOf(series, 'retained'));
  return {
    ...row(series),
    storedPerSecond: pick(runs, run => run.storedPerSecond),
    collectedPerSecond: pick(runs, run => run.collectedPerSecond),
    bytesPerMessage: pick(runs, run => run.bytesPerMessage),
    rssBytes: pick(runs, run => run.rssBytes),
    latencyUs: pickLatencies(runs),
  };
}

export function connectsRow(series: Series, baseline: Series | undefined): ConnectsRow {
  const all = runsOf(series, 'connects');
  const base = runsOf(baseline, 'connects');
  const runs: ConnectsResult[] = present(all);
  const against = (of: (run: ConnectsResult) => number) =>
    ratio(
      all.map(run => run && of(run)),
      base.map(run => run && of(run)),
    );
  const remarks = commonDoubts(runs);
  if (pick(runs, run => run.brokerCpuShare) < BROKER_SHARE_MIN)
    remarks.push('broker had time left');
  return {
    ...row(series, remarks),
    perSecond: pick(runs, run => run.perSecond),
    spread: spread(runs.map(run => run.perSecond)),
    perSecondRatio: against(run => run.perSecond),
    latencyUs: pickLatencies(runs),
    cpuUsPerConnect: pick(runs, run => run.cpuUsPerConnect),
    cpuRatio: against(run => run.cpuUsPerConnect),
    resumedShare: pick(runs, run => run.resumedShare),
    brokerCpuShare: pick(runs, run => run.brokerCpuShare),
    loadCpuShare: pick(runs, run => run.loadCpuShare),
    foreignCpuShare: pick(runs, run => run.foreignCpuShare),
  };
}

export function startRow(series: Series): StartRow {
  const runs: StartResult[] = present(runsOf(series, 'start'));
  return {
    ...row(series),
    connackMs: pick(runs, run => run.connackMs),
    rssBytes: pick(runs, run => run.rssBytes),
    privateBytes: pick(runs, run => run.privateBytes),
    spread: spread(runs.map(run => run.connackMs)),
  };
}
