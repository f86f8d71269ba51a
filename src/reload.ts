// Reading the configuration again while the broker runs: on SIGHUP and when somebody asks for it.
// A new configuration is taken over as far as it can be, or not at all when anything is wrong.

import type { Config } from './config/config.ts';
import { options, type Settings } from './config/schema.ts';
import type { RootLogger } from './log.ts';

export interface Changes {
  /** Paths of options that are taken over at once. */
  readonly live: readonly string[];
  /** Paths of options that have their old values until the broker is started anew. */
  readonly restart: readonly string[];
}

type Tree = { readonly [key: string]: unknown };

function valueAt(settings: Settings, path: string): unknown {
  let value: unknown = settings;
  for (const key of path.split('.')) value = (value as Tree)[key];
  return value;
}

/** What differs between the settings in force and those that are wanted. */
export function changesBetween(running: Settings, wanted: Settings): Changes {
  const live: string[] = [];
  const restart: string[] = [];
  for (const { path, reload } of options.values()) {
    const same = JSON.stringify(valueAt(running, path)) === JSON.stringify(valueAt(wanted, path));
    if (!same) (reload === 'live' ? live : restart).push(path);
  }
  return { live, restart };
}

/** The settings in force, but for those options that were taken over. */
export function takeOver(running: Settings, wanted: Settings, live: readonly string[]): Settings {
  const result: Record<string, unknown> = { ...running };
  for (const path of live) {
    const [section, key] = path.split('.') as [string, string?];
    const value = valueAt(wanted, path);
    result[section] = key === undefined ? value : { ...(result[section] as Tree), [key]: value };
  }
  return result as Settings;
}

export interface ReloadReport {
  /** Options that were taken over. */
  readonly applied: readonly string[];
  /** Options that keep their old values until the broker is started anew. */
  readonly restart: readonly string[];
}

/** The configuration in force stays. The message says why, a line per fault. */
export class ReloadError extends Error {
  constructor(lines: readonly string[]) {
    super(lines.join('\n'));
    this.name = 'ReloadError';
  }
}

/** The files that a configuration names and a reload reads anew. */
export function filesOf({ auth, doors }: Config): string[] {
  const keys = /^https?:/.test(auth.jwtKeys) ? '' : auth.jwtKeys;
  const certificates = doors.flatMap(({ tls }) => {
    if (tls === null) return [];
    const pairs = [tls, ...tls.alternatives];
    return [tls.ca, tls.crl, ...pairs.flatMap(({ certificate, key }) => [certificate, key])];
  });
  return [auth.passwordFile, auth.aclFile, keys, ...certificates].filter(path => path !== '');
}

export interface ReloadParts {
  /** Reads all sources anew; rejects with a ReloadError. */
  read(): Promise<Settings>;
  derive(settings: Settings): Config;
  /** Rejects with a ReloadError when something that the configuration names is not right. */
  apply(config: Config): Promise<void>;
  readonly log: RootLogger;
}

export class Reloader {
  private running: Settings;
  /** What `running` means. */
  config: Config;
  private readonly parts: ReloadParts;
  /** One at a time. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(running: Settings, parts: ReloadParts) {
    this.running = running;
    this.config = parts.derive(running);
    this.parts = parts;
  }

  /** Rejects with a ReloadError; both outcomes are logged. */
  reload(): Promise<ReloadReport> {
    const done = this.last.then(() => this.reloadNow());
    this.last = done.catch(() => {});
    return done;
  }

  private async reloadNow(): Promise<ReloadReport> {
    const { log } = this.parts;
    try {
      const wanted = await this.parts.read();
      const { live, restart } = changesBetween(this.running, wanted);
      const settings = takeOver(this.running, wanted, live);
      const config = this.parts.derive(settings);
      await this.parts.apply(config);
      this.running = settings;
      this.config = config;
      log.reconfigure(config.log);
      log.info('configuration reloaded', { applied: live.join(', ') || 'files only' });
      if (restart.length > 0) {
        log.warn('these options wait for a restart', { options: restart.join(', ') });
      }
      return { applied: live, restart };
    } catch (error) {
      if (!(error instanceof ReloadError)) throw error;
      for (const why of error.message.split('\n')) {
        log.error('the configuration was not reloaded; the old one stays in force', { why });
      }
      throw error;
    }
  }
}
