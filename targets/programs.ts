// What every target is built from. A file that is called worker.ts or *-worker.ts is the program of
// a thread; it keeps its place below that of the main one, which is where its starter looks for it.

import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';

export const program = 'src/main.ts';

/** The programs of minnow's threads, from the root of the project. */
export function threads(root: string): string[] {
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter(path => /^(.+-)?worker\.ts$/.test(basename(path)))
    .map(path => join('src', path))
    .sort();
}
