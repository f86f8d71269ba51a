// `minnow rpcd`: what OpenWrt's rpcd runs for the web interface. `list` says which methods there
// are; `call METHOD` reads the arguments as a JSON object from standard input and prints the result
// as one. What goes wrong is a result, too: {"error": "…"}.

import { boundsFor, calibrate, machineMemory } from '../../auth/passwords/calibrate.ts';
import { hashScrypt, makeToken } from '../../auth/passwords/compute.ts';
import { changePasswords, nameFault, parsePasswords } from '../../auth/passwords/password-file.ts';
import { formatHash } from '../../auth/passwords/stored-hash.ts';
import { type Answer, ask } from '../ask.ts';
import { changePrivateFile, readPrivateFile } from '../auth/private-file.ts';
import { checkFiles } from '../check-config.ts';
import { type Flag, type Flags, UsageError } from '../client/flags.ts';
import { runCommand, usageText } from '../client/run-command.ts';
import { print } from '../command.ts';
import { Exit, Failure } from '../exit.ts';
import { configFlagsOf, load } from '../load.ts';

const ANSWER_TIMEOUT_MS = 10_000;
const ARGUMENTS_BYTES_MAX = 64 * 1024;

const flagTable: readonly Flag[] = [
  { long: 'config', short: 'c', value: 'FILE', help: "the broker's configuration" },
  { long: 'uci', value: 'FILE', help: "the same, OpenWrt's" },
  { long: 'set', value: 'KEY=VALUE', help: 'as given to the broker' },
  { long: 'help', short: 'h', help: 'this text' },
];

const usage = usageText(
  `minnow rpcd [flags] list
       minnow rpcd [flags] call METHOD < ARGUMENTS.json

The part of OpenWrt's web interface that talks to the broker, as rpcd runs it.`,
  flagTable,
);

type Arguments = Readonly<Record<string, unknown>>;

interface Method {
  /** Arguments by name, each with a value of its type, as rpcd wants to be told. */
  readonly takes: Readonly<Record<string, string | boolean>>;
  run(given: Arguments, flags: Flags): Promise<object>;
}

export const methods: Readonly<Record<string, Method>> = {
  status: { takes: {}, run: (_given, flags) => status(flags) },
  clients: {
    takes: {},
    run: async (_given, flags) => ({ clients: await asked(flags, { command: 'clients' }) }),
  },
  kick: {
    takes: { id: '' },
    run: (given, flags) => asked(flags, { command: 'kick', id: textOf(given, 'id') }),
  },
  reload: { takes: {}, run: (_given, flags) => asked(flags, { command: 'reload' }) },
  check: { takes: {}, run: (_given, flags) => check(flags) },
  users: { takes: {}, run: async (_given, flags) => (await openUsers(flags)).names() },
  set_user: {
    takes: { name: '', password: '', token: false },
    run: async (given, flags) => (await openUsers(flags)).set(given),
  },
  delete_user: {
    takes: { name: '' },
    run: async (given, flags) => (await openUsers(flags)).delete(textOf(given, 'name')),
  },
};

export function run(args: string[]): Promise<number> {
  return runCommand({ name: 'rpcd', usage, flags: flagTable, run: answer }, args);
}

async function answer(flags: Flags): Promise<number> {
  const [verb, name, ...rest] = flags.operands;
  if (verb === 'list' && name === undefined) {
    const entries = Object.entries(methods).map(([method, { takes }]) => [method, takes]);
    await print(JSON.stringify(Object.fromEntries(entries)));
    return Exit.ok;
  }
  if (verb !== 'call' || name === undefined || rest.length > 0)
    throw new UsageError('expected list or call METHOD');
  if (!Object.hasOwn(methods, name)) throw new UsageError(`unknown method "${name}"`);
  try {
    await print(JSON.stringify(await methods[name].run(await readArguments(), flags)));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    await print(JSON.stringify({ error: error.lines.join('\n') }));
  }
  return Exit.ok;
}

/** Nothing on standard input is no arguments. */
async function readArguments(): Promise<Arguments> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    length += (chunk as Buffer).length;
    if (length > ARGUMENTS_BYTES_MAX) {
      throw new Failure(Exit.usage, `expected at most ${ARGUMENTS_BYTES_MAX} bytes of arguments`);
    }
    chunks.push(chunk as Buffer);
  }
  const text = Buffer.concat(chunks).toString().trim();
  if (text === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Arguments;
    }
  } catch {
    // As anything else that is no object.
  }
  throw new Failure(Exit.usage, 'expected a JSON object of arguments');
}

function textOf(given: Arguments, name: string): string {
  const value = given[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new Failure(Exit.usage, `${name}: expected text`);
}

async function answerOf(flags: Flags, request: object): Promise<Answer> {
  const { control } = (await load(configFlagsOf(flags))).config;
  return ask(control.path, request, ANSWER_TIMEOUT_MS);
}

async function asked(flags: Flags, request: object): Promise<object> {
  const { ok, result, error } = await answerOf(flags, request);
  if (!ok) throw new Failure(Exit.unavailable, error ?? 'no answer');
  return result as object;
}

/** A broker that does not run is no error. */
async function status(flags: Flags): Promise<object> {
  try {
    return { running: true, stats: await asked(flags, { command: 'stats' }) };
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== Exit.unavailable) throw error;
    return { running: false, why: error.lines.join('\n') };
  }
}

async function check(flags: Flags): Promise<object> {
  try {
    const { config, warnings } = await load(configFlagsOf(flags));
    return { faults: [], warnings: [...warnings, ...(await checkFiles(config))] };
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== Exit.config) throw error;
    return { faults: error.lines, warnings: [] };
  }
}

/** Those of the configured password file. */
async function openUsers(flags: Flags): Promise<Users> {
  const { passwordFile } = (await load(configFlagsOf(flags))).config.auth;
  if (passwordFile !== '') return new Users(passwordFile);
  throw new Failure(Exit.config, 'no password file is configured: set auth.passwordFile');
}

class Users {
  private readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  names(): object {
    const { users } = parsePasswords(readPrivateFile(this.path));
    return { file: this.path, users: [...users.keys()].sort() };
  }

  async set(given: Arguments): Promise<object> {
    const name = textOf(given, 'name');
    const fault = nameFault(name);
    if (fault !== null) throw new Failure(Exit.usage, `the name ${fault}`);
    if (given.token === true) {
      const { token, hash } = makeToken();
      await this.change(name, formatHash(hash));
      return { token };
    }
    const password = textOf(given, 'password');
    const { costs } = await calibrate(boundsFor(machineMemory()));
    await this.change(name, formatHash(await hashScrypt(Buffer.from(password), costs)));
    return {};
  }

  async delete(name: string): Promise<object> {
    await this.change(name, null);
    return {};
  }

  /** Null takes the user out, who must be there. */
  private change(name: string, hash: string | null): Promise<void> {
    return changePrivateFile(this.path, text => {
      if (hash !== null || parsePasswords(text).users.has(name)) {
        return changePasswords(text, name, hash);
      }
      throw new Failure(Exit.noInput, `there is no user "${name}"`);
    });
  }
}
