// Where settings come from: a file, of TOML or of OpenWrt's, the environment, flags. Each later
// source is laid over the earlier ones, tables key by key and everything else as a whole, into one
// raw object; beside it stands who said what, so that a fault can name its source.
//
// The environment's rule: MINNOW_ + the option's path in capitals, dots and humps as underscores:
// limits.packetSizeMaxBytes is MINNOW_LIMITS_PACKET_SIZE_MAX_BYTES.

import { parse, TomlError } from 'smol-toml';
import { valueOfText } from './option.ts';
import { type Option, options, sections } from './schema.ts';
import { suggest } from './suggest.ts';
import { lineOf } from './toml-lines.ts';
import type { UciConfig } from './uci/read.ts';

export type Path = readonly (string | number)[];

export interface ConfigFile {
  readonly name: string;
  readonly text: string;
}

/** What the command line says about the configuration. */
export interface ConfigFlags {
  readonly listen?: readonly string[];
  readonly data?: string;
  readonly logLevel?: string;
  readonly io?: string;
  /** `key.path=value`, in order. */
  readonly set?: readonly string[];
}

export interface Inputs {
  readonly file?: ConfigFile;
  /** OpenWrt's file, instead of that one. */
  readonly uci?: UciConfig;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly flags?: ConfigFlags;
}

type Table = Record<string, unknown>;

const isTable = (value: unknown): value is Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

/** `limits.packetSizeMaxBytes` → `MINNOW_LIMITS_PACKET_SIZE_MAX_BYTES`. */
export function environmentName(path: string): string {
  const snake = path.replaceAll('.', '_').replaceAll(/([a-z\d])([A-Z])/g, '$1_$2');
  return `MINNOW_${snake.toUpperCase()}`;
}

export class RawConfig {
  readonly value: Table = Object.create(null);
  /** Faults of the sources themselves: syntax, unknown flags. */
  readonly faults: string[] = [];
  readonly warnings: string[] = [];
  private readonly origins = new Map<string, string>();
  private readonly file: ConfigFile | undefined;

  constructor(inputs: Inputs) {
    this.file = inputs.file;
    if (inputs.file !== undefined) this.addFile(inputs.file);
    if (inputs.uci !== undefined) this.addUci(inputs.uci);
    this.addEnvironment(inputs.env ?? {});
    this.addFlags(inputs.flags ?? {});
  }

  /** Who set what stands at `path`: "minnow.toml:12", "MINNOW_DATA", "--listen". */
  sourceOf(path: Path): string {
    for (let length = path.length; length > 0; length--) {
      const origin = this.origins.get(JSON.stringify(path.slice(0, length).map(String)));
      if (origin !== undefined) return origin;
    }
    if (this.file === undefined) return 'configuration';
    const line = lineOf(this.file.text, path);
    return line > 0 ? `${this.file.name}:${line}` : this.file.name;
  }

  /** Whether anybody said anything about the option at `path`. */
  isSet(path: string): boolean {
    let value: unknown = this.value;
    for (const part of path.split('.')) value = isTable(value) ? value[part] : undefined;
    return value !== undefined;
  }

  private addFile(file: ConfigFile): void {
    try {
      this.lay([], parse(file.text), null);
    } catch (error) {
      if (!(error instanceof TomlError)) throw error;
      const what = error.message.split('\n')[0].replace(/^Invalid TOML document: /, '');
      this.faults.push(`${file.name}:${error.line}:${error.column}: no valid TOML: ${what}`);
    }
  }

  private addUci({ settings, faults, warnings }: UciConfig): void {
    for (const { path, value, source } of settings) this.lay(path, value, source);
    this.faults.push(...faults);
    this.warnings.push(...warnings);
  }

  private addEnvironment(env: Readonly<Record<string, string | undefined>>): void {
    const ours = Object.entries(env).filter(([name, text]) => name.startsWith('MINNOW_') && text);
    if (ours.length === 0) return;
    const names = new Map([...options.values()].map(o => [environmentName(o.path), o]));
    const prefixes = sections.filter(s => s.name !== '').map(s => `${environmentName(s.name)}_`);
    for (const [name, text = ''] of ours) {
      const option = names.get(name);
      if (option !== undefined) {
        this.addText(option, [], text, name);
      } else if (prefixes.some(prefix => name.startsWith(prefix))) {
        // No fault: orchestrators put names of their own into everybody's environment.
        const near = suggest(name, names.keys());
        const hint = near === null ? '' : `; did you mean ${near}?`;
        this.warnings.push(`${name}: no option has this name, it is ignored${hint}`);
      }
    }
  }

  private addFlags(flags: ConfigFlags): void {
    const give = (path: string, value: unknown, source: string) => {
      if (value !== undefined) this.lay(path.split('.'), value, source);
    };
    give('listeners', flags.listen?.length ? flags.listen : undefined, '--listen');
    give('data', flags.data, '--data');
    give('log.level', flags.logLevel, '--log-level');
    give('io.mode', flags.io, '--io');
    for (const setting of flags.set ?? []) this.addSetting(setting);
  }

  private addSetting(setting: string): void {
    const equals = setting.indexOf('=');
    if (equals < 1) {
      this.faults.push(`--set ${setting}: expected key.path=value, such as log.level=debug`);
      return;
    }
    const path = setting.slice(0, equals).trim();
    const [section, key, ...rest] = path.split('.');
    const option = options.get(path) ?? options.get(`${section}.${key}`);
    if (option === undefined || (path !== option.path && option.shape !== 'table')) {
      this.faults.push(`--set: ${unknownKey(path)}`);
    } else {
      const inner = path === option.path ? [] : [rest.join('.')];
      this.addText(option, inner, setting.slice(equals + 1), '--set');
    }
  }

  private addText(option: Option, inner: string[], text: string, source: string): void {
    try {
      const value = inner.length > 0 ? text : valueOfText(option.shape, text);
      this.lay([...option.path.split('.'), ...inner], value, source);
    } catch {
      this.faults.push(`${source}: no valid JSON, expected ${option.expected}`);
    }
  }

  /** Lays `value` over what stands at `path`; `source` null is the file, whose lines are found
   *  when they are needed. */
  private lay(path: Path, value: unknown, source: string | null): void {
    const entries = isTable(value) ? Object.entries(value) : [];
    for (const [key, inner] of entries) this.lay([...path, key], inner, source);
    if (entries.length > 0 || path.length === 0) return;
    let table = this.value;
    for (const [index, part] of path.slice(0, -1).entries()) {
      const inner = table[part];
      if (!isTable(inner) && !Array.isArray(inner)) {
        table[part] = typeof path[index + 1] === 'number' ? [] : Object.create(null);
      }
      table = table[part] as Table;
    }
    table[path[path.length - 1]] = value;
    const key = JSON.stringify(path.map(String));
    // Whoever said something about what was in there has been overruled.
    for (const other of this.origins.keys()) {
      if (other.startsWith(`${key.slice(0, -1)},`)) this.origins.delete(other);
    }
    if (source !== null) this.origins.set(key, source);
  }
}

/** "limits.packetSizeMax: unknown key; did you mean limits.packetSizeMaxBytes?" */
export function unknownKey(path: string): string {
  const dot = path.lastIndexOf('.');
  const [section, key] = [path.slice(0, Math.max(0, dot)), path.slice(dot + 1)];
  const names = [...options.keys(), ...sections.flatMap(s => s.name || [])];
  const siblings = names.filter(
    name => name.slice(0, Math.max(0, name.lastIndexOf('.'))) === section,
  );
  const last = (name: string) => name.slice(name.lastIndexOf('.') + 1);
  const sibling = suggest(key, siblings.map(last));
  const near =
    sibling !== null
      ? siblings.find(name => last(name) === sibling)
      : (names.find(name => last(name) === key) ?? suggest(path, names));
  const hint = near == null ? 'minnow config --reference lists all keys' : `did you mean ${near}?`;
  return `${path}: unknown key; ${hint}`;
}
