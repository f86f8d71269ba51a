// What is built for people, held against its file in targets/ and tried: the archive, unpacked, in
// a place that has nothing but what that file says. `make test` builds a few archives for itself;
// `make test-targets` takes all of them from dist/ (MINNOW_DIST), or those of MINNOW_TARGET.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { archive, distName } from '../../targets/dist.ts';
import { readImage } from '../../targets/pack/image.ts';
import { everythingIn } from '../../targets/pack/tar.ts';
import { fetchPackage, Unobtainable } from '../../targets/packages.ts';
import { readStamp, stampsIn } from '../../targets/stamp.ts';
import { readTarget, type Target, targetNames } from '../../targets/target.ts';
import { buildTree, obstacle } from '../../targets/tree.ts';
import { afterAll, describe, skipped, test } from '../harness.ts';
import { ok, run } from '../integration/process.ts';
import { commandIn, type Place, prepare, trialObstacle } from './place.ts';
import { smoke } from './smoke.ts';

const { MINNOW_DIST, MINNOW_TARGET } = process.env;
/** One of each kind: this machine's own, another C library, another processor and runtime. */
const short = ['linux-x64', 'linux-x64-musl', 'linux-armv7'];
const stamp = readStamp();
const project = join(import.meta.dirname, '../..');
const scratch = mkdtempSync(join(tmpdir(), 'minnow-dist-'));
afterAll(() => rmSync(scratch, { recursive: true }));

async function build(name: string, folder: string): Promise<string> {
  const tree = await buildTree(name, join(folder, name), stamp);
  return archive(tree, folder, 0);
}

interface Obtained {
  readonly path: string;
  /** The same, built a second time at once: whoever works on the sources does so at any moment.
   *  One is enough, and takes long enough. */
  readonly again: string | null;
}

/** The archive of a target, or why there is none. */
async function obtain(target: Target): Promise<Obtained | { why: string }> {
  if (MINNOW_DIST !== undefined) {
    const path = join(MINNOW_DIST, `${distName(target.name, stamp)}.tar.xz`);
    return existsSync(path) ? { path, again: null } : { why: `there is no ${path}` };
  }
  const why = obstacle(target);
  if (why !== null) return { why };
  try {
    const path = await build(target.name, scratch);
    const isFirst = target.name === short[0];
    const again = isFirst ? await build(target.name, mkdtempSync(join(scratch, 'again-'))) : null;
    return { path, again };
  } catch (error) {
    if (error instanceof Unobtainable) return { why: error.message };
    throw error;
  }
}

/** What its headers, its stamp and its papers say. */
function describeTree(target: Target, place: Place): void {
  const at = (name: string) => join(place.tree, name);
  const { build, images, machine } = target;

  test('is for the machine that its file says, and needs what that says', () => {
    const paths = everythingIn(place.tree).filter(path => isImage(at(path)));
    assert.deepEqual(paths.sort(), Object.keys(images).sort());
    for (const path of paths) {
      const found = readImage(at(path));
      const { needed, ...rest } = images[path]!;
      assert.deepEqual(
        { path, ...found, needed: [...found.needed].sort() },
        {
          path,
          ...rest,
          needed: [...needed].sort(),
        },
      );
    }
  });

  test('carries every library that it needs, where it carries its own', () => {
    if (machine.libc !== 'own') return;
    const carried = Object.keys(images).map(path => basename(path));
    const needed = Object.values(images).flatMap(image => image.needed);
    assert.deepEqual(
      needed.filter(name => !carried.includes(name)),
      [],
    );
  });

  test('is stamped with its own name, once, and with the commit of its papers', () => {
    const programs = build.kind === 'runner' ? 'program' : target.program;
    const files = everythingIn(place.tree).filter(path => path.split('/')[0] === programs);
    const bytes = files.filter(path => statSync(at(path)).isFile()).map(p => readFileSync(at(p)));
    const bill = JSON.parse(readFileSync(at('sbom.cdx.json'), 'utf8')) as Bill;
    const commit = bill.metadata.component.properties.find(({ name }) => name === 'minnow:commit');
    const stamps = new Set(bytes.flatMap(stampsIn));
    assert.deepEqual([...stamps], [`minnow-build:${target.name}:${commit!.value}`]);
  });

  test('says nothing of the machine that it was built on', () => {
    const files = everythingIn(place.tree).filter(path => statSync(at(path)).isFile());
    const telling = files.filter(path => readFileSync(at(path)).includes(project));
    assert.deepEqual(telling, []);
  });

  test('comes with its papers', () => {
    const papers = ['LICENSE', 'README.md', 'THIRD-PARTY.txt', 'minnow.sample.toml'];
    const unit = machine.os === 'linux' ? ['systemd/minnow.service'] : [];
    for (const name of [...papers, ...unit]) assert.ok(statSync(at(name)).size > 100, name);
  });
}

interface Bill {
  readonly metadata: {
    readonly component: { readonly properties: { name: string; value: string }[] };
  };
}

/** Whether a file begins as executables and libraries do. */
function isImage(path: string): boolean {
  if (!statSync(path).isFile()) return false;
  const magic = readFileSync(path).subarray(0, 4).toString('latin1');
  return magic === '\x7fELF' || magic.startsWith('MZ');
}

/** Bun says of each part of a program whether it took the bytecode or had to compile. */
function describeBytecode(command: readonly string[]): void {
  test('takes the bytecode that it was built with', async () => {
    const asked = ['env', 'BUN_JSC_verboseDiskCache=1', ...command, 'version'];
    const { stdout, stderr } = await ok(asked);
    assert.match(`${stdout}${stderr}`, /Cache hit for sourceCode/);
  });
}

function describeSurroundings(command: readonly string[], { data }: Place): void {
  test('takes nothing from the folder where somebody stands', async () => {
    const where = mkdtempSync(join(data, 'where-'));
    writeFileSync(join(where, '.env'), 'MINNOW_LISTENERS=nonsense:x\n');
    writeFileSync(join(where, 'bunfig.toml'), 'preload = ["./first.js"]\n');
    writeFileSync(join(where, 'first.js'), 'process.exit(3);\n');
    const check = [...command, 'check-config'];
    await ok(['env', '-C', where, ...check]);
    const told = await run(['env', '-C', where, 'MINNOW_LISTENERS=nonsense:x', ...check]);
    assert.equal(told.code, 78, 'the variable would have done something');
    rmSync(where, { recursive: true });
  });
}

async function tried(target: Target, place: Place): Promise<void> {
  const { name, trial, build, machine } = target;
  const why = trialObstacle(target);
  if (trial === null || why !== null) {
    skipped(`${name} runs`, why!);
    return;
  }
  const command = await commandIn(place);
  if (build.kind === 'executable') describeBytecode(command);
  if (build.kind === 'runner') {
    test(`${name} starts with the flags that its file says`, () => {
      const node = command.findIndex(part => part.endsWith('/lib/node'));
      assert.deepEqual(command.slice(node + 1, -1), build.flags);
    });
  }
  if (trial.root === 'here') describeSurroundings(command, place);
  const runtime = build.kind === 'executable' ? 'bun' : 'node';
  const built = `\\(${runtime} \\S+, linux ${machine.arch}\\)\\ntarget ${name}\\ncommit \\w+`;
  const { flags, io, waitMs } = trial;
  smoke(`${name} runs`, { command, built: new RegExp(built), flags, io, waitMs, data: place.data });
}

// Should a Bun come that has two again, docs/TARGETS.md says something else, and so do we.
if (MINNOW_DIST !== undefined && MINNOW_TARGET === undefined) {
  test('the executables without AVX2 are made of the same Bun', () => {
    for (const name of ['linux-x64', 'linux-x64-musl']) {
      const [one, other] = [name, `${name}-baseline`].map(target => {
        const { runtime } = readTarget(target).build;
        return readFileSync(join(fetchPackage(runtime.package), runtime.file));
      });
      assert.ok(one!.equals(other!), name);
    }
  });
}

const wanted = MINNOW_DIST === undefined ? short : targetNames();
for (const name of MINNOW_TARGET?.split(' ') ?? wanted) {
  const target = readTarget(name);
  const found = await obtain(target);
  if ('why' in found) {
    skipped(name, found.why);
    continue;
  }
  const { path, again } = found;
  if (again !== null) {
    test(`${name} has the same bytes when it is built again`, () => {
      assert.ok(readFileSync(again).equals(readFileSync(path)));
    });
  }
  const place = prepare(target, path);
  afterAll(() => place.remove());
  describe(name, () => describeTree(target, place));
  await tried(target, place);
}
