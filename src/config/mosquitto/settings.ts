// Options of the whole broker that minnow has, too: limits, queues, sessions, the store, the log.

import { defaultOptions } from '../../core/options.ts';
import { KB } from '../../limits.ts';
import { PACKET_SIZE_LIMIT, SESSION_NEVER_EXPIRES } from '../../mqtt/packet.ts';
import { DAY_MS, GB, MANY } from '../option.ts';
import type { Group } from './group.ts';
import type { Line } from './lines.ts';
import { BY_ITSELF } from './options.ts';
import type { Toml } from './toml.ts';
import { readChoice, readDuration, readFlag, readWhole } from './values.ts';

const INT_MAX = 2 ** 31 - 1;
const ALWAYS_BOUND = 'no equivalent: minnow always has a bound, by default that of the profile';
/** What a packet may hold besides its payload, as far as anybody uses it. */
const TOPIC_BYTES = 64 * KB;

/** Every option of this file. */
export const settingOptions: ReadonlySet<string> = new Set([
  ...['autosave_interval', 'connection_messages', 'global_max_clients', 'global_max_connections'],
  ...['log_dest', 'log_type', 'max_inflight_messages', 'max_keepalive', 'max_packet_size'],
  ...['max_queued_bytes', 'max_queued_messages', 'memory_limit', 'message_size_limit'],
  ...['persistence', 'persistence_location', 'persistent_client_expiration'],
  ...['queue_qos0_messages', 'retain_available', 'set_tcp_nodelay', 'sys_interval'],
]);

/** Bounds of which 0, or less, means none in mosquitto. */
interface Bound {
  readonly name: string;
  readonly key: string;
  readonly most: number;
  /** What to write where there is none; left out, it is minnow's default. */
  readonly none?: number;
}

const bounds: readonly Bound[] = [
  { name: 'global_max_connections', key: 'limits.connectionsMax', most: MANY },
  { name: 'global_max_clients', key: 'limits.sessionsMax', most: MANY },
  { name: 'max_inflight_messages', key: 'limits.inflightMax', most: 65_535, none: 65_535 },
  { name: 'memory_limit', key: 'limits.memoryTargetBytes', most: 1024 * GB, none: 0 },
  { name: 'max_queued_messages', key: 'queue.messagesMax', most: MANY, none: MANY },
  { name: 'max_queued_bytes', key: 'queue.bytesMax', most: INT_MAX },
];

const flags: Readonly<Record<string, string>> = {
  retain_available: 'mqtt.retainAvailable',
  queue_qos0_messages: 'queue.qos0',
  set_tcp_nodelay: 'io.noDelay',
};

export function writeSettings(globals: Group, toml: Toml): void {
  for (const bound of bounds) writeBound(bound, globals, toml);
  for (const [name, key] of Object.entries(flags)) {
    const line = globals.last(name);
    const value = line && readFlag(line, toml.faults);
    if (line !== null && value !== null) toml.set(key, value, [line]);
  }
  writePacketSize(globals, toml);
  const keepAlive = globals.last('max_keepalive');
  const longest = keepAlive && readWhole(keepAlive, toml.faults, 0, 65_535);
  if (keepAlive !== null && longest !== null) {
    toml.set('mqtt.keepAliveMaxSeconds', longest, [keepAlive]);
  }
  const expiry = globals.last('persistent_client_expiration');
  const seconds = expiry && readDuration(expiry, toml.faults);
  if (expiry !== null && seconds !== null) {
    const most = Math.min(seconds, SESSION_NEVER_EXPIRES);
    toml.set('session.expiryMaxSeconds', most, [expiry]);
  }
  const sys = globals.last('sys_interval');
  const interval = sys && readWhole(sys, toml.faults, 0, 65_535);
  if (sys !== null && interval !== null) toml.set('sys.intervalMs', interval * 1000, [sys]);
  writeStore(globals, toml);
  writeLog(globals, toml);
}

function writeBound({ name, key, most, none }: Bound, globals: Group, toml: Toml): void {
  const line = globals.last(name);
  const value = line && readWhole(line, toml.faults, -1, Number.MAX_SAFE_INTEGER);
  if (line === null || value === null) return;
  if (value > 0) {
    toml.set(key, Math.min(value, most), [line]);
  } else if (none !== undefined) {
    toml.set(key, none, [line]);
  } else {
    toml.note(key, line, ALWAYS_BOUND);
  }
  // What one client may leave waiting must fit into what all may.
  if (key === 'queue.bytesMax' && value > defaultOptions.queuedBytesTotalMax) {
    toml.set('queue.totalBytesMax', Math.min(value, most), [line]);
  }
}

function writePacketSize(globals: Group, toml: Toml): void {
  const packet = globals.last('max_packet_size');
  const payload = globals.last('message_size_limit');
  const key = 'limits.packetSizeMaxBytes';
  const size = packet && readWhole(packet, toml.faults, 20, INT_MAX);
  const limit = payload && readWhole(payload, toml.faults, 0, PACKET_SIZE_LIMIT);
  if (packet !== null && size !== null) {
    const bytes = Math.min(Math.max(size, KB), PACKET_SIZE_LIMIT);
    const remark = size < KB ? `minnow accepts packets of ${KB} bytes at least` : undefined;
    toml.set(key, bytes, [packet], remark);
    if (payload !== null) toml.note(key, payload, 'packetSizeMaxBytes bounds the whole packet');
  } else if (payload !== null && limit === 0) {
    toml.note(key, payload, ALWAYS_BOUND);
  } else if (payload !== null && limit !== null) {
    const bytes = Math.min(limit + TOPIC_BYTES, PACKET_SIZE_LIMIT);
    const about =
      'the payload, plus 64 kB for the topic and properties, which minnow counts, too; ';
    toml.set(key, bytes, [payload], `${about}clients that send more are disconnected`);
  }
}

function writeStore(globals: Group, toml: Toml): void {
  const { faults } = toml;
  const persistence = globals.last('persistence');
  const kept = persistence === null ? false : readFlag(persistence, faults);
  const location = globals.last('persistence_location');
  const autosave = globals.last('autosave_interval');
  const sqlite = globals.last('persist_sqlite');
  if (persistence !== null && kept) {
    toml.set('store.kind', 'sqlite', [persistence]);
  } else if (persistence !== null && sqlite === null) {
    toml.set('store.kind', 'memory', [persistence]);
  } else if (sqlite === null) {
    toml.say('store', 'mosquitto keeps nothing unless "persistence true" says so.');
    toml.set('store.kind', 'memory', []);
  }
  if (sqlite !== null) toml.set('store.kind', 'sqlite', [sqlite]);
  if (location !== null) writeLocation(location, toml);
  if (autosave === null) return;
  const seconds = readWhole(autosave, faults, -INT_MAX, INT_MAX);
  if (seconds === null) return;
  if (!kept || seconds <= 0 || isCount(globals)) {
    toml.note('store.batchMs', autosave, 'no equivalent: see store.durability and store.batchMs');
    return;
  }
  toml.set(
    'store.durability',
    'batched',
    [autosave],
    'what is acknowledged may wait that long to be written, as mosquitto lets it; without these ' +
      'two lines minnow writes it sooner, or before it acknowledges',
  );
  toml.set('store.batchMs', Math.min(seconds * 1000, DAY_MS), [autosave]);
}

/** Whether autosave_interval counts changes instead of seconds. */
function isCount(globals: Group): boolean {
  return globals.all('autosave_on_changes').some(({ value }) => /^(true|1)\b/.test(value));
}

const DIRECTORY_BYTES_MAX = 90;

function writeLocation(line: Line, toml: Toml): void {
  // The control socket is in there, and the system bounds its path.
  if (Buffer.byteLength(line.value) > DIRECTORY_BYTES_MAX) {
    toml.faults.add(line, `expected a path of at most ${DIRECTORY_BYTES_MAX} bytes`);
    return;
  }
  toml.set('data', line.value, [line], 'minnow keeps minnow.db there; mosquitto.db is not read');
}

const logTypes = [
  ...['none', 'error', 'warning', 'notice', 'information', 'debug', 'subscribe', 'unsubscribe'],
  ...['websockets', 'internal', 'all'],
] as const;

const levels = ['silent', 'error', 'warn', 'info', 'debug'] as const;

/** The least important level that shows lines of that type. */
function levelOf(type: (typeof logTypes)[number]): number {
  if (type === 'none') return 0;
  if (type === 'error') return 1;
  if (type === 'warning') return 2;
  return type === 'all' || type === 'debug' ? 4 : 3;
}

function writeLog(globals: Group, toml: Toml): void {
  let level: number | null = null;
  const types = globals.all('log_type');
  for (const line of types) {
    const type = readChoice(line, toml.faults, logTypes);
    if (type === null) return;
    level = type === 'none' ? 0 : Math.max(level ?? 0, levelOf(type));
  }
  const silent = globals.all('log_dest').find(line => line.value.split(/\s/, 1)[0] === 'none');
  if (silent !== undefined) {
    toml.set('log.level', 'silent', [silent, ...types]);
  } else if (level !== null) {
    toml.set('log.level', levels[level], types);
  }
  for (const line of globals.all('log_dest')) writeDestination(line, silent, toml);
  const messages = globals.last('connection_messages');
  const shown = messages && readFlag(messages, toml.faults);
  if (messages === null || shown === null) return;
  const why = shown ? BY_ITSELF : 'no equivalent: log.level = "warn" shows no connections';
  toml.note('log', messages, why);
}

const destinations = [
  ...['none', 'stdout', 'stderr', 'syslog', 'topic', 'file', 'dlt', 'android'],
] as const;

function writeDestination(line: Line, silent: Line | undefined, toml: Toml): void {
  const destination = readChoice(line, toml.faults, destinations);
  if (destination === null || line === silent) return;
  const elsewhere =
    'no equivalent: minnow logs to standard output, and whoever starts it keeps that';
  toml.note('log', line, destination === 'stdout' ? BY_ITSELF : elsewhere);
}
