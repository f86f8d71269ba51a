// The brokers that are compared: how each is started, alone, on a port the system chose, with its
// data in a directory of its own that goes when it goes.

import { writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { syncTracing } from './load/sync-count.ts';
import { connectFrame } from './load/wire.ts';
import { makeDirectory, Process, removeDirectory } from './processes.ts';

export interface Peer {
  readonly name: string;
  /** The command that serves on this port of 127.0.0.1 and stays in the foreground. */
  command(port: number, directory: string): string[];
  readonly versionCommand: readonly string[];
}

const root = join(import.meta.dir, '..');
const bun = process.execPath;
const READY_TIMEOUT_MS = 10_000;
const STOP_GRACE_MS = 3_000;

function serving(program: readonly string[], settings: readonly string[] = []) {
  const set = settings.flatMap(setting => ['--set', setting]);
  return (port: number, directory: string): string[] => {
    return [...program, 'serve', '--listen', `127.0.0.1:${port}`, '--data', directory, ...set];
  };
}

function mosquittoCommand(port: number, directory: string, persistence: boolean): string[] {
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
  const lines = Object.entries(settings).map(([key, value]) => `${key} ${value}\n`);
  writeFileSync(file, lines.join(''));
  return ['mosquitto', '-c', file];
}

const source = [bun, join(root, 'src/main.ts')];
const executable = [join(root, 'dist/minnow')];
const relay = [bun, join(root, 'bench/relay.ts')];

/** A backlog is bounded by the measurement, for all brokers alike. */
const unbounded = ['queue.messagesMax=10000000', 'queue.bytesMax=2GB', 'queue.totalBytesMax=2GB'];

function minnowStoring(variant: string, ...settings: readonly string[]): Peer {
  return {
    name: `minnow-${variant}`,
    command: serving(source, [...settings, ...unbounded]),
    versionCommand: [...source, 'version'],
  };
}

/** One broker per promise. On the one processor a broker gets here minnow writes its store inline;
 *  `-thread` has it on a thread of its own, as it would be with more. */
const storePeers: readonly Peer[] = [
  minnowStoring('memory', 'store.kind=memory'),
  minnowStoring('none', 'store.durability=none'),
  minnowStoring('batched', 'store.durability=batched'),
  minnowStoring('written', 'store.durability=written'),
  minnowStoring('strict', 'store.durability=strict'),
  minnowStoring('strict-thread', 'store.durability=strict', 'store.thread=own'),
  {
    name: 'mosquitto-persistent',
    command: (port, directory) => mosquittoCommand(port, directory, true),
    versionCommand: ['mosquitto', '-h'],
  },
];

/** One broker per I/O mode and runtime; `-2` has two workers. The bundle for Node must have been
 *  built. */
const onNode = ['node', join(root, 'dist/node/minnow.mjs')];
const ioPeers: readonly Peer[] = [
  ...[
    { runtime: 'bun', program: source },
    { runtime: 'node', program: onNode },
  ].flatMap(({ runtime, program }) =>
    [
      { mode: 'async', settings: ['io.mode=async'] },
      { mode: 'sync', settings: ['io.mode=sync', 'io.poolSize=1'] },
      { mode: 'sync-2', settings: ['io.mode=sync', 'io.poolSize=2'] },
    ].map(({ mode, settings }) => ({
      name: `${runtime}-${mode}`,
      command: serving(program, [...settings, 'log.level=warn', 'store.thread=inline']),
      versionCommand: [...program, 'version'],
    })),
  ),
];

export const ioPeerNames: readonly string[] = ioPeers.map(({ name }) => name);

export const storePeerNames: readonly string[] = storePeers.map(({ name }) => name);

const known: readonly Peer[] = [
  { name: 'minnow', command: serving(source), versionCommand: [...source, 'version'] },
  { name: 'minnow-dist', command: serving(executable), versionCommand: [...executable, 'version'] },
  {
    name: 'mosquitto',
    command: (port, directory) => mosquittoCommand(port, directory, false),
    versionCommand: ['mosquitto', '-h'],
  },
  { name: 'relay', command: port => [...relay, String(port)], versionCommand: [bun, '--version'] },
  ...storePeers,
  ...ioPeers,
];

/** A known name, or `name=command` with {port} and {dir} where the broker wants them. */
export function peerFor(text: string): Peer {
  const at = text.indexOf('=');
  if (at < 0) {
    const peer = known.find(candidate => candidate.name === text);
    if (peer) return peer;
    const names = known.map(candidate => candidate.name).join(', ');
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
    command: (port, directory) => words.map(word => fill(word, port, directory)),
    versionCommand: [],
  };
}

/** The first line a broker says about its version, or an empty string. */
export async function versionOf(peer: Peer): Promise<string> {
  if (peer.versionCommand.length === 0) return '';
  const asked = new Process(peer.versionCommand, null);
  await asked.endWithin(STOP_GRACE_MS);
  return asked.stdout.split('\n')[0]!.trim();
}

export interface RunningPeer {
  readonly port: number;
  readonly pid: number;
  readonly syncLog: string;
  stop(): Promise<void>;
}

/** Starts a broker and waits until it accepts a client; its syncs are noted if that is wanted. */
export async function startPeer(
  peer: Peer,
  cpu: number | null,
  noteSyncs: boolean,
): Promise<RunningPeer> {
  const directory = makeDirectory();
  const port = await freePort();
  const syncLog = join(directory, 'syncs');
  const tracing = noteSyncs ? syncTracing(syncLog) : [];
  const broker = new Process([...tracing, ...peer.command(port, directory)], cpu, directory);
  const stop = async () => {
    await broker.stop(STOP_GRACE_MS);
    removeDirectory(directory);
  };
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (!(await accepts(port))) {
    if (broker.running && performance.now() < deadline) continue;
    await stop();
    const said = broker.stderr.trim().split('\n').at(-1) ?? '';
    throw new Error(`${peer.name} did not start: ${said || 'no CONNACK, no message'}`);
  }
  return { port, pid: broker.pid, syncLog, stop };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(address && typeof address === 'object' ? address.port : 0));
    });
  });
}

/** Whether a CONNECT is answered; a refused attempt takes a moment, so asking again is no spin. */
function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection(port, '127.0.0.1');
    const answer = (accepted: boolean) => {
      socket.destroy();
      setTimeout(resolve, accepted ? 0 : 10, accepted);
    };
    socket.setTimeout(READY_TIMEOUT_MS, () => answer(false));
    socket.once('connect', () => socket.write(connectFrame(4, 'bench-ready')));
    socket.once('data', () => answer(true));
    socket.once('error', () => answer(false));
  });
}
