// install.sh: which archive it takes for which machine, and what it refuses. In every shell that is
// /bin/sh somewhere.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { missingPrograms } from '../../targets/packages.ts';
import { readTarget, targetNames } from '../../targets/target.ts';
import { describe, skipped, test } from '../harness.ts';
import { installer, type Machine, Stand, standObstacle, stub, useRelease } from './stand.ts';

const shells = [['dash'], ['bash', '--posix'], ['busybox', 'ash']];
const version = '1.2.3';
const unavailable = 69;

const glibc = {
  x64: 'lib64/ld-linux-x86-64.so.2',
  arm64: 'lib/ld-linux-aarch64.so.1',
  arm: 'lib/ld-linux-armhf.so.3',
};
const musl = { x64: 'lib/ld-musl-x86_64.so.1', arm64: 'lib/ld-musl-aarch64.so.1' };
const libraries = ['usr/lib/libstdc++.so.6', 'usr/lib/libgcc_s.so.1'];
const avx2 = 'flags\t\t: fpu sse avx avx2 bmi2';
const avx = 'flags\t\t: fpu sse avx\nbugs\t\t: avx2';
const v3 = 'Features\t: half thumb neon vfpv3 tls vfpv4 vfpd32';
const d16 = 'Features\t: half thumb vfpv3 vfpv3d16 tls';
const none = 'Features\t: fp asimd';
const muslLdd = 'musl libc (x86_64)';

const taken: readonly [string, Machine, string][] = [
  ['Debian', { uname: 'x86_64', cpu: avx2, files: [glibc.x64] }, 'linux-x64'],
  ['no AVX2', { uname: 'x86_64', cpu: avx, files: [glibc.x64] }, 'linux-x64-baseline'],
  ['BSD names', { uname: 'amd64', cpu: avx2, files: [glibc.x64] }, 'linux-x64'],
  ['Alpine', { uname: 'x86_64', cpu: avx2, files: [musl.x64, ...libraries] }, 'linux-x64-musl'],
  [
    'an older Alpine machine',
    { uname: 'x86_64', cpu: avx, files: [musl.x64, ...libraries] },
    'linux-x64-musl-baseline',
  ],
  [
    'Alpine with gcompat',
    { uname: 'x86_64', cpu: avx2, files: [glibc.x64, musl.x64, ...libraries], ldd: muslLdd },
    'linux-x64-musl',
  ],
  [
    'Debian with musl beside it',
    { uname: 'x86_64', cpu: avx2, files: [glibc.x64, musl.x64] },
    'linux-x64',
  ],
  ['a 64-bit Pi', { uname: 'aarch64', cpu: none, files: [glibc.arm64] }, 'linux-arm64'],
  [
    'Alpine on ARM',
    { uname: 'aarch64', cpu: none, files: [musl.arm64, ...libraries] },
    'linux-arm64-musl',
  ],
  ['a 32-bit Pi', { uname: 'aarch64', cpu: none, files: [glibc.arm] }, 'linux-armv7'],
  ['an older Pi', { uname: 'armv7l', cpu: v3, files: [] }, 'linux-armv7'],
  ['a container for it', { uname: 'armv8l', cpu: v3, files: [] }, 'linux-armv7'],
];

const refused: readonly [string, Machine, RegExp][] = [
  ['armv6', { uname: 'armv6l', cpu: '', files: [] }, /not built for armv6l/],
  ['RISC-V', { uname: 'riscv64', cpu: '', files: [] }, /not built for riscv64/],
  ['32-bit x86', { uname: 'i686', cpu: avx2, files: [] }, /not built for i686/],
  ['few registers', { uname: 'armv7l', cpu: d16, files: [] }, /no VFPv3 with 32 registers/],
  ['no VFPv3', { uname: 'armv7l', cpu: 'Features\t: vfp', files: [] }, /no VFPv3/],
  ['another system', { uname: 'arm64', system: 'Darwin', cpu: '', files: [] }, /this is Darwin/],
  ['another C library', { uname: 'x86_64', cpu: avx2, files: [] }, /neither .*glibc.* nor .*musl/],
  ['musl alone', { uname: 'x86_64', cpu: avx2, files: [musl.x64] }, /no libstdc\+\+\.so\.6/],
  [
    'OpenWrt',
    { uname: 'aarch64', cpu: none, files: [musl.arm64, ...libraries, 'etc/openwrt_release'] },
    /OpenWrt, for which there are packages/,
  ],
];

const why = standObstacle();
if (why === null) {
  const release = await useRelease();
  const linux = targetNames().filter(name => name.startsWith('linux-'));
  for (const target of linux) release.add(target, version, stub(`${version} for ${target}`));

  for (const shell of shells) {
    const name = shell.join(' ');
    if (missingPrograms(shell.slice(0, 1)).length > 0) {
      describe(name, () => skipped('takes the right archive', `no ${shell[0]} here`));
      continue;
    }
    describe(`install.sh in ${name}`, () => {
      for (const [what, machine, target] of taken) {
        test(`takes ${target}: ${what}`, async () => {
          const stand = new Stand(machine, shell);
          try {
            const { code, stderr, lines } = await stand.install([release.base]);
            assert.equal(code, 0, stderr);
            assert.ok(lines.some(line => line.includes(`minnow-${version}-${target}.tar.xz`)));
            assert.match(
              lines.at(-1)!,
              new RegExp(`minnow ${version} for ${target} to /usr/local`),
            );
          } finally {
            stand.remove();
          }
        });
      }
      for (const [what, machine, sentence] of refused) {
        test(`refuses what it has nothing for: ${what}`, async () => {
          const stand = new Stand(machine, shell);
          try {
            const { code, stderr } = await stand.install([release.base]);
            assert.equal(code, unavailable);
            assert.match(stderr, /^install\.sh: .+\n$/);
            assert.match(stderr, sentence);
            assert.deepEqual(stand.installed(), []);
          } finally {
            stand.remove();
          }
        });
      }
    });
  }

  describe('install.sh', () => {
    test('knows every target for Linux, and looks for the loaders that they name', () => {
      assert.deepEqual([...new Set(taken.map(([, , target]) => target))].sort(), linux);
      const text = readFileSync(installer, 'utf8');
      for (const target of linux) {
        const { images, program } = readTarget(target);
        const { interpreter } = images[program]!;
        if (interpreter !== null) assert.match(text, new RegExp(`find_libc .*${interpreter}\\b`));
      }
    });

    test('is taken from by a pipe, and does nothing when it was cut off', () => {
      const text = readFileSync(installer, 'utf8');
      const { status, stdout, stderr } = spawnSync('sh', [], { input: text, encoding: 'utf8' });
      assert.deepEqual([status, stdout], [64, '']);
      assert.match(stderr, /say where from/);
      const cut = text.slice(0, text.lastIndexOf('main "$@"'));
      assert.equal(spawnSync('sh', [], { input: cut, encoding: 'utf8' }).status, 0);
    });

    if (missingPrograms(['shellcheck']).length > 0) {
      skipped('shellcheck has nothing to say', 'no shellcheck here');
    } else {
      test('shellcheck has nothing to say', () => {
        const { stdout, status } = spawnSync('shellcheck', ['--shell=sh', installer]);
        assert.equal(status, 0, stdout.toString());
      });
    }
  });
} else {
  describe('install.sh', () => skipped('takes the right archive', why));
}
