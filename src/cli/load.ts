// The configuration as the process sees it: the flags that all commands about the broker share,
// the file they name, the environment, and who runs us.

import { readFileSync } from 'node:fs';
import {
  type Faults,
  finish,
  type Host,
  type LoadedConfig,
  loadConfig,
  readSources,
} from '../config/config.ts';
import { wishesOf } from '../config/profiled.ts';
import type { ConfigFile, Inputs } from '../config/sources.ts';
import { type Facts, readFacts } from '../platform/facts.ts';
import { chooseProfile, type Profile, type Wishes } from '../platform/profile.ts';
import { version } from '../version.ts';
import type { Flags } from './client/flags.ts';
import type { FlagValues } from './command.ts';
import { Exit, errorCode, Failure } from './exit.ts';

export const configFlags = {
  config: { type: 'string', short: 'c' },
  uci: { type: 'string' },
  listen: { type: 'string', multiple: true },
  data: { type: 'string' },
  'log-level': { type: 'string' },
  io: { type: 'string' },
  set: { type: 'string', multiple: true },
} as const;

export const configUsage = `\
  -c, --config FILE        read a TOML file (or name it in MINNOW_CONFIG)
      --uci FILE           read OpenWrt's file instead, such as /etc/config/minnow
      --listen HOST:PORT   listen here; repeatable; IPv6 in brackets; ":1883" is
                           every interface, "1883" this machine only
      --data DIR           directory for everything that is kept
      --log-level LEVEL    debug, info, warn, error or silent
      --io MODE            sync, async or auto: how bytes are moved
      --set KEY=VALUE      set any option, e.g. --set limits.packetSizeMaxBytes=64kB
  -h, --help               this text

  The file is laid over the defaults, the environment (MINNOW_LOG_LEVEL=debug sets
  log.level) over the file, flags over all. minnow config --reference lists every option.`;

export interface Loaded extends LoadedConfig {
  readonly facts: Facts;
  readonly profile: Profile;
}

/** The configuration as it is on any machine, for what only asks where things are. Throws a Failure
 *  that lists every fault. */
export async function load(flags: FlagValues): Promise<LoadedConfig> {
  const { inputs, host } = await readFlags(flags);
  return accepted(loadConfig(inputs, host));
}

/** The configuration as it is on this machine: what nobody set is as the machine's profile says.
 *  Throws a Failure for faults, and for what was asked for by name and cannot work here. */
export async function loadForThisMachine(
  flags: FlagValues,
  read: typeof readFacts = readFacts,
): Promise<Loaded> {
  const { inputs, host } = await readFlags(flags);
  const draft = accepted(readSources(inputs, host));
  const facts = read({ dataDirectory: draft.settings.data });
  const chosen = await chooseTried(facts, wishesOf(draft.settings));
  return { ...accepted(finish(draft, host, chosen.profile)), ...chosen };
}

/** The profile, after what it relies on was tried. Where nothing has to be tried, nothing is: it
 *  takes longer than all the rest. */
export async function chooseTried(
  facts: Facts,
  wishes: Wishes,
): Promise<{ facts: Facts; profile: Profile }> {
  const first = chooseProfile(facts, wishes);
  if ('refused' in first) throw new Failure(Exit.unavailable, first.refused);
  const relied = first.choices['io.mode'].value === 'sync';
  if (facts.ffi.works !== null || !(relied || facts.descriptors.notRaised !== null)) {
    return { facts, profile: first };
  }
  const { tryOut } = await import('../platform/trial.ts');
  return chooseTried(await tryOut(facts), wishes);
}

/** What commands beside the broker are told about its configuration. */
export function configFlagsOf(flags: Flags): FlagValues {
  const said = ['config', 'uci', 'data'].flatMap(name => {
    const value = flags.text(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(said), set: flags.texts('set') };
}

/** The file that the flags or the environment name, and whether it is OpenWrt's. */
export function configFileOf(flags: FlagValues): { name: string; uci: boolean } | null {
  const [config, uci] = [flags.config as string | undefined, flags.uci as string | undefined];
  if (config !== undefined && uci !== undefined) {
    throw new Failure(Exit.usage, '--config and --uci: expected one of them, not both');
  }
  if (uci !== undefined) return { name: uci, uci: true };
  const name = config ?? (process.env.MINNOW_CONFIG || null);
  return name === null ? null : { name, uci: false };
}

async function readFlags(flags: FlagValues): Promise<{ inputs: Inputs; host: Host }> {
  const env = process.env;
  const host: Host = { env, isRoot: process.getuid?.() === 0, version };
  const inputs: Inputs = {
    env,
    ...(await readFile(flags)),
    flags: {
      listen: (flags.listen as string[] | undefined) ?? [],
      set: (flags.set as string[] | undefined) ?? [],
      ...(flags.data === undefined ? {} : { data: flags.data as string }),
      ...(flags['log-level'] === undefined ? {} : { logLevel: flags['log-level'] as string }),
      ...(flags.io === undefined ? {} : { io: flags.io as string }),
    },
  };
  return { inputs, host };
}

async function readFile(flags: FlagValues): Promise<Pick<Inputs, 'file' | 'uci'>> {
  const named = configFileOf(flags);
  if (named === null) return {};
  const file = readConfigFile(named.name);
  if (!named.uci) return { file };
  const { readUci } = await import('../config/uci/read.ts');
  return { uci: readUci(file) };
}

function accepted<Read>(read: Read | Faults): Read {
  if (!isFaulty(read)) return read;
  const { length } = read.faults;
  const sum = `${length} ${length === 1 ? 'fault' : 'faults'} in the configuration`;
  throw new Failure(Exit.config, ...read.faults, `${sum}; nothing was done`);
}

function isFaulty(read: unknown): read is Faults {
  return typeof read === 'object' && read !== null && 'faults' in read;
}

function readConfigFile(name: string): ConfigFile {
  try {
    return { name, text: readFileSync(name, 'utf8') };
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EACCES')
      throw new Failure(Exit.noPermission, `${name}: no permission to read it`);
    const why = { ENOENT: 'there is no such file', EISDIR: 'this is a directory' }[code];
    throw new Failure(Exit.noInput, `${name}: ${why ?? `cannot be read (${code})`}`);
  }
}
