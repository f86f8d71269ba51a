// The one place that says which options exist: type, range, default, unit, description and whether
// a change takes effect without a restart; long sections stand in sections/. The reference, the
// sample file, the environment's names and every message are derived from it; config.ts turns its
// output into what the code reads.

import * as z from 'zod/mini';
import { defaultOptions } from '../core/options.ts';
import { profileNames } from '../platform/table.ts';
import {
  choice,
  DAY_MS,
  flag,
  type Group,
  type Members,
  milliseconds,
  type OptionMeta,
  path,
  type Setting,
  section,
} from './option.ts';
import { authSection } from './sections/auth.ts';
import { ioSection } from './sections/io.ts';
import { limitsSection, queueSection, sessionSection } from './sections/limits.ts';
import { listenersOption } from './sections/listeners.ts';
import { logSection } from './sections/log.ts';
import { mqttSection } from './sections/mqtt.ts';
import { storeSection } from './sections/store.ts';

const everything = {
  data: path({
    default: '',
    defaultText: 'see there',
    example: 'data = "/var/lib/minnow"',
    description:
      'Directory for everything that is kept. Where it is not set: $STATE_DIRECTORY (systemd), ' +
      'else /var/lib/minnow for root, else $XDG_STATE_HOME/minnow, else ~/.local/state/minnow.',
  }),
  listeners: listenersOption,
  profile: choice({
    of: ['auto', ...profileNames],
    default: 'auto',
    description:
      'The class of machine, which sets the defaults of many options: `constrained` (a router), ' +
      '`gateway`, `server`. `auto`: by memory and processors; `minnow platform` says why.',
  }),
  watchFiles: flag({
    default: false,
    description:
      'Whether the configuration is read again, as by `minnow reload`, when its file changes or ' +
      'one that it names: passwords, rules, keys, certificates, revocations.',
  }),
  log: logSection,
  io: ioSection,
  limits: limitsSection,
  mqtt: mqttSection,
  session: sessionSection,
  queue: queueSection,
  auth: authSection,
  store: storeSection,
  sys: section('The $SYS topics.', {
    intervalMs: milliseconds({
      default: defaultOptions.sysIntervalMs,
      min: 0,
      max: DAY_MS,
      description: 'How often they are published; 0 turns them off.',
    }),
  }),
  control: section('The socket that `minnow ctl` speaks to; file permissions are its lock.', {
    enabled: flag({ default: true, description: 'Whether there is one.' }),
    path: path({
      default: '',
      defaultText: 'control.sock in the data directory',
      example: 'path = "/run/minnow/control.sock"',
      description: 'The socket file, at most 107 bytes long.',
    }),
  }),
};

type Entry = Setting<unknown> | Group<Members>;
type Entries = Readonly<Record<string, Entry>>;

type ValueOf<E> = E extends Setting<infer T> ? T : E extends Group<infer S> ? ValuesOf<S> : never;
type ValuesOf<S> = { -readonly [K in keyof S]: ValueOf<S[K]> };

/** What every option is, those that nobody set as their defaults. */
export type Settings = ValuesOf<typeof everything>;

type Table = Readonly<Record<string, unknown>>;

/** What the schema makes of what all sources say together: settings, or what it refuses. */
export function judge(value: Table): Settings | { readonly issues: readonly z.core.$ZodIssue[] } {
  const parsed = schemaFor(everything, value).safeParse(value);
  if (!parsed.success) return { issues: parsed.error.issues };
  return withDefaults(everything, parsed.data) as Settings;
}

/** The schema as far as `value` has something to be judged. */
function schemaFor(entries: Entries, value: unknown) {
  const shape: Record<string, z.core.$ZodType> = {};
  for (const [key, entry] of Object.entries(entries)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) continue;
    const said = (value as Table)[key];
    shape[key] = 'options' in entry ? schemaFor(entry.options, said) : entry.schema();
  }
  return z.strictObject(shape);
}

function withDefaults(entries: Entries, said: Table): Table {
  const values: Record<string, unknown> = {};
  for (const [key, entry] of Object.entries(entries)) {
    const value = said[key];
    if ('options' in entry) values[key] = withDefaults(entry.options, (value ?? {}) as Table);
    else values[key] = value === undefined ? entry.meta.default : value;
  }
  return values;
}

export interface Option extends OptionMeta {
  /** "limits.packetSizeMaxBytes". */
  readonly path: string;
}

export interface Section {
  /** "limits"; empty for the options that stand outside of any section. */
  readonly name: string;
  readonly description: string;
  readonly options: readonly Option[];
}

function readSections(): Section[] {
  const top: Option[] = [];
  const sections: Section[] = [{ name: '', description: '', options: top }];
  for (const [name, entry] of Object.entries<Entry>(everything)) {
    if ('options' in entry) {
      const members = Object.entries(entry.options);
      const options = members.map(([key, { meta }]) => ({ ...meta, path: `${name}.${key}` }));
      sections.push({ name, description: entry.description, options });
    } else {
      top.push({ ...entry.meta, path: name });
    }
  }
  return sections;
}

/** Everything there is to configure, in the order of the schema. */
export const sections: readonly Section[] = readSections();
export const options: ReadonlyMap<string, Option> = new Map(
  sections.flatMap(s => s.options).map(o => [o.path, o]),
);
