// A Debian with a real systemd to install packages in: booted by systemd-nspawn in namespaces of
// its own over a root that stays as it is. Its network is its own too, and nothing but loopback.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Background, type Outcome, run } from '../integration/process.ts';
import { Manager, python } from '../service/manager.ts';

const script = (name: string) => fileURLToPath(new URL(`./${name}`, import.meta.url));
const unshare = ['unshare', '--mount', '--propagation', 'private'];

/** Whatever else the tests of packages call in there. */
const contents = ['systemd', 'systemd-sysv', 'dbus', 'mosquitto-clients'];
const suite = 'bookworm';
/** Made once. */
const base = join(
  fileURLToPath(new URL('../../node_modules/.cache/minnow-packages', import.meta.url)),
  `${suite}-${contents.join('-')}`,
);

/** Why no Debian can be booted on this machine, or null. */
export function containerObstacle(): string | null {
  if (process.getuid?.() !== 0) return 'only root may boot a container';
  const tools = ['systemd-nspawn', 'debootstrap', 'nsenter', 'unshare'];
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
  const has = (tool: string) => spawnSync('sh', ['-c', `command -v ${tool}`], { env }).status === 0;
  const missing = tools.filter(tool => !has(tool));
  if (python === null) missing.push('python3');
  if (missing.length > 0) return `${missing.join(', ')} not installed`;
  const trial = 'mount -t tmpfs t /mnt && umount -l /sys/fs/cgroup && mount -t cgroup2 c $0';
  const { status, stderr } = spawnSync(
    unshare[0]!,
    [...unshare.slice(1), 'sh', '-c', trial, '/sys/fs/cgroup'],
    { encoding: 'utf8' },
  );
  return status === 0 ? null : `no mounts and control groups of our own: ${stderr.trim()}`;
}

/** Brings a Debian where there is none yet: half a minute, and what its mirror takes. */
export function prepareBase(): void {
  if (existsSync(base)) return;
  const making = `${base}.${process.pid}`;
  mkdirSync(making, { recursive: true });
  const flags = ['--variant=minbase', `--include=${contents.join(',')}`];
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
  const options = { env, encoding: 'utf8' } as const;
  const { status, stdout } = spawnSync('debootstrap', [...flags, suite, making], options);
  if (status !== 0) {
    rmSync(making, { recursive: true, force: true });
    throw new Error(`debootstrap failed:\n${stdout.split('\n').slice(-5).join('\n')}`);
  }
  renameSync(making, base);
}

export class Container {
  readonly #nspawn: Background;
  readonly #cgroup: string;
  readonly #scratch: string;
  readonly #leader: number;

  /** Resolves when its systemd has started everything. */
  static async boot(): Promise<Container> {
    const scratch = mkdtempSync(join(tmpdir(), 'minnow-container-'));
    const root = join(scratch, 'root');
    mkdirSync(root);
    const cgroup = `minnow-test-${process.pid}`;
    const socket = join(scratch, 'notify');
    const manager = await Manager.start(socket);
    const boot = [...unshare, script('boot.sh'), base, root, cgroup];
    const nspawn = new Background(['env', `NOTIFY_SOCKET=${socket}`, ...boot]);
    const gone = nspawn.exited.then(() => {
      throw new Error(`it did not boot: ${nspawn.lines.join('\n')}`);
    });
    await Promise.race([manager.matching(/^READY=1$/m, 1), gone]);
    const [told] = await manager.matching(/^X_NSPAWN_LEADER_PID=\d+$/m, 1);
    gone.catch(() => {}); // it ends when it is told to
    await manager.process.end('SIGKILL');
    const leader = Number(/LEADER_PID=(\d+)/.exec(told!.text)?.[1]);
    return new Container(nspawn, cgroup, scratch, leader);
  }

  private constructor(nspawn: Background, cgroup: string, scratch: string, leader: number) {
    this.#nspawn = nspawn;
    this.#cgroup = cgroup;
    this.#scratch = scratch;
    this.#leader = leader;
  }

  /** A command line of ours for a command in there. What does not end by itself ends with the
   *  container: nsenter passes no signals on. */
  command(...command: readonly string[]): string[] {
    const into = ['nsenter', '--all', '--root', '--wd', '--target', String(this.#leader)];
    const env = ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C.UTF-8', 'SYSTEMD_COLORS=0'];
    const quiet = ['DEBIAN_FRONTEND=noninteractive', 'SYSTEMD_PAGER='];
    return [...into, 'env', '-i', ...env, ...quiet, ...command];
  }

  /** Runs a command in there, whatever comes of it. */
  run(...command: readonly string[]): Promise<Outcome> {
    return run(this.command(...command));
  }

  /** What a command that must succeed prints. */
  async ok(...command: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...command);
    if (code !== 0) throw new Error(`${command.join(' ')}: ${code}\n${stdout}${stderr}`);
    return stdout.toString().trim();
  }

  /** The same for a line of shell. */
  shell(line: string): Promise<string> {
    return this.ok('sh', '-ec', line);
  }

  /** Puts a file of this machine into it. */
  async copyIn(from: string, to: string): Promise<void> {
    const outcome = await run(this.command('sh', '-c', 'cat > "$0"', to), readFileSync(from));
    if (outcome.code !== 0) throw new Error(outcome.stderr);
  }

  /** As if its plug were pulled. */
  async stop(): Promise<void> {
    process.kill(this.#leader, 'SIGKILL');
    await this.#nspawn.exited;
    await run([...unshare, script('sweep.sh'), this.#cgroup]);
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}
