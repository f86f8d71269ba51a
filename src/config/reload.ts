// What of a changed configuration can be taken over while the broker runs, option by option.

import { options, type Settings } from './schema.ts';

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
