// Where in a TOML text a key stands. The parser gives lines for faults of syntax only; for faults
// of meaning this finds the line again: headers and `key =` at the start of a line, which is how
// people write files. Inside an inline table it gives the line of the key that holds it.

const HEADER = /^\s*(\[\[?)\s*([^\]]*?)\s*\]\]?\s*(?:#.*)?$/;
const KEY = /^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=/;
const PART = /"([^"]*)"|'([^']*)'|([\w-]+)/g;

const split = (dotted: string) =>
  Array.from(dotted.matchAll(PART), part => part[1] ?? part[2] ?? part[3]);

/** `[a.b]` below `[[a]]` means the last of these; `counts` has how many there are of each list. */
function inTables(parts: readonly string[], counts: ReadonlyMap<string, number>) {
  const table: (string | number)[] = [];
  for (const [i, part] of parts.entries()) {
    table.push(part);
    const count = counts.get(JSON.stringify(table));
    if (count !== undefined && i < parts.length - 1) table.push(count - 1);
  }
  return table;
}

/** The 1-based line that defines `path` or its nearest ancestor; 0 when there is none. */
export function lineOf(toml: string, path: readonly (string | number)[]): number {
  const counts = new Map<string, number>();
  let table: (string | number)[] = [];
  let best = 0;
  let depth = 0;
  const consider = (here: readonly (string | number)[], line: number) => {
    if (here.length <= depth || here.length > path.length) return;
    if (here.every((part, i) => String(part) === String(path[i])))
      [best, depth] = [line, here.length];
  };
  for (const [index, text] of toml.split('\n').entries()) {
    const header = HEADER.exec(text);
    const key = header ? null : KEY.exec(text);
    if (header) {
      table = inTables(split(header[2]), counts);
      if (header[1] === '[[') {
        const list = JSON.stringify(table);
        const nth = counts.get(list) ?? 0;
        counts.set(list, nth + 1);
        table.push(nth);
      }
      consider(table, index + 1);
    } else if (key) {
      consider([...table, ...split(key[1])], index + 1);
    }
  }
  return best;
}
