// Where a built target is tried: as a program of this machine, or below a root that holds nothing
// but what its file in targets/ says, with an emulator where the processor is another. The archive
// is unpacked there by tar, as anybody would.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { missingPrograms } from '../../targets/packages.ts';
import type { Target } from '../../targets/target.ts';
import { program, run } from '../integration/process.ts';

const project = join(import.meta.dirname, '../..');
/** What a musl system provides; it belongs to no package and lies beside the project. */
const fixtures = process.env.MINNOW_FIXTURES ?? join(project, '../shared/fixtures');

/** Enters a root, with /proc there: a kernel's, and every system has it. The mount is gone with
 *  the last process in there. */
const enter = ['mount --rbind /proc "$0/proc"', 'exec chroot "$0" "$@"'].join(' && ');
const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user'];

export interface Place {
  /** What stands before a program that is called there. */
  readonly before: readonly string[];
  /** The program, as it is called in there. */
  readonly program: string;
  /** An empty folder, as it is called in there. */
  readonly data: string;
  /** The unpacked tree, out here. */
  readonly tree: string;
  remove(): void;
}

/** Why a target cannot be tried on this machine, or null. */
export function trialObstacle({ trial }: Target): string | null {
  if (trial === null) return 'nothing here runs it';
  const missing = missingPrograms(trial.emulator.slice(0, 1));
  if (missing.length > 0) return `no ${missing.join(', ')} here`;
  if (trial.root === 'here') return null;
  if (spawnSync('unshare', ['--mount', ...asRoot, 'true']).status !== 0) {
    return 'this user may not enter another root';
  }
  if (trial.root === 'empty') return null;
  const libraries = librariesOf(trial.root);
  if (existsSync(libraries)) return null;
  return 'package' in trial.root ? `no ${trial.root.package} here` : `there is no ${libraries}`;
}

type Libraries = Exclude<NonNullable<Target['trial']>['root'], 'here' | 'empty'>;

function librariesOf(root: Libraries): string {
  return 'fixture' in root ? join(fixtures, root.fixture) : root.libraries;
}

/** Unpacks an archive in a place of its own, with what it takes to run it where that is here. */
export function prepare(target: Target, archive: string): Place {
  const name = target.program;
  const trial = trialObstacle(target) === null ? target.trial : null;
  const root = mkdtempSync(join(tmpdir(), 'minnow-place-'));
  for (const folder of ['proc', 'tmp', 'data']) mkdirSync(join(root, folder));
  const unpacked = spawnSync('tar', ['-xJf', archive, '-C', root], { encoding: 'utf8' });
  assert.equal(unpacked.status, 0, unpacked.stderr);
  const top = basename(archive, '.tar.xz');
  assert.deepEqual(readdirSync(root).sort(), ['data', 'proc', 'tmp', top].sort());
  const rest = {
    tree: join(root, top),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
  const data = join(root, 'data');
  const [emulator, ...flags] = trial?.emulator ?? [];
  const first = emulator === undefined ? [] : [program(emulator)!, ...flags];
  if (trial === null || trial.root === 'here') {
    return { before: first, program: join(root, top, name), data, ...rest };
  }
  if (trial.root !== 'empty') {
    const into = 'into' in trial.root ? join(root, trial.root.into) : root;
    cpSync(librariesOf(trial.root), into, { recursive: true });
  }
  const within: string[] = [];
  if (first.length > 0) {
    cpSync(first[0]!, join(root, 'emulator'), { dereference: true });
    within.push('/emulator', ...first.slice(1));
  }
  const entered = ['unshare', '--mount', ...asRoot, 'sh', '-c', enter, root];
  return { before: [...entered, ...within], program: `/${top}/${name}`, data: '/data', ...rest };
}

/** How the program of a place is called. A launcher that is emulated cannot start what it wants to
 *  start, unless the kernel knows the emulator; then what it wants is what is called. */
export async function commandIn({
  before,
  program,
}: Pick<Place, 'before' | 'program'>): Promise<string[]> {
  const emulated = before.some(part => /emulator$|qemu/.test(part));
  if (!emulated) return [...before, program];
  const { stderr } = await run([...before, '-strace', program, 'version']);
  const [, wanted] = /execve\("[^"]+",\{(.+),NULL\}\) = -1/.exec(stderr) ?? [];
  if (wanted === undefined) return [...before, program];
  const args = JSON.parse(`[${wanted}]`) as string[];
  assert.equal(args.at(-1), 'version', 'a launcher passes on what it is given');
  return [...before, ...args.slice(0, -1)];
}
