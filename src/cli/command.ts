// What a command is to the dispatcher, and how the broker's own commands read their flags.

import { parseArgs } from 'node:util';
import { suggest } from '../config/suggest.ts';
import { Exit, Failure } from './exit.ts';

/** What a module in cli/ exports. */
export interface Command {
  /** Does it and gives the exit code; throws a Failure for anything a person can mend. `--help`
   *  among the arguments prints what `minnow help NAME` does. */
  run(args: string[]): Promise<number>;
}

type FlagSpecs = Readonly<
  Record<string, { type: 'string' | 'boolean'; short?: string; multiple?: boolean }>
>;

export type FlagValues = Readonly<
  Record<string, string | boolean | (string | boolean)[] | undefined>
>;

/** Reads `args` as flags; a word that is no flag and a flag that is unknown are usage errors. */
export function parseFlags(name: string, args: string[], specs: FlagSpecs): FlagValues {
  const fail = (text: string) => {
    throw new Failure(Exit.usage, `${name}: ${text}; see minnow help ${name}`);
  };
  const options = { ...specs, help: { type: 'boolean', short: 'h' } } as const;
  const { tokens } = parseArgs({ args, options, strict: false, tokens: true });
  const values: Record<string, string | boolean | string[]> = {};
  for (const token of tokens) {
    if (token.kind === 'positional') fail(`"${token.value}" is not expected here`);
    if (token.kind !== 'option') continue;
    const spec: FlagSpecs[string] | undefined = Object.hasOwn(options, token.name)
      ? options[token.name as keyof typeof options]
      : undefined;
    if (spec === undefined) {
      const near = token.rawName.startsWith('--')
        ? suggest(token.name, Object.keys(options))
        : null;
      fail(`unknown flag ${token.rawName}${near === null ? '' : `; did you mean --${near}?`}`);
    } else if (spec.type === 'boolean') {
      if (token.value !== undefined) fail(`${token.rawName} takes no value`);
      values[token.name] = true;
    } else if (token.value === undefined || (!token.inlineValue && token.value.startsWith('--'))) {
      fail(`${token.rawName} needs a value`);
    } else if (spec.multiple) {
      values[token.name] = [...((values[token.name] as string[]) ?? []), token.value];
    } else {
      values[token.name] = token.value;
    }
  }
  return values;
}

/** Writes to standard output and waits until it is taken; a reader who left (`| head`) is no
 *  fault. */
export function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EPIPE' ? resolve() : reject(error),
    );
    process.stdout.write(text.endsWith('\n') ? text : `${text}\n`, () => resolve());
  });
}
