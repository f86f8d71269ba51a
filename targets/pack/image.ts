// Reads what the headers of an executable or a library say about the machine that it is for: ELF,
// and as much of PE as says which machine. Little-endian files only; others are refused.

import { closeSync, openSync, readSync } from 'node:fs';
import type { Image } from '../target.ts';

/** A file that is no image, or is damaged. */
export class NotAnImage extends Error {}

const machines: Readonly<Record<number, Image['machine']>> = {
  62: 'x86-64',
  183: 'aarch64',
  40: 'arm',
};
const peMachines: Readonly<Record<number, Image['machine']>> = {
  34404: 'x86-64',
  43620: 'aarch64',
};
const segment = { load: 1, dynamic: 2, interpreter: 3 };
const entry = { end: 0, needed: 1, strings: 5 };
const armSoftFloat = 0x200;
const armHardFloat = 0x400;
const bytesMax = 1 << 20;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/** What the headers of the file say. Libraries are in the order in which they are looked for. */
export function readImage(path: string): Image {
  const file = new File(path);
  try {
    const magic = file.read(0, 4).toString('latin1');
    if (magic === '\x7fELF') return new Elf(file).image();
    if (magic.startsWith('MZ')) return readPe(file);
    throw new NotAnImage(`${path} is neither ELF nor PE`);
  } finally {
    file.close();
  }
}

class File {
  readonly path: string;
  readonly #descriptor: number;

  constructor(path: string) {
    this.path = path;
    this.#descriptor = openSync(path, 'r');
  }

  read(offset: number, size: number): Buffer {
    if (size > bytesMax) throw new NotAnImage(`${this.path}: ${size} bytes in one table`);
    const bytes = Buffer.alloc(size);
    if (readSync(this.#descriptor, bytes, 0, size, offset) === size) return bytes;
    throw new NotAnImage(`${this.path} ends before byte ${offset + size}`);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

class Elf {
  readonly #file: File;
  readonly #bits: 32 | 64;
  readonly #header: Buffer;

  constructor(file: File) {
    this.#file = file;
    const [, , , , bits, order] = file.read(0, 6);
    if (bits !== 1 && bits !== 2) throw new NotAnImage(`${file.path}: class ${bits}`);
    if (order !== 1) throw new NotAnImage(`${file.path}: not little-endian`);
    this.#bits = bits === 1 ? 32 : 64;
    this.#header = file.read(0, this.#is64 ? 64 : 52);
  }

  get #is64(): boolean {
    return this.#bits === 64;
  }

  image(): Image {
    const machine = machines[this.#header.readUInt16LE(18)];
    if (machine === undefined) throw new NotAnImage(`${this.#file.path}: unknown machine`);
    const segments = this.#segments();
    const interpreter = segments.find(({ type }) => type === segment.interpreter);
    return {
      format: 'elf',
      machine,
      bits: this.#bits,
      floatAbi: machine === 'arm' ? this.#floatAbi() : null,
      interpreter: interpreter ? this.#string(interpreter.offset, interpreter.size) : null,
      needed: this.#needed(segments),
    };
  }

  #floatAbi(): 'hard' | 'soft' | null {
    const flags = this.#header.readUInt32LE(36);
    if (flags & armHardFloat) return 'hard';
    return flags & armSoftFloat ? 'soft' : null;
  }

  #segments(): Segment[] {
    const at = this.#is64 ? 54 : 42;
    const size = this.#header.readUInt16LE(at);
    const count = this.#header.readUInt16LE(at + 2);
    const table = this.#file.read(this.#word(this.#header, this.#is64 ? 32 : 28), size * count);
    return Array.from({ length: count }, (_, i) => {
      const bytes = table.subarray(i * size, (i + 1) * size);
      const [offset, address, length] = this.#is64 ? [8, 16, 32] : [4, 8, 16];
      return {
        type: bytes.readUInt32LE(0),
        offset: this.#word(bytes, offset!),
        address: this.#word(bytes, address!),
        size: this.#word(bytes, length!),
      };
    });
  }

  #needed(segments: readonly Segment[]): string[] {
    const dynamic = segments.find(({ type }) => type === segment.dynamic);
    if (dynamic === undefined) return [];
    const bytes = this.#file.read(dynamic.offset, dynamic.size);
    const width = this.#bits / 8;
    const names: number[] = [];
    let strings = 0;
    for (let at = 0; at < bytes.length; at += 2 * width) {
      const tag = this.#word(bytes, at);
      const value = this.#word(bytes, at + width);
      if (tag === entry.end) break;
      if (tag === entry.needed) names.push(value);
      if (tag === entry.strings) strings = this.#offsetOf(segments, value);
    }
    return names.map(name => this.#string(strings + name, 256));
  }

  /** Where in the file that is which will be at an address. */
  #offsetOf(segments: readonly Segment[], address: number): number {
    const found = segments.find(
      s => s.type === segment.load && address >= s.address && address < s.address + s.size,
    );
    if (found === undefined) throw new NotAnImage(`${this.#file.path}: nothing is at ${address}`);
    return found.offset + address - found.address;
  }

  #word(bytes: Buffer, at: number): number {
    return this.#is64 ? Number(bytes.readBigUInt64LE(at)) : bytes.readUInt32LE(at);
  }

  /** Up to its zero, which comes within `size` bytes. */
  #string(offset: number, size: number): string {
    const bytes = this.#file.read(offset, size);
    return bytes.subarray(0, bytes.indexOf(0)).toString('latin1');
  }
}

function readPe(file: File): Image {
  const at = file.read(0x3c, 4).readUInt32LE(0);
  const header = file.read(at, 26);
  const machine = peMachines[header.readUInt16LE(4)];
  if (header.toString('latin1', 0, 4) !== 'PE\0\0' || machine === undefined) {
    throw new NotAnImage(`${file.path}: no PE file of a known machine`);
  }
  const bits = header.readUInt16LE(24) === 0x20b ? 64 : 32;
  return { format: 'pe', machine, bits, floatAbi: null, interpreter: null, needed: [] };
}
