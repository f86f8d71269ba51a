// Files with secrets, such as password files: written anew beside the old one and put in its place,
// for the owner only unless the old one was otherwise.

import {
  chownSync,
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { Exit, errorCode, Failure } from '../exit.ts';

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

/** Throws a Failure that says why, with the old file as it was. */
export function writePrivateFile(path: string, text: string): void {
  let fresh = '';
  try {
    const old = statOf(path);
    // A link stays one: what it leads to is replaced.
    const target = old === null ? path : realpathSync(path);
    fresh = `${target}.new-${process.pid}`;
    const file = openSync(fresh, 'wx', 0o600);
    try {
      if (old !== null) fchmodSync(file, old.mode & 0o777);
      writeFileSync(file, text); // all of it: one write may take only a part
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    if (old !== null && process.getuid?.() === 0) chownSync(fresh, old.uid, old.gid);
    renameSync(fresh, target);
  } catch (error) {
    if (fresh !== '') rmSync(fresh, { force: true });
    const code = errorCode(error);
    const denied = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
    const why = denied ? 'no permission to write it' : `cannot be written (${code})`;
    throw new Failure(denied ? Exit.noPermission : Exit.cannotCreate, `${path}: ${why}`);
  }
}

function statOf(path: string) {
  return statSync(path, { throwIfNoEntry: false }) ?? null;
}
