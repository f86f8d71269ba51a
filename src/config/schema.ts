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
  milliseconds,
  type OptionMeta,
  optionMeta,
  path,
  section,
  sectionMeta,
} from './option.ts';
import { authSection } from './sections/auth.ts';
import { ioSection } from './sections/io.ts';
import { limitsSection, queueSection, sessionSection } from './sections/limits.ts';
import { listenersOption } from './sections/listeners.ts';
import { logSection } from './sections/log.ts';
import { mqttSection } from './sections/mqtt.ts';
import { storeSection } from './sections/store.ts';

export const schema = z.strictObject({
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
});

export type Settings = z.infer<typeof schema>;

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
  for (const [name, child] of Object.entries(schema.shape)) {
    const own = optionMeta.get(child);
    if (own !== undefined) top.push({ ...own, path: name });
    if (!sectionMeta.has(child)) continue;
    const group = child as z.ZodMiniPrefault<z.ZodMiniObject>;
    const members = Object.entries(group.def.innerType.def.shape);
    const options = members.map(([key, member]) => ({
      ...(optionMeta.get(member) as OptionMeta),
      path: `${name}.${key}`,
    }));
    sections.push({ name, description: sectionMeta.get(child)?.description ?? '', options });
  }
  return sections;
}

/** Everything there is to configure, in the order of the schema. */
export const sections: readonly Section[] = readSections();
export const options: ReadonlyMap<string, Option> = new Map(
  sections.flatMap(s => s.options).map(o => [o.path, o]),
);
