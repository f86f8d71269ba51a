// Where the profile of this machine enters the configuration: above the schema's defaults and below
// everything that somebody said. `auto` says nothing.

import type { Profile, Wishes } from '../platform/profile.ts';
import type { ChoicePath } from '../platform/table.ts';
import type { Settings } from './schema.ts';
import type { RawConfig } from './sources.ts';

export function wishesOf(settings: Settings): Wishes {
  return { profile: settings.profile, mode: settings.io.mode };
}

/** Two options of which the first may not exceed the second: whoever is not set yields. */
interface Relation {
  readonly less: ChoicePath;
  readonly more: ChoicePath;
  /** How many times `less` fits into `more` when one of them has to move. */
  readonly times: number;
}

const relations: readonly Relation[] = [
  { less: 'queue.bytesMax', more: 'queue.totalBytesMax', times: 1 },
  { less: 'limits.outputHighWaterBytes', more: 'limits.outputBytesMax', times: 2 },
];

/** What stands in the place of options nobody set, by path. */
export type Defaults = ReadonlyMap<string, unknown>;

export function defaultsFor(profile: Profile, settings: Settings, raw: RawConfig): Defaults {
  const said = (path: string) => raw.isSet(path) && valueAt(settings, path) !== 'auto';
  const defaults = new Map<string, unknown>();
  for (const [path, { value }] of Object.entries(profile.choices)) {
    if (!said(path)) defaults.set(path, value);
  }
  // A bound that somebody sets is not refused for the sake of one that nobody did.
  for (const { less, more, times } of relations) {
    const [low, high] = [less, more].map(
      path => (defaults.get(path) ?? valueAt(settings, path)) as number,
    );
    if (low * times <= high) continue;
    if (defaults.has(more)) defaults.set(more, low * times);
    else if (defaults.has(less)) defaults.set(less, Math.floor(high / times));
  }
  return defaults;
}

/** `settings` with `defaults` in their places. */
export function withDefaults(settings: Settings, defaults: Defaults): Settings {
  const filled: Record<string, unknown> = { ...settings };
  for (const [path, value] of defaults) {
    const [name, key] = path.split('.');
    if (key === undefined) filled[name] = value;
    else filled[name] = { ...(filled[name] as object), [key]: value };
  }
  return filled as Settings;
}

function valueAt(settings: Settings, path: string): unknown {
  const [name, key] = path.split('.');
  const value = settings[name as keyof Settings] as unknown;
  return key === undefined ? value : (value as Record<string, unknown>)[key];
}
