// The write-ahead log of an open database as a file: how many frames are in it (which is what was
// written), which pages they hold, the syncing of it, and cutting off what may not be on the disk.
// SQLite writes the file; the format is the one of sqlite.org/walformat.html. Reading it beside
// SQLite is safe: a log carries no locks.

import { closeSync, openSync, readSync, truncateSync } from 'node:fs';
import type { Driver } from './driver.ts';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const SALTS_AT = 16;
const FRAME_SALTS_AT = 8;

export class WalFile {
  readonly path: string;
  private readonly driver: Driver;
  private readonly file: number;
  private readonly frameBytes: number;
  private readonly header = Buffer.alloc(HEADER_BYTES);
  private readonly frame = Buffer.alloc(FRAME_HEADER_BYTES);
  private salts = 0n;
  /** Frames of the current pass through the file, as last counted; the first so many of them have
   *  been written back to the database, and the first so many survive a power cut. */
  private counted = 0;
  private flushed = 0;
  private durable = 0;

  /** The log of the database at `path`, which has been written to. */
  constructor(path: string, pageSize: number, driver: Driver) {
    this.driver = driver;
    this.path = `${path}-wal`;
    this.file = openSync(this.path, 'r');
    this.frameBytes = FRAME_HEADER_BYTES + pageSize;
  }

  /** What has not been written back. */
  get pendingBytes(): number {
    return (this.counted - this.flushed) * this.frameBytes;
  }

  /** Whether everything that was counted survives a power cut. */
  get synced(): boolean {
    return this.durable === this.counted;
  }

  get bytes(): number {
    return this.counted === 0 ? 0 : HEADER_BYTES + this.counted * this.frameBytes;
  }

  /** Counts anew and gives the bytes that were written since the last count. */
  count(): number {
    const before = this.bytes;
    const read = readSync(this.file, this.header, 0, HEADER_BYTES, 0);
    const salts = read < HEADER_BYTES ? 0n : this.header.readBigUInt64BE(SALTS_AT);
    const restarted = salts !== this.salts;
    // SQLite starts over only after everything was synced and written back.
    if (restarted) {
      this.salts = salts;
      this.counted = 0;
      this.flushed = 0;
      this.durable = 0;
    }
    if (read === HEADER_BYTES) this.counted = this.findEnd(this.counted);
    return restarted ? this.bytes : this.bytes - before;
  }

  /** The frames of this pass are those in front of the first with other salts; of them, what comes
   *  after the last commit was rolled back. */
  private findEnd(from: number): number {
    let step = 1;
    let low = from; // frames in front of it belong to this pass
    while (this.isCurrent(low + step - 1)) {
      low += step;
      step *= 2;
    }
    let high = low + step; // the frame in front of it does not
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.isCurrent(middle - 1)) low = middle;
      else high = middle;
    }
    while (low > from && !this.isCommit(low - 1)) low--;
    return low;
  }

  private readFrame(index: number): boolean {
    const at = HEADER_BYTES + index * this.frameBytes;
    return readSync(this.file, this.frame, 0, FRAME_HEADER_BYTES, at) === FRAME_HEADER_BYTES;
  }

  private isCurrent(index: number): boolean {
    return this.readFrame(index) && this.frame.readBigUInt64BE(FRAME_SALTS_AT) === this.salts;
  }

  private isCommit(index: number): boolean {
    return this.readFrame(index) && this.frame.readUInt32BE(4) !== 0;
  }

  /** How many different pages the pending frames hold: what writing them back will write. */
  distinctPages(): number {
    const pages = new Set<number>();
    for (let index = this.flushed; index < this.counted; index++) {
      if (this.readFrame(index)) pages.add(this.frame.readUInt32BE(0));
    }
    return pages.size;
  }

  /** Returns when everything that was counted survives a power cut. */
  sync(): void {
    this.driver.sync(this.file);
    this.durable = this.counted;
  }

  /** Everything that was counted has been written back. */
  markFlushed(): void {
    this.flushed = this.counted;
  }

  /** Cuts off what may not have reached the disk, whatever the page cache says, and lets go of the
   *  file. Only when SQLite has closed it. */
  cutBack(): void {
    try {
      this.count();
      const end = this.durable === 0 ? 0 : HEADER_BYTES + this.durable * this.frameBytes;
      truncateSync(this.path, end);
    } finally {
      this.close();
    }
  }

  close(): void {
    closeSync(this.file);
  }
}
