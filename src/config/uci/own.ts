// minnow's own sections and options, from the schema: nothing is listed twice.

import { valueOfText } from '../option.ts';
import { type Option, options, sections as schemaSections } from '../schema.ts';
import { ruleFields } from '../sections/auth.ts';
import { listenerFields } from '../sections/listeners.ts';
import type { Path } from '../sources.ts';
import { suggest } from '../suggest.ts';
import type { Field, Fields } from '../table.ts';
import type { UciOption, UciSection } from './parse.ts';
import type { Places, UciConfig, UciSetting } from './read.ts';

/** Sections that become one table in a list, and where that list is. */
const lists: Readonly<Record<string, Path>> = {
  rule: ['auth', 'rules'],
  store_rule: ['store', 'rules'],
};

/** packetSizeMaxBytes → packet_size_max_bytes. */
export function snakeOf(name: string): string {
  return name.replaceAll(/([a-z\d])([A-Z])/g, '$1_$2').toLowerCase();
}

interface Leaf {
  readonly path: Path;
  readonly field: Field<unknown>;
}

/** Fields by the names they have in UCI: those of tables within have the table's name in front. */
function leavesOf(fields: Fields, path: Path = []): Map<string, Leaf> {
  const leaves = new Map<string, Leaf>();
  for (const [key, field] of Object.entries(fields)) {
    const here = [...path, key];
    if ('fields' in field) {
      for (const [name, leaf] of leavesOf(field.fields, here)) leaves.set(name, leaf);
    } else if (!('each' in field)) {
      leaves.set(here.map(part => snakeOf(String(part))).join('_'), { path: here, field });
    }
  }
  return leaves;
}

const listenerLeaves = leavesOf(listenerFields);
const alternativeLeaves = leavesOf(listenerFields.tls.fields.alternatives.each);
const ruleLeaves = leavesOf(ruleFields);

export class Own {
  readonly faults: string[] = [];
  readonly warnings: string[] = [];
  readonly types: readonly string[] = [
    'minnow',
    ...schemaSections.map(({ name }) => name).filter(name => name !== ''),
    'certificate',
    ...Object.keys(lists),
  ];
  private readonly settings: UciSetting[] = [];
  private readonly places: Places;
  private readonly counts = new Map<string, number>();
  /** Where in [[listeners]] the named ones are. */
  private readonly named = new Map<string, number>();
  private readonly certificates: UciSection[] = [];

  constructor(places: Places) {
    this.places = places;
  }

  knows(type: string): boolean {
    return this.types.includes(type);
  }

  take(section: UciSection): void {
    const { type } = section;
    if (type === 'certificate') {
      this.certificates.push(section);
      return;
    }
    if (Object.hasOwn(lists, type)) {
      const path = lists[type];
      const at = [...path, this.next(path)];
      this.lay(at, {}, this.places.at(section));
      for (const option of section.options.values())
        this.takeField(section, option, ruleLeaves, at);
      return;
    }
    const prefix = type === 'minnow' ? '' : `${type}.`;
    const known = new Map<string, Option>();
    for (const option of options.values()) {
      const key = option.path.slice(prefix.length);
      if (!option.path.startsWith(prefix) || key.includes('.')) continue;
      known.set(snakeOf(key), option);
    }
    if (type === 'minnow') known.delete('listeners');
    for (const option of section.options.values()) this.takeOption(section, option, known);
  }

  /** A listener of which every option is minnow's. */
  takeListener(section: UciSection): void {
    const at = this.beginListener(section);
    const { options: given } = section;
    const elsewhere = ['host', 'unix', 'systemd'].some(name => given.has(name));
    // As in mosquitto's package: whoever opens a listener means one for the network.
    const local = isTrue(given.get('no_remote_access')?.values[0] ?? '0');
    if (!elsewhere) this.lay([...at, 'host'], local ? 'localhost' : '*', this.places.at(section));
    for (const option of given.values()) {
      if (option.name !== 'no_remote_access') this.takeListenerField(section, option, at);
    }
  }

  /** Its place in [[listeners]]. */
  beginListener(section: UciSection): Path {
    const index = this.next(['listeners']);
    if (section.name !== '') this.named.set(section.name, index);
    this.lay(['listeners', index], {}, this.places.at(section));
    return ['listeners', index];
  }

  isListenerField(name: string): boolean {
    return listenerLeaves.has(snakeOf(name));
  }

  takeListenerField(section: UciSection, option: UciOption, at: Path): void {
    const [value] = option.values;
    // mosquitto's word for the same thing.
    const meant = option.name === 'protocol' && value === 'websockets' ? 'websocket' : null;
    const said = meant === null ? option : { ...option, values: [meant] };
    this.takeField(section, said, listenerLeaves, at);
  }

  /** Whether anybody has laid something there. */
  has(path: Path): boolean {
    const key = JSON.stringify(path);
    return this.settings.some(setting => JSON.stringify(setting.path) === key);
  }

  lay(path: Path, value: unknown, source: string): void {
    this.settings.push({ path, value, source });
  }

  result(): UciConfig {
    for (const section of this.certificates) this.takeCertificate(section);
    const { settings, faults, warnings } = this;
    return { settings, faults, warnings };
  }

  private takeCertificate(section: UciSection): void {
    const whose = section.options.get('listener');
    const index = this.named.get(whose?.values[0] ?? '');
    if (whose === undefined || index === undefined) {
      const expected = "expected the name of a section, as in config listener 'NAME'";
      this.faults.push(`${this.places.at(section, whose?.line)}: listener: ${expected}`);
      return;
    }
    const path = ['listeners', index, 'tls', 'alternatives'];
    const at = [...path, this.next(path)];
    for (const option of section.options.values()) {
      if (option !== whose) this.takeField(section, option, alternativeLeaves, at);
    }
  }

  private next(path: Path): number {
    const key = JSON.stringify(path);
    const index = this.counts.get(key) ?? 0;
    this.counts.set(key, index + 1);
    return index;
  }

  private takeOption(
    section: UciSection,
    said: UciOption,
    known: ReadonlyMap<string, Option>,
  ): void {
    const option = known.get(snakeOf(said.name));
    if (option === undefined) this.unknown(section, said, known.keys());
    else
      this.lay(
        option.path.split('.'),
        optionValueOf(option, said),
        this.places.at(section, said.line),
      );
  }

  private takeField(
    section: UciSection,
    said: UciOption,
    leaves: ReadonlyMap<string, Leaf>,
    at: Path,
  ): void {
    const leaf = leaves.get(snakeOf(said.name));
    if (leaf === undefined && at[0] === 'store') {
      // [[store.rules]] has a schema of its own, which says what it does not know.
      this.lay([...at, said.name], said.values[0], this.places.at(section, said.line));
    } else if (leaf === undefined) {
      this.unknown(section, said, leaves.keys());
    } else {
      const value = fieldValueOf(leaf.field, said);
      this.lay([...at, ...leaf.path], value, this.places.at(section, said.line));
    }
  }

  private unknown(section: UciSection, { name, line }: UciOption, known: Iterable<string>): void {
    const names = [...known];
    const near = suggest(name, names);
    const hint = near === null ? `expected one of ${names.join(', ')}` : `did you mean ${near}?`;
    this.faults.push(`${this.places.at(section, line)}: ${name}: unknown option; ${hint}`);
  }
}

/** As OpenWrt reads them. */
export function isTrue(text: string): boolean {
  return /^(?:1|on|true|yes|enabled)$/.test(text);
}

function flagOf(text: string): boolean | null {
  if (isTrue(text)) return true;
  return /^(?:0|off|false|no|disabled)$/.test(text) ? false : null;
}

/** Several lines of `list` are a list or a table; one line is text, as in the environment. */
function optionValueOf({ shape }: Option, { values }: UciOption): unknown {
  const [first] = values;
  if (shape === 'table') return Object.fromEntries(values.map(value => splitAt(value, '=')));
  if (shape === 'boolean') return flagOf(first) ?? first;
  if (shape === 'list' && values.length > 1) return values;
  try {
    return valueOfText(shape, first);
  } catch {
    return first; // no JSON: the schema says what was expected
  }
}

function splitAt(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** The first reading of the text that the field takes; the text itself where it takes none. */
function fieldValueOf({ read }: Field<unknown>, { values }: UciOption): unknown {
  const [text] = values;
  const readings: unknown[] = values.length > 1 ? [values] : [text, flagOf(text), values];
  if (values.length === 1 && /^\d+$/.test(text)) readings.push(Number(text));
  return readings.find(value => value !== null && read(value) !== undefined) ?? text;
}
