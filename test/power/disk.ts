// A disk as it may be after a power cut at any point of a recording. The model, which is that of a
// journalling file system such as ext4 at its most forgetful:
//
// - A file's content is durable as it was when an fsync or fdatasync of it began that succeeded.
//   Writes and truncations since are each there, not there, or there in part: any set of 512-byte
//   sectors or 4 kB pages, a torn one at the end of those that came first, in any combination.
// - Sectors are written whole or not at all. A file that grew although the bytes are not there has
//   zeros or rubbish in them.
// - What happened to names is durable in order: all of it when the directory was synced, and when a
//   file was synced all up to the file's own name; of the rest any first part.
// - A sync that fails leaves nobody knowing: the system forgets that the pages were dirty, so a
//   later sync that succeeds does not bring them to the disk (as Linux does it).
//
// The recording begins with an empty directory, or with files that are durable.

import type { Prng } from '../prng.ts';
import { type Event, Kind } from './recording.ts';

const O_TRUNC = 0o1000;
const EMPTY = Buffer.alloc(0);

interface Change {
  readonly sequence: number;
  /** Null: a truncation to `offset`. */
  readonly data: Buffer | null;
  readonly offset: number;
}

/** How much of what was not synced is there. */
export const fates = ['lost', 'kept', 'first', 'some', 'pages', 'sectors'] as const;
export type Fate = (typeof fates)[number];

const unitBytes: Readonly<Partial<Record<Fate, number>>> = { pages: 4096, sectors: 512 };

class File {
  durable: Buffer = EMPTY;
  changes: Change[] = [];

  /** What a cut leaves of it. */
  after(fate: Fate, random: Prng): Buffer {
    if (this.changes.length === 0 || fate === 'lost') return this.durable;
    const rubbish = random.oneIn(4) ? random.below(256) : 0;
    const image = new Image(this.durable, rubbish);
    const kept = fate === 'first' ? random.below(this.changes.length + 1) : this.changes.length;
    const chance = random.fraction();
    for (const [index, change] of this.changes.slice(0, kept + 1).entries()) {
      if (fate === 'kept' || (fate === 'first' && index < kept)) image.apply(change);
      else if (fate === 'some') random.chance(chance) && image.apply(change);
      else image.applyPart(change, unitBytes[fate] ?? 512, random, chance);
    }
    return image.content;
  }

  /** What came before `sequence` is on the disk. */
  settle(sequence: number): void {
    const image = new Image(this.durable, 0);
    for (const change of this.changes) if (change.sequence < sequence) image.apply(change);
    this.durable = image.content;
    this.changes = this.changes.filter(change => change.sequence >= sequence);
  }
}

/** The bytes of a file while changes are made to them. */
class Image {
  private bytes: Buffer;
  private size: number;
  private readonly filler: number;

  constructor(bytes: Buffer, filler: number) {
    this.bytes = Buffer.from(bytes);
    this.size = bytes.length;
    this.filler = filler;
  }

  get content(): Buffer {
    return this.bytes.subarray(0, this.size);
  }

  apply({ data, offset }: Change): void {
    if (data === null) {
      this.resize(offset, 0);
      return;
    }
    this.resize(Math.max(this.size, offset + data.length), this.filler);
    this.bytes.set(data, offset);
  }

  /** Some units of a write, those that end at multiples of `unit`; a truncation is whole. */
  applyPart(change: Change, unit: number, random: Prng, chance: number): void {
    const { data, offset, sequence } = change;
    if (data === null) {
      if (random.chance(chance)) this.apply(change);
      return;
    }
    for (let at = offset; at < offset + data.length; ) {
      const end = Math.min(offset + data.length, (Math.floor(at / unit) + 1) * unit);
      const part = data.subarray(at - offset, end - offset);
      if (random.chance(chance)) this.apply({ sequence, data: part, offset: at });
      at = end;
    }
    // That the file grew is noted elsewhere than what it holds.
    const end = offset + data.length;
    if (end > this.size && random.oneIn(2)) this.resize(end, this.filler);
  }

  private resize(size: number, filler: number): void {
    if (size > this.bytes.length) {
      const grown = Buffer.alloc(Math.max(size, this.bytes.length * 2));
      grown.set(this.content);
      this.bytes = grown;
    }
    if (size > this.size) this.bytes.fill(filler, this.size, size);
    this.size = size;
  }
}

/** A name that was given to a file, or taken from it (null). */
interface Naming {
  readonly sequence: number;
  readonly name: string;
  readonly file: File | null;
  /** The name that it had, in a renaming. */
  readonly from?: string;
}

function rename(names: Map<string, File>, { name, file, from }: Naming): void {
  if (from !== undefined) names.delete(from);
  if (file === null) names.delete(name);
  else names.set(name, file);
}

export class Disk {
  private readonly durable = new Map<string, File>();
  private readonly present = new Map<string, File>();
  private namings: Naming[] = [];
  /** Null is the directory itself. */
  private readonly open = new Map<number, File | null>();
  private readonly random: Prng;

  /** `random` decides what becomes of syncs that fail. */
  constructor(random: Prng, files: ReadonlyMap<string, Buffer> = new Map()) {
    this.random = random;
    for (const [name, content] of files) {
      const file = new File();
      file.durable = content;
      this.durable.set(name, file);
      this.present.set(name, file);
    }
  }

  /** The file whose descriptor that is, if it is one; the directory is none. */
  fileOf(fd: number): object | null {
    return this.open.get(fd) ?? null;
  }

  apply(event: Event): void {
    const { sequence, kind, fd, a, data } = event;
    switch (kind) {
      case Kind.Open:
        this.opened(event, data.toString());
        break;
      case Kind.Close:
        this.open.delete(fd);
        break;
      case Kind.Write:
        this.open.get(fd)!.changes.push({ sequence, data, offset: a });
        break;
      case Kind.Truncate: {
        const file = fd === -1 ? this.present.get(data.toString()) : this.open.get(fd);
        file!.changes.push({ sequence, data: null, offset: a });
        break;
      }
      case Kind.Unlink:
        // Sockets and folders were never opened.
        if (this.present.has(data.toString())) {
          this.name({ sequence, name: data.toString(), file: null });
        }
        break;
      case Kind.Rename: {
        const [from, name] = data.toString().split('\0') as [string, string];
        this.name({ sequence, name, file: this.present.get(from)!, from });
        break;
      }
      case Kind.SyncEnd:
        this.synced(this.open.get(fd)!, event);
        break;
    }
  }

  private opened({ sequence, fd, a, b }: Event, name: string): void {
    if (name === '') {
      this.open.set(fd, null);
      return;
    }
    let file = this.present.get(name);
    if (file === undefined) {
      if (b !== 0) throw new Error(`${name} was there before the recording began`);
      file = new File();
      this.name({ sequence, name, file });
    }
    if ((a & O_TRUNC) !== 0) file.changes.push({ sequence, data: null, offset: 0 });
    this.open.set(fd, file);
  }

  private name(naming: Naming): void {
    rename(this.present, naming);
    this.namings.push(naming);
  }

  private synced(file: File | null, { a: result, b: began }: Event): void {
    if (result !== 0) {
      if (file === null) return;
      file.durable = Buffer.from(file.after(this.random.pick(fates), this.random));
      file.changes = [];
      return;
    }
    const before = (naming: Naming | undefined) => naming !== undefined && naming.sequence < began;
    let count = 0;
    if (file === null) {
      while (before(this.namings[count])) count++;
    } else {
      file.settle(began);
      count = 1 + this.namings.findLastIndex(naming => naming.file === file && before(naming));
    }
    for (const naming of this.namings.splice(0, count)) rename(this.durable, naming);
  }

  /** The files as a cut leaves them now. */
  cut(fate: Fate, random: Prng): Map<string, Buffer> {
    const names = new Map(this.durable);
    const all = this.namings.length;
    const count = fate === 'lost' ? 0 : fate === 'kept' ? all : random.below(all + 1);
    for (const naming of this.namings.slice(0, count)) rename(names, naming);
    const after = [...names].map(([name, file]) => [name, file.after(fate, random)] as const);
    return new Map(after);
  }
}
