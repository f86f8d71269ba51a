// What people are given: everything that is built is gathered, with install.sh and right sums.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { gather, releasedFiles } from '../../targets/release.ts';
import { targetNames } from '../../targets/target.ts';
import { afterAll, describe, test } from '../harness.ts';
import { ok } from '../integration/process.ts';

const scratch = mkdtempSync(join(tmpdir(), 'minnow-release-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const stamp = { version: '1.2.3', commit: 'abc', epoch: 0 };
const dist = join(scratch, 'dist');
const folder = join(dist, 'release');

function build(path: string): void {
  mkdirSync(dirname(join(dist, path)), { recursive: true });
  writeFileSync(join(dist, path), path);
}

describe('a release', () => {
  test('is not made of a part of what there is to be', () => {
    const [first, ...others] = releasedFiles(stamp);
    for (const path of others) build(path);
    assert.throws(() => gather(dist, folder, stamp), new RegExp(`not built: ${first}$`));
    build(first!);
  });

  test('holds what was built of this version, install.sh, and sums of all of it', async () => {
    const apks = ['minnow-1.2.3-r1_x86_64.apk', 'luci-app-minnow-1.2.3-r1_noarch.apk'];
    for (const name of [...apks, 'minnow-1.2.2-r1_x86_64.apk']) build(join('openwrt', name));
    build('minnow-1.2.2-linux-x64.tar.xz');
    gather(dist, folder, stamp);
    gather(dist, folder, stamp); // what was there of the one before is no part of the next
    const wanted = [...releasedFiles(stamp).map(path => basename(path)), ...apks, 'install.sh'];
    assert.deepEqual(readdirSync(folder).sort(), [...wanted, 'SHA256SUMS'].sort());
    const { lines } = await ok(['env', '-C', folder, 'sha256sum', '--check', 'SHA256SUMS']);
    assert.equal(lines.length, wanted.length);
  });

  test('has an archive for every target where install.sh looks for it', () => {
    const sums = readFileSync(join(folder, 'SHA256SUMS'), 'utf8');
    for (const name of targetNames()) assert.ok(sums.includes(`  minnow-1.2.3-${name}.tar.xz\n`));
  });
});
