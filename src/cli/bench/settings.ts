// What `minnow bench` is asked to do: its flags, what each kind of load makes of them, and what is
// wrong with them.

import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { type TrafficScenario, trafficFaults } from '../../bench/scenario.ts';
import type { Target } from '../../bench/system.ts';
import type { TransportSettings } from '../../bench/transport/transport.ts';
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
  { long: 'host', short: 'h', value: 'HOST', help: 'broker to load (localhost)' },
  {
    long: 'port',
    short: 'p',
    value: 'PORT',
    help: 'its port (1883, TLS 8883, WebSocket 8083, 8084)',
  },
  { long: 'tls', help: 'by TLS; whom the system trusts may sign the certificate' },
  { long: 'cafile', value: 'FILE', help: 'by TLS; who may sign the certificate instead (PEM)' },
  { long: 'insecure', help: 'TLS: do not look which host the certificate is for' },
  { long: 'cert', value: 'FILE', help: 'TLS: the certificate of all clients (PEM); needs --key' },
  { long: 'key', value: 'FILE', help: 'TLS: its private key (PEM)' },
  { long: 'resume', help: 'TLS: clients resume the session of the first one' },
  { long: 'ws', help: 'by WebSocket, also inside of TLS' },
  { long: 'path', value: 'PATH', help: 'WebSocket: what is asked for (/mqtt)' },
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
  readonly transport: TransportSettings;
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
  const host = flags.text('host') ?? 'localhost';
  const transport = transportFrom(flags, host);
  return {
    ...common,
    host,
    port: flags.integer('port', 1, 65_535) ?? defaultPort(transport),
    transport,
    credentials: username === undefined ? null : { username, password: password ?? '' },
    connectRate: flags.integer('connect-rate', 1, 100_000) ?? 0,
    filter: flags.text('topic') ?? 'bench/#',
    seconds: flags.integer('seconds', 1, 3_600) ?? 10,
    json: flags.has('json'),
    scenario: kind === 'conn' || kind === 'sub' ? null : scenarioFrom(flags, common),
  };
}

function transportFrom(flags: Flags, host: string): TransportSettings {
  const file = flags.text('cafile');
  const certificate = flags.text('cert');
  const key = flags.text('key');
  const secure = flags.has('tls') || file !== undefined;
  const stray = ['insecure', 'cert', 'key', 'resume'].find(name => !secure && flags.has(name));
  if (stray !== undefined) throw new UsageError(`--${stray} needs --tls or --cafile`);
  if ((certificate === undefined) !== (key === undefined)) {
    throw new UsageError('--cert and --key need each other');
  }
  const path = flags.text('path') ?? '/mqtt';
  if (flags.has('path') && !flags.has('ws')) throw new UsageError('--path needs --ws');
  if (!/^\/[!-~]*$/.test(path)) throw new UsageError(`--path: '${path}' is no path like /mqtt`);
  const own = certificate === undefined || key === undefined ? null : { certificate, key };
  return {
    tls: secure
      ? {
          trust: file === undefined ? 'system' : { file },
          checkHost: !flags.has('insecure'),
          resume: flags.has('resume'),
          host,
          own,
        }
      : null,
    webSocket: flags.has('ws') ? { host, path } : null,
  };
}

function defaultPort({ tls, webSocket }: TransportSettings): number {
  if (webSocket === null) return tls === null ? 1883 : 8883;
  return tls === null ? 8083 : 8084;
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
