// What a bench run is to do, read from its command line.

import { parseArgs } from 'node:util';
import { isShared } from '../src/bench/scenario.ts';
import {
  ioPeerNames,
  type Peer,
  type Program,
  peerFor,
  programNames,
  storePeerNames,
} from './peers.ts';
import {
  entranceOf,
  families,
  faultsOf,
  quick,
  type Scenario,
  scenarios,
  usual,
} from './scenarios.ts';

export const USAGE = `usage: bun bench/main.ts [flags]
  --runs N            runs of everything; medians are shown (3)
  --seconds S         length of one measurement (2), after a warm-up of half as long; at a fixed
                      rate a closed loop comes before that
  --minutes M         no further run begins that would not end by then
  --scenario TEXT     only scenarios whose name contains TEXT; repeatable. Those that begin with
                      "store" (what durability costs), "io" (what the I/O modes cost), "locks"
                      (what rules, passwords and limits cost) or "conn-tcp" (100 connections
                      per second) run only when TEXT does
  --peer NAME         minnow, minnow-async, minnow-sync, minnow-sync-2, minnow-dist, node-…,
                      mosquitto, aedes, nats, relay, or name='command … {port} … {dir}';
                      repeatable (minnow and mosquitto). With store scenarios by default
                      ${storePeerNames.join(', ')};
                      with io scenarios ${ioPeerNames.join(', ')}
  --once NAME         a peer that takes part in the first run only; repeatable
  --program NAME      what minnow is started from: source, dist (make build) or node
                      (make build-node); source
  --baseline NAME     the peer that ratios refer to (mosquitto, minnow-none, else the last)
  --quick             one run of one second of fewer scenarios
  --syscalls          count system calls per message too, after each measurement (strace)
  --json FILE         write every result to FILE
  --html FILE         write the report as a page to FILE
  --list              print the scenarios and end`;

export interface Plan {
  readonly runs: number;
  readonly measureMs: number;
  readonly warmUpMs: number;
  readonly budgetMs: number;
  readonly scenarios: readonly Scenario[];
  readonly peers: readonly Peer[];
  /** Names of those that take part in the first run only. */
  readonly once: readonly string[];
  readonly baseline: string;
  readonly countCalls: boolean;
  readonly json: string | null;
  readonly html: string | null;
  readonly listOnly: boolean;
}

function positive(flag: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (value > 0 && value <= 600) return value;
  throw new Error(`--${flag} ${text}: expected a number above 0 and up to 600`);
}

function flagsOf(args: readonly string[]) {
  const one = { type: 'string' } as const;
  const many = { type: 'string', multiple: true } as const;
  const on = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ runs: one, seconds: one, minutes: one, baseline: one, program: one },
      ...{ json: one, html: one },
      ...{ scenario: many, peer: many, once: many },
      ...{ quick: on, syscalls: on, list: on },
    },
  });
  return values;
}

export function chosenScenarios(
  wanted: readonly string[] | undefined,
  isQuick: boolean,
): readonly Scenario[] {
  if (!wanted) return isQuick ? quick : usual;
  const chosen = scenarios.filter(({ name }) => wanted.some(text => name.includes(text)));
  for (const [family, members] of Object.entries(families)) {
    const named = wanted.filter(text => text.startsWith(family));
    chosen.push(...members.filter(({ name }) => named.some(text => name.includes(text))));
  }
  if (chosen.length === 0) throw new Error(`--scenario ${wanted.join(' ')}: none has such a name`);
  return withReferences(chosen);
}

/** A scenario whose rate is a share of another's needs that one before it. */
function withReferences(chosen: readonly Scenario[]): readonly Scenario[] {
  const needed = chosen.flatMap(scenario =>
    scenario.kind === 'traffic' && scenario.shareOf ? [scenario.shareOf.scenario] : [],
  );
  const missing = needed.filter(name => !chosen.some(other => other.name === name));
  return [...scenarios.filter(({ name }) => missing.includes(name)), ...chosen];
}

function usualPeers(chosen: readonly Scenario[]): readonly string[] {
  if (chosen.every(({ name }) => name.startsWith('store'))) return storePeerNames;
  if (chosen.every(({ name }) => name.startsWith('io'))) return ioPeerNames;
  return ['minnow', 'mosquitto'];
}

function programNamed(text = 'source'): Program {
  const program = programNames.find(name => name === text);
  if (program) return program;
  throw new Error(`--program ${text}: expected one of ${programNames.join(', ')}`);
}

export function planFrom(args: readonly string[]): Plan {
  const values = flagsOf(args);
  const faults = [scenarios, ...Object.values(families)].flat().flatMap(faultsOf);
  if (faults.length > 0) throw new Error(faults.join('\n'));
  const chosen = chosenScenarios(values.scenario, values.quick);
  const program = programNamed(values.program);
  const once = values.once ?? [];
  const always = values.peer ?? usualPeers(chosen);
  const peers = [...always, ...once].map(name => peerFor(name, program));
  const references = ['mosquitto', 'minnow-none'];
  const reference = references.find(name => peers.some(peer => peer.name === name));
  const baseline = values.baseline ?? reference ?? peers.at(-1)!.name;
  if (!peers.some(({ name }) => name === baseline)) {
    throw new Error(`--baseline ${baseline}: expected one of the peers`);
  }
  const measureMs = positive('seconds', values.seconds, values.quick ? 1 : 2) * 1000;
  return {
    runs: Math.ceil(positive('runs', values.runs, values.quick ? 1 : 3)),
    measureMs,
    warmUpMs: measureMs / 2,
    budgetMs: positive('minutes', values.minutes, 600) * 60_000,
    scenarios: chosen,
    peers,
    once: peers.slice(always.length).map(({ name }) => name),
    baseline,
    countCalls: values.syscalls,
    json: values.json ?? null,
    html: values.html ?? null,
    listOnly: values.list,
  };
}

/** Why this broker has nothing to show in this scenario, or null. */
export function excuse(peer: Peer, scenario: Scenario): string | null {
  const missing = peer.missing?.() ?? null;
  if (missing !== null) return missing;
  const lacks = peer.lacks ?? [];
  if ('version' in scenario && scenario.version === 5 && lacks.includes('MQTT 5')) {
    return 'it has no MQTT 5';
  }
  const { door = 'tcp', guard = 'open' } = entranceOf(scenario) ?? {};
  if (!(peer.doors ?? ['tcp']).includes(door)) return `it is not set up for ${door}`;
  if (!(peer.guards ?? ['open']).includes(guard)) return `it is not set up for ${guard}`;
  if (scenario.kind !== 'traffic') return null;
  if (scenario.qos > (peer.qosMax ?? 2)) return `it has no QoS ${scenario.qos}`;
  const shared = isShared(scenario) && lacks.includes('shared subscriptions');
  return shared ? 'it has no shared subscriptions' : null;
}

/** The scenario at the rate that its own broker's last figure gives it. */
export function resolved(scenario: Scenario, reached: (name: string) => number): Scenario {
  if (scenario.kind !== 'traffic' || !scenario.shareOf) return scenario;
  const { scenario: name, share } = scenario.shareOf;
  const perSecond = reached(name) * share;
  if (!(perSecond > 0)) throw new Error(`there is no figure of ${name} to take a share of`);
  return { ...scenario, pace: { ...scenario.pace, perSecond } };
}
