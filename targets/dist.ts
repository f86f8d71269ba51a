// `make dist`: builds targets for people to download. `bun targets/dist.ts [--level=6] [TARGET...]`
// writes to dist/, for each of them or for all: the tree TARGET/, its archive
// minnow-VERSION-TARGET.tar.xz and its bill of materials; and SHA256SUMS of all of these that are
// there of this version. The same sources give the same bytes on whichever machine (with the same
// xz and, for runners, the same cross compiler).

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { writeTar } from './pack/tar.ts';
import { CommandFailed, missingPrograms, root } from './packages.ts';
import { readStamp, type Stamp } from './stamp.ts';
import { readTarget, targetNames } from './target.ts';
import { buildTree, distFolder, obstacle, type Tree } from './tree.ts';

/** Level 6: unpacking takes 9 MB of memory, which a router has. Two threads and blocks of a said
 *  length, because the bytes depend on both; CRC32 is what the smallest unpackers know. */
const xz = ['xz', '--threads=2', '--block-size=32MiB', '--check=crc32', '--stdout'];
const levelUsual = '6';

/** What the files of a target begin with; the archive has one folder of this name. */
export function distName(target: string, { version }: Stamp): string {
  return `minnow-${version}-${target}`;
}

export function archiveName(target: string, stamp: Stamp): string {
  return `${distName(target, stamp)}.tar.xz`;
}

export function billName(target: string, stamp: Stamp): string {
  return `${distName(target, stamp)}.cdx.json`;
}

/** Writes the archive of a tree into `folder` and gives its path. Level 0 is the fastest. */
export function archive(
  { target, stamp, folder: from }: Tree,
  folder: string,
  xzLevel: number,
): string {
  const top = distName(target.name, stamp);
  const path = join(folder, archiveName(target.name, stamp));
  const plain = join(folder, `.${top}.tar`);
  const packed = `${plain}.xz`;
  try {
    writeTar(from, plain, { top, epoch: stamp.epoch });
    const out = openSync(packed, 'w');
    const [program, ...flags] = [...xz, `-${xzLevel}`, plain];
    const { status, stderr, error } = spawnSync(program!, flags, {
      stdio: ['ignore', out, 'pipe'],
    });
    closeSync(out);
    if (status !== 0) throw new CommandFailed(`xz failed: ${error?.message ?? stderr}`);
    renameSync(packed, path); // whoever finds it finds all of it
  } finally {
    for (const rest of [plain, packed]) rmSync(rest, { force: true });
  }
  return path;
}

/** Writes SHA256SUMS of these files in `folder`, for `sha256sum --check`. */
export function writeSums(folder: string, names: readonly string[]): void {
  const lines = names.toSorted().map(name => {
    const sum = createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex');
    return `${sum}  ${name}\n`;
  });
  writeFileSync(join(folder, 'SHA256SUMS'), lines.join(''));
}

/** What this writes for people, of a version. */
function isOurs(name: string, { version }: Stamp): boolean {
  return name.startsWith(`minnow-${version}-`) && /\.(?:tar\.xz|cdx\.json)$/.test(name);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function dist(name: string, stamp: Stamp, xzLevel: number): Promise<void> {
  const tree = await buildTree(name, join(distFolder, name), stamp);
  const path = archive(tree, distFolder, xzLevel);
  const bill = billName(name, stamp);
  copyFileSync(join(tree.folder, 'sbom.cdx.json'), join(distFolder, bill));
  const size = (statSync(path).size / 1e6).toFixed(1);
  say(`${relative(root, path)} (${size} MB), ${basename(bill)}`);
}

async function main(args: string[]): Promise<number> {
  const options = { level: { type: 'string', default: levelUsual } } as const;
  const { positionals: names, values } = parseArgs({ args, options, allowPositionals: true });
  const wanted = names.length === 0 ? targetNames() : names;
  if (missingPrograms(['xz']).length > 0) throw new Error('no xz here: install xz-utils');
  const stamp = readStamp();
  let left = 0;
  for (const name of wanted) {
    const why = obstacle(readTarget(name));
    if (why === null) {
      await dist(name, stamp, Number(values.level));
    } else {
      process.stderr.write(`${name} is left out: ${why}\n`);
      left++;
    }
  }
  const made = readdirSync(distFolder).filter(file => isOurs(file, stamp));
  writeSums(distFolder, made);
  return left === 0 ? 0 : 1;
}

if (import.meta.main) process.exit(await main(process.argv.slice(2)));
