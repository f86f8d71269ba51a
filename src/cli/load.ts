// The configuration as the process sees it: the flags that all commands about the broker share,
// the file they name, the environment, and who runs us.

import { readFileSync } from 'node:fs';
import { type Config, type Host, loadConfig } from '../config/config.ts';
import type { Settings } from '../config/schema.ts';
import type { ConfigFile } from '../config/sources.ts';
import { version } from '../version.ts';
import type { FlagValues } from './command.ts';
import { Exit, errorCode, Failure } from './exit.ts';

export const configFlags = {
  config: { type: 'string', short: 'c' },
  listen: { type: 'string', multiple: true },
  data: { type: 'string' },
  'log-level': { type: 'string' },
  set: { type: 'string', multiple: true },
} as const;

export const configUsage = `\
  -c, --config FILE        read a TOML file (or name it in MINNOW_CONFIG)
      --listen HOST:PORT   listen here; repeatable; IPv6 in brackets; ":1883" is
                           every interface, "1883" this machine only
      --data DIR           directory for everything that is kept
      --log-level LEVEL    debug, info, warn, error or silent
      --set KEY=VALUE      set any option, e.g. --set limits.packetSizeMaxBytes=64kB
  -h, --help               this text

  The file is laid over the defaults, the environment (MINNOW_LOG_LEVEL=debug sets
  log.level) over the file, flags over all. minnow config --reference lists every option.`;

export interface LoadedConfig {
  readonly config: Config;
  readonly settings: Settings;
  readonly warnings: readonly string[];
}

/** Throws a Failure that lists every fault. */
export function load(flags: FlagValues): LoadedConfig {
  const env = process.env;
  const name = (flags.config as string | undefined) ?? (env.MINNOW_CONFIG || undefined);
  const host: Host = { env, isRoot: process.getuid?.() === 0, version };
  const loaded = loadConfig(
    {
      env,
      ...(name === undefined ? {} : { file: readConfigFile(name) }),
      flags: {
        listen: (flags.listen as string[] | undefined) ?? [],
        set: (flags.set as string[] | undefined) ?? [],
        ...(flags.data === undefined ? {} : { data: flags.data as string }),
        ...(flags['log-level'] === undefined ? {} : { logLevel: flags['log-level'] as string }),
      },
    },
    host,
  );
  if ('config' in loaded) return loaded;
  const count = loaded.faults.length;
  const sum = `${count} ${count === 1 ? 'fault' : 'faults'} in the configuration`;
  throw new Failure(Exit.config, ...loaded.faults, `${sum}, nothing was started`);
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
