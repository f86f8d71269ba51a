// What every client command does around its own work: read flags, help, report errors the same way.

import { print } from '../command.ts';
import { Exit, Failure } from '../exit.ts';
import { type Flag, Flags, helpText, parseFlags, UsageError } from './flags.ts';
import { ConnectionError } from './mqtt-client.ts';

export interface ClientCommand {
  readonly name: string;
  readonly flags: readonly Flag[];
  /** The whole help text. */
  readonly usage: string;
  /** The exit code; UsageError and ConnectionError may be thrown. */
  run(flags: Flags): Promise<number>;
}

/** The help text: how to call it, and a line per flag. */
export function usageText(synopsis: string, flags: readonly Flag[]): string {
  return `Usage: ${synopsis}\n\n${helpText(flags)}`;
}

export async function runCommand(command: ClientCommand, args: readonly string[]): Promise<number> {
  let flags = new Flags();
  try {
    flags = parseFlags(args, command.flags);
    if (flags.has('help')) {
      await print(command.usage);
      return Exit.ok;
    }
    return await command.run(flags);
  } catch (error) {
    if (error instanceof UsageError) {
      const { name } = command;
      throw new Failure(Exit.usage, `${name}: ${error.message}; see minnow help ${name}`);
    }
    if (error instanceof ConnectionError) {
      complain(flags, error.message);
      return error.exitCode;
    }
    throw error;
  }
}

/** A runtime error for a person, unless --quiet. */
export function complain(flags: Flags, message: string): void {
  if (!flags.has('quiet')) process.stderr.write(`minnow: ${message}\n`);
}

/** Prints --debug lines: on standard error, so that messages on standard output stay clean. */
export function tracer(flags: Flags): (line: string) => void {
  if (!flags.has('debug')) return () => {};
  return line => void process.stderr.write(`${line}\n`);
}
