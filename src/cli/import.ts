// `minnow import`: a mosquitto.conf as a minnow.toml. The translation is src/config/mosquitto; here
// are the files: the one that is named, those it includes, and the one that is written.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ConfFile, inReadingOrder } from '../config/mosquitto/lines.ts';
import { translate } from '../config/mosquitto/translate.ts';
import { type Flag, type Flags, UsageError } from './client/flags.ts';
import { runCommand, usageText } from './client/run-command.ts';
import { print } from './command.ts';
import { Exit, errorCode, Failure } from './exit.ts';

const flagTable: readonly Flag[] = [
  { long: 'output', short: 'o', value: 'FILE', help: 'write here; the file must not exist yet' },
  { long: 'help', short: 'h', help: 'this text' },
];

const usage = usageText(
  `minnow import [flags] FILE

Prints a minnow.toml that means the same as FILE, a mosquitto.conf of version 2.0 or
2.1, with the files it includes. Lines without an equivalent become comments that say
why; read them before you go on. Password and ACL files are used as they are.
Exit code ${Exit.ok}: it is written. ${Exit.config}: one line per fault on standard error.`,
  flagTable,
);

export function run(args: string[]): Promise<number> {
  return runCommand({ name: 'import', usage, flags: flagTable, run: importFile }, args);
}

async function importFile(flags: Flags): Promise<number> {
  const [name, ...more] = flags.operands;
  if (name === undefined || more.length > 0)
    throw new UsageError('expected one FILE, a mosquitto.conf');
  const result = translate({ name, text: read(name) }, readDirectory);
  if ('faults' in result) {
    const { length } = result.faults;
    const sum = `${length} ${length === 1 ? 'fault' : 'faults'}; nothing was written`;
    throw new Failure(Exit.config, ...result.faults, sum);
  }
  const output = flags.text('output');
  if (output === undefined) await print(result.toml);
  else write(output, result.toml);
  return Exit.ok;
}

function read(name: string): string {
  try {
    return readFileSync(name, 'utf8');
  } catch (error) {
    const code = errorCode(error) === 'EACCES' ? Exit.noPermission : Exit.noInput;
    throw new Failure(code, `${name}: ${reasonOf(error)}`);
  }
}

function readDirectory(directory: string): ConfFile[] | { fault: string } {
  try {
    const names = readdirSync(directory).filter(name => name.endsWith('.conf'));
    return names.sort(inReadingOrder).map(name => {
      const path = join(directory, name);
      return { name: path, text: readFileSync(path, 'utf8') };
    });
  } catch (error) {
    const { path = directory } = error as NodeJS.ErrnoException;
    return { fault: `${path}: ${reasonOf(error)}` };
  }
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx' });
  } catch (error) {
    const code = errorCode(error) === 'EACCES' ? Exit.noPermission : Exit.cannotCreate;
    throw new Failure(code, `${path}: ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  const code = errorCode(error);
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file or directory',
    EISDIR: 'this is a directory',
    ENOTDIR: 'this is no directory',
    EACCES: 'no permission',
    EEXIST: 'it exists already; remove it or choose another',
  };
  return known[code] ?? `it failed (${code})`;
}
