// Files with secrets, such as password files: written anew beside the old one and put in its place,
// for the owner only unless the old one was otherwise.

import {
  chownSync,
  closeSync,
  fchmodSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Exit, errorCode, Failure } from '../exit.ts';
import { withClaim } from './file-claim.ts';

/** Empty when there is none yet. */
export function readPrivateFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return '';
    if (code === 'EACCES')
      throw new Failure(Exit.noPermission, `${path}: no permission to read it`);
    throw new Failure(Exit.noInput, `${path}: cannot be read (${code})`);
  }
}

/** Puts what `change` makes of the text in its place, and lets nobody else change it meanwhile;
 *  null leaves it as it is. A Failure says why it could not, with the old file as it was. */
export async function changePrivateFile(
  path: string,
  change: (text: string) => string | null,
): Promise<void> {
  try {
    const target = targetOf(path);
    await withClaim(target, () => {
      const text = change(readPrivateFile(target));
      if (text !== null) replace(target, text);
    });
  } catch (error) {
    if (error instanceof Failure) throw error;
    const code = errorCode(error);
    const denied = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
    const why = denied ? 'no permission to write it' : `cannot be written (${code})`;
    throw new Failure(denied ? Exit.noPermission : Exit.cannotCreate, `${path}: ${why}`);
  }
}

/** A link stays one: what it leads to is replaced, or made. */
function targetOf(path: string): string {
  if (statOf(path) !== null) return realpathSync(path);
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
  return isLink ? targetOf(resolve(realpathSync(dirname(path)), readlinkSync(path))) : path;
}

function replace(path: string, text: string): void {
  const old = statOf(path);
  const fresh = `${path}.new-${process.pid}`;
  try {
    rmSync(fresh, { force: true }); // what a process with our number left when it was ended
    const file = openSync(fresh, 'wx', 0o600);
    try {
      if (old !== null) fchmodSync(file, old.mode & 0o777);
      writeFileSync(file, text); // all of it: one write may take only a part
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    if (old !== null && process.getuid?.() === 0) chownSync(fresh, old.uid, old.gid);
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}

function statOf(path: string) {
  return statSync(path, { throwIfNoEntry: false }) ?? null;
}
