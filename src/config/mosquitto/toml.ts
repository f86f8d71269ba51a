// The minnow.toml as a whole: its tables in the order in which they are printed.

import { type Remark, TomlTable, type TomlValue } from './document.ts';
import type { Faults, Line } from './lines.ts';

const sections = ['log', 'io', 'limits', 'mqtt', 'session', 'queue', 'auth', 'store', 'sys'];

export class Toml {
  readonly faults: Faults;
  readonly top = new TomlTable('');
  /** By the names of their sections. */
  readonly tables = new Map<string, TomlTable>();
  private readonly listeners: TomlTable[] = [];
  private readonly rest = new TomlTable('');

  constructor(faults: Faults) {
    this.faults = faults;
    for (const name of sections) this.tables.set(name, new TomlTable(`[${name}]`));
  }

  /** `path`: "limits.inflightMax", or "data" above all tables. */
  set(path: string, value: TomlValue, from: readonly Line[], remark?: string): void {
    this.tableOf(path).set(path.slice(path.indexOf('.') + 1), value, from, remark);
  }

  /** About a line that becomes no key; `path` is that of a table or of a key. */
  note(path: string, line: Line, remark: string): void {
    this.tableOf(path).note(line, remark);
  }

  /** About no line. */
  say(path: string, text: string): void {
    this.tableOf(path).say(text);
  }

  /** About a line that belongs nowhere here. */
  noteAtEnd(line: Line, remark: string): void {
    this.rest.note(line, remark);
  }

  addListener(table: TomlTable): void {
    this.listeners.push(table);
  }

  /** Remarks about lines, in the order of the tables. */
  get remarks(): readonly Remark[] {
    return this.all.flatMap(table => table.remarks);
  }

  text(): string {
    const blocks = this.all.map(table => table.lines()).filter(lines => lines.length > 0);
    return blocks.map(lines => `${lines.join('\n')}\n`).join('\n');
  }

  private get all(): readonly TomlTable[] {
    return [this.top, ...this.listeners, ...this.tables.values(), this.rest];
  }

  private tableOf(path: string): TomlTable {
    return this.tables.get(path.split('.', 1)[0]) ?? this.top;
  }
}
