// A router to install packages on: a root with the C library of musl, busybox, and files that stand
// in for those of OpenWrt and for procd. A package is installed as opkg does it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Background, type Outcome, ok, run } from '../integration/process.ts';

const project = join(import.meta.dirname, '../..');
/** What a musl system provides; it belongs to no package and lies beside the project. */
const fixtures = process.env.MINNOW_FIXTURES ?? join(project, '../shared/fixtures');
const library = join(fixtures, 'musl', 'x86_64');
const busybox = ['/usr/bin/busybox', '/bin/busybox'].find(path => existsSync(path));

/** Why there can be no router here, or null. */
export function routerObstacle(): string | null {
  if (process.arch !== 'x64') return 'this is no x86-64 machine';
  if (busybox === undefined) return 'no busybox here';
  if (process.getuid?.() !== 0) return 'only root may enter another root';
  if (!existsSync(library)) return `there is no ${library}`;
  const entered = spawnSync('unshare', ['--mount', 'true']);
  return entered.status === 0 ? null : 'this user may not enter another root';
}

/** What procd was told: a call and its words. */
export type Call = readonly string[];

export class Router {
  readonly root = mkdtempSync(join(tmpdir(), 'minnow-router-'));

  constructor() {
    chmodSync(this.root, 0o755);
    const folders = ['bin', 'dev', 'proc', 'tmp', 'var/log', 'etc/config', 'usr/lib/opkg/info'];
    for (const folder of [...folders, 'etc/init.d', 'overlay']) {
      mkdirSync(join(this.root, folder), { recursive: true });
    }
    chmodSync(join(this.root, 'tmp'), 0o1777);
    cpSync(library, this.root, { recursive: true });
    cpSync(join(import.meta.dirname, 'root'), this.root, { recursive: true });
    cpSync(busybox!, join(this.root, 'bin', 'busybox'), { dereference: true });
    this.write('etc/passwd', 'root:x:0:0:root:/root:/bin/ash\n');
    this.write('etc/group', 'root:x:0:\n');
    this.write('tmp/interfaces-up', '');
    const installed = spawnSync('chroot', [this.root, '/bin/busybox', '--install', '-s', '/bin'], {
      encoding: 'utf8',
    });
    assert.equal(installed.status, 0, installed.stderr);
  }

  write(path: string, text: string, mode = 0o644): void {
    writeFileSync(join(this.root, path), text);
    chmodSync(join(this.root, path), mode);
  }

  /** As uci writes: a new file takes the place of the old one. */
  replace(path: string, text: string): void {
    this.write(`${path}.new`, text);
    renameSync(join(this.root, `${path}.new`), join(this.root, path));
  }

  read(path: string): string {
    const file = join(this.root, path);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  /** The command that runs `command` in there, after `first`. */
  command(command: readonly string[], first = 'true', user = '0:0'): string[] {
    const mounts = 'mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev"';
    const enter = `${mounts} && ${first} && exec chroot --userspec=${user} "$0" "$@"`;
    const path = 'PATH=/bin:/usr/bin:/usr/sbin:/sbin';
    const inside = ['/bin/env', '-i', path, ...command];
    return ['unshare', '--mount', 'sh', '-c', enter, this.root, ...inside];
  }

  run(...command: string[]): Promise<Outcome> {
    return run(this.command(command));
  }

  ok(...command: string[]): Promise<Outcome> {
    return ok(this.command(command));
  }

  /** The control files of a package, by name; the rest of it is unpacked where it belongs. */
  async install(path: string): Promise<Outcome> {
    const staging = mkdtempSync(join(tmpdir(), 'minnow-opkg-'));
    try {
      await ok(['tar', '-xzf', path, '-C', staging]);
      const name = basename(path).split('_')[0]!;
      const info = join(this.root, 'usr/lib/opkg/info');
      const control = join(staging, 'control');
      mkdirSync(control);
      await ok(['tar', '-xzf', join(staging, 'control.tar.gz'), '-C', control]);
      for (const file of readdirSync(control)) {
        cpSync(join(control, file), join(info, `${name}.${file}`));
      }
      if (existsSync(join(control, 'preinst'))) {
        const refused = await this.run(`/usr/lib/opkg/info/${name}.preinst`);
        if (refused.code !== 0) return refused;
      }
      await ok(['tar', '-xzf', join(staging, 'data.tar.gz'), '-C', this.root]);
      const { lines } = await ok(['tar', '-tzf', join(staging, 'data.tar.gz')]);
      const files = lines.filter(line => !line.endsWith('/')).map(line => line.slice(1));
      this.write(`usr/lib/opkg/info/${name}.list`, `${files.join('\n')}\n`);
      return await this.run(`/usr/lib/opkg/info/${name}.postinst`);
    } finally {
      rmSync(staging, { recursive: true, force: true });
    }
  }

  /** What procd was told since this was last asked. */
  told(): Call[] {
    const text = this.read('tmp/procd');
    this.write('tmp/procd', '');
    return text.split('\n').flatMap(line => (line === '' ? [] : [line.split('\t')]));
  }

  /** What was logged since this was last asked. */
  logged(): string {
    const text = this.read('tmp/log');
    this.write('tmp/log', '');
    return text;
  }

  /** Starts what procd was told to start, as the user and in the jail that it was told. */
  start(calls: readonly Call[]): Background {
    const words = (name: string) =>
      calls
        .filter(([call, what]) => call.endsWith('_param') && what === name)
        .flatMap(call => call.slice(2));
    const passwd = this.read('etc/passwd').split('\n');
    const [, , uid, gid] = passwd.find(line => line.startsWith(`${words('user')[0]}:`))!.split(':');
    const [program, ...args] = words('command');
    const told = (call: string) => calls.filter(([name]) => name === call).map(([, path]) => path!);
    const jail = [
      'mkdir -p "$0/jail"',
      'mount -t tmpfs none "$0/jail"',
      // What ujail finds out by itself: the program, and the libraries it needs.
      ...[program!, '/lib', '/usr/lib'].flatMap(path => this.mountIn(path, 'ro')),
      ...told('procd_add_jail_mount').flatMap(path => this.mountIn(path, 'ro')),
      ...told('procd_add_jail_mount_rw').flatMap(path => this.mountIn(path, 'rw')),
      'mkdir "$0/jail/dev" "$0/jail/proc"',
      'mount --rbind /dev "$0/jail/dev"',
      'mount --rbind /proc "$0/jail/proc"',
    ];
    const variables = ['PATH=/usr/bin:/bin:/usr/sbin:/sbin', ...words('env')].join(' ');
    const enter = `exec env -i ${variables} chroot --userspec=${uid}:${gid} "$0/jail" "$@"`;
    const script = [...jail, enter].join(' && ');
    return new Background([
      ...['unshare', '--mount', 'sh', '-c', script, this.root, program!],
      ...args,
    ]);
  }

  /** The commands that mount a path in a jail, at the same place. */
  private mountIn(path: string, how: 'ro' | 'rw'): string[] {
    const isFolder = statSync(join(this.root, path)).isDirectory();
    const inJail = `"$0/jail${path}"`;
    const made = `mkdir -p "$0/jail${isFolder ? path : dirname(path)}"`;
    const bound = `mount --bind "$0${path}" ${inJail}`;
    return [
      ...(isFolder ? [made] : [made, `touch ${inJail}`]),
      bound,
      ...(how === 'ro' ? [`mount -o remount,bind,ro ${inJail}`] : []),
    ];
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
