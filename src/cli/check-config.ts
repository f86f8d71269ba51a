// `minnow check-config`: reads the configuration as serve would, says what is wrong and starts
// nothing.

import { existsSync } from 'node:fs';
import { createAccess, createAuthenticator } from '../auth/create.ts';
import { AuthFault } from '../auth/fault.ts';
import type { AuthConfig, Config } from '../config/config.ts';
import { parseFlags, print } from './command.ts';
import { Exit, Failure } from './exit.ts';
import { configFlags, configUsage, loadForThisMachine } from './load.ts';

const usage = `Usage: minnow check-config [flags]

Reads the configuration as "minnow serve" would, with the same flags, and starts nothing.
Certificates and their keys, passwords, rules and the keys of tokens are read, too.
Exit code ${Exit.ok}: it is right. ${Exit.config}: one line per fault on standard error.

${configUsage}
`;

export async function run(args: string[]): Promise<number> {
  const flags = parseFlags('check-config', args, configFlags);
  if (flags.help) {
    await print(usage);
    return Exit.ok;
  }
  const loaded = await loadForThisMachine(flags);
  const warnings = [...loaded.warnings, ...(await checkFiles(loaded.config))];
  for (const warning of warnings) process.stderr.write(`minnow: warning: ${warning}\n`);
  await print('the configuration is right');
  return Exit.ok;
}

/** What about the named files should be looked at; throws a Failure about what is wrong. */
export async function checkFiles(config: Config): Promise<string[]> {
  return [...(await checkUsers(config.auth)), ...(await checkCertificates(config))];
}

/** What about the files of [auth] should be looked at; throws a Failure about what is wrong. */
async function checkUsers(auth: AuthConfig): Promise<string[]> {
  const { passwordFile } = auth;
  const missing = passwordFile !== '' && !existsSync(passwordFile);
  const there = missing ? { ...auth, passwordFile: '' } : auth;
  try {
    await createAuthenticator(there);
    await createAccess(there);
  } catch (error) {
    if (error instanceof AuthFault) throw new Failure(Exit.config, ...error.lines);
    throw error;
  }
  const act = 'serve makes it if it is told --first-user, and does not start otherwise';
  return missing ? [`${passwordFile}: there is no such file (auth.passwordFile); ${act}`] : [];
}

/** What about them should be looked at; throws a Failure about what is wrong. */
async function checkCertificates({ doors }: Config): Promise<string[]> {
  const tables = doors.flatMap(({ tls, optional }) => (tls === null || optional ? [] : tls));
  if (tables.length === 0) return [];
  const { readTlsFiles, TlsFileError } = await import('../io/doors/steps/tls-files.ts');
  const faults: string[] = [];
  const warnings = tables.flatMap(table => {
    try {
      return readTlsFiles(table, Date.now()).warnings;
    } catch (error) {
      if (!(error instanceof TlsFileError)) throw error;
      faults.push(error.message);
      return [];
    }
  });
  if (faults.length > 0) throw new Failure(Exit.config, ...faults);
  return warnings;
}
