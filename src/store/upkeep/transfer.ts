// A whole store as lines of JSON, and back. The first line says what it is and carries the clock.

import type { Op } from '../ops.ts';
import type { Store } from '../store.ts';
import { LineFault, lineOf, opOf } from './lines.ts';

const FORMAT = 1;
/** Operations that are committed together. */
const BATCH_OPS = 1_000;

export interface Clock {
  readonly clock: number;
  readonly wall: number;
}

/** Lines without their ends. */
export function* exportLines(ops: Iterable<Op>, clock: Clock | null): Generator<string> {
  yield JSON.stringify({ kind: 'minnow store', format: FORMAT, ...(clock ?? {}) });
  for (const op of ops) yield lineOf(op);
}

/** Commits what the lines say to an empty store and gives the number of operations. Rejects with a
 *  LineFault that names the line, or a StoreError; the store then holds a part. */
export async function importLines(lines: AsyncIterable<string>, store: Store): Promise<number> {
  const importer = new Importer(store);
  let number = 0;
  let clock: Clock | null = null;
  for await (const text of lines) {
    number++;
    try {
      const line = JSON.parse(text) as unknown;
      if (clock === null) clock = readHeader(line);
      else await importer.add(opOf(line), clock);
    } catch (error) {
      if (error instanceof SyntaxError) throw new LineFault(`line ${number}: this is not JSON`);
      if (error instanceof LineFault) throw new LineFault(`line ${number}: ${error.message}`);
      throw error;
    }
  }
  if (clock === null) throw new LineFault('line 1: there is nothing to import');
  await importer.finish(clock);
  return importer.count;
}

function readHeader(line: unknown): Clock {
  const { kind, format, clock, wall } = (line ?? {}) as Record<string, unknown>;
  if (kind !== 'minnow store') throw new LineFault('this is no export of a minnow store');
  if (format !== FORMAT) {
    throw new LineFault(`found format ${JSON.stringify(format)}, expected ${FORMAT}`);
  }
  const number = (value: unknown) => (typeof value === 'number' ? value : 0);
  return { clock: number(clock), wall: number(wall) };
}

class Importer {
  count = 0;
  private readonly store: Store;
  private ops: Op[] = [];

  constructor(store: Store) {
    this.store = store;
  }

  async add(op: Op, clock: Clock): Promise<void> {
    this.ops.push(op);
    if (this.ops.length >= BATCH_OPS) await this.commit(clock, false);
  }

  finish(clock: Clock): Promise<void> {
    return this.commit(clock, true);
  }

  private commit({ clock, wall }: Clock, sync: boolean): Promise<void> {
    const { ops, store } = this;
    const after = this.count;
    this.ops = [];
    this.count += ops.length;
    return new Promise((resolve, reject) => {
      store.onCommitted = () => resolve();
      store.onFailed = (_through, error) => reject(error);
      store.commit({ ops, after, through: this.count, sync, clock, wall });
    });
  }
}
