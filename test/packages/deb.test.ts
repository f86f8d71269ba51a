// What a Debian package is made of, seen with a small program in the place of the real one: what it
// says of itself, where its files go and whose they are, and that the same tree gives the same
// bytes. How it lives is in debian.test.ts.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildDeb, debObstacle } from '../../targets/debian/build.ts';
import { control, debianVersion } from '../../targets/debian/control.ts';
import { afterAll, describe, skipped, test } from '../harness.ts';
import { minnow, ok, program, run } from '../integration/process.ts';

const project = join(import.meta.dirname, '../..');
const debian = join(project, 'targets', 'debian');
const scratch = mkdtempSync(join(tmpdir(), 'minnow-deb-test-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const stamp = { version: '0.1.0', commit: 'abc', epoch: 1_700_000_000 };

/** A tree as targets/tree.ts makes it, but for the program. */
function makeTree(name: string): string {
  const tree = join(scratch, name);
  mkdirSync(tree);
  cpSync(join(project, 'targets', 'systemd'), join(tree, 'systemd'), { recursive: true });
  for (const paper of ['README.md', 'THIRD-PARTY.txt', 'sbom.cdx.json', 'minnow.sample.toml']) {
    writeFileSync(join(tree, paper), `${paper}\n`);
  }
  return tree;
}

function executableTree(name: string): string {
  const tree = makeTree(name);
  copyFileSync('/bin/true', join(tree, 'minnow'));
  return tree;
}

function runnerTree(name: string): string {
  const tree = makeTree(name);
  for (const path of [
    'minnow',
    'lib/node',
    'lib/libc.so.6',
    'program/minnow.mjs',
    'program/x.node',
  ]) {
    mkdirSync(join(tree, path, '..'), { recursive: true });
    const mode = path.endsWith('.mjs') ? 0o600 : 0o700;
    writeFileSync(join(tree, path), path, { mode });
  }
  return tree;
}

/** The files of a package: path → mode and owner, as tar shows them. */
async function contents(deb: string): Promise<Map<string, string>> {
  const { lines } = await ok(['dpkg-deb', '--contents', deb]);
  const rows = lines.map(line => line.split(/\s+/));
  return new Map(
    rows.map(([mode, owner, , day, , path, ...link]) => [
      `${path!.replace(/^\./, '')}${link.join(' ')}`,
      `${mode} ${owner} ${day}`,
    ]),
  );
}

describe('a Debian package', () => {
  const missing = debObstacle();
  if (missing !== null) {
    skipped('is made of a tree', missing);
    return;
  }

  test('holds an executable, its service and its papers, and belongs to root', async () => {
    const deb = buildDeb('amd64', executableTree('amd64'), join(scratch, 'out'), stamp);
    assert.ok(deb.endsWith('minnow_0.1.0-1_amd64.deb'));
    const files = await contents(deb);
    for (const [path, how] of files) {
      const mode = path.endsWith('/') ? 'drwxr-xr-x' : '-rw-r--r--';
      const wanted = path === '/usr/bin/minnow' ? '-rwxr-xr-x' : mode;
      assert.equal(how, `${wanted} root/root 2023-11-14`, path);
    }
    for (const path of [
      '/etc/minnow/minnow.toml',
      '/usr/lib/systemd/system/minnow.service',
      '/usr/lib/systemd/system/minnow.socket',
      '/usr/lib/sysusers.d/minnow.conf',
      '/usr/share/doc/minnow/copyright',
      '/usr/share/doc/minnow/THIRD-PARTY.txt',
      '/usr/share/man/man1/minnow.1.gz',
    ]) {
      assert.ok(files.has(path), path);
    }
    const field = async (name: string) => (await ok(['dpkg-deb', '-f', deb, name])).lines[0];
    assert.equal(await field('Architecture'), 'amd64');
    assert.match((await field('Depends'))!, /^libc6 \(>= 2\.\d+\), systemd \|/);
    assert.ok(Number(await field('Installed-Size')) > 20);
    const { lines } = await ok(['dpkg-deb', '--info', deb, 'conffiles']);
    assert.deepEqual(lines, ['/etc/minnow/minnow.toml']);
  });

  test('keeps a runner together, and needs no C library for it', async () => {
    const deb = buildDeb('armhf', runnerTree('armhf'), join(scratch, 'out'), stamp);
    const files = await contents(deb);
    const mode = (path: string) => files.get(path)?.split(' ')[0];
    assert.equal(mode('/usr/bin/minnow-> ../lib/minnow/minnow'), 'lrwxrwxrwx');
    assert.equal(mode('/usr/lib/minnow/minnow'), '-rwxr-xr-x');
    assert.equal(mode('/usr/lib/minnow/lib/node'), '-rwxr-xr-x');
    assert.equal(mode('/usr/lib/minnow/program/minnow.mjs'), '-rw-r--r--');
    assert.equal(mode('/usr/lib/minnow/program/x.node'), '-rw-r--r--');
    assert.ok(!files.has('/usr/lib/minnow/README.md'));
    const { lines } = await ok(['dpkg-deb', '-f', deb, 'Depends']);
    assert.match(lines[0]!, /^systemd \|/);
  });

  test('is the same, byte by byte, whenever it is made', () => {
    const make = (name: string, time: number) => {
      const tree = executableTree(name);
      utimesSync(join(tree, 'minnow'), time, time);
      const mask = process.umask(time % 2 === 0 ? 0o077 : 0o022);
      try {
        return readFileSync(buildDeb('amd64', tree, join(scratch, name), stamp));
      } finally {
        process.umask(mask);
      }
    };
    assert.ok(make('one', 1_750_000_000).equals(make('other', 1_760_000_001)));
  });

  test('sorts what comes before a release before it', async () => {
    const version = (text: string) => debianVersion({ ...stamp, version: text });
    const before = ['dpkg', '--compare-versions', version('1.0.0-rc.1'), 'lt', version('1.0.0')];
    await ok(before);
    const facts = { architecture: 'arm64', kilobytes: 1, glibc: '2.17' } as const;
    const said = control({ ...facts, version: version('1.0.0') });
    assert.match(said, /^Version: 1\.0\.0-1\n(.*\n)*Depends: libc6 \(>= 2\.17\), /m);
  });
});

describe('what is written by hand for Debian', () => {
  test('is a page that lists every command, with the words of minnow help', async () => {
    const { stdout } = await ok([...minnow, 'help']);
    const helped = [...stdout.toString().matchAll(/^ {2}(\S+) {2,}(.+)$/gm)]
      .map(([, name, what]) => `${name}: ${what}`)
      .filter(line => !line.startsWith('help:'));
    const page = readFileSync(join(debian, 'minnow.1'), 'utf8');
    const [, commands] = /^\.SH COMMANDS\n([\s\S]*?)^\.SH /m.exec(page) ?? [];
    const listed = [...(commands ?? '').matchAll(/^\.TP\n\.B (\S+)\n(.+)$/gm)];
    assert.deepEqual(
      listed.map(([, name, what]) => `${name}: ${what}`),
      helped,
    );
  });

  const scripts = ['preinst', 'postinst', 'prerm', 'postrm'].map(name => join(debian, name));
  const own = ['boot.sh', 'sweep.sh'].map(name => join(import.meta.dirname, name));
  if (program('shellcheck') === null) {
    skipped('are scripts without a fault', 'shellcheck is not installed');
  } else {
    test('are scripts without a fault', async () => {
      const { code, stdout } = await run(['shellcheck', ...scripts, ...own]);
      assert.equal(code, 0, stdout.toString());
    });
  }

  if (spawnSync('unshare', ['--mount', 'true']).status !== 0) {
    skipped('refuse a processor with half of the registers', 'only root may mount');
  } else {
    test('refuse a processor with half of the registers', async () => {
      const file = join(scratch, 'cpuinfo');
      const enter = 'mount --bind "$1" /proc/cpuinfo && exec "$0" install';
      const features = (words: string) => {
        writeFileSync(file, `Features\t: half thumb vfp ${words} tls\n`);
        return run(['unshare', '--mount', 'sh', '-c', enter, join(debian, 'preinst'), file]);
      };
      const refused = await features('vfpv3 vfpv3d16');
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /^minnow needs VFPv3 with 32 registers/);
      assert.equal((await features('neon vfpv3 vfpv4 vfpd32')).code, 0);
    });
  }

  test('start it as often as it takes', () => {
    const text = readFileSync(join(project, 'targets', 'systemd', 'minnow.service'), 'utf8');
    // Five within ten seconds are all that systemd allows otherwise, those by hand among them.
    assert.match(text, /^\[Unit\]\n(?:[^[].*\n|\n)*StartLimitIntervalSec=0$/m);
  });

  const lacks = spawnSync('systemd-analyze', ['--version']).error !== undefined;
  if (lacks) {
    skipped('are units without a fault', 'systemd-analyze is not installed');
  } else {
    test('are units without a fault', async () => {
      // The program and its page are not installed here.
      const root = join(scratch, 'units');
      mkdirSync(root);
      const units = ['minnow.service', 'minnow.socket'].map(name => {
        const text = readFileSync(join(project, 'targets', 'systemd', name), 'utf8');
        const here = text.replaceAll('/usr/bin/minnow', '/bin/true').replace(/^Docum.*\n/m, '');
        writeFileSync(join(root, name), here);
        return join(root, name);
      });
      const { code, stderr } = await run(['systemd-analyze', 'verify', '--man=no', ...units]);
      const about = stderr.split('\n').filter(line => line.includes('minnow'));
      assert.deepEqual(about, [], `exit code ${code}`);
    });
  }
});
