// What this machine is, as one value: read from files, without a child process, in a millisecond.
// Nothing is decided here; profile.ts does that, and knows the machine only by these facts.

import { readLimits } from './cgroup.ts';
import { type Cpu, readCpu } from './cpu.ts';
import { type LibcFacts, readLibc } from './libc.ts';
import { readMounts, readStorage, type Storage } from './mounts.ts';
import { keyedLines, type Root, thisMachine } from './root.ts';

export interface Runtime {
  readonly name: 'bun' | 'node';
  readonly version: string;
}

/** What the process itself knows of the machine. */
export interface Host {
  readonly runtime: Runtime;
  /** "linux", "win32", "darwin". */
  readonly system: string;
  readonly arch: string;
}

export interface Ffi {
  /** How libc would be reached. */
  readonly by: 'bun:ffi' | 'koffi';
  /** Null: it was not tried. */
  readonly works: boolean | null;
  /** What came of the trial when it failed. */
  readonly fault: string | null;
}

export interface Descriptors {
  readonly soft: number;
  readonly hard: number;
  /** Why the soft limit is below the hard one; null where it is not. */
  readonly notRaised: string | null;
}

export interface OpenWrt {
  readonly release: string;
  /** E.g. "mediatek/filogic". */
  readonly target: string;
  /** What packages are made for, e.g. "aarch64_cortex-a53". */
  readonly packages: string;
}

export interface Facts extends Host {
  /** E.g. "6.6.73"; empty where there is no Linux. */
  readonly kernel: string;
  readonly cpu: Cpu;
  readonly libc: LibcFacts;
  /** Processors' worth of time that the control groups allow; null: no quota. */
  readonly cpuQuota: number | null;
  readonly memoryBytes: number;
  /** Null: the control groups set no limit below what the machine has. */
  readonly memoryLimitBytes: number | null;
  readonly descriptors: Descriptors;
  readonly openwrt: OpenWrt | null;
  readonly epoll: boolean;
  readonly eventfd: boolean;
  /** `disabled`: the kernel has it, the system forbids it. */
  readonly ioUring: 'yes' | 'no' | 'disabled';
  readonly ffi: Ffi;
  readonly storage: Storage;
}

export interface FactsRequest {
  readonly dataDirectory: string;
  /** Looks into the C library for its version: a file of megabytes, nothing depends on it. */
  readonly libcVersion?: boolean;
  readonly root?: Root;
  readonly host?: Host;
}

const KB = 1024;

export function thisHost(): Host {
  const { bun, node } = process.versions;
  return {
    runtime: bun === undefined ? { name: 'node', version: node } : { name: 'bun', version: bun },
    system: process.platform,
    arch: process.arch,
  };
}

export function readFacts(request: FactsRequest): Facts {
  const { dataDirectory, libcVersion = false, root = thisMachine, host = thisHost() } = request;
  const mounts = readMounts(root);
  const kernel = (root.read('/proc/sys/kernel/osrelease') ?? '').trim();
  const memoryBytes = readMemory(root);
  const limits = readLimits(root, mounts, memoryBytes);
  const linux = host.system === 'linux';
  return {
    ...host,
    kernel,
    cpu: readCpu(root, host.arch),
    // Read when it is asked for, which a start seldom does.
    get libc() {
      return readLibc(root, libcVersion);
    },
    cpuQuota: limits.cpus,
    memoryBytes,
    memoryLimitBytes: limits.memoryBytes,
    descriptors: readDescriptors(root),
    openwrt: readOpenWrt(root),
    epoll: linux && atLeast(kernel, 2, 6),
    eventfd: linux && atLeast(kernel, 2, 6),
    get ioUring() {
      return readIoUring(root, linux && atLeast(kernel, 5, 1));
    },
    ffi: { by: host.runtime.name === 'bun' ? 'bun:ffi' : 'koffi', works: null, fault: null },
    storage: readStorage(root, mounts, dataDirectory),
  };
}

function readMemory(root: Root): number {
  const total = keyedLines(root.read('/proc/meminfo')).get('MemTotal');
  return Number.parseInt(total ?? '0', 10) * KB;
}

/** The limits as they are: both runtimes raise the soft one to the hard one when they start. */
export function readDescriptors(root: Root): Descriptors {
  const line = /^Max open files\s+(\S+)\s+(\S+)/m.exec(root.read('/proc/self/limits') ?? '');
  const [soft, hard] = [line?.[1], line?.[2]].map(text =>
    text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text ?? 1_024),
  );
  return { soft, hard, notRaised: soft < hard ? 'the runtime left it as it was' : null };
}

function readOpenWrt(root: Root): OpenWrt | null {
  const text = root.read('/etc/openwrt_release');
  if (text === null) return null;
  const value = (key: string) =>
    new RegExp(`^DISTRIB_${key}=['"]?([^'"\n]*)`, 'm').exec(text)?.[1] ?? '';
  return { release: value('RELEASE'), target: value('TARGET'), packages: value('ARCH') };
}

function readIoUring(root: Root, inKernel: boolean): Facts['ioUring'] {
  if (!inKernel) return 'no';
  const disabled = root.read('/proc/sys/kernel/io_uring_disabled')?.trim() ?? '0';
  return disabled === '0' ? 'yes' : 'disabled';
}

function atLeast(kernel: string, major: number, minor: number): boolean {
  const [ours = 0, less = 0] = kernel.split('.').map(part => Number.parseInt(part, 10));
  return ours > major || (ours === major && less >= minor);
}
