// What a command that is a client of a broker does around its own work, beside what all commands
// do: tell a person that the connection failed, and what goes over it.

import type { Flags } from './flags.ts';
import { ConnectionError } from './mqtt-client.ts';
import { type CommandWithFlags, runCommand } from './run-command.ts';

/** As runCommand; a ConnectionError may be thrown, too. */
export function runClient(command: CommandWithFlags, args: readonly string[]): Promise<number> {
  const run = async (flags: Flags): Promise<number> => {
    try {
      return await command.run(flags);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      complain(flags, error.message);
      return error.exitCode;
    }
  };
  return runCommand({ ...command, run }, args);
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
