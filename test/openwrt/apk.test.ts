// Packages for apk: what is laid out for its tool, and how that is called. The tool itself is in no
// place where these tests run: something stands in for it that writes down what it was told.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apkVersion, buildApk } from '../../openwrt/apk.ts';
import { architectures } from '../../openwrt/architectures.ts';
import { buildLuciApk } from '../../openwrt/luci.ts';
import { missingPrograms } from '../../targets/packages.ts';
import { afterAll, describe, skipped, test } from '../harness.ts';

const scratch = mkdtempSync(join(tmpdir(), 'minnow-apk-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const stamp = { version: '0.1.0', commit: 'abc', epoch: 1_700_000_000 };
const architecture = architectures.find(({ name }) => name === 'aarch64_generic')!;
const tree = join(scratch, 'tree');
mkdirSync(tree);
for (const name of ['minnow', 'LICENSE', 'THIRD-PARTY.txt']) writeFileSync(join(tree, name), name);

/** Does something with a tool `apk` that is this script, or with none. */
function withApk<T>(script: string | null, body: () => T): T {
  const { PATH } = process.env;
  const bin = mkdtempSync(join(scratch, 'bin-'));
  const calls = ['sh', 'dirname', 'id', 'fakeroot'];
  for (const name of calls) {
    const real = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim();
    const text = name === 'fakeroot' ? '#!/bin/sh\nexec "$@"\n' : `#!/bin/sh\nexec ${real} "$@"\n`;
    writeFileSync(join(bin, name), text, { mode: 0o755 });
  }
  if (script !== null) writeFileSync(join(bin, 'apk'), script, { mode: 0o755 });
  process.env.PATH = bin;
  try {
    return body();
  } finally {
    process.env.PATH = PATH;
  }
}

/** Keeps what it was told, and what it was given, in the place of the package. */
const recorder = `#!/bin/sh
PATH=/usr/bin:/bin
for last; do :; done
{ echo "$SOURCE_DATE_EPOCH"; printf '%s\\n' "$@"; } > "$last"
cp -r . "$last.given"
`;

describe('a package for apk', () => {
  test('is made by its tool, of files, scripts and what they say', () => {
    const { path, missing } = withApk(recorder, () => buildApk(architecture, tree, scratch, stamp));
    assert.equal(missing, null);
    assert.equal(path, join(scratch, 'minnow-0.1.0-r1_aarch64_generic.apk'));
    assert.ok(!existsSync(`${path}.d`), 'nothing is left beside it');
    const [epoch, ...words] = readFileSync(path, 'utf8').trim().split('\n');
    assert.equal(epoch, '1700000000');
    const info = words.filter((_, at) => words[at - 1] === '--info');
    for (const [key, value] of [
      ['name', 'minnow'],
      ['version', '0.1.0-r1'],
      ['arch', 'aarch64_generic'],
      ['license', 'Apache-2.0'],
      ['depends', 'libc libgcc libstdcpp'],
    ]) {
      assert.ok(info.includes(`${key}:${value}`), key);
    }
    const given = (name: string) => readFileSync(join(`${path}.given`, name), 'utf8');
    assert.equal(given('files/usr/bin/minnow'), 'minnow');
    const database = 'files/lib/apk/packages/minnow';
    assert.equal(given(`${database}.rusers`), 'minnow=1883:minnow=1883\n');
    assert.equal(given(`${database}.conffiles`), '/etc/config/minnow\n');
    assert.match(given(`${database}.list`), /^\/etc\/init\.d\/minnow$/m);
    const scripts = words.filter((_, at) => words[at - 1] === '--script');
    assert.deepEqual(
      scripts.map(script => script.split(':')[0]),
      ['pre-install', 'pre-upgrade', 'post-install', 'post-upgrade', 'pre-deinstall'],
    );
    for (const script of scripts) assert.match(given(script.split(':')[1]!), /^#!\/bin\/sh\n/);
    assert.match(given('post-install'), /^add_group_and_user\ndefault_postinst /m);
    assert.match(given('pre-upgrade'), /^export PKG_UPGRADE=1$/m);
  });

  test('needs nothing where it brings everything, and says so by silence', () => {
    const runner = architectures.find(({ target }) => target === 'linux-armv7')!;
    const parts = ['lib', 'program'];
    const folder = join(scratch, 'runner');
    cpSync(tree, folder, { recursive: true });
    for (const part of parts) mkdirSync(join(folder, part));
    const { path } = withApk(recorder, () => buildApk(runner, folder, scratch, stamp));
    assert.doesNotMatch(readFileSync(path, 'utf8'), /^depends:/m);
  });

  test('is laid out with what packs it where there is no tool, and packed there later', () => {
    const { path, missing } = withApk(null, () => buildLuciApk(scratch, stamp));
    assert.equal(missing, `no apk (3.0 or newer) here; where it is: sh ${path}.d/mkpkg`);
    assert.ok(!existsSync(path));
    const elsewhere = mkdtempSync(join(scratch, 'elsewhere-'));
    cpSync(`${path}.d`, join(elsewhere, 'layout'), { recursive: true });
    const { status } = withApk(recorder, () =>
      spawnSync('sh', [join(elsewhere, 'layout', 'mkpkg')]),
    );
    assert.equal(status, 0);
    const made = join(elsewhere, 'luci-app-minnow-0.1.0-r1_noarch.apk');
    assert.match(readFileSync(made, 'utf8'), /^depends:luci-base minnow$/m);
  });

  test('is not made by a tool that fails, which is asked why', () => {
    const old = '#!/bin/sh\necho "no mkpkg in 2.14" >&2\nexit 1\n';
    const { missing } = withApk(old, () => buildLuciApk(scratch, stamp));
    assert.match(missing!, /^apk mkpkg: no mkpkg in 2\.14; /);
  });

  test('has a version that apk can read', () => {
    assert.equal(apkVersion(stamp), '0.1.0-r1');
    assert.equal(apkVersion({ ...stamp, version: '0.2.0-rc.1' }), '0.2.0_rc1-r1');
    assert.equal(apkVersion({ ...stamp, version: '0.2.0-beta' }), '0.2.0_beta-r1');
  });

  if (missingPrograms(['shellcheck']).length > 0) {
    skipped('is packed by a script without a fault', 'no shellcheck here');
    return;
  }
  test('is packed by a script without a fault, as are those in it', () => {
    const { path } = withApk(null, () => buildApk(architecture, tree, scratch, stamp));
    for (const name of ['mkpkg', 'pre-install', 'post-install', 'post-upgrade', 'pre-deinstall']) {
      // as_root is a word or none; PKG_UPGRADE and the like are for what is sourced.
      const flags = ['--shell=dash', '--exclude=SC1091,SC2086'];
      const { stdout, status } = spawnSync('shellcheck', [...flags, join(`${path}.d`, name)], {
        encoding: 'utf8',
      });
      assert.equal(status, 0, stdout);
    }
  });
});
