// Lines about one thing: the whole broker, or a listener.

import type { Line } from './lines.ts';

/** Options of which every line counts; of all others it is the last one. */
const several: ReadonlySet<string> = new Set(['log_dest', 'log_type', 'websockets_origin']);

export class Group {
  /** In the order in which they stand. */
  readonly lines: Line[] = [];
  /** Lines that later ones take the place of, with these. */
  readonly replaced: (readonly [Line, by: Line])[] = [];
  private readonly byName = new Map<string, Line[]>();

  /** `name` where the line's own is only another name of it. */
  add(line: Line, name = line.name): void {
    this.lines.push(line);
    const before = this.byName.get(name) ?? [];
    if (!several.has(name)) {
      for (const earlier of before.splice(0)) this.replaced.push([earlier, line]);
    }
    this.byName.set(name, [...before, line]);
  }

  has(name: string): boolean {
    return this.byName.has(name);
  }

  all(name: string): readonly Line[] {
    return this.byName.get(name) ?? [];
  }

  last(name: string): Line | null {
    return this.byName.get(name)?.at(-1) ?? null;
  }
}
