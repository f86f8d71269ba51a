// The Debian package in a Debian: installed, served from, upgraded, removed and purged under a real
// systemd, in the order of its life. `make test-packages` builds it and runs this, with the folder
// in MINNOW_PACKAGES.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, skipped, test } from '../harness.ts';
import { Background, endChildren, ok, run, waitUpTo } from '../integration/process.ts';
import { Container, containerObstacle, prepareBase } from './container.ts';

const { MINNOW_PACKAGES: folder } = process.env;
const unit = 'minnow.service';
/** How exposed systemd thinks that a service is, 0 to 100; most are above 90. */
const EXPOSURE_MAX = 15;

const packages =
  folder === undefined ? [] : readdirSync(folder).filter(name => name.endsWith('.deb'));

/** What is as large as a Debian takes its time. */
const waitMs = 120_000;
waitUpTo(waitMs);

describe('every package, to lintian,', () => {
  if (folder === undefined) {
    skipped('is without a fault', 'make test-packages asks it');
    return;
  }
  const missing = spawnSync('lintian', ['--version']).error !== undefined;
  for (const name of packages) {
    if (missing) {
      skipped(`is without a fault: ${name}`, 'lintian is not installed');
      continue;
    }
    test(
      `is without a fault: ${name}`,
      async () => {
        const flags = ['--allow-root', '--fail-on', 'error,warning'];
        const { code, stdout } = await run(['lintian', ...flags, join(folder, name)]);
        assert.equal(code, 0, stdout.toString());
      },
      waitMs,
    );
  }
});

describe('the package in a Debian with systemd', () => {
  const own = packages.find(name => name.endsWith('_amd64.deb'));
  const why = folder === undefined ? 'make test-packages runs it' : containerObstacle();
  if (why !== null || folder === undefined) {
    skipped('lives from its installation to its end', why ?? '');
    return;
  }
  if (own === undefined) {
    skipped('lives from its installation to its end', `no amd64 package in ${folder}`);
    return;
  }

  const scratch = mkdtempSync(join(tmpdir(), 'minnow-packages-'));
  let debian: Container;
  let token = '';

  afterAll(async () => {
    await debian?.stop();
    await endChildren();
    rmSync(scratch, { recursive: true });
  });

  const show = (property: string, of = unit) =>
    debian.ok('systemctl', 'show', '--value', '-p', property, of);
  const state = async (command: string, of = unit) =>
    (await debian.run('systemctl', command, of)).stdout.toString().trim();
  const login = () => ['-h', '127.0.0.1', '-u', 'admin', '-P', token];
  const publish = (...args: string[]) => debian.ok('mosquitto_pub', ...login(), '-q', '1', ...args);
  const subscribe = (...args: string[]) =>
    debian.ok('mosquitto_sub', ...login(), '-W', '20', '-q', '1', ...args);
  const follow = () =>
    new Background(debian.command('journalctl', '-fn0', '-o', 'cat', '-u', unit));
  const listing = async () => (await debian.shell('find /etc /var /usr -name "*minnow*"')).trim();

  test(
    'is given one that is up',
    async () => {
      prepareBase();
      debian = await Container.boot();
      await debian.copyIn(join(folder, own), '/first.deb');
      await debian.copyIn(await nextRevision(join(folder, own), scratch), '/second.deb');
    },
    3 * waitMs,
  );

  test('is installed, says a token once, and serves', async () => {
    const said = await debian.ok('dpkg', '-i', '/first.deb');
    token = /^"admin" was added .*\n(\S+)$/m.exec(said)?.[1] ?? '';
    assert.match(token, /^\S{20,}$/, said);
    assert.equal(await state('is-enabled'), 'enabled');
    assert.equal(await state('is-enabled', 'minnow.socket'), 'disabled');
    assert.equal(await state('is-active'), 'active');
    assert.match(await show('StatusText'), /^serving 0\.0\.0\.0:1883/);
    const passwords = await debian.shell('stat -c "%a %U %G" /etc/minnow/passwords');
    assert.equal(passwords, '640 root minnow');
    const journal = await debian.ok('journalctl', '-b', '-o', 'cat');
    assert.ok(!journal.includes(token) && journal.includes('minnow is ready'));
  });

  test('lets in who has the token, at every QoS, and nobody else', async () => {
    for (const qos of ['0', '1', '2']) {
      const topic = `rooms/${qos}`;
      const command = ['stdbuf', '-oL', 'mosquitto_sub', '-d', ...login(), '-q', qos, '-t', topic];
      const subscriber = new Background(debian.command(...command, '-F', 'MSG %p', '-C', '1'));
      await subscriber.line(/received SUBACK/);
      await debian.ok('minnow', 'pub', ...login(), '-q', qos, '-t', topic, '-m', `warm ${qos}`);
      await subscriber.line(new RegExp(`^MSG warm ${qos}$`));
      assert.equal(await subscriber.finished(), 0);
    }
    for (const wrong of [[], ['-u', 'admin'], ['-u', 'admin', '-P', 'guessed']]) {
      const attempt = ['mosquitto_pub', '-h', '127.0.0.1', ...wrong, '-t', 'a', '-m', 'b'];
      const { code, stderr } = await debian.run(...attempt);
      assert.notEqual(code, 0, wrong.join(' '));
      assert.match(stderr, /not authori[sz]ed|bad user name/i);
    }
  });

  test('runs with no rights, and sees a system that it cannot write', async () => {
    const pid = await show('MainPID');
    const status = await debian.ok('cat', `/proc/${pid}/status`);
    const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1];
    assert.equal(field('Uid'), await debian.shell('id -u minnow'));
    assert.equal(field('NoNewPrivs'), '1');
    assert.equal(field('Seccomp'), '2');
    for (const set of ['CapEff', 'CapPrm', 'CapBnd', 'CapAmb']) {
      assert.match(field(set)!, /^0+$/, set);
    }
    // In its own view of the files, even for root.
    const touch = (path: string) => debian.run('nsenter', '-t', pid, '-m', 'touch', path);
    for (const path of ['/usr/x', '/etc/minnow/x', '/var/lib/x']) {
      assert.match((await touch(path)).stderr, /Read-only file system/, path);
    }
    assert.equal((await touch('/var/lib/minnow/.trial')).code, 0);
    await debian.ok('rm', '/var/lib/minnow/.trial');

    const verdict = await debian.run(
      ...['systemd-analyze', 'security', '--no-pager', `--threshold=${EXPOSURE_MAX}`, unit],
    );
    const last = verdict.lines.find(line => line.includes('Overall exposure')) ?? '';
    process.stdout.write(`${last.trim()}\n`);
    assert.equal(verdict.code, 0, verdict.stdout.toString());
  });

  test('is reloaded with an outcome, and a fault changes nothing', async () => {
    const pid = await show('MainPID');
    await debian.ok('cp', '/etc/minnow/minnow.toml', '/good.toml');
    await debian.shell(`printf '\\n[log]\\nlevel = "debug"\\n' >> /etc/minnow/minnow.toml`);
    await debian.ok('systemctl', 'reload', unit);
    assert.equal(await show('StatusText'), 'the configuration was read again');

    await debian.shell(`echo 'colour = "red"' >> /etc/minnow/minnow.toml`);
    const { code } = await debian.run('systemctl', 'reload', unit);
    assert.notEqual(code, 0);
    assert.match(await debian.ok('journalctl', '-o', 'cat', '-u', unit), /unknown key/);
    assert.equal(await state('is-active'), 'active');

    await debian.ok('cp', '/good.toml', '/etc/minnow/minnow.toml');
    await debian.ok('systemctl', 'reload', unit);
    assert.equal(await show('MainPID'), pid);
  });

  for (const io of ['async', 'sync']) {
    test(`is ended and started again when it hangs (${io})`, async () => {
      await useDropIn(debian, io);
      await debian.ok('systemctl', 'restart', unit);
      const pid = await show('MainPID');
      const journal = follow();
      await debian.shell(`kill -STOP ${pid}`);
      await journal.line(/watchdog timeout/i);
      await journal.line(/minnow is ready/);
      await journal.line(/^Started /);
      assert.notEqual(await show('MainPID'), pid);
      assert.equal(await show('NRestarts'), '1');
      await debian.shell(`rm -r /etc/systemd/system/${unit}.d; systemctl daemon-reload`);
      await debian.ok('systemctl', 'restart', unit);
    });
  }

  test('stays down when its configuration is wrong, and says why', async () => {
    await debian.shell(`echo 'colour = "red"' >> /etc/minnow/minnow.toml`);
    assert.notEqual((await debian.run('systemctl', 'restart', unit)).code, 0);
    assert.equal(await show('ActiveState'), 'failed');
    assert.equal(await show('ExecMainStatus'), '78');
    await debian.ok('cp', '/good.toml', '/etc/minnow/minnow.toml');
    await debian.ok('systemctl', 'start', unit);
  });

  test('is upgraded with its data, and without a second token', async () => {
    await subscribe('-c', '-i', 'away', '-t', 'post/#', '-E');
    await publish('-t', 'post/1', '-m', 'waited');
    await publish('-r', '-t', 'kept', '-m', 'retained');
    await debian.shell(`printf '\\n# mine\\n' >> /etc/minnow/minnow.toml`);
    const pid = await show('MainPID');

    const said = await debian.ok('dpkg', '-i', '/second.deb');
    assert.doesNotMatch(said, /was added/);
    assert.match(await debian.ok('dpkg-query', '-W', 'minnow'), /-2$/);
    assert.equal(await state('is-active'), 'active');
    assert.notEqual(await show('MainPID'), pid);
    assert.match(await debian.ok('cat', '/etc/minnow/minnow.toml'), /^# mine$/m);
    assert.equal(await subscribe('-t', 'kept', '-C', '1'), 'retained');
    assert.equal(await subscribe('-c', '-i', 'away', '-t', 'post/#', '-C', '1'), 'waited');
  });

  test('is started by its first client when systemd has the port', async () => {
    const listener = 's/^host = .*/systemd = "mqtt"\\nanonymous = false/; /^port = 1883/d';
    await debian.ok('sed', '-i', listener, '/etc/minnow/minnow.toml');
    await debian.ok('systemctl', 'disable', '--now', unit);
    await debian.ok('systemctl', 'enable', '--now', 'minnow.socket');
    assert.equal(await state('is-active'), 'inactive');
    assert.equal(await subscribe('-t', 'kept', '-C', '1'), 'retained');
    assert.equal(await state('is-active'), 'active');
    // What the administrator decided stays so.
    await debian.ok('dpkg', '-i', '/second.deb');
    assert.equal(await state('is-enabled'), 'disabled');
    assert.equal(await state('is-enabled', 'minnow.socket'), 'enabled');
    assert.equal(await subscribe('-t', 'kept', '-C', '1'), 'retained');
  });

  test('is removed with its data left, comes back to it, and is purged without a trace', async () => {
    await debian.ok('dpkg', '--remove', 'minnow');
    assert.equal(await show('ActiveState'), 'inactive');
    assert.equal(await show('ActiveState', 'minnow.socket'), 'inactive');
    await debian.shell('test -e /var/lib/minnow/minnow.db && test -e /etc/minnow/passwords');
    assert.notEqual((await debian.run('test', '-e', '/usr/bin/minnow')).code, 0);

    assert.doesNotMatch(await debian.ok('dpkg', '-i', '/first.deb'), /was added/);
    await debian.ok('systemctl', 'start', 'minnow.socket');
    assert.equal(await subscribe('-t', 'kept', '-C', '1'), 'retained');

    await debian.ok('dpkg', '--purge', 'minnow');
    assert.equal(await listing(), '');
    assert.equal(await show('ActiveState'), 'inactive');
    assert.equal(await debian.ok('systemctl', 'is-system-running'), 'running');
  });
});

/** Impatience, and an I/O mode. */
async function useDropIn(debian: Container, io: string): Promise<void> {
  const start = `/usr/bin/minnow serve --config /etc/minnow/minnow.toml --io ${io}`;
  const lines = ['[Service]', 'WatchdogSec=2', 'RestartSec=0', 'ExecStart=', `ExecStart=${start}`];
  const place = `/etc/systemd/system/${unit}.d`;
  const content = lines.join('\\n');
  await debian.shell(`mkdir ${place}; printf '${content}\\n' > ${place}/test.conf`);
  await debian.ok('systemctl', 'daemon-reload');
}

/** The same package, as its next revision. */
async function nextRevision(deb: string, scratch: string): Promise<string> {
  const tree = join(scratch, 'tree');
  await ok(['dpkg-deb', '--raw-extract', deb, tree]);
  const control = join(tree, 'DEBIAN', 'control');
  const text = readFileSync(control, 'utf8');
  writeFileSync(control, text.replace(/^(Version: .*-)1$/m, '$12'));
  const made = join(scratch, 'second.deb');
  await ok(['dpkg-deb', '--root-owner-group', '-Znone', '--build', tree, made]);
  return made;
}
