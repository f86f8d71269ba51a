// The files that [auth] names: read whole, with every fault in them told at once.

import { readFileSync } from 'node:fs';
import { AuthFault } from './fault.ts';
import { type PasswordFile, parsePasswords } from './passwords/password-file.ts';
import { parseAclFile } from './rules/acl-file.ts';

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'no permission to read it',
  EISDIR: 'this is a directory',
};

export function readAuthFile(option: string, path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = String((error as { code?: unknown }).code);
    throw new AuthFault([`${path}: ${reasons[code] ?? `cannot be read (${code})`} (${option})`]);
  }
}

/** A text file that makes sense to `check`. */
function readText<File extends { readonly faults: readonly string[] }>(
  option: string,
  path: string,
  check: (text: string, name: string) => File,
): { readonly text: string; readonly parsed: File } {
  const text = Buffer.from(readAuthFile(option, path)).toString('utf8');
  const parsed = check(text, path);
  if (parsed.faults.length > 0) throw new AuthFault(parsed.faults.map(fault => `${path}:${fault}`));
  return { text, parsed };
}

export function readPasswordFile(path: string): PasswordFile {
  return readText('auth.passwordFile', path, parsePasswords).parsed;
}

/** As text, which goes to the thread that asks its rules. */
export function readAclText(path: string): { readonly name: string; readonly text: string } {
  return { name: path, text: readText('auth.aclFile', path, parseAclFile).text };
}
