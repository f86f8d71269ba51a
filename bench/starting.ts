// Starts one broker, alone, on a port the system chose, and knows when it is ready.

import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Engine } from '../src/bench/engine.ts';
import { Arrivals } from '../src/bench/handshake.ts';
import { System } from '../src/bench/system.ts';
import type { TransportSettings } from '../src/bench/transport/transport.ts';
import { type Credentials, connectFrame } from '../src/bench/wire.ts';
import { table } from '../src/platform/table.ts';
import { makeEntrance, transportThrough } from './entrance.ts';
import { syncTracing } from './load/sync-count.ts';
import type { Peer } from './peers.ts';
import { type MemoryUse, memoryOf } from './proc.ts';
import { makeDirectory, Process, removeDirectory } from './processes.ts';
import type { EntranceWish } from './scenarios.ts';

const READY_TIMEOUT_MS = 10_000;
const STOP_GRACE_MS = 3_000;
const RETRY_US = 100;
const REST_MS = 100;

/** What a version command says in its first line, or an empty string. */
export async function versionOf(peer: Peer): Promise<string> {
  if (peer.versionCommand.length === 0) return '';
  const asked = new Process(peer.versionCommand, null);
  await asked.endWithin(STOP_GRACE_MS);
  return asked.stdout.split('\n')[0]!.trim();
}

/** How a broker moves bytes, and how it keeps what it acknowledges; '–': not known. */
export interface Nature {
  readonly io: string;
  readonly store: string;
}

export interface RunningPeer {
  /** Where the load goes, how and as whom. */
  readonly port: number;
  readonly transport: TransportSettings;
  readonly credentials: Credentials | null;
  readonly pid: number;
  readonly syncLog: string;
  readonly nature: Nature;
  stop(): Promise<void>;
}

/** Starts a broker and waits until it accepts a client; its syncs are noted if that is wanted.
 *  `wish`: what it is to have in front of it; null: nothing but a port. */
export async function startPeer(
  peer: Peer,
  cpu: number | null,
  noteSyncs: boolean,
  wish: EntranceWish | null = null,
): Promise<RunningPeer> {
  const directory = makeDirectory();
  const port = await freePort();
  const entrance = await makeEntrance(wish ?? {}, directory, port, await freePort());
  const syncLog = join(directory, 'syncs');
  const tracing = noteSyncs ? syncTracing(syncLog) : [];
  const command = wish ? peer.command(port, directory, entrance) : peer.command(port, directory);
  const broker = new Process([...tracing, ...command], cpu, directory);
  const stop = async () => {
    await broker.stop(STOP_GRACE_MS);
    removeDirectory(directory);
  };
  const credentials = entrance.secret?.credentials ?? null;
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (!(await accepts(port, credentials))) {
    if (broker.running && performance.now() < deadline) continue;
    await stop();
    throw notStarted(peer, broker);
  }
  const nature = () => natureOf(peer, `${broker.stdout}${broker.stderr}`);
  // It may say so a moment after it has let somebody in.
  const silent = () => peer.io === null && nature().io === '–';
  for (let tries = 0; silent() && tries < 50; tries++) await delay(10);
  const transport = transportThrough(entrance, wish?.resume ?? false);
  const way = { port: entrance.doorPort, transport, credentials };
  return { ...way, pid: broker.pid, syncLog, nature: nature(), stop };
}

function notStarted(peer: Peer, broker: Process): Error {
  const said = broker.stderr.trim().split('\n').at(-1) ?? '';
  return new Error(`${peer.name} did not start: ${said || 'no CONNACK, no message'}`);
}

/** What is known of a broker, and what minnow says of itself when it is ready. */
export function natureOf({ io, store }: Pick<Peer, 'io' | 'store'>, log: string): Nature {
  const [, profile = '', mode] = /"profile":"([^"]+)".*"io":"([^"]+)"/.exec(log) ?? [];
  const values = Object.entries(table).find(([name]) => name === profile)?.[1];
  return { io: io ?? mode ?? '–', store: store ?? values?.['store.durability'] ?? '–' };
}

export interface ColdStart {
  /** From starting the broker to its first CONNACK. */
  readonly connackMs: number;
  /** When it has come to rest. */
  readonly memory: MemoryUse;
  readonly nature: Nature;
}

/** Starts a broker once. Nothing stands between it and us: no pinning, no event loop. */
export async function coldStart(peer: Peer): Promise<ColdStart> {
  const directory = makeDirectory();
  const port = await freePort();
  const command = peer.command(port, directory);
  const system = await System.open();
  const engine = new Engine(system, { address: '127.0.0.1', port });
  const started = performance.now();
  const broker = new Process(command, null, directory, true);
  try {
    for (;;) {
      try {
        const arrivals = new Arrivals(engine, { version: 4, prefix: 'bench-start-' }, 1);
        while (!arrivals.complete) arrivals.step(100);
        const connackMs = performance.now() - started;
        await delay(REST_MS);
        const nature = natureOf(peer, `${broker.stdout}${broker.stderr}`);
        return { connackMs, memory: memoryOf(broker.pid), nature };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error;
        if (performance.now() > started + READY_TIMEOUT_MS) throw notStarted(peer, broker);
        system.pause(RETRY_US);
      }
    }
  } finally {
    engine.close();
    await broker.stop(STOP_GRACE_MS);
    removeDirectory(directory);
  }
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
function accepts(port: number, credentials: Credentials | null): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection(port, '127.0.0.1');
    const answer = (accepted: boolean) => {
      socket.destroy();
      setTimeout(resolve, accepted ? 0 : 10, accepted);
    };
    socket.setTimeout(READY_TIMEOUT_MS, () => answer(false));
    socket.once('connect', () =>
      socket.write(connectFrame(4, 'bench-ready', 'clean', credentials)),
    );
    socket.once('data', () => answer(true));
    socket.once('error', () => answer(false));
  });
}
