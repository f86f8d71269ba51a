// A UCI file as settings: what each section and each option in it is about. A section is
//
//   minnow      options that stand above all tables: data, profile, watchFiles
//   log, limits, store …   the options of that table
//   listener    one of [[listeners]]; nested tables by prefix: tls_certificate, websocket_path
//   certificate one of a listener's tls.alternatives; `listener` says whose
//   rule, store_rule       one of [[auth.rules]], of [[store.rules]]
//   owrt, mosquitto, persistence, bridge   as in OpenWrt's package of mosquitto
//
// Options are written as in TOML or with underscores, packetSizeMaxBytes or packet_size_max_bytes.
// A listener may have options of either broker. The file is taken as one that was copied from
// mosquitto's package as soon as it has a section `mosquitto`: then mosquitto's defaults hold where
// it says nothing, too.

import type { ConfigFile, Path } from '../sources.ts';
import { suggest } from '../suggest.ts';
import { forPackage, isForeignListener, MosquittoPart } from './mosquitto.ts';
import { Own } from './own.ts';
import { parseUci, type UciSection } from './parse.ts';

export interface UciSetting {
  readonly path: Path;
  readonly value: unknown;
  /** "/etc/config/minnow:12: config limits". */
  readonly source: string;
}

export interface UciConfig {
  readonly settings: readonly UciSetting[];
  readonly faults: readonly string[];
  /** About lines that change nothing. */
  readonly warnings: readonly string[];
}

/** "config listener 'lan'". */
export function titleOf({ type, name }: UciSection): string {
  return name === '' ? `config ${type}` : `config ${type} '${name}'`;
}

/** Where things stand in a file, in a person's words. */
export class Places {
  private readonly file: string;
  private readonly sections: readonly UciSection[];

  constructor(file: string, sections: readonly UciSection[]) {
    this.file = file;
    this.sections = sections;
  }

  at(section: UciSection, line = section.line): string {
    return `${this.file}:${line}: ${titleOf(section)}`;
  }

  /** Of a line whose section is not at hand. */
  atLine(line: number): string {
    const holds = ({ line: first, options }: UciSection) =>
      first === line || [...options.values()].some(option => option.line === line);
    const section = this.sections.find(holds);
    return section === undefined ? `${this.file}:${line}` : this.at(section, line);
  }
}

export function readUci(file: ConfigFile): UciConfig {
  const { sections, faults } = parseUci(file.text);
  const places = new Places(file.name, sections);
  const own = new Own(places);
  const theirs = new MosquittoPart(places);
  const copied = sections.some(({ type }) => type === 'mosquitto');
  for (const fault of faults) own.faults.push(`${places.atLine(fault.line)}: ${fault.text}`);
  for (const section of sections) {
    if (own.knows(section.type)) own.take(section);
    else if (section.type === 'listener') {
      if (copied || isForeignListener(section, own)) theirs.addListener(section, own);
      else own.takeListener(section);
    } else if (forPackage.has(section.type)) theirs.add(section);
    else own.faults.push(`${places.at(section)}: ${unknownType(section.type, own)}`);
  }
  theirs.finish(own, copied);
  return own.result();
}

function unknownType(type: string, own: Own): string {
  const near = suggest(type, [...own.types, 'listener', ...forPackage]);
  const hint = near === null ? `expected ${own.types.join(', ')}` : `did you mean config ${near}?`;
  return `unknown type of section; ${hint}`;
}
