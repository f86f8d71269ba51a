// Room that is given back because somebody asked for it, while others commit: what nothing leads to
// is removed, then empty pages are given up, both a slice at a time.

import type { Connection } from '../sqlite/connection.ts';
import { trimPages } from '../sqlite/sql.ts';
import type { StoreError } from '../store.ts';
import { sweep } from './sweep.ts';
import type { CompactReport } from './upkeep.ts';

type Done = (outcome: CompactReport | StoreError) => void;

export class Compaction {
  private readonly connection: Connection;
  private readonly bytesBefore: number;
  private readonly waiting: Done[] = [];
  private readonly sweeping: Iterator<undefined, void>;
  /** Of empty pages; null while there is something to sweep. */
  private slicesLeft: number | null = null;

  constructor(connection: Connection) {
    this.connection = connection;
    this.bytesBefore = connection.usage().fileBytes;
    this.sweeping = sweep(connection.database);
  }

  /** Whoever asks while it is under way is told the same. */
  join(done: Done): void {
    this.waiting.push(done);
  }

  /** One slice, in a transaction; gives whether nothing is left to do. What becomes empty while
   *  pages are given up goes with them as far as there are slices for it. */
  step(): boolean {
    const { connection } = this;
    if (this.slicesLeft === null) {
      if (!this.sweeping.next().done) return false;
      this.slicesLeft = Math.ceil(connection.freePages() / trimPages);
    } else if (this.slicesLeft > 0) {
      connection.trim();
      this.slicesLeft--;
    }
    return this.slicesLeft === 0 || connection.freePages() === 0;
  }

  /** Wherever it has got to. */
  end(fileBytes: number): void {
    this.tell({ bytesBefore: this.bytesBefore, bytesAfter: fileBytes });
  }

  fail(error: StoreError): void {
    this.tell(error);
  }

  private tell(outcome: CompactReport | StoreError): void {
    for (const done of this.waiting) done(outcome);
  }
}
