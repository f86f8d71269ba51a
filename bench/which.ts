// Where a program is.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The path of a program that can be run, or null. */
export function which(program: string): string | null {
  const folders = program.includes('/') ? [''] : (process.env.PATH ?? '').split(delimiter);
  for (const folder of folders) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this one.
    }
  }
  return null;
}
