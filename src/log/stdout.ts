// What is known of standard output before anything is written to it.

import { fstatSync } from 'node:fs';

const STDOUT = 1;
/** What Linux calls /dev/null: a device of characters as well, and no terminal. */
const NULL_DEVICE = 0x103;

export interface Stdout {
  readonly terminal: boolean;
  readonly colours: boolean;
}

/** A terminal, and one that shows colours. */
export async function describeStdout(): Promise<Stdout> {
  let terminal = false;
  try {
    // A service has none, and need not load what knows about them.
    const file = fstatSync(STDOUT);
    const likely = file.isCharacterDevice() && file.rdev !== NULL_DEVICE;
    terminal = likely && (await import('node:tty')).isatty(STDOUT);
  } catch {
    // Standard output is closed: the writer will find out and count what is lost.
  }
  return { terminal, colours: terminal && !process.env.NO_COLOR && process.env.TERM !== 'dumb' };
}
