// Writes a folder as a tar archive whose bytes depend on nothing but names, contents and which
// files may be executed: sorted, one time for all, owner 0 unless told otherwise, no names of
// owners.

import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

const block = 512;
const nameBytesMax = 100;
const prefixBytesMax = 155;
const type = { file: '0', link: '2', folder: '5' };

export interface TarOptions {
  /** The one folder that everything is in. */
  readonly top: string;
  /** Seconds since 1970. */
  readonly epoch: number;
  /** By path: what is not owner 0's, with the usual permissions. */
  readonly special?: ReadonlyMap<string, Special>;
}

export interface Special {
  readonly mode: number;
  /** User and group. */
  readonly owner: number;
}

interface Entry extends Special {
  readonly path: string;
  readonly kind: string;
  readonly size: number;
  /** Where a symbolic link leads. */
  readonly link: string;
}

/** Writes everything in `folder` to the file `to`. Throws for what is no file, folder or symbolic
 *  link. */
export function writeTar(folder: string, to: string, options: TarOptions): void {
  const { top, epoch, special } = options;
  const out = openSync(to, 'w');
  try {
    const plain = { owner: 0, size: 0, link: '' };
    writeAll(out, header({ ...plain, path: `${top}/`, kind: type.folder, mode: 0o755 }, epoch));
    for (const path of everythingIn(folder)) {
      const from = join(folder, path);
      const stat = lstatSync(from);
      const entry = { ...plain, path: `${top}/${path}`, ...special?.get(path) };
      if (stat.isDirectory()) {
        const mode = special?.get(path)?.mode ?? 0o755;
        writeAll(out, header({ ...entry, path: `${entry.path}/`, kind: type.folder, mode }, epoch));
      } else if (stat.isSymbolicLink()) {
        const link = readlinkSync(from);
        writeAll(out, header({ ...entry, kind: type.link, mode: 0o777, link }, epoch));
      } else if (stat.isFile()) {
        const bytes = readFileSync(from);
        const mode = special?.get(path)?.mode ?? (stat.mode & 0o100 ? 0o755 : 0o644);
        writeAll(out, header({ ...entry, kind: type.file, mode, size: bytes.length }, epoch));
        writeAll(out, bytes);
        writeAll(out, Buffer.alloc((block - (bytes.length % block)) % block));
      } else {
        throw new Error(`${from} is neither a file nor a folder`);
      }
    }
    writeAll(out, Buffer.alloc(2 * block));
  } finally {
    closeSync(out);
  }
}

/** Paths below a folder, sorted by their bytes; a folder comes before what is in it. */
export function everythingIn(folder: string): string[] {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return paths.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function writeAll(out: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(out, bytes, at);
}

/** The block before an entry, as POSIX's ustar has it. */
function header({ path, mode, owner, size, kind, link }: Entry, epoch: number): Buffer {
  if (Buffer.byteLength(link) > nameBytesMax) throw new Error(`the link is too long: ${link}`);
  const bytes = Buffer.alloc(block);
  const [prefix, name] = split(path);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  bytes.write(name, 0);
  bytes.write(octal(mode, 7), 100);
  bytes.write(octal(owner, 7), 108);
  bytes.write(octal(owner, 7), 116); // group
  bytes.write(octal(size, 11), 124);
  bytes.write(octal(epoch, 11), 136);
  bytes.write(' '.repeat(8), 148); // counts as spaces in its own sum
  bytes.write(kind, 156);
  bytes.write(link, 157);
  bytes.write('ustar\x0000', 257);
  bytes.write(prefix, 345);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return bytes;
}

/** A path in the two fields that it may take up. */
function split(path: string): [prefix: string, name: string] {
  if (Buffer.byteLength(path) <= nameBytesMax) return ['', path];
  for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    const fits = Buffer.byteLength(prefix) <= prefixBytesMax;
    if (fits && name !== '' && Buffer.byteLength(name) <= nameBytesMax) return [prefix, name];
  }
  throw new Error(`the name is too long for an archive: ${path}`);
}
