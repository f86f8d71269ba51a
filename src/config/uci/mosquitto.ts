// The sections of OpenWrt's package of mosquitto, read as the lines of the mosquitto.conf that its
// init script makes of them: what those mean, src/config/mosquitto knows.

import { Faults, type Line } from '../mosquitto/lines.ts';
import type { Listener } from '../mosquitto/listener.ts';
import { BY_ITSELF } from '../mosquitto/options.ts';
import { Toml } from '../mosquitto/toml.ts';
import { writeLines } from '../mosquitto/translate.ts';
import type { Path } from '../sources.ts';
import { isTrue, type Own } from './own.ts';
import type { UciOption, UciSection } from './parse.ts';
import type { Places } from './read.ts';

export const forPackage: ReadonlySet<string> = new Set([
  ...['owrt', 'mosquitto', 'persistence', 'bridge'],
]);

/** Options of which UCI's words for yes and no have to become mosquitto's. */
const flags: ReadonlySet<string> = new Set([
  ...['allow_anonymous', 'allow_duplicate_messages', 'connection_messages', 'log_timestamp'],
  ...['queue_qos0_messages', 'set_tcp_nodelay', 'upgrade_outgoing_qos', 'per_listener_settings'],
  ...['autosave_on_changes', 'persistence', 'use_username_as_clientid', 'require_certificate'],
  ...['use_identity_as_username', 'use_subject_as_username', 'retain_available'],
]);

/** The names in mosquitto.conf, where they differ. */
const renamed: ReadonlyMap<string, string> = new Map([
  ['mosquitto.log_types', 'log_type'],
  ['persistence.client_expiration', 'persistent_client_expiration'],
  ['persistence.file', 'persistence_file'],
  ['persistence.location', 'persistence_location'],
]);

/** Options whose words are as many lines. */
const wordLists: ReadonlySet<string> = new Set(['log_dest', 'log_type']);

/** Whether a listener has an option that only mosquitto has. */
export function isForeignListener({ options }: UciSection, own: Own): boolean {
  return [...options.keys()].some(
    name => name !== 'no_remote_access' && !own.isListenerField(name),
  );
}

class SaidFaults extends Faults {
  private readonly places: Places;

  constructor(places: Places) {
    super();
    this.places = places;
  }

  override add(at: Line, text: string): void {
    this.lines.push(`${this.places.atLine(at.number)}: ${at.name}: ${text}`);
  }
}

interface Opened {
  readonly section: UciSection;
  readonly line: Line;
  /** Options that only minnow has. */
  readonly extra: readonly UciOption[];
}

export class MosquittoPart {
  private readonly places: Places;
  private readonly lines: Line[] = [];
  private readonly listenerLines: Line[] = [];
  private readonly bridgeLines: Line[] = [];
  private readonly opened: Opened[] = [];
  private readonly faults: SaidFaults;

  constructor(places: Places) {
    this.places = places;
    this.faults = new SaidFaults(places);
  }

  add(section: UciSection): void {
    const { type } = section;
    if (type === 'owrt') return; // for the init script
    if (type === 'bridge') {
      this.bridgeLines.push(lineOf('connection', section.name || 'bridge', section.line));
      return;
    }
    for (const option of section.options.values()) {
      if (type === 'mosquitto' && option.name === 'no_remote_access') {
        const local = isTrue(option.values[0]);
        if (local) this.lines.push(lineOf('bind_address', 'localhost', option.line));
      } else {
        const name = renamed.get(`${type}.${option.name}`) ?? option.name;
        this.lines.push(...linesOf(option, name));
      }
    }
  }

  addListener(section: UciSection, own: Own): void {
    const { options } = section;
    const port = options.get('port');
    if (port === undefined) {
      own.faults.push(`${this.places.at(section)}: port: is missing`);
      return;
    }
    const local = isTrue(options.get('no_remote_access')?.values[0] ?? '0');
    const host = options.get('host')?.values[0] ?? (local ? 'localhost' : '');
    const line = lineOf('listener', `${port.values[0]} ${host}`.trim(), port.line);
    this.listenerLines.push(line);
    const extra: UciOption[] = [];
    for (const option of options.values()) {
      const shared = ['protocol', 'mount_point'].includes(option.name);
      if (['port', 'host', 'no_remote_access'].includes(option.name)) continue;
      if (own.isListenerField(option.name) && !shared) extra.push(option);
      else this.listenerLines.push(...linesOf(option, option.name));
    }
    this.opened.push({ section, line, extra });
  }

  /** Hands everything over, after minnow's own sections; `copied`: mosquitto's defaults hold, too,
   *  where those say nothing. */
  finish(own: Own, copied: boolean): void {
    const lines = [...this.lines, ...this.listenerLines, ...this.bridgeLines];
    if (lines.length === 0 && !copied) return;
    const toml = new Toml(this.faults);
    const listeners = writeLines(lines, toml);
    own.faults.push(...this.faults.lines);
    for (const { line, text } of toml.remarks) {
      if (text === BY_ITSELF) continue;
      own.warnings.push(`${this.places.atLine(line.number)}: ${line.name}: ${text}`);
    }
    for (const [name, table] of [['', toml.top] as const, ...toml.tables]) {
      for (const { key, value, from } of table.keys) {
        const path = [...(name === '' ? [] : [name]), ...key.split('.')];
        if (from.length === 0 && (!copied || own.has(path))) continue;
        own.lay(path, value, this.sourceOf(from));
      }
    }
    for (const listener of listeners) if (!listener.leftOut) this.layListener(listener, own);
  }

  private layListener({ draft, table }: Listener, own: Own): void {
    const opened = this.opened.find(({ line }) => line === draft.opening);
    const unnamed = { type: 'mosquitto', name: '', line: 0, options: new Map() };
    const at: Path = own.beginListener(opened?.section ?? unnamed);
    for (const { key, value, from } of table.keys) {
      const source = from.length === 0 && opened ? this.places.at(opened.section) : null;
      own.lay([...at, ...key.split('.')], value, source ?? this.sourceOf(from));
    }
    if (opened === undefined) return;
    for (const option of opened.extra) own.takeListenerField(opened.section, option, at);
  }

  private sourceOf([first]: readonly Line[]): string {
    return first === undefined ? "mosquitto's default" : this.places.atLine(first.number);
  }
}

function lineOf(name: string, value: string, number: number): Line {
  return { file: '', number, name, value };
}

function linesOf({ values, line }: UciOption, name: string): Line[] {
  const words = wordLists.has(name) ? values.flatMap(value => value.split(/\s+/)) : values;
  return words.map(value => {
    if (!flags.has(name)) return lineOf(name, value, line);
    const meant = isTrue(value) ? 'true' : value.replace(/^(?:0|off|no|disabled)$/, 'false');
    return lineOf(name, meant, line);
  });
}
