// What the program reads: one frozen Config, derived from the settings that the sources agreed on.
// A configuration is used whole or not at all: loadConfig gives a Config or every fault it found.

import { join } from 'node:path';
import { isOpen } from '../auth/create.ts';
import { type BrokerOptions, defaultOptions } from '../core/options.ts';
import type { IoOptions } from '../io/options.ts';
import type { Profile } from '../platform/profile.ts';
import type { IoMode } from '../platform/table.ts';
import { formatAddress, type Listener } from './address.ts';
import { findFaults } from './faults.ts';
import { defaultsFor, withDefaults } from './profiled.ts';
import { judge, type Settings } from './schema.ts';
import {
  type DoorConfig,
  expandDoor,
  expandListener,
  portOf,
  reachable,
} from './sections/doors.ts';
import type { logLevels, logModules } from './sections/log.ts';
import { type Inputs, RawConfig } from './sources.ts';
import { suggest } from './suggest.ts';

export type LogLevel = (typeof logLevels)[number];
export type LogModule = (typeof logModules)[number];

export interface LogConfig {
  readonly level: LogLevel;
  readonly format: 'auto' | 'text' | 'json';
  readonly levels: Readonly<Partial<Record<LogModule, LogLevel>>>;
  /** Lines with the same cause per ten seconds before the rest is only counted. */
  readonly burst: number;
}

export type AuthConfig = Readonly<Settings['auth']>;

export interface StoreConfig extends Readonly<Settings['store']> {
  /** The database file. */
  readonly path: string;
}

export interface IoConfig extends IoOptions {
  readonly mode: IoMode;
  /** Threads in all: one has the core, the others the sockets; or one has both. */
  readonly poolSize: number;
  /** A worker that holds the core keeps its heap small. */
  readonly smallHeap: boolean;
}

export interface Config {
  readonly dataDirectory: string;
  /** A changed file is reason enough for a reload. */
  readonly watchFiles: boolean;
  readonly listeners: readonly Listener[];
  /** Listeners that are more than TCP. */
  readonly doors: readonly DoorConfig[];
  readonly io: IoConfig;
  readonly log: LogConfig;
  readonly broker: BrokerOptions;
  readonly auth: AuthConfig;
  readonly store: StoreConfig;
  readonly control: { readonly enabled: boolean; readonly path: string };
}

/** What the defaults depend on; the composition root reads it from the process. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isRoot: boolean;
  readonly version: string;
}

export interface LoadedConfig {
  readonly config: Config;
  readonly settings: Settings;
  readonly warnings: readonly string[];
  /** What other settings of the same process would mean. */
  readonly derive: (settings: Settings) => Config;
  /** Who decided about the option at a path, null for the default. */
  readonly sourceOf: (path: string) => string | null;
}

export interface Faults {
  readonly faults: readonly string[];
}

/** What all sources say together, before the machine has its say. */
export interface Draft {
  readonly raw: RawConfig;
  readonly settings: Settings;
}

/** Reads all sources. Text in, values out: nothing is opened, created or printed here. */
export function readSources(inputs: Inputs, host: Host): Draft | Faults {
  const raw = new RawConfig(inputs);
  const judged = judge(raw.value);
  if ('issues' in judged) return { faults: [...raw.faults, ...findFaults(judged.issues, raw)] };
  return { raw, settings: fillIn(judged, host) };
}

/** The configuration that `draft` means on a machine with `profile`; null: on any machine. */
export function finish(
  { raw, settings: said }: Draft,
  host: Host,
  profile: Profile | null,
): LoadedConfig | Faults {
  const defaults = profile === null ? new Map() : defaultsFor(profile, said, raw);
  const settings = withDefaults(said, defaults);
  const config = derive(settings, host);
  const faults = [...raw.faults, ...findContradictions(settings, config, raw)];
  if (faults.length > 0) return { faults };
  const sourceOf = (path: string) => {
    if (defaults.has(path)) return path === 'profile' ? 'this machine' : `profile ${profile?.name}`;
    return raw.isSet(path) ? raw.sourceOf(path.split('.')) : null;
  };
  const again = (changed: Settings) => derive(changed, host);
  return { config, settings, warnings: raw.warnings, derive: again, sourceOf };
}

/** Both of the above. */
export function loadConfig(
  inputs: Inputs,
  host: Host,
  profile: Profile | null = null,
): LoadedConfig | Faults {
  const draft = readSources(inputs, host);
  return 'faults' in draft ? draft : finish(draft, host, profile);
}

/** The directory that is used when nobody names one. */
export function defaultDataDirectory({ env, isRoot }: Pick<Host, 'env' | 'isRoot'>): string {
  // systemd separates several directories with colons; the first is the main one.
  const given = env.STATE_DIRECTORY?.split(':')[0];
  if (given) return given;
  if (isRoot) return '/var/lib/minnow';
  if (env.XDG_STATE_HOME) return join(env.XDG_STATE_HOME, 'minnow');
  return env.HOME ? join(env.HOME, '.local/state/minnow') : 'minnow-data';
}

/** Settings with the defaults that depend on the machine in their places. */
function fillIn(settings: Settings, host: Host): Settings {
  const data = settings.data || defaultDataDirectory(host);
  const path = settings.control.path || join(data, 'control.sock');
  return { ...settings, data, control: { ...settings.control, path } };
}

/** Whether somebody has to be who they say: names that nobody proves tell nobody apart. */
function provesNames({ auth, listeners }: Settings): boolean {
  return !isOpen(auth) || listeners.some(({ identity }) => identity !== 'none');
}

/** What the code reads, from settings that were found to be right. */
function derive(settings: Settings, host: Host): Config {
  const { limits, mqtt, queue, session, sys } = settings;
  const { packetSizeMaxBytes, outputHighWaterBytes, ...sameNames } = limits;
  const { maximumQos, ...capabilities } = mqtt;
  const broker: BrokerOptions = {
    ...defaultOptions,
    ...sameNames,
    ...capabilities,
    version: `minnow ${host.version}`,
    packetSizeMax: packetSizeMaxBytes,
    outputHighWater: outputHighWaterBytes,
    maximumQoS: maximumQos,
    sessionExpiryMaxSeconds: session.expiryMaxSeconds,
    takeover: provesNames(settings) ? session.takeover : 'anyone',
    queueMessagesMax: queue.messagesMax,
    queueBytesMax: queue.bytesMax,
    queuedBytesTotalMax: queue.totalBytesMax,
    queuePolicy: queue.policy,
    queueQoS0: queue.qos0,
    sysIntervalMs: sys.intervalMs,
    authMethods: settings.auth.scram ? ['SCRAM-SHA-256'] : [],
  };
  return deepFreeze({
    dataDirectory: settings.data,
    watchFiles: settings.watchFiles,
    listeners: settings.listeners.flatMap(table => expandListener(table, packetSizeMaxBytes)),
    doors: settings.listeners.flatMap(table => expandDoor(table, packetSizeMaxBytes)),
    // Without a profile, what works everywhere.
    io: { ...settings.io, mode: settings.io.mode === 'sync' ? 'sync' : 'async' },
    log: settings.log,
    broker,
    auth: settings.auth,
    store: { ...settings.store, path: join(settings.data, 'minnow.db') },
    control: settings.control,
  });
}

const SOCKET_PATH_BYTES_MAX = 107;

/** Faults that no option has by itself. */
function findContradictions(settings: Settings, config: Config, raw: RawConfig): string[] {
  const faults: string[] = [];
  const fault = (path: string, text: string) =>
    faults.push(`${raw.sourceOf(path.split('.'))}: ${path}: ${text}`);
  const { limits, queue, control } = settings;
  if (limits.outputHighWaterBytes >= limits.outputBytesMax) {
    const found = `${limits.outputHighWaterBytes}, expected less than`;
    const path = 'limits.outputHighWaterBytes';
    fault(path, `found ${found} limits.outputBytesMax (${limits.outputBytesMax})`);
  }
  if (queue.bytesMax > queue.totalBytesMax) {
    const found = `${queue.bytesMax}, expected at most`;
    fault('queue.bytesMax', `found ${found} queue.totalBytesMax (${queue.totalBytesMax})`);
  }
  findAuthFaults(settings, fault);
  if (control.enabled && Buffer.byteLength(control.path) > SOCKET_PATH_BYTES_MAX) {
    const expected = `expected at most ${SOCKET_PATH_BYTES_MAX} bytes; set a shorter control.path`;
    fault('control.path', `found "${control.path}", ${expected}`);
  }
  faults.push(...listenerFaults(settings, config, raw));
  return faults;
}

function findAuthFaults(
  { auth, listeners }: Settings,
  fault: (path: string, text: string) => void,
): void {
  const { users, passwordFile, jwtKeys, httpUrl, scram } = auth;
  if (scram && passwordFile === '' && Object.keys(users).length === 0) {
    fault('auth.scram', 'found true, but nobody has a hash for it; set auth.passwordFile');
  }
  // Names that come from elsewhere are not known here.
  if (passwordFile + jwtKeys + httpUrl !== '') return;
  const closed = listeners.every(door => door.identity === 'none' && door.anonymous !== true);
  if (!auth.anonymous && closed && Object.keys(users).length === 0) {
    fault('auth.anonymous', 'found false, but without auth.users nobody could connect; add users');
  }
  for (const [index, { user }] of auth.rules.entries()) {
    if (user === '' || user.includes('*') || Object.hasOwn(users, user)) continue;
    const near = suggest(user, Object.keys(users));
    const hint = near === null ? '' : `; did you mean "${near}"?`;
    const expected = `expected "*", "" or a name from auth.users${hint}`;
    fault(`auth.rules.${index}.user`, `found "${user}", ${expected}`);
  }
}

function listenerFaults(settings: Settings, config: Config, raw: RawConfig): string[] {
  const faults: string[] = [];
  const fault = (path: (string | number)[], text: string) =>
    faults.push(`${raw.sourceOf(path)}: ${path.join('.')}: ${text}`);
  const places = config.doors.flatMap(({ place }) => (place.kind === 'tcp' ? place : []));
  const seen = new Set<string>();
  for (const { host, port } of [...config.listeners, ...places]) {
    const address = formatAddress(host, port);
    if (port !== 0 && seen.has(address))
      fault(['listeners'], `found ${address} twice, expected once`);
    seen.add(address);
  }
  if (raw.isSet('auth.anonymous')) return faults;
  for (const [index, listener] of settings.listeners.entries()) {
    if (!reachable(listener) || listener.anonymous !== null) continue;
    const where = listener.systemd || formatAddress(listener.host, portOf(listener));
    fault(
      ['listeners', index],
      `${where} can be reached from other machines, but nothing says who may come in; add ` +
        '"anonymous = true" below [auth] (--set auth.anonymous=true) for everybody, or ' +
        '"anonymous = false" for users only',
    );
  }
  return faults;
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
