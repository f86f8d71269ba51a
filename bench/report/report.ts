// Everything a bench run found out, as one value: what the text, the JSON file and the page show.

import { isStoring, type Scenario } from '../scenarios.ts';
import {
  type ConnectsRow,
  connectsRow,
  type IdleRow,
  idleRow,
  type RetainedRow,
  retainedRow,
  type Series,
  type StartRow,
  startRow,
  type TrafficRow,
  trafficRow,
} from './rows.ts';

export interface Conditions {
  /** ISO 8601. */
  readonly started: string;
  readonly machine: {
    readonly processor: string;
    readonly processors: number;
    readonly kernel: string;
    /** Whether broker and generator had a processor each. */
    readonly pinned: boolean;
  };
  readonly peers: readonly { readonly name: string; readonly version: string }[];
  readonly runs: number;
  readonly measureMs: number;
  readonly warmUpMs: number;
  /** The broker that ratios refer to. */
  readonly baseline: string;
}

export interface Report extends Conditions {
  readonly scenarios: readonly Scenario[];
  /** Rows of scenarios that pass messages on, and of those that ask something of the store. */
  readonly passing: readonly TrafficRow[];
  readonly storing: readonly TrafficRow[];
  readonly connects: readonly ConnectsRow[];
  readonly idle: readonly IdleRow[];
  readonly retained: readonly RetainedRow[];
  readonly starts: readonly StartRow[];
  readonly series: readonly Series[];
}

export function reportOf(
  conditions: Conditions,
  scenarios: readonly Scenario[],
  series: readonly Series[],
): Report {
  const names = (holds: (scenario: Scenario) => boolean) =>
    new Set(scenarios.filter(holds).map(({ name }) => name));
  const of = (chosen: ReadonlySet<string>) => series.filter(one => chosen.has(one.scenario));
  const ofKind = (kind: Scenario['kind']) => of(names(scenario => scenario.kind === kind));
  const baselineOf = ({ scenario }: Series) =>
    series.find(other => other.scenario === scenario && other.peer === conditions.baseline);
  const traffic = (chosen: ReadonlySet<string>) =>
    of(chosen).map(one => trafficRow(one, baselineOf(one)));
  return {
    ...conditions,
    scenarios,
    passing: traffic(names(scenario => scenario.kind === 'traffic' && !isStoring(scenario))),
    storing: traffic(names(isStoring)),
    connects: ofKind('connects').map(one => connectsRow(one, baselineOf(one))),
    idle: ofKind('idle').map(idleRow),
    retained: ofKind('retained').map(retainedRow),
    starts: ofKind('start').map(startRow),
    series,
  };
}

/** The lines above the tables. */
export function conditionLines(conditions: Conditions): string[] {
  const { started, machine, peers, runs, measureMs, baseline } = conditions;
  const lines = [
    `${started}  ${machine.processor}, ${machine.processors} processors, Linux ${machine.kernel}`,
    ...peers.map(({ name, version }) => `${name}: ${version || 'version unknown'}`),
    `${runs} × ${measureMs / 1000} s; × against ${baseline} in the same run`,
  ];
  if (!machine.pinned) lines.push('Broker and generator share processors: figures are rough.');
  return lines;
}
