// What `minnow bench` is asked to do: its flags, what each kind of load makes of them, and what is
// wrong with them.

import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { type TrafficScenario, trafficFaults } from '../../bench/scenario.ts';
import type { Target } from '../../bench/system.ts';
import type { Credentials } from '../../bench/wire.ts';
import type { ProtocolVersion, QoS } from '../../mqtt/packet.ts';
import { type Flag, type Flags, UsageError } from '../client/flags.ts';
import { Exit, Failure } from '../exit.ts';

export const kinds = {
  conn: 'connect clients and keep them',
  pub: 'publishers alone: what the broker takes',
  sub: 'subscribers alone: what comes',
  p2p: 'pairs: publisher n to subscriber n',
  'fan-in': 'many publishers to one subscriber',
  'fan-out': 'one publisher to many subscribers',
  share: 'publishers to the members of one shared subscription',
} as const;

export type Kind = keyof typeof kinds;

export const flagTable: readonly Flag[] = [
  { long: 'host', short: 'h', value: 'HOST', help: 'broker to load (localhost), by plain TCP' },
  { long: 'port', short: 'p', value: 'PORT', help: 'its port (1883)' },
  { long: 'username', short: 'u', value: 'NAME', help: 'user name of all clients' },
  { long: 'pw', short: 'P', value: 'PASSWORD', help: 'their password' },
  { long: 'protocol-version', short: 'V', value: 'VERSION', help: '31, 311 or 5 (311)' },
  { long: 'clients', short: 'c', value: 'N', help: 'how many, or pairs of them (10; conn: 100)' },
  { long: 'subscribers', value: 'N', help: 'share: members of the subscription (5)' },
  { long: 'qos', short: 'q', value: 'QOS', help: '0, 1 or 2 (0)' },
  { long: 'size', short: 's', value: 'BYTES', help: 'of a payload, from 12 on (64)' },
  {
    long: 'topic',
    short: 't',
    value: 'TOPIC',
    help: 'where topics begin (bench); sub: the filter',
  },
  { long: 'properties', help: 'messages carry properties; needs -V 5' },
  { long: 'window', value: 'N', help: 'messages under way per publisher (200)' },
  { long: 'rate', value: 'N', help: 'messages per second of all publishers, instead of a window' },
  { long: 'connect-rate', value: 'N', help: 'conn: clients per second (as fast as they come)' },
  { long: 'seconds', value: 'N', help: 'how long (10)' },
  { long: 'json', help: 'print the result as JSON' },
  { long: 'help', help: 'this text' },
];

export interface Settings {
  readonly kind: Kind;
  readonly host: string;
  readonly port: number;
  readonly credentials: Credentials | null;
  readonly version: ProtocolVersion;
  readonly clients: number;
  readonly connectRate: number;
  readonly filter: string;
  readonly qos: QoS;
  readonly seconds: number;
  readonly json: boolean;
  /** Null where no messages are sent. */
  readonly scenario: TrafficScenario | null;
}

/** Which flags mean nothing to a kind of load. */
const foreign: Readonly<Record<Kind, readonly string[]>> = {
  conn: ['subscribers', 'qos', 'size', 'topic', 'properties', 'window', 'rate'],
  sub: ['subscribers', 'size', 'properties', 'window', 'rate', 'connect-rate'],
  pub: ['subscribers', 'connect-rate'],
  p2p: ['subscribers', 'connect-rate'],
  'fan-in': ['subscribers', 'connect-rate'],
  'fan-out': ['subscribers', 'connect-rate'],
  share: ['connect-rate'],
};

export function settingsFrom(flags: Flags): Settings {
  const [kind, ...rest] = flags.operands;
  if (kind === undefined) throw new UsageError(`say which load: ${Object.keys(kinds).join(', ')}`);
  if (!isKind(kind)) {
    throw new UsageError(`'${kind}' is none of ${Object.keys(kinds).join(', ')}`);
  }
  if (rest.length > 0) throw new UsageError(`'${rest[0]}' does not belong to any option`);
  const stray = foreign[kind].find(name => flags.has(name));
  if (stray !== undefined) throw new UsageError(`--${stray} means nothing to ${kind}`);
  if (flags.has('window') && flags.has('rate')) {
    throw new UsageError('--window and --rate exclude each other');
  }
  const username = flags.text('username');
  const password = flags.text('pw');
  if (password !== undefined && username === undefined) {
    throw new UsageError('--pw needs --username');
  }
  const clients = flags.integer('clients', 1, 28_000) ?? (kind === 'conn' ? 100 : 10);
  const version = versionOf(flags.text('protocol-version') ?? '311');
  const qos = (flags.integer('qos', 0, 2) ?? 0) as QoS;
  const common = { kind, clients, version, qos };
  return {
    ...common,
    host: flags.text('host') ?? 'localhost',
    port: flags.integer('port', 1, 65_535) ?? 1883,
    credentials: username === undefined ? null : { username, password: password ?? '' },
    connectRate: flags.integer('connect-rate', 1, 100_000) ?? 0,
    filter: flags.text('topic') ?? 'bench/#',
    seconds: flags.integer('seconds', 1, 3_600) ?? 10,
    json: flags.has('json'),
    scenario: kind === 'conn' || kind === 'sub' ? null : scenarioFrom(flags, common),
  };
}

function isKind(text: string): text is Kind {
  return Object.hasOwn(kinds, text);
}

function versionOf(text: string): ProtocolVersion {
  const known: Readonly<Record<string, ProtocolVersion>> = { '31': 3, '311': 4, '5': 5 };
  const version = known[text];
  if (version === undefined) {
    throw new UsageError(`--protocol-version: '${text}' is not one of 31, 311, 5`);
  }
  return version;
}

type Common = Pick<Settings, 'kind' | 'clients' | 'version' | 'qos'>;

function scenarioFrom(flags: Flags, { kind, clients, version, qos }: Common): TrafficScenario {
  const root = flags.text('topic') ?? 'bench';
  const rate = flags.integer('rate', 1, 10_000_000);
  const own = `${root}/{n}`;
  const shapes = {
    pub: { publishers: clients, subscribers: 0, topic: own, filter: '' },
    p2p: { publishers: clients, subscribers: clients, topic: own, filter: own },
    'fan-in': { publishers: clients, subscribers: 1, topic: own, filter: `${root}/+` },
    'fan-out': { publishers: 1, subscribers: clients, topic: root, filter: root },
    share: {
      publishers: clients,
      subscribers: flags.integer('subscribers', 1, 10_000) ?? 5,
      topic: own,
      filter: `$share/bench/${root}/+`,
    },
  };
  const scenario: TrafficScenario = {
    kind: 'traffic',
    name: kind,
    version,
    qos,
    properties: flags.has('properties'),
    ...shapes[kind as keyof typeof shapes],
    spread: 1,
    stalled: 0,
    payloadBytes: flags.integer('size', 12, 128 * 1024) ?? 64,
    pace:
      rate === undefined
        ? { window: flags.integer('window', 1, 32_768) ?? 200 }
        : { perSecond: rate },
    store: null,
  };
  trafficFaults(scenario, (holds, fault) => {
    if (!holds) throw new UsageError(fault);
  });
  return scenario;
}

/** The broker's address; names are looked up here, because the engine has no time for it. */
export async function targetOf({ host, port }: Settings): Promise<Target> {
  if (isIP(host) !== 0) return { address: host, port };
  try {
    const { address } = await lookup(host, { order: 'ipv4first' });
    return { address, port };
  } catch {
    throw new Failure(Exit.unavailable, `bench: there is no host "${host}"`);
  }
}
