// install.sh: what it puts where, what it leaves alone, and what keeps it from doing anything. The
// programs are stubs; test/install/real.test.ts has real ones.

import assert from 'node:assert/strict';
import { mkdirSync, readlinkSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, skipped, test } from '../harness.ts';
import { program } from '../integration/process.ts';
import {
  type Machine,
  machines,
  Stand,
  standObstacle,
  stub,
  useFolder,
  useRelease,
} from './stand.ts';

const systemd = 'usr/lib/systemd/systemd';
const target = 'linux-x64';
const debian: Machine = machines.debian;
const gateway: Machine = { ...debian, files: [...debian.files, systemd] };
const noXz = 'install.sh: there is no xz here, which install.sh needs\n';
const ofProgram = ['usr/local/bin/minnow', 'usr/local/share/doc/minnow/LICENSE'];
const service = [
  'etc/minnow/minnow.toml',
  'etc/minnow/passwords',
  'etc/systemd/system/minnow.service',
  'etc/systemd/system/minnow.socket',
  'etc/sysusers.d/minnow.conf',
];

const stands: Stand[] = [];
afterEach(() => {
  for (const stand of stands.splice(0)) stand.remove();
});

function standOn(machine: Machine): Stand {
  const stand = new Stand(machine);
  stands.push(stand);
  return stand;
}

const why = standObstacle();
if (why !== null) describe('install.sh', () => skipped('installs', why));
else {
  const old = await useRelease();
  old.add(target, '1.0.0', stub('1.0.0'));
  old.add('linux-armv7', '1.0.0', stub('1.0.0'));
  const release = await useRelease();
  const archive = release.add(target, '1.1.0', stub('1.1.0'));
  release.add('linux-armv7', '1.1.0', stub('1.1.0'));
  afterEach(() => release.damaged.clear());
  const several = useFolder();
  for (const version of ['1.0.0', '2.0.0-rc.1']) several.add(target, version, stub(version));
  const broken = useFolder();
  broken.add(target, '9.0.0', '#!/bin/sh\necho "version GLIBC_9 not found" >&2\nexit 1\n');

  describe('install.sh with systemd', () => {
    test('installs program, service and a first user, whose token it shows', async () => {
      const stand = standOn(gateway);
      const { code, lines, stderr } = await stand.install([release.base]);
      assert.equal(code, 0, stderr);
      assert.deepEqual(stand.installed(), [...service, ...ofProgram]);
      assert.ok(lines.includes('token-of-admin'));
      assert.equal(lines.at(-1), 'installed minnow 1.1.0 to /usr/local/bin/minnow');
      assert.match(stand.text('etc/minnow/minnow.toml'), /^anonymous = false$/m);
      const passwords = join(stand.root, 'etc/minnow/passwords');
      assert.equal(statSync(passwords).mode & 0o777, 0o640);
      assert.deepEqual(stand.takeSaid(), [
        `systemd-sysusers --root=${stand.root} minnow.conf`,
        `chown 0:990 ${passwords}`,
        `systemctl --root=${stand.root} enable minnow.service`,
      ]);
      const unit = stand.text('etc/systemd/system/minnow.service');
      assert.match(unit, /^ExecStart=\/usr\/local\/bin\/minnow serve/m);
      assert.match(unit, /^ExecReload=\/usr\/local\/bin\/minnow reload/m);
      assert.doesNotMatch(unit, /\/usr\/bin/);
    });

    test('upgrades, and leaves configuration, users and data as they are', async () => {
      const stand = standOn(gateway);
      assert.equal((await stand.install([old.base])).code, 0);
      const kept = ['etc/minnow/minnow.toml', 'etc/minnow/passwords', 'var/lib/minnow/minnow.db'];
      for (const path of kept) stand.put(path, `mine: ${path}`);
      const { code, lines } = await stand.install([release.base]);
      assert.equal(code, 0);
      assert.ok(!lines.includes('token-of-admin'));
      assert.match(stand.text('usr/local/bin/minnow'), /1\.1\.0/);
      for (const path of kept) assert.equal(stand.text(path), `mine: ${path}`);
    });

    test('keeps users that are there already when it brings a configuration', async () => {
      const stand = standOn(gateway);
      stand.put('etc/minnow/passwords', 'mine');
      const { code, lines } = await stand.install([release.base]);
      assert.deepEqual([code, lines.includes('token-of-admin')], [0, false]);
      assert.equal(stand.text('etc/minnow/passwords'), 'mine');
      assert.ok(stand.has('etc/minnow/minnow.toml'));
    });

    test('leaves no configuration behind without a user, so that the next time mends it', async () => {
      const stand = standOn(gateway);
      stand.command('chown', 'exit 1');
      const { code, stderr } = await stand.install([release.base]);
      assert.equal(code, 73);
      assert.match(stderr, /could not make the first user/);
      assert.ok(!stand.has('etc/minnow/minnow.toml') && !stand.has('etc/minnow/passwords'));
      stand.command('chown', 'exit 0');
      assert.ok((await stand.install([release.base])).lines.includes('token-of-admin'));
    });

    test('wants root, and says how to do without', async () => {
      const stand = standOn({ ...gateway, user: 1000 });
      const { code, stderr } = await stand.install([release.base]);
      assert.equal(code, 77);
      assert.match(stderr, /--no-service and PREFIX=/);
      assert.deepEqual(stand.installed(), []);
      assert.equal((await stand.install(['--no-service', release.base])).code, 0);
      assert.deepEqual(stand.installed(), ofProgram);
    });

    test('stays out of the way of a package, and out of homes', async () => {
      const packaged = standOn(gateway);
      packaged.put('usr/lib/systemd/system/minnow.service', '');
      const { code, stderr } = await packaged.install([release.base]);
      assert.equal(code, 69);
      assert.match(stderr, /installed by a package already/);
      const home = await standOn(gateway).install([release.base], ['PREFIX=/root']);
      assert.equal(home.code, 64);
      assert.match(home.stderr, /a service cannot see what is below \/root;/);
    });

    test('is taken out again but for what belongs to the administrator', async () => {
      const stand = standOn(gateway);
      await stand.install([release.base]);
      stand.put('var/lib/minnow/minnow.db', 'data');
      stand.takeSaid();
      assert.equal((await stand.install(['--uninstall'])).code, 0);
      const stays = [...service.slice(0, 2), 'var/lib/minnow/minnow.db'];
      assert.deepEqual(stand.installed(), stays);
      const disabled = `systemctl --root=${stand.root} disable minnow.service minnow.socket`;
      assert.deepEqual(stand.takeSaid(), [disabled]);
      assert.equal((await stand.install(['--uninstall'])).code, 0);
      assert.deepEqual(stand.takeSaid(), []);
    });
  });

  describe('install.sh', () => {
    test('installs the program alone where there is no systemd', async () => {
      const stand = standOn(debian);
      const args = ['--no-service', `${release.base}/`];
      assert.equal((await stand.install([release.base])).code, 0);
      assert.deepEqual(stand.installed(), ofProgram);
      assert.equal((await stand.install(args)).code, 0);
      assert.deepEqual(stand.takeSaid(), []);
    });

    test('takes another prefix, and the address from the environment', async () => {
      const stand = standOn(gateway);
      const env = [`MINNOW_BASE_URL=${release.base}`, 'PREFIX=/opt/minnow'];
      assert.equal((await stand.install([], env)).code, 0);
      assert.ok(stand.has('opt/minnow/bin/minnow') && !stand.has('usr/local'));
      const unit = stand.text('etc/systemd/system/minnow.service');
      assert.match(unit, /^ExecStart=\/opt\/minnow\/bin\/minnow serve/m);
    });

    test('takes a folder in the place of an address', async () => {
      const stand = standOn(debian);
      assert.equal((await stand.install([release.folder])).code, 0);
      assert.deepEqual(stand.installed(), ofProgram);
    });

    test('installs a runner as a folder with a link, and puts a new one in its place', async () => {
      const pi: Machine = { uname: 'armv7l', cpu: 'Features\t: vfpv3 neon', files: [] };
      const stand = standOn(pi);
      assert.equal((await stand.install([old.base])).code, 0);
      stand.put('usr/local/lib/minnow/program/of-old.js', '');
      assert.equal((await stand.install([release.base])).code, 0);
      assert.deepEqual(stand.installed(), [
        'usr/local/bin/minnow',
        'usr/local/lib/minnow/lib/node',
        'usr/local/lib/minnow/minnow',
        'usr/local/lib/minnow/program/main.js',
        ofProgram[1],
      ]);
      const link = readlinkSync(join(stand.root, 'usr/local/bin/minnow'));
      assert.equal(link, '../lib/minnow/minnow');
      assert.match(stand.text('usr/local/lib/minnow/minnow'), /1\.1\.0/);
      assert.equal((await stand.install(['--uninstall'])).code, 0);
      assert.deepEqual(stand.installed(), []);
    });

    test('asks which version where there are several', async () => {
      const stand = standOn(debian);
      const { code, stderr } = await stand.install([several.folder]);
      assert.equal(code, 64);
      assert.match(
        stderr,
        /set MINNOW_VERSION: minnow-1\.0\.0-linux-x64\.tar\.xz\n?.*2\.0\.0-rc\.1/,
      );
      const { lines } = await stand.install([several.folder], ['MINNOW_VERSION=2.0.0-rc.1']);
      assert.match(lines.at(-1)!, /minnow 2\.0\.0-rc\.1/);
      const missing = await stand.install([several.folder], ['MINNOW_VERSION=3.0.0']);
      assert.match(missing.stderr, /has no minnow 3\.0\.0 for linux-x64/);
    });
  });

  describe('install.sh refuses', () => {
    const nothing = async (name: string, damage: (bytes: Buffer) => Buffer, said: RegExp) => {
      const stand = standOn(gateway);
      release.damaged.set(name, damage);
      const { code, stderr } = await stand.install([release.base]);
      assert.match(stderr, said);
      assert.deepEqual(stand.installed(), []);
      return code;
    };

    test('an archive with another sum', async () => {
      const other = (bytes: Buffer) =>
        Buffer.from(bytes.map((byte, at) => byte ^ Number(at === 99)));
      assert.equal(await nothing(archive, other, /is not the file that SHA256SUMS describes/), 65);
    });

    test('an archive that ends too early', async () => {
      const half = (bytes: Buffer) => bytes.subarray(0, bytes.length / 2);
      assert.equal(await nothing(archive, half, /could not get .*linux-x64\.tar\.xz/), 69);
    });

    test('sums that say nothing about the machine, or nothing at all', async () => {
      const without = (bytes: Buffer) => Buffer.alloc(bytes.length, '\n');
      assert.equal(await nothing('SHA256SUMS', without, /has no minnow for linux-x64/), 69);
    });

    test('sums with names that are no names of archives', async () => {
      const evil = `${'0'.repeat(64)}  ../../minnow-1-${target}.tar.xz\n`;
      const padded = (bytes: Buffer) => Buffer.from(evil.padEnd(bytes.length, '\n'));
      assert.equal(await nothing('SHA256SUMS', padded, /has no minnow for linux-x64/), 69);
    });

    test('a place that has nothing', async () => {
      const stand = standOn(gateway);
      const { code, stderr } = await stand.install([`${release.base}-not`, '--no-service']);
      assert.equal(code, 0, stderr); // the server looks at names only
      const gone = await standOn(gateway).install([join(release.folder, 'nowhere')]);
      assert.equal(gone.code, 69);
      assert.match(gone.stderr, /could not get .*nowhere\/SHA256SUMS/);
    });

    test('a program that does not run, before anything is in its place', async () => {
      const stand = standOn(gateway);
      await stand.install([release.base]);
      const { code, stderr } = await stand.install([broken.folder]);
      assert.equal(code, 69);
      assert.match(stderr, /does not run here: version GLIBC_9 not found/);
      assert.deepEqual(stand.installed(), [...service, ...ofProgram]);
      assert.match(stand.text('usr/local/bin/minnow'), /1\.1\.0/);
    });

    test('a machine that has not what it calls', async () => {
      const stand = new Stand(debian, [program('sh')!]);
      stands.push(stand);
      const tools = ['awk', 'chmod', 'cp', 'grep', 'ln', 'mkdir', 'mktemp', 'mv', 'rm', 'sed'];
      for (const tool of [...tools, 'cat', 'sha256sum', 'tar']) {
        symlinkSync(program(tool)!, join(stand.folder, 'bin', tool));
      }
      const only = [`PATH=${join(stand.folder, 'bin')}`];
      const { code, stderr } = await stand.install([release.base], only);
      assert.deepEqual([code, stderr], [69, noXz]);
      symlinkSync(program('xz')!, join(stand.folder, 'bin', 'xz'));
      assert.match((await stand.install([release.base], only)).stderr, /neither curl nor wget/);
      assert.equal((await stand.install([release.folder], only)).code, 0);
    });

    test('a place that it may not write to', async () => {
      const stand = standOn(debian);
      mkdirSync(join(stand.root, 'usr'), { recursive: true });
      stand.put('usr/local', 'a file');
      const { code, stderr } = await stand.install([release.base]);
      assert.equal(code, 77);
      assert.match(stderr, /may not write below .*another PREFIX/);
    });

    test('what is no flag, no prefix, or no address', async () => {
      const stand = standOn(debian);
      const codes = [
        await stand.install(['--force', release.base]),
        await stand.install([release.base], ['PREFIX=relative']),
        await stand.install([]),
      ];
      assert.deepEqual(
        codes.map(({ code }) => code),
        [64, 64, 64],
      );
      assert.equal((await stand.install(['--help'])).code, 0);
      assert.deepEqual(stand.installed(), []);
    });
  });
}
