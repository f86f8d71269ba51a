// The files that a machine describes itself in. Behind an interface, so that a recorded machine can
// be read as if it were this one.

import { closeSync, existsSync, openSync, readFileSync, readSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Root {
  /** The text of a file, null where there is none or it may not be read. */
  read(path: string): string | null;
  /** The first few thousand characters of one: the kernel writes such a file as it is read, and
   *  asks each of a hundred processors for its part. */
  readStart(path: string): string | null;
  /** Where `path` leads once links are followed; what is not there yet lies below what is. */
  realPath(path: string): string;
}

const START_BYTES = 4_096;

export const thisMachine: Root = {
  // What is looked for is ASCII, and a library holds anything.
  read: path => attempt(path, () => readFileSync(path, 'latin1')),
  readStart: path =>
    attempt(path, () => {
      const file = openSync(path, 'r');
      const bytes = Buffer.alloc(START_BYTES);
      const length = readSync(file, bytes);
      closeSync(file);
      return bytes.toString('latin1', 0, length);
    }),
  realPath(path) {
    try {
      return realpathSync(path);
    } catch {
      const parent = dirname(path);
      return parent === path ? path : join(this.realPath(parent), path.slice(parent.length));
    }
  },
};

function attempt(path: string, read: () => string): string | null {
  // Much of what is looked for is not there, and an error costs more than all the rest.
  if (!existsSync(path)) return null;
  try {
    return read();
  } catch {
    return null;
  }
}

/** The values of `key : value` lines (cpuinfo, meminfo, status), the first of each key. */
export function keyedLines(text: string | null): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const line of (text ?? '').split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const key = line.slice(0, colon).trim();
    if (!found.has(key)) found.set(key, line.slice(colon + 1).trim());
  }
  return found;
}
