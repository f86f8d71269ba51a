// The brokers that are compared: how each is started on a port of 127.0.0.1 with its data in a
// directory of its own, and what it keeps. minnow comes from its sources, as executable or on Node,
// in each I/O mode and with each promise.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { QoS } from '../src/mqtt/packet.ts';
import {
  type Door,
  doors,
  type Entrance,
  type Guard,
  guards,
  minnowFlags,
  mosquittoLines,
} from './entrance.ts';
import { which } from './which.ts';

export interface Peer {
  readonly name: string;
  /** What it acknowledges is kept how; '–': not known; null: as the profile has it that its log
   *  names. */
  readonly store: string | null;
  /** How it moves bytes; null: its log says so when it is ready. */
  readonly io: string | null;
  /** The command that serves on this port of 127.0.0.1 and stays in the foreground; `entrance`: and
   *  has that in front of it. */
  command(port: number, directory: string, entrance?: Entrance): string[];
  readonly versionCommand: readonly string[];
  /** What it offers at most; 2 otherwise. */
  readonly qosMax?: QoS;
  /** What else it does not offer. */
  readonly lacks?: readonly ('MQTT 5' | 'shared subscriptions')[];
  /** Doors and guards that it can be told to have; otherwise a plain port that is open. */
  readonly doors?: readonly Door[];
  readonly guards?: readonly Guard[];
  /** Why it cannot be started here, or null. */
  missing?(): string | null;
}

const root = join(import.meta.dirname, '..');
const bun = process.execPath;

/** What minnow is started from. */
const programs = {
  source: [bun, join(root, 'src/main.ts')],
  dist: [join(root, 'dist/minnow')],
  node: ['node', join(root, 'dist/node/minnow.mjs')],
} as const;

export type Program = keyof typeof programs;
export const programNames = Object.keys(programs) as Program[];

const built = { source: null, dist: 'make build', node: 'make build-node' } as const;

function missingProgram(program: Program): string | null {
  const file = programs[program].at(-1)!;
  return existsSync(file) ? null : `${built[program] ?? file} has not been run`;
}

const needs = (program: string, packageName: string) => (): string | null =>
  which(program) ? null : `${program} is not installed (Debian's package ${packageName})`;

/** A backlog is bounded by the measurement, for all brokers alike. */
const unbounded = ['queue.messagesMax=10000000', 'queue.bytesMax=2GB', 'queue.totalBytesMax=2GB'];

function minnow(
  name: string,
  program: Program,
  settings: readonly string[],
  store: string | null = null,
): Peer {
  const start = programs[program];
  const set = settings.flatMap(setting => ['--set', setting]);
  return {
    name,
    store,
    io: null,
    doors,
    guards,
    command: (port, directory, entrance) => [
      ...start,
      ...['serve', '--listen', `127.0.0.1:${port}`, '--data', directory, ...set],
      ...(entrance ? minnowFlags(entrance, directory) : []),
    ],
    versionCommand: [...start, 'version'],
    missing: () => missingProgram(program),
  };
}

/** One broker per I/O mode; `-2` has two workers, and without a mode minnow chooses. */
const modes: readonly { readonly suffix: string; readonly settings: readonly string[] }[] = [
  { suffix: '', settings: [] },
  { suffix: '-async', settings: ['io.mode=async'] },
  { suffix: '-sync', settings: ['io.mode=sync', 'io.poolSize=1'] },
  { suffix: '-sync-2', settings: ['io.mode=sync', 'io.poolSize=2'] },
];

function inEachMode(name: string, program: Program): Peer[] {
  return modes.map(({ suffix, settings }) => minnow(`${name}${suffix}`, program, settings));
}

/** One broker per promise. On the one processor a broker gets here minnow writes its store inline;
 *  `-thread` has it on a thread of its own, as it would be with more. */
function withEachPromise(program: Program): Peer[] {
  const promising = (variant: string, store: string, ...settings: string[]) =>
    minnow(`minnow-${variant}`, program, [...settings, ...unbounded], store);
  return [
    promising('memory', 'memory', 'store.kind=memory'),
    ...['none', 'batched', 'written', 'strict'].map(name =>
      promising(name, name, `store.durability=${name}`),
    ),
    promising('strict-thread', 'strict', 'store.durability=strict', 'store.thread=own'),
  ];
}

function mosquitto(name: string, persistence: boolean): Peer {
  return {
    name,
    store: persistence ? 'snapshot' : 'memory',
    io: 'epoll',
    doors,
    guards: ['open', 'acl-10', 'acl-10K', 'password'],
    command: (port, directory, entrance) => {
      const file = join(directory, 'mosquitto.conf');
      const settings = {
        listener: `${port} 127.0.0.1`,
        allow_anonymous: true,
        max_queued_messages: 0,
        max_inflight_messages: 0,
        set_tcp_nodelay: true,
        persistence,
        persistence_location: `${directory}/`,
        user: 'root', // started by root it would become somebody who may not write here
        log_dest: 'none',
      };
      const lines = Object.entries(settings).map(([key, value]) => `${key} ${value}`);
      if (entrance) lines.push(...mosquittoLines(entrance, directory));
      writeFileSync(file, `${lines.join('\n')}\n`);
      return ['mosquitto', '-c', file];
    },
    versionCommand: ['mosquitto', '-h'],
    missing: needs('mosquitto', 'mosquitto'),
  };
}

/** MQTT rides on its streams, which are files. Before 2.10 there is no QoS 2. */
const nats: Peer = {
  name: 'nats',
  store: 'file',
  io: 'netpoll',
  qosMax: 1,
  lacks: ['MQTT 5', 'shared subscriptions'],
  command: (port, directory) => {
    const file = join(directory, 'nats.conf');
    writeFileSync(
      file,
      `server_name: bench
listen: "127.0.0.1:-1"
jetstream { store_dir: "${directory}" }
mqtt { listen: "127.0.0.1:${port}", max_ack_pending: 65535 }
`,
    );
    return ['nats-server', '-c', file];
  },
  versionCommand: ['nats-server', '--version'],
  missing: needs('nats-server', 'nats-server'),
};

const aedes: Peer = {
  name: 'aedes',
  store: 'memory',
  io: 'node:net',
  lacks: ['MQTT 5', 'shared subscriptions'],
  command: port => [bun, join(root, 'bench/aedes.ts'), String(port)],
  versionCommand: [bun, '-p', "'aedes ' + require('aedes/package.json').version + ' on Bun'"],
};

const relay: Peer = {
  name: 'relay',
  store: 'none',
  io: 'Bun.listen',
  qosMax: 0,
  lacks: ['MQTT 5', 'shared subscriptions'],
  command: port => [bun, join(root, 'bench/relay.ts'), String(port)],
  versionCommand: [bun, '--version'],
};

/** Everybody known by name, with `minnow` being that program. */
function known(program: Program): Peer[] {
  return [
    ...inEachMode('minnow', program),
    minnow('minnow-dist', 'dist', []),
    ...inEachMode('node', 'node'),
    ...withEachPromise(program),
    mosquitto('mosquitto', false),
    mosquitto('mosquitto-persistent', true),
    aedes,
    nats,
    relay,
  ];
}

export const storePeerNames: readonly string[] = [
  ...withEachPromise('source').map(({ name }) => name),
  'mosquitto-persistent',
];

export const ioPeerNames: readonly string[] = ['minnow', 'node'].flatMap(name =>
  ['-async', '-sync', '-sync-2'].map(suffix => `${name}${suffix}`),
);

/** A known name, or `name=command` with {port} and {dir} where the broker wants them. */
export function peerFor(text: string, program: Program = 'source'): Peer {
  const at = text.indexOf('=');
  if (at < 0) {
    const peers = known(program);
    const peer = peers.find(candidate => candidate.name === text);
    if (peer) return peer;
    const names = peers.map(candidate => candidate.name).join(', ');
    throw new Error(`--peer ${text}: expected one of ${names}, or name='command … {port}'`);
  }
  const words = text
    .slice(at + 1)
    .split(/\s+/)
    .filter(Boolean);
  if (at === 0 || !words.some(word => word.includes('{port}'))) {
    throw new Error(`--peer ${text}: expected name='command' with {port} in it`);
  }
  const fill = (word: string, port: number, directory: string) =>
    word.replaceAll('{port}', String(port)).replaceAll('{dir}', directory);
  return {
    name: text.slice(0, at),
    store: '–',
    io: '–',
    command: (port, directory) => words.map(word => fill(word, port, directory)),
    versionCommand: [],
    missing: () => (which(words[0]!) ? null : `there is no program ${words[0]}`),
  };
}
