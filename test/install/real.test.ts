// install.sh in places that are real: with the program itself, whose first user then gets in; and
// in a root of busybox alone, where it may do all that it does as root. `make test-targets` names a
// dist/ by MINNOW_DIST; then the archive of this machine is installed as well.

import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { missingPrograms } from '../../targets/packages.ts';
import { afterAll, describe, skipped, test } from '../harness.ts';
import {
  Background,
  endChildren,
  minnow,
  ok,
  program,
  run,
  waitUpTo,
} from '../integration/process.ts';
import { machines, project, Stand, standObstacle, stub, useFolder, useRelease } from './stand.ts';

afterAll(endChildren);
const target = 'linux-x64';
const stubbed = standObstacle();

/** The program as it stands in the sources, called as an executable would be. */
const fromSources = `#!/bin/sh\nexec ${minnow.join(' ')} "$@"\n`;
const { MINNOW_DIST } = process.env;

describe('install.sh with the program', () => {
  const name = 'the first user that was shown gets in, and nobody else does';
  if (stubbed !== null) {
    skipped(name, stubbed);
    return;
  }
  test(`from the sources: ${name}`, async () => {
    const release = useFolder();
    release.add(target, '1.0.0', fromSources);
    await installsAndServes(release.folder);
  });
  if (!hasArchive()) return;
  test(`from dist/: ${name}`, async () => {
    waitUpTo(120_000);
    await installsAndServes(resolve(project, MINNOW_DIST!));
  }, 240_000);
});

/** Whether a dist/ was named and has the archive of this machine. */
function hasArchive(): boolean {
  if (MINNOW_DIST === undefined || process.arch !== 'x64') return false;
  const sums = resolve(project, MINNOW_DIST, 'SHA256SUMS');
  return existsSync(sums) && readFileSync(sums, 'utf8').includes(`-${target}.tar.xz\n`);
}

async function installsAndServes(base: string): Promise<void> {
  const { debian } = machines;
  const stand = new Stand({ ...debian, files: [...debian.files, 'lib/systemd/systemd'] });
  try {
    const { code, lines, stderr } = await stand.install([base]);
    assert.equal(code, 0, stderr);
    const token = lines[lines.findIndex(line => /"admin" was added in/.test(line)) + 1]!;
    assert.match(token, /^\S{20,}$/);
    await getsIn(stand, token);
  } finally {
    stand.remove();
  }
}

/** Starts what was installed, on a port of its own, and asks it for something. */
async function getsIn(stand: Stand, token: string): Promise<void> {
  const installed = join(stand.root, 'usr/local/bin/minnow');
  const broker = new Background([
    ...[installed, 'serve', '--config', join(stand.root, 'etc/minnow/minnow.toml')],
    ...['--listen', '127.0.0.1:0', '--data', join(stand.root, 'data')],
    ...['--set', `auth.passwordFile=${join(stand.root, 'etc/minnow/passwords')}`],
  ]);
  const port = /127\.0\.0\.1:(\d+)/.exec(await broker.line(/minnow is ready/))![1]!;
  const publish = [
    installed,
    'pub',
    '-h',
    '127.0.0.1',
    '-p',
    port,
    '-t',
    'a',
    '-m',
    'x',
    '-q',
    '1',
  ];
  await ok([...publish, '-u', 'admin', '-P', token]);
  assert.notEqual((await run([...publish, '-u', 'admin', '-P', `${token}x`])).code, 0);
  assert.notEqual((await run(publish)).code, 0);
  assert.equal(await broker.end('SIGTERM'), 0);
}

/** A root with busybox in it, a systemd that writes down what it is asked, and the installer. */
async function layRoot(stand: Stand): Promise<void> {
  const { root, said } = stand;
  const busybox = program('busybox')!;
  for (const folder of ['bin', 'dev', 'proc', 'run/systemd/system', 'tmp', 'usr/local']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  cpSync(busybox, join(root, 'bin/busybox'), { dereference: true });
  for (const applet of (await ok([busybox, '--list'])).lines) {
    if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  }
  const command = (name: string, body: string) => {
    writeFileSync(join(root, 'bin', name), `#!/bin/sh\necho "${name} $*" >> /said\n${body}`);
    chmodSync(join(root, 'bin', name), 0o755);
  };
  symlinkSync(join(root, 'said'), said);
  command('systemctl', '[ ! -e "/fail-$1" ]\n');
  command('systemd-sysusers', 'echo minnow:x:990: >> /etc/group\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
  writeFileSync(join(root, 'proc/cpuinfo'), `${machines.debian.cpu}\n`);
  cpSync(join(project, 'targets/install/install.sh'), join(root, 'install.sh'));
}

function rootObstacle(): string | null {
  if (process.arch !== 'x64') return 'this is no x86-64 machine';
  if (process.getuid?.() !== 0) return 'only root may enter another root';
  const missing = missingPrograms(['busybox']);
  return missing.length > 0 ? 'no busybox here' : null;
}

const why = stubbed ?? rootObstacle();
if (why !== null) describe('install.sh among busybox alone', () => skipped('installs', why));
else {
  const release = await useRelease();
  release.add(target, '1.0.0', stub('1.0.0'));
  const newer = await useRelease();
  newer.add(target, '1.1.0', stub('1.1.0'));
  const stand = new Stand(machines.debian);
  afterAll(() => stand.remove());
  await layRoot(stand);
  const install = (...args: string[]) =>
    run([
      'env',
      '-i',
      'PATH=/bin',
      program('chroot')!,
      stand.root,
      '/bin/sh',
      '/install.sh',
      ...args,
    ]);
  const asked = () => {
    const words = stand.has('said') ? stand.text('said').split('\n') : [];
    stand.put('said', '');
    return words.filter(line => line !== '');
  };

  describe('install.sh among busybox alone', () => {
    test('installs, makes user and first credential, and starts the service', async () => {
      const { code, lines, stderr } = await install(release.base);
      assert.equal(code, 0, stderr);
      assert.ok(lines.includes('token-of-admin'));
      assert.deepEqual(asked(), [
        'systemd-sysusers minnow.conf',
        'systemctl daemon-reload',
        'systemctl enable minnow.service',
        'systemctl start minnow.service',
      ]);
      const { lines: owner } = await ok([
        'stat',
        '--format=%u:%g %a',
        join(stand.root, 'etc/minnow/passwords'),
      ]);
      assert.deepEqual(owner, ['0:990 640']);
    });

    test('does not upgrade to what the configuration does not fit', async () => {
      const good = stand.text('etc/minnow/minnow.toml');
      stand.put('etc/minnow/minnow.toml', 'wrong');
      const { code, stderr } = await install(newer.base);
      assert.equal(code, 78);
      assert.match(stderr, /does not fit the new version; nothing was changed/);
      assert.match(stand.text('usr/local/bin/minnow'), /1\.0\.0/);
      assert.deepEqual(asked(), []);
      stand.put('etc/minnow/minnow.toml', good);
    });

    test('upgrades, and restarts what runs', async () => {
      const { code, lines } = await install(newer.base);
      assert.equal(code, 0);
      assert.equal(lines.at(-1), 'installed minnow 1.1.0 to /usr/local/bin/minnow');
      assert.deepEqual(asked(), [
        'systemd-sysusers minnow.conf',
        'systemctl daemon-reload',
        'systemctl try-restart minnow.service',
      ]);
    });

    test('says when the service does not start', async () => {
      stand.put('fail-try-restart', '');
      const { code, stderr } = await install(newer.base);
      assert.equal(code, 69);
      assert.match(stderr, /is installed, but was not started: systemctl status minnow/);
      asked();
    });

    test('stops and takes it out again', async () => {
      assert.equal((await install('--uninstall')).code, 0);
      assert.deepEqual(asked(), [
        'systemctl disable --now minnow.service minnow.socket',
        'systemctl daemon-reload',
      ]);
      assert.ok(!stand.has('usr/local/bin/minnow') && stand.has('etc/minnow/minnow.toml'));
    });
  });
}
