// A copy of the database while it is used, a slice at a time: between two write-backs of the log
// nothing changes in the file, so whoever copies it only has to keep those back. What is committed
// meanwhile is not in the copy. The copy appears under its name when it is complete.

import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { asStoreError } from '../sqlite/connection.ts';
import { syncDirectory } from '../sqlite/files.ts';
import { StoreError } from '../store.ts';
import type { BackupReport } from './upkeep.ts';

const SLICE_BYTES = 1024 * 1024;

/** Throws a StoreError when `path` is taken, or leads nowhere. */
export function checkVacant(path: string): void {
  if (existsSync(path)) {
    throw new StoreError('exists', `${path}: there is a file already; choose another name`);
  }
  const folder = dirname(path);
  if (existsSync(folder)) return;
  throw new StoreError('not-writable', `${path}: there is no folder ${folder}; make it first`);
}

export class Backup {
  readonly path: string;
  private readonly part: string;
  private readonly source: number;
  private readonly target: number;
  private readonly slice = Buffer.alloc(SLICE_BYTES);
  private readonly sync: (file: number) => void;
  private bytes = 0;
  private closed = false;

  /** Everything that was committed has been written back to `database`. */
  constructor(database: string, path: string, sync: (file: number) => void = fsyncSync) {
    checkVacant(path);
    this.sync = sync;
    this.path = path;
    this.part = `${path}.part`;
    this.source = openSync(database, 'r');
    try {
      this.target = openSync(this.part, 'w', 0o600);
    } catch (error) {
      closeSync(this.source);
      throw asStoreError(error, path);
    }
  }

  /** Copies a slice; null: there is more. After an error it can only be abandoned. */
  step(): BackupReport | null {
    const { slice, source, target } = this;
    const read = readSync(source, slice, 0, SLICE_BYTES, this.bytes);
    for (let done = 0; done < read; ) done += writeSync(target, slice, done, read - done);
    this.bytes += read;
    this.sync(target); // all of it at the end would hold up whoever commits meanwhile
    if (read > 0) return null;
    this.close();
    renameSync(this.part, this.path);
    syncDirectory(this.path);
    return { path: this.path, bytes: this.bytes };
  }

  /** Nothing is left of it. */
  abandon(): void {
    this.close();
    rmSync(this.part, { force: true });
  }

  private close(): void {
    if (this.closed) return;
    this.closed = true;
    closeSync(this.source);
    closeSync(this.target);
  }
}
