// Which C library this process runs with, and its version.

import type { Root } from './root.ts';

export interface LibcFacts {
  readonly name: 'glibc' | 'musl' | 'unknown';
  /** Null where it was not looked up or is not to be found. */
  readonly version: string | null;
}

/** From what is mapped into this process. The version stands in the library itself, a megabyte or
 *  two that are read only when `withVersion` asks for it. */
export function readLibc(root: Root, withVersion: boolean): LibcFacts {
  const maps = root.read('/proc/self/maps') ?? '';
  // musl is its own loader; OpenWrt keeps it as libc.so, with the loader's name as a link.
  const musl = /\s(\/\S*\/(?:ld-musl-\S+|libc\.so))$/m.exec(maps)?.[1];
  if (musl !== undefined) {
    return { name: 'musl', version: withVersion ? muslVersion(root, musl) : null };
  }
  const glibc = /\s(\/\S*\/libc(?:\.so\.6|-(\d+\.\d+)\.so))/.exec(maps);
  if (glibc === null) return { name: 'unknown', version: null };
  const [, path, named] = glibc;
  return { name: 'glibc', version: named ?? (withVersion ? glibcVersion(root, path) : null) };
}

function glibcVersion(root: Root, path: string): string | null {
  return /GNU C Library [^\0]*?version (\d+\.\d+)/.exec(root.read(path) ?? '')?.[1] ?? null;
}

/** musl's own version is the one text in it that is nothing but a version. */
function muslVersion(root: Root, path: string): string | null {
  return /\0(\d+\.\d+\.\d+(?:-git-[^\0]+)?)\0/.exec(root.read(path) ?? '')?.[1] ?? null;
}
