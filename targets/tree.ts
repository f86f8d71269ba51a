// The built tree of a target: what everything that is shipped is made of. A packager calls
// `buildTree` and takes files from its folder; the archives of targets/dist.ts are the same tree.
//
//   minnow                 the program (minnow.exe on Windows; a launcher in a runner)
//   lib/, program/         of a runner only: loader, libraries and Node; the program for Node
//   README.md, LICENSE, THIRD-PARTY.txt, sbom.cdx.json, minnow.sample.toml
//   systemd/               the files of targets/systemd, on Linux
//
// A runner stays together in one folder; its launcher may be called through a symbolic link.

import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sample } from '../src/config/reference.ts';
import { compile } from './executable.ts';
import { components, licences } from './pack/components.ts';
import { sbom } from './pack/sbom.ts';
import { fetchPackage, root } from './packages.ts';
import { buildRunner, runnerObstacle } from './runner.ts';
import { readStamp, type Stamp } from './stamp.ts';
import { readTarget, type Target } from './target.ts';

export interface Tree {
  readonly target: Target;
  readonly stamp: Stamp;
  readonly folder: string;
  /** The program in it, which is what people call. */
  readonly program: string;
}

export const distFolder = join(root, 'dist');

/** Why a target cannot be built on this machine, or null. */
export function obstacle({ build }: Target): string | null {
  return build.kind === 'runner' ? runnerObstacle(build) : null;
}

/** Builds a target's tree in `folder`, which is emptied: dist/NAME unless told otherwise. Rejects
 *  with Unobtainable where a package cannot be had. */
export async function buildTree(
  name: string,
  folder = join(distFolder, name),
  stamp = readStamp(),
): Promise<Tree> {
  const target = readTarget(name);
  const { build } = target;
  const program = join(folder, target.program);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  if (build.kind === 'runner') {
    await buildRunner(name, build, stamp, folder);
  } else {
    const runtime = join(fetchPackage(build.runtime.package), build.runtime.file);
    compile(name, build, runtime, stamp, program);
  }
  addPapers(target, stamp, folder);
  return { target, stamp, folder, program };
}

function addPapers(target: Target, stamp: Stamp, folder: string): void {
  const parts = components(target);
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  cpSync(join(root, 'targets', 'payload', 'README.md'), join(folder, 'README.md'));
  write('THIRD-PARTY.txt', licences(parts));
  write('sbom.cdx.json', sbom(target.name, stamp, parts));
  write('minnow.sample.toml', sample());
  if (target.machine.os !== 'linux') return;
  cpSync(join(root, 'targets', 'systemd'), join(folder, 'systemd'), { recursive: true });
}
