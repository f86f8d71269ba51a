// What a command does around its own work: read flags, help, say what is wrong with the command
// line the same way.

import { print } from '../command.ts';
import { Exit, Failure } from '../exit.ts';
import { type Flag, type Flags, helpText, parseFlags, UsageError } from './flags.ts';

export interface CommandWithFlags {
  readonly name: string;
  readonly flags: readonly Flag[];
  /** The whole help text. */
  readonly usage: string;
  /** The exit code; a UsageError may be thrown. */
  run(flags: Flags): Promise<number>;
}

/** The help text: how to call it, and a line per flag. */
export function usageText(synopsis: string, flags: readonly Flag[]): string {
  return `Usage: ${synopsis}\n\n${helpText(flags)}`;
}

export async function runCommand(
  { name, flags: table, usage, run }: CommandWithFlags,
  args: readonly string[],
): Promise<number> {
  try {
    const flags = parseFlags(args, table);
    if (!flags.has('help')) return await run(flags);
    await print(usage);
    return Exit.ok;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new Failure(Exit.usage, `${name}: ${error.message}; see minnow help ${name}`);
  }
}
