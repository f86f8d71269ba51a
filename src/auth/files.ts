// The files that [auth] names: read whole, with every fault in them told at once.

import { readFileSync } from 'node:fs';
import { AuthFault } from './fault.ts';
import { type PasswordFile, parsePasswords } from './passwords/password-file.ts';
import { type AclFile, parseAclFile } from './rules/acl-file.ts';

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

function readParsed<File extends { readonly faults: readonly string[] }>(
  option: string,
  path: string,
  parse: (text: string, name: string) => File,
): File {
  const file = parse(Buffer.from(readAuthFile(option, path)).toString('utf8'), path);
  if (file.faults.length > 0) throw new AuthFault(file.faults.map(fault => `${path}:${fault}`));
  return file;
}

export function readPasswordFile(path: string): PasswordFile {
  return readParsed('auth.passwordFile', path, parsePasswords);
}

export function readAclFile(path: string): AclFile {
  return readParsed('auth.aclFile', path, parseAclFile);
}
