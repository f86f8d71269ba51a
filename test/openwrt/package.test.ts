// The package for opkg, of a program that was built for musl: installed on something like a router,
// started as its init script tells procd to, used by real clients, and steered as LuCI does it.

import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { architectures } from '../../openwrt/architectures.ts';
import { buildIpk } from '../../openwrt/ipk.ts';
import { buildLuciIpk } from '../../openwrt/luci.ts';
import { Unobtainable } from '../../targets/packages.ts';
import { readStamp } from '../../targets/stamp.ts';
import { buildTree } from '../../targets/tree.ts';
import { afterAll, describe, skipped, test } from '../harness.ts';
import {
  type Background,
  endChildren,
  mosquittoClientsMissing,
  ok,
  run,
} from '../integration/process.ts';
import { type Call, Router, routerObstacle } from './router.ts';

const x64 = architectures.find(({ name }) => name === 'x86_64')!;
const stamp = readStamp();
const scratch = mkdtempSync(join(tmpdir(), 'minnow-openwrt-'));
afterAll(endChildren);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** The tree that the package is made of: built here, or by `make dist` (MINNOW_DIST). */
async function obtain(): Promise<{ tree: string } | { why: string }> {
  const { MINNOW_DIST } = process.env;
  if (MINNOW_DIST !== undefined) return { tree: join(MINNOW_DIST, x64.target) };
  try {
    return { tree: (await buildTree(x64.target, join(scratch, x64.target), stamp)).folder };
  } catch (error) {
    if (error instanceof Unobtainable) return { why: error.message };
    throw error;
  }
}

const why = routerObstacle() ?? mosquittoClientsMissing();
const obtained = why === null ? await obtain() : { why };

if ('why' in obtained) {
  describe('the package for OpenWrt', () => {
    skipped('is installed and serves clients', obtained.why);
  });
} else {
  onRouter(obtained.tree);
}

/** The words that procd was told for something: of the first call that begins so. */
function wordsOf(calls: readonly Call[], ...beginning: string[]): readonly string[] {
  const call = calls.find(words => beginning.every((word, at) => words[at] === word));
  assert.ok(call, `${beginning.join(' ')} was not said: ${calls.map(String).join('\n')}`);
  return call.slice(beginning.length);
}

function onRouter(tree: string): void {
  const router = new Router();
  afterAll(() => router.remove());
  const ipk = buildIpk(x64, tree, scratch, stamp);
  let first: readonly Call[] = [];
  let token = '';
  let broker: Background | null = null;
  let port = '';

  /** Runs the init script. */
  const init = async (action: string) => {
    const { stderr } = await router.ok('/etc/init.d/minnow', action);
    assert.equal(stderr, '');
    return router.told();
  };
  const configure = (change: (text: string) => string) =>
    router.replace('etc/config/minnow', change(router.read('etc/config/minnow')));
  const rpcd = async (args: string[], given: object = {}) => {
    const command = router.command(['/usr/libexec/rpcd/luci.minnow', ...args]);
    const { stdout } = await ok(command, JSON.stringify(given));
    return JSON.parse(stdout.toString());
  };
  const client = (name: string, ...more: string[]) =>
    run([name, '-h', '127.0.0.1', '-p', port, '-V', '5', ...more]);

  describe('the package for OpenWrt', () => {
    test('is made of the same bytes when it is made again', () => {
      // Of a program that is small: how it is packed is the same.
      const small = join(scratch, 'small');
      mkdirSync(small);
      for (const name of ['minnow', 'LICENSE', 'THIRD-PARTY.txt']) {
        writeFileSync(join(small, name), name);
      }
      const [one, two] = ['one', 'two'].map(name => {
        return readFileSync(buildIpk(x64, small, join(scratch, name), stamp));
      });
      assert.ok(one!.equals(two!));
    });

    test('refuses an installation where the storage is too short, and writes nothing', async () => {
      const info = '/usr/lib/opkg/info/minnow.preinst';
      const staging = mkdtempSync(join(scratch, 'control-'));
      await ok(['sh', '-c', 'tar -xzOf "$0" ./control.tar.gz | tar -xz -C "$1"', ipk, staging]);
      cpSync(join(staging, 'preinst'), join(router.root, info));
      const short = 'mount -t tmpfs -o size=8m none "$0/overlay"';
      const refused = await run(router.command([info], short));
      assert.equal(refused.code, 1);
      const expected = /^minnow takes \d+ MB of storage, and \/overlay has 8 MB: it is not inst/;
      assert.match(refused.stderr, expected);
    });

    test('refuses a processor with half of the registers', async () => {
      const info = '/usr/lib/opkg/info/minnow.preinst';
      const features = (words: string) => {
        router.write('tmp/cpuinfo', `Features\t: half thumb vfp ${words} tls\n`);
        const bound = 'mount --bind "$0/tmp/cpuinfo" "$0/proc/cpuinfo"';
        return run(router.command([info], bound));
      };
      const refused = await features('vfpv3 vfpv3d16');
      assert.equal(refused.code, 1);
      assert.match(
        refused.stderr,
        /^minnow needs VFPv3 with 32 registers, and this processor has 16/,
      );
      assert.equal((await features('neon vfpv3 vfpv4 vfpd32')).code, 0);
    });

    test('is installed: a user of its own, enabled, and told to procd', async () => {
      const { code, stderr } = await router.install(ipk);
      assert.equal(code, 0, stderr);
      assert.match(router.read('etc/passwd'), /^minnow:x:1883:1883:/m);
      first = router.told();
      assert.deepEqual(first[0], ['enable']);
      const command = wordsOf(first, 'procd_set_param', 'command');
      assert.deepEqual(command, ['/usr/bin/minnow', 'serve', '--uci', '/etc/config/minnow']);
      const expected: Readonly<Record<string, readonly string[]>> = {
        user: ['minnow'],
        group: ['minnow'],
        no_new_privs: ['1'],
        capabilities: ['/etc/capabilities/minnow.json'],
        limits: ['nofile=16384 16384'],
        respawn: ['3600', '5', '5'],
        reload_signal: ['HUP'],
        term_timeout: ['10'],
        stdout: ['1'],
        stderr: ['1'],
        file: ['/etc/config/minnow'],
      };
      for (const [name, words] of Object.entries(expected)) {
        assert.deepEqual(wordsOf(first, 'procd_set_param', name), words, name);
      }
      assert.deepEqual(wordsOf(first, 'procd_add_mdns_service'), ['mqtt', 'tcp', '1883']);
      assert.deepEqual(wordsOf(first, 'procd_add_reload_trigger'), ['minnow']);
      assert.deepEqual(wordsOf(first, 'procd_add_restart_mount_trigger'), ['/tmp/minnow']);
      assert.deepEqual(wordsOf(first, 'procd_add_jail', 'minnow'), ['log', 'procfs', 'sysfs']);
      assert.deepEqual(wordsOf(first, 'procd_add_jail_mount_rw'), ['/tmp/minnow']);
      const mounted = first
        .filter(([call]) => call === 'procd_add_jail_mount')
        .map(call => call[1]);
      // A file that is replaced, as uci does it, stays what it was in a jail that has the file.
      for (const path of ['/etc/config', '/etc/minnow']) assert.ok(mounted.includes(path), path);
    });

    test('makes a first user, whose token is told once', async () => {
      const said = router.logged();
      const found = /"admin" was added in \/etc\/minnow\/passwd.*\n(\S+)\n/.exec(said);
      token = found?.[1] ?? '';
      assert.match(token, /^\S{20,}$/, said);
      const passwords = statSync(join(router.root, 'etc/minnow/passwd'));
      assert.deepEqual([passwords.uid, passwords.mode & 0o777], [1883, 0o600]);
      assert.ok(!router.read('etc/minnow/passwd').includes(token));
      await init('start');
      assert.equal(router.logged(), '');
    });

    test('keeps its store on tmpfs, in a directory of its own', () => {
      const data = statSync(join(router.root, 'tmp/minnow'));
      assert.deepEqual([data.uid, data.gid, data.mode & 0o777], [1883, 1883, 0o750]);
    });

    test('serves clients with a name, and nobody else', async () => {
      // The machine of this test is not to be reached by others, and has other brokers.
      const local = "option port '0'\n\toption no_remote_access '1'";
      configure(text => text.replace("option port '1883'", local));
      broker = router.start(await init('start'));
      const line = await broker.line(/minnow is ready/);
      port = /127\.0\.0\.1:(\d+)/.exec(line)?.[1] ?? '';
      const named = ['-u', 'admin', '-P', token];
      const kept = ['-t', 'a', '-q', '1', '-r', '-m', 'kept'];
      assert.equal((await client('mosquitto_pub', ...named, ...kept)).code, 0);
      const { lines } = await client('mosquitto_sub', ...named, '-t', 'a', '-C', '1', '-W', '60');
      assert.deepEqual(lines, ['kept']);
      const refused = await client('mosquitto_pub', '-t', 'a', '-m', 'x');
      assert.notEqual(refused.code, 0);
      assert.match(refused.stderr, /not authori[sz]ed/i);
    });

    test('has a part of LuCI that steers it', async () => {
      assert.equal((await router.install(buildLuciIpk(scratch, stamp))).code, 0);
      const methods = await rpcd(['list']);
      assert.deepEqual(methods.kick, { id: '' });
      const status = await rpcd(['call', 'status']);
      assert.equal(status.running, true);
      assert.equal(typeof status.stats, 'object');
      const users = await rpcd(['call', 'users']);
      assert.deepEqual(users, { file: '/etc/minnow/passwd', users: ['admin'] });
      const added = await rpcd(['call', 'set_user'], { name: 'meter', token: true });
      assert.deepEqual(await rpcd(['call', 'reload']), { applied: [], restart: [] });
      const meter = ['-u', 'meter', '-P', added.token];
      assert.equal((await client('mosquitto_pub', ...meter, '-t', 'b', '-m', 'x')).code, 0);
      assert.deepEqual(await rpcd(['call', 'delete_user'], { name: 'meter' }), {});
      const gone = await rpcd(['call', 'delete_user'], { name: 'meter' });
      assert.equal(gone.error, 'there is no user "meter"');
      assert.deepEqual((await rpcd(['call', 'clients'])).clients, []);
      const nobody = await rpcd(['call', 'kick'], { id: 'nobody' });
      assert.match(nobody.error, /nobody/);
    });

    test('takes a changed file over when procd signals it, and keeps on when that is wrong', async () => {
      configure(text => `${text}\nconfig log 'log'\n\toption level 'debug'\n`);
      assert.equal((await router.ok('/etc/init.d/minnow', 'check')).code, 0);
      process.kill(broker!.pid, 'SIGHUP');
      await broker!.line(/log\.level/);
      configure(text => text.replace("'debug'", "'loud'"));
      const wrong = await rpcd(['call', 'check']);
      assert.match(
        wrong.faults[0],
        /^\/etc\/config\/minnow:\d+: config log 'log': log\.level: found/,
      );
      assert.equal((await router.run('/etc/init.d/minnow', 'check')).code, 78);
      process.kill(broker!.pid, 'SIGHUP');
      await broker!.line(/config log 'log': log\.level: found \\"loud/);
      const named = ['-u', 'admin', '-P', token, '-t', 'a'];
      assert.equal((await client('mosquitto_pub', ...named, '-m', 'on')).code, 0);
      configure(text => text.replace("'loud'", "'info'"));
    });

    test('ends when procd ends it, and LuCI says so', async () => {
      assert.equal(await broker!.end('SIGTERM'), 0);
      const status = await rpcd(['call', 'status']);
      assert.equal(status.running, false);
      assert.match(status.why, /no broker answers here/);
    });

    test('is removed: disabled and stopped', async () => {
      await router.ok('/usr/lib/opkg/info/minnow.prerm');
      assert.deepEqual(router.told(), [['disable'], ['stop']]);
    });
  });

  describe('the init script', () => {
    test('waits for the interfaces it is told, whose coming up starts the broker', async () => {
      configure(text => text.replace("#list network 'lan'", "list network 'lan'"));
      const early = await init('start');
      assert.ok(!early.some(([call]) => call === 'procd_open_instance'));
      const trigger = ['interface.*.up', 'lan', '/etc/init.d/minnow', 'start'];
      assert.deepEqual(wordsOf(early, 'procd_add_interface_trigger'), trigger);
      assert.match(router.logged(), /waits for lan/);
      router.write('tmp/interfaces-up', 'lan\n');
      wordsOf(await init('start'), 'procd_open_instance', 'minnow');
    });

    test('has the broker read what LuCI has put into its folder as root', async () => {
      router.write('etc/minnow/server.key', 'key', 0o600);
      await init('start');
      const { uid, gid, mode } = statSync(join(router.root, 'etc/minnow/server.key'));
      assert.deepEqual([uid, gid, mode & 0o777], [0, 1883, 0o640]);
    });

    test('leaves the configuration to minnow.toml when it is told to', async () => {
      configure(text => text.replace("option use_uci '1'", "option use_uci '0'"));
      router.write('etc/minnow/minnow.toml', 'listeners = ["1883"]\n');
      const told = await init('start');
      const command = wordsOf(told, 'procd_set_param', 'command');
      assert.deepEqual(command.slice(2), ['--config', '/etc/minnow/minnow.toml']);
      assert.deepEqual(wordsOf(told, 'procd_set_param', 'env'), ['MINNOW_DATA=/tmp/minnow']);
      assert.ok(!told.some(([call]) => call === 'procd_add_mdns_service'));
    });

    test('keeps to the place that minnow.toml names for the store', async () => {
      router.write('etc/minnow/minnow.toml', 'data = "/srv/toml"\n');
      const told = await init('start');
      // What the environment says is laid over the file.
      assert.ok(!told.some(([, name]) => name === 'env'), told.map(String).join('\n'));
      assert.deepEqual(wordsOf(told, 'procd_add_jail_mount_rw'), ['/srv/toml']);
      assert.deepEqual(wordsOf(told, 'procd_add_restart_mount_trigger'), ['/srv/toml']);
      assert.equal(statSync(join(router.root, 'srv/toml')).uid, 1883);
    });

    test('makes the first user where minnow.toml names the file of users', async () => {
      router.write('etc/minnow/minnow.toml', '[auth]\npasswordFile = "/etc/minnow/users"\n');
      await init('start');
      assert.match(router.read('etc/minnow/users'), /^admin:/m);
      assert.equal(statSync(join(router.root, 'etc/minnow/users')).uid, 1883);
    });

    test('leaves the owner of a disk alone that it is not alone on', async () => {
      router.write('etc/minnow/minnow.toml', 'data = "/mnt/disk"\n');
      const disk = join(router.root, 'mnt/disk');
      mkdirSync(join(disk, 'lost+found'), { recursive: true });
      router.write('mnt/disk/photos', '');
      await init('start');
      assert.deepEqual([statSync(disk).uid, statSync(disk).mode & 0o777], [0, 0o755]);
      rmSync(join(disk, 'photos'));
      await init('start');
      assert.deepEqual([statSync(disk).uid, statSync(disk).mode & 0o777], [1883, 0o750]);
    });

    test('keeps to the place that a section without a name names for the store', async () => {
      router.write('etc/config/minnow', "config minnow\n\toption data '/srv/uci'\n");
      const told = await init('start');
      assert.ok(!told.some(([, name]) => name === 'env'), told.map(String).join('\n'));
      assert.deepEqual(wordsOf(told, 'procd_add_jail_mount_rw'), ['/srv/uci']);
    });

    test('waits for the file system of the store, and writes nothing in its place', async () => {
      router.write('etc/config/fstab', "config mount\n\toption target '/mnt/usb'\n");
      router.write('etc/config/minnow', "config minnow\n\toption data '/mnt/usb/minnow'\n");
      const early = await init('start');
      assert.ok(!early.some(([call]) => call === 'procd_open_instance'));
      assert.deepEqual(wordsOf(early, 'procd_add_restart_mount_trigger'), ['/mnt/usb/minnow']);
      assert.match(router.logged(), /waits for \/mnt\/usb/);
      assert.ok(!existsSync(join(router.root, 'mnt/usb/minnow')));
      const usb = 'mkdir -p "$0/mnt/usb" && mount -t tmpfs none "$0/mnt/usb"';
      await ok(router.command(['/etc/init.d/minnow', 'start'], usb));
      wordsOf(router.told(), 'procd_open_instance', 'minnow');
    });

    test("starts what was written for mosquitto's package", async () => {
      const location = join(router.root, 'srv/mqtt');
      mkdirSync(location, { recursive: true });
      router.write(
        'etc/config/minnow',
        `config owrt owrt
	option use_uci 1
config mosquitto mosquitto
	option allow_anonymous 1
config persistence persistence
	option persistence 1
	option location /srv/mqtt
config listener
	option port 1883
	option no_remote_access 1
config listener
	option port 8883
	option certfile /etc/minnow/a.pem
	option keyfile /etc/minnow/a.key
`,
      );
      const calls = await init('start');
      assert.deepEqual(wordsOf(calls, 'procd_add_restart_mount_trigger'), ['/srv/mqtt']);
      assert.deepEqual(wordsOf(calls, 'procd_add_mdns_service'), ['secure-mqtt', 'tcp', '8883']);
      assert.equal(statSync(location).uid, 1883);
      writeFileSync(join(router.root, 'etc/minnow/extra'), '');
      const files = (await init('start'))
        .filter(call => call[1] === 'file')
        .flatMap(call => call[2]);
      assert.ok(files.includes('/etc/minnow/extra'), files.join(' '));
    });
  });
}
