// A stand for targets/install/install.sh: a file server on loopback with a release of small
// archives, a root to install into, and commands that say what machine this is. Nothing of this
// machine is changed: whatever asks for root or for systemd is answered by a script that writes
// down what it was asked.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { writeTar } from '../../targets/pack/tar.ts';
import { missingPrograms } from '../../targets/packages.ts';
import { afterAll } from '../harness.ts';
import { type Outcome, run } from '../integration/process.ts';

export const project = join(import.meta.dirname, '../..');
export const installer = join(project, 'targets/install/install.sh');

/** Why nothing can be installed on this machine, or null. */
export function standObstacle(): string | null {
  const missing = missingPrograms(['xz', 'tar', 'sha256sum', 'curl']);
  return missing.length === 0 ? null : `no ${missing.join(', ')} here`;
}

/** A script that stands for the program: it knows its version, and what it was asked. */
export function stub(version: string): string {
  return `#!/bin/sh
case $1 in
version) echo "minnow ${version}"; echo 'target of a stub' ;;
check-config) ! grep -q ^wrong "$3" ;;
passwd) echo "admin:hash" > "$4"; echo '"admin" was added:'; echo token-of-admin ;;
esac
`;
}

/** What a script for the shell has in its place. */
function script(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}

/** A release: archives, their sums, and who serves them. */
export class Release {
  readonly folder = mkdtempSync(join(tmpdir(), 'minnow-release-'));
  /** What is served in the place of a file, or of its end. */
  readonly damaged = new Map<string, (bytes: Buffer) => Buffer>();
  /** What was asked for. */
  readonly asked: string[] = [];
  base = '';
  #server: Server | null = null;

  /** Adds the archive of a target whose program is `text`; a runner is a folder. */
  add(target: string, version: string, text: string): string {
    const top = `minnow-${version}-${target}`;
    const tree = join(this.folder, 'trees', top);
    script(join(tree, 'minnow'), text);
    if (target === 'linux-armv7') {
      script(join(tree, 'lib', 'node'), version);
      script(join(tree, 'program', 'main.js'), version);
    }
    cpSync(join(project, 'LICENSE'), join(tree, 'LICENSE'));
    cpSync(join(project, 'targets', 'systemd'), join(tree, 'systemd'), { recursive: true });
    const plain = join(this.folder, `${top}.tar`);
    writeTar(tree, plain, { top, epoch: 0 });
    spawnSync('xz', ['--check=crc32', plain]);
    rmSync(tree, { recursive: true });
    const name = `${top}.tar.xz`;
    const sums = join(this.folder, 'SHA256SUMS');
    const before = existsSync(sums) ? readFileSync(sums, 'utf8') : '';
    const bytes = readFileSync(join(this.folder, name));
    const sum = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(sums, `${before}${sum}  ${name}\n`);
    return name;
  }

  async serve(): Promise<void> {
    const server = createServer((request, response) => {
      const name = basename(request.url ?? '');
      this.asked.push(name);
      const path = join(this.folder, name);
      if (!existsSync(path)) {
        response.writeHead(404).end();
        return;
      }
      const bytes = readFileSync(path);
      response.setHeader('content-length', bytes.length);
      const damage = this.damaged.get(name);
      const sent = damage === undefined ? bytes : damage(bytes);
      if (sent.length === bytes.length) response.end(bytes.equals(sent) ? bytes : sent);
      else response.write(sent, () => response.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
    this.base = `http://127.0.0.1:${(server.address() as { port: number }).port}/minnow`;
  }

  remove(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Serves a release for the tests of a file. */
export async function useRelease(): Promise<Release> {
  const release = new Release();
  await release.serve();
  afterAll(() => release.remove());
  return release;
}

/** A release that nobody serves: its folder is enough. */
export function useFolder(): Release {
  const release = new Release();
  afterAll(() => release.remove());
  return release;
}

export interface Machine {
  readonly uname: string;
  readonly system?: string;
  /** Lines of /proc/cpuinfo. */
  readonly cpu: string;
  /** Files that are there: loaders and libraries. */
  readonly files: readonly string[];
  readonly ldd?: string;
  /** Numbers of users and groups are only looked at. */
  readonly user?: number;
}

export const machines = {
  debian: {
    uname: 'x86_64',
    cpu: 'flags\t\t: fpu avx avx2',
    files: ['lib64/ld-linux-x86-64.so.2'],
  },
} satisfies Record<string, Machine>;

/** A root to install into, on a machine that is as it is said to be. */
export class Stand {
  readonly folder = mkdtempSync(join(tmpdir(), 'minnow-install-'));
  readonly root = join(this.folder, 'root');
  readonly said = join(this.folder, 'said');
  readonly #machine: Machine;
  readonly #shell: readonly string[];

  constructor(machine: Machine, shell: readonly string[] = ['sh']) {
    this.#machine = machine;
    this.#shell = shell;
    const { uname, system = 'Linux', user = 0, ldd = 'ldd (GNU libc) 2.36' } = machine;
    mkdirSync(join(this.folder, 'tmp'));
    for (const path of machine.files) this.put(path, '');
    this.put('etc/group', 'root:x:0:\nminnow:x:990:\n');
    writeFileSync(join(this.folder, 'cpuinfo'), `processor\t: 0\n${machine.cpu}\n`);
    this.command('uname', `case $1 in -s) echo ${system} ;; -m) echo ${uname} ;; esac`);
    this.command('ldd', `echo '${ldd}'`);
    this.command('id', `echo ${user}`);
    for (const name of ['systemctl', 'systemd-sysusers', 'chown']) {
      this.command(name, `echo "${name} $*" >> '${this.said}'`);
    }
  }

  /** A command of the machine; the installer finds it before the real one. */
  command(name: string, body: string): void {
    script(join(this.folder, 'bin', name), `#!/bin/sh\n${body}\n`);
  }

  put(path: string, text: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text);
  }

  /** Runs the installer. */
  install(args: readonly string[], env: readonly string[] = []): Promise<Outcome> {
    const { PATH } = process.env;
    const folder = this.folder;
    // busybox calls commands of its own before those of PATH, but functions before those.
    const isBusybox = this.#shell[0] === 'busybox';
    const asFunction = (name: string) => `${name}() { '${folder}/bin/${name}' "$@"; }`;
    const functions = ['uname', 'ldd', 'id', 'chown'].map(asFunction).join('; ');
    const called = isBusybox ? ['-c', `${functions}; . "$0"`, installer] : [installer];
    return run([
      ...['env', '-i', `PATH=${folder}/bin:${PATH}`, `TMPDIR=${folder}/tmp`],
      ...[`DESTDIR=${this.root}`, `MINNOW_CPUINFO=${folder}/cpuinfo`, ...env],
      ...[...this.#shell, ...called, ...args],
    ]);
  }

  has(path: string): boolean {
    return existsSync(join(this.root, path));
  }

  text(path: string): string {
    return readFileSync(join(this.root, path), 'utf8');
  }

  /** What systemd and others were asked since the last time. */
  takeSaid(): string[] {
    const said = existsSync(this.said) ? readFileSync(this.said, 'utf8') : '';
    rmSync(this.said, { force: true });
    return said.split('\n').filter(line => line !== '');
  }

  /** Everything in the root but what the machine had, and what is left of temporary files. */
  installed(): string[] {
    const had = ['etc/group', 'etc/openwrt_release', ...this.#machine.files];
    return readdirSync(this.root, { recursive: true, withFileTypes: true, encoding: 'utf8' })
      .filter(entry => !entry.isDirectory())
      .map(entry => join(entry.parentPath, entry.name).slice(this.root.length + 1))
      .concat(readdirSync(join(this.folder, 'tmp')))
      .filter(path => !had.includes(path))
      .sort();
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
