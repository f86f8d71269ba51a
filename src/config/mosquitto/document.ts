// The minnow.toml that is being written: tables of keys, each with the lines it comes from behind
// it, and remarks above about lines that have no equivalent. Keys and remarks keep their order.

import { type Line, placeOf } from './lines.ts';

export type TomlValue = string | number | boolean | readonly string[];

const COLUMNS = 96;

/** A key as it is written, and the lines that say so: none where mosquitto's default does. */
export interface TomlKey {
  readonly key: string;
  readonly value: TomlValue;
  readonly from: readonly Line[];
}

/** What has to be said about a line of mosquitto's. */
export interface Remark {
  readonly line: Line;
  readonly text: string;
}

/** What follows these words is nobody else's business. */
const SECRET = /password$|_psk$|^(?:auth|plugin)_opt_(?!(?:password|acl)_file$)|kpass/;

export class TomlTable {
  readonly keys: TomlKey[] = [];
  readonly remarks: Remark[] = [];
  private readonly header: string;
  private readonly out: string[] = [];

  /** `header`: "[log]", or empty for what stands above all tables. */
  constructor(header: string) {
    this.header = header;
  }

  /** Writes a key; `from` are the lines that say so, none where mosquitto's default does. */
  set(key: string, value: TomlValue, from: readonly Line[], remark?: string): void {
    if (remark !== undefined) {
      for (const line of from) this.quote(line, remark);
      this.say(remark, from.length > 0);
    }
    const source = from.map(placeOf).join(', ');
    const text = `${key} = ${tomlText(value)}`;
    this.out.push(remark === undefined && source !== '' ? `${text} # ${source}` : text);
    this.keys.push({ key, value, from });
  }

  /** Quotes a line that becomes no key, and says why. */
  note(line: Line, remark: string): void {
    this.quote(line, remark);
    this.say(remark, true);
  }

  /** A comment; `inner` sets it off from the quotation above it. */
  say(text: string, inner = false): void {
    this.out.push(...wrapped(text, inner ? '#   ' : '# '));
  }

  /** Its lines; a table without keys is comments, and has no header. */
  lines(): readonly string[] {
    return this.header !== '' && this.keys.length > 0 ? [this.header, ...this.out] : this.out;
  }

  private quote(line: Line, text: string): void {
    this.remarks.push({ line, text });
    this.out.push(`# ${placeOf(line)}: ${quoted(line)}`);
  }
}

function quoted({ name, value }: Line): string {
  if (value === '') return name;
  return `${name} ${SECRET.test(name) ? '********' : value}`;
}

function tomlText(value: TomlValue): string {
  // Strings of JSON are strings of TOML, once they hold nothing unprintable.
  return typeof value === 'object' ? `[${value.map(tomlText).join(', ')}]` : JSON.stringify(value);
}

function wrapped(text: string, prefix: string): string[] {
  const rows: string[] = [];
  let row = prefix;
  for (const word of text.split(' ')) {
    if (row.length > prefix.length && row.length + word.length > COLUMNS) {
      rows.push(row.trimEnd());
      row = prefix;
    }
    row += `${word} `;
  }
  return [...rows, row.trimEnd()];
}
