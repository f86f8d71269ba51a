// `minnow passwd`: creates, changes and deletes the lines of a password file.

import { boundsFor, calibrate, costsText, machineMemory } from '../../auth/passwords/calibrate.ts';
import { hashPbkdf2, hashScram, hashScrypt, makeToken } from '../../auth/passwords/compute.ts';
import { changePasswords, nameFault, parsePasswords } from '../../auth/passwords/password-file.ts';
import { formatHash, type StoredHash } from '../../auth/passwords/stored-hash.ts';
import { type Flag, type Flags, UsageError } from '../client/flags.ts';
import { runCommand, usageText } from '../client/run-command.ts';
import { print } from '../command.ts';
import { Exit, Failure } from '../exit.ts';
import { configFlagsOf, load } from '../load.ts';
import { askPassword, readPassword } from './ask-password.ts';
import { changePrivateFile, readPrivateFile } from './private-file.ts';

const SCRAM_ROUNDS = 15_000;
/** What mosquitto 2.1 writes by itself is 1,000, and older ones 101. */
const PBKDF2_ROUNDS = 100_000;

/** Who gets in first where a package brings the configuration. */
const FIRST_USER = 'admin';

const flagTable: readonly Flag[] = [
  { long: 'file', short: 'f', value: 'FILE', help: 'the password file; made if it is not there' },
  { long: 'stdin', help: 'read the password from standard input: one line' },
  { long: 'token', help: 'make up a token instead of a password, and show it this once' },
  {
    long: 'init',
    help: `a first user (${FIRST_USER} unless named) with a token; nothing where there are users`,
  },
  { long: 'scram', help: 'a hash for clients that use SCRAM-SHA-256 (auth.scram)' },
  { long: 'mosquitto', help: 'a hash that mosquitto reads too ($7$)' },
  { long: 'delete', short: 'D', help: 'take the user out' },
  { long: 'config', short: 'c', value: 'FILE', help: 'the configuration, which names the file' },
  { long: 'uci', value: 'FILE', help: "the same, OpenWrt's" },
  { long: 'set', value: 'KEY=VALUE', help: 'as given to the broker' },
  { long: 'help', short: 'h', help: 'this text' },
];

const usage = usageText(
  `minnow passwd [flags] USER

Creates USER in the password file, or gives it another password. Passwords are kept as scrypt
hashes that cost this machine up to 100 ms each; tokens, for devices, cost next to nothing.
Packages call it with --init when they are installed or first started: again and again does no
harm.`,
  flagTable,
);

export function run(args: string[]): Promise<number> {
  return runCommand({ name: 'passwd', usage, flags: flagTable, run: changeFile }, args);
}

async function changeFile(flags: Flags): Promise<number> {
  checkKinds(flags);
  const name = userOf(flags);
  const path = await fileOf(flags);
  const isThere = (text: string) => {
    if (parsePasswords(text).users.has(name)) return true;
    if (!flags.has('delete')) return false;
    throw new Failure(Exit.noInput, `${path}: there is no user "${name}"`);
  };
  // Before anybody types a password; where nothing is to change, it may not be ours to write.
  const found = readPrivateFile(path);
  if (!mayChange(flags, found)) return Exit.ok;
  isThere(found);
  const made = flags.has('delete') ? null : await makeHash(flags, name);
  let said: string | null = null;
  await changePrivateFile(path, before => {
    if (!mayChange(flags, before)) return null;
    const known = isThere(before);
    said =
      made === null
        ? `"${name}" was taken out of ${path}`
        : `"${name}" was ${known ? 'changed' : 'added'} in ${path}: ${made.words}`;
    return changePasswords(before, name, made && formatHash(made.hash));
  });
  if (said === null) return Exit.ok;
  await print(said);
  for (const fault of parsePasswords(readPrivateFile(path)).faults) {
    process.stderr.write(`minnow: warning: ${path}:${fault}; no broker reads the file like that\n`);
  }
  return Exit.ok;
}

/** A first user is for a file that has none. */
function mayChange(flags: Flags, text: string): boolean {
  const { users, faults } = parsePasswords(text);
  return !flags.has('init') || users.size + faults.length === 0;
}

function checkKinds(flags: Flags): void {
  const kinds = ['init', 'token', 'scram', 'mosquitto', 'delete'].filter(kind => flags.has(kind));
  if (kinds.length > 1) throw new UsageError(`--${kinds[0]} and --${kinds[1]} exclude each other`);
}

function userOf(flags: Flags): string {
  const [name = flags.has('init') ? FIRST_USER : undefined, ...rest] = flags.operands;
  if (name === undefined) throw new UsageError('the name of a user is missing');
  if (rest.length > 0) throw new UsageError(`"${rest[0]}" is not expected here`);
  const fault = nameFault(name);
  if (fault !== null)
    throw new UsageError(`the name ${JSON.stringify(name.slice(0, 60))} ${fault}`);
  return name;
}

async function fileOf(flags: Flags): Promise<string> {
  const given = flags.text('file');
  if (given !== undefined) return given;
  const { passwordFile } = (await load(configFlagsOf(flags))).config.auth;
  if (passwordFile === '')
    throw new UsageError('name a file with --file, or set auth.passwordFile');
  return passwordFile;
}

interface Made {
  readonly hash: StoredHash;
  /** What to say about it. */
  readonly words: string;
}

async function makeHash(flags: Flags, name: string): Promise<Made> {
  if (flags.has('token') || flags.has('init')) {
    const { token, hash } = makeToken();
    return { hash, words: `the token is kept as a digest only, so note it now\n${token}` };
  }
  const password = flags.has('stdin') ? await readPassword() : await askPassword(name);
  if (flags.has('scram')) {
    return { hash: await hashScram(password, SCRAM_ROUNDS), words: 'a hash for SCRAM-SHA-256' };
  }
  if (flags.has('mosquitto')) {
    return { hash: await hashPbkdf2(password, PBKDF2_ROUNDS), words: 'a PBKDF2 hash' };
  }
  const { costs, ms } = await calibrate(boundsFor(machineMemory()));
  const hash = await hashScrypt(password, costs);
  return { hash, words: `a scrypt hash; a login takes ${costsText(costs, ms)}` };
}
