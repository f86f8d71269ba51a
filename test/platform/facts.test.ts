// What is read of a machine: recorded ones as a whole, and the corners one by one.

import assert from 'node:assert/strict';
import { type Facts, readFacts } from '../../src/platform/facts.ts';
import { describe, test } from '../harness.ts';
import { factsOf, type MachineName, rootOf } from './recorded.ts';

const KB = 1024;
const noTrial = (by: Facts['ffi']['by']) => ({ by, works: null, fault: null });
const descriptors = (soft: number, hard = soft) => ({ soft, hard, notRaised: null });
const disk = (fileSystem: string, device: string, mountPoint: string) => ({
  directory: '/var/lib/minnow',
  mountPoint,
  fileSystem,
  device,
  medium: 'disk',
  readOnly: false,
});
const linuxOnBun = {
  runtime: { name: 'bun', version: '1.4.5' },
  system: 'linux',
  epoll: true,
  eventfd: true,
  ioUring: 'yes',
  openwrt: null,
  cpuQuota: null,
  memoryLimitBytes: null,
  ffi: noTrial('bun:ffi'),
};
const x64 = { arch: 'x64', neon: null, float: 'hard' };

const expected: Record<MachineName, object> = {
  'openwrt-arm64': {
    ...linuxOnBun,
    arch: 'arm64',
    kernel: '6.6.73',
    cpu: {
      arch: 'arm64',
      level: 'armv8',
      model: '',
      neon: true,
      float: 'hard',
      online: 2,
      allowed: 2,
    },
    libc: { name: 'musl', version: null },
    memoryBytes: 501_980 * KB,
    descriptors: descriptors(4_096),
    openwrt: { release: '24.10.0', target: 'mediatek/filogic', packages: 'aarch64_cortex-a53' },
    storage: {
      directory: '/var/lib/minnow',
      mountPoint: '/tmp',
      fileSystem: 'tmpfs',
      device: 'tmpfs',
      medium: 'memory',
      readOnly: false,
    },
  },
  'armv7-512m': {
    ...linuxOnBun,
    runtime: { name: 'node', version: '20.11.0' },
    arch: 'arm',
    kernel: '6.1.83-ti-r39',
    cpu: {
      arch: 'arm',
      level: 'armv7',
      model: 'ARMv7 Processor rev 2 (v7l)',
      neon: true,
      float: 'hard',
      online: 1,
      allowed: 1,
    },
    libc: { name: 'glibc', version: '2.36' },
    memoryBytes: 496_340 * KB,
    descriptors: descriptors(524_288),
    ffi: noTrial('koffi'),
    storage: { ...disk('ext4', '/dev/mmcblk1p1', '/'), medium: 'flash' },
  },
  'gateway-4c8g': {
    ...linuxOnBun,
    arch: 'x64',
    kernel: '6.1.0-25-amd64',
    cpu: {
      ...x64,
      level: 'x86-64',
      model: 'Intel Atom(R) x6425E Processor @ 2.00GHz',
      online: 4,
      allowed: 4,
    },
    libc: { name: 'glibc', version: '2.36' },
    memoryBytes: 7_917_636 * KB,
    descriptors: descriptors(524_288),
    storage: disk('ext4', '/dev/sda3', '/var'),
  },
  'server-64': {
    ...linuxOnBun,
    arch: 'x64',
    kernel: '6.8.0-45-generic',
    ioUring: 'disabled',
    cpu: {
      ...x64,
      level: 'x86-64-v3',
      model: 'AMD EPYC 7763 64-Core Processor',
      online: 64,
      allowed: 64,
    },
    libc: { name: 'glibc', version: '2.39' },
    memoryBytes: 263_871_500 * KB,
    descriptors: descriptors(1_048_576),
    storage: disk('xfs', '/dev/nvme0n1p2', '/'),
  },
  'container-128m': {
    ...linuxOnBun,
    arch: 'x64',
    kernel: '6.6.41-0-virt',
    cpu: {
      ...x64,
      level: 'x86-64-v3',
      model: 'Intel(R) Xeon(R) Platinum 8275CL CPU @ 3.00GHz',
      online: 8,
      allowed: 8,
    },
    cpuQuota: 0.5,
    libc: { name: 'musl', version: '1.2.5' },
    memoryBytes: 32_424_072 * KB,
    memoryLimitBytes: 128 * KB * KB,
    descriptors: descriptors(1_048_576),
    storage: disk('ext4', '/dev/vda1', '/var/lib/minnow'),
  },
};

describe('a recorded machine', () => {
  for (const [name, facts] of Object.entries(expected)) {
    test(name, () => assert.deepEqual(factsOf(name as MachineName), facts));
  }
});

const host = {
  runtime: { name: 'bun', version: '1.4.5' },
  system: 'linux',
  arch: 'x64',
} as const;

function read(files: Record<string, string>, arch = 'x64', dataDirectory = '/data'): Facts {
  const root = rootOf({ '/proc/meminfo': 'MemTotal: 8000000 kB\n', ...files });
  return readFacts({ dataDirectory, libcVersion: true, root, host: { ...host, arch } });
}

describe('processors', () => {
  const arm = (cpuinfo: string) => read({ '/proc/cpuinfo': cpuinfo }, 'arm').cpu;

  test('the first Raspberry Pi claims architecture 7 and is an ARMv6', () => {
    const model = 'model name\t: ARMv6-compatible processor rev 7 (v6l)';
    const features = 'Features\t: half thumb fastmult vfp edsp java tls';
    const cpu = arm(`processor\t: 0\n${model}\n${features}\nCPU architecture: 7\n`);
    assert.deepEqual([cpu.level, cpu.neon, cpu.float], ['armv6', false, 'hard']);
  });

  test('an ARMv5 without a unit for floating point', () => {
    const cpu = arm('Features\t: swp half thumb fastmult edsp\nCPU architecture: 5TE\n');
    assert.deepEqual([cpu.level, cpu.float], ['armv5', 'soft']);
  });

  test('a 32-bit process on an ARMv8', () => {
    const cpu = arm('Features\t: half thumb fastmult vfp edsp neon vfpv3\nCPU architecture: 8\n');
    assert.deepEqual([cpu.level, cpu.neon], ['armv7', true]);
  });

  test('an affinity of some, in ranges', () => {
    const { cpu } = read({
      '/sys/devices/system/cpu/online': '0-7\n',
      '/proc/self/status': 'Cpus_allowed_list:\t0,2-3\n',
    });
    assert.deepEqual([cpu.online, cpu.allowed], [8, 3]);
  });

  test('are counted in cpuinfo where nothing else says how many there are', () => {
    const { cpu } = read({ '/proc/cpuinfo': 'processor\t: 0\n\nprocessor\t: 1\n' });
    assert.deepEqual([cpu.online, cpu.allowed], [2, 2]);
  });
});

describe('control groups', () => {
  const mb = (count: number) => count * KB * KB;
  const limits = (files: Record<string, string>) => {
    const { memoryLimitBytes, cpuQuota } = read(files);
    return { memoryLimitBytes, cpuQuota };
  };
  const v2 = '31 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n';

  test('version 2: the tightest limit on the way up, not the innermost', () => {
    const found = limits({
      '/proc/self/mountinfo': v2,
      '/proc/self/cgroup': '0::/a/b/c\n',
      '/sys/fs/cgroup/a/b/c/memory.max': `${mb(512)}\n`,
      '/sys/fs/cgroup/a/b/memory.max': `${mb(256)}\n`,
      '/sys/fs/cgroup/a/memory.max': 'max\n',
      '/sys/fs/cgroup/a/b/c/cpu.max': 'max 100000\n',
      '/sys/fs/cgroup/a/cpu.max': '150000 100000\n',
    });
    assert.deepEqual(found, { memoryLimitBytes: mb(256), cpuQuota: 1.5 });
  });

  test('version 2: from memory.high on a group crawls', () => {
    const found = limits({
      '/proc/self/mountinfo': v2,
      '/proc/self/cgroup': '0::/a\n',
      '/sys/fs/cgroup/a/memory.max': `${mb(512)}\n`,
      '/sys/fs/cgroup/a/memory.high': `${mb(400)}\n`,
    });
    assert.equal(found.memoryLimitBytes, mb(400));
  });

  test('version 1: told from the host, mounted from the container on', () => {
    const found = limits({
      '/proc/self/mountinfo':
        '32 31 0:29 /docker/c0ffee /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n' +
        '35 31 0:32 /docker/c0ffee /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n',
      '/proc/self/cgroup': '4:memory:/docker/c0ffee\n3:cpu,cpuacct:/docker/c0ffee\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': `${mb(128)}\n`,
      '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '25000\n',
      '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '50000\n',
    });
    assert.deepEqual(found, { memoryLimitBytes: mb(128), cpuQuota: 0.5 });
  });

  test('version 1 writes "no limit" as a number beyond all memory, and "no quota" as -1', () => {
    const found = limits({
      '/proc/self/mountinfo':
        '32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n' +
        '35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n',
      '/proc/self/cgroup': '4:memory:/x\n3:cpu:/x\n0::/\n',
      '/sys/fs/cgroup/memory/x/memory.limit_in_bytes': '9223372036854771712\n',
      '/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us': '-1\n',
      '/sys/fs/cgroup/cpu/x/cpu.cfs_period_us': '100000\n',
    });
    assert.deepEqual(found, { memoryLimitBytes: null, cpuQuota: null });
  });

  test('a path that leads out of what is mounted still finds the mounted group', () => {
    const found = limits({
      '/proc/self/mountinfo': v2,
      '/proc/self/cgroup': '0::/../other\n',
      '/sys/fs/cgroup/memory.max': `${mb(64)}\n`,
    });
    assert.equal(found.memoryLimitBytes, mb(64));
  });
});

describe('the data directory', () => {
  const storage = (mountinfo: string, more: Record<string, string> = {}) =>
    read({ '/proc/self/mountinfo': mountinfo, ...more }).storage;
  const at = (type: string, source: string) => `30 1 8:1 / / rw - ${type} ${source} rw\n`;

  test('of an OpenWrt router that keeps it on flash', () => {
    const { medium, fileSystem, device } = factsOf('openwrt-arm64', '/etc/minnow').storage;
    assert.deepEqual([medium, fileSystem, device], ['raw-flash', 'ubifs', '/dev/ubi0_2']);
  });

  const media: [type: string, source: string, medium: string][] = [
    ['jffs2', '/dev/mtdblock6', 'raw-flash'],
    ['ubifs', 'ubi0:rootfs_data', 'raw-flash'],
    ['f2fs', '/dev/loop0', 'flash'],
    ['ext4', '/dev/mmcblk0p2', 'flash'],
    ['ext4', '/dev/zram0', 'memory'],
    ['nfs4', 'nas:/minnow', 'network'],
    ['btrfs', '/dev/nvme0n1p1', 'disk'],
    ['overlay', 'overlay', 'unknown'],
  ];
  for (const [type, source, medium] of media) {
    test(`${type} on ${source} is ${medium}`, () => {
      assert.equal(storage(at(type, source)).medium, medium);
    });
  }

  test('a USB stick is flash', () => {
    const stick = { '/sys/block/sdb/removable': '1\n' };
    assert.equal(storage(at('ext4', '/dev/sdb1'), stick).medium, 'flash');
  });

  test('a later mount covers an earlier one; names with blanks; read-only', () => {
    const first = '30 1 8:1 / /data rw - ext4 /dev/sda1 rw\n';
    const second = '31 1 8:2 / /data rw - ext4 /dev/my\\040disk ro\n';
    const { device, readOnly } = storage(first + second);
    assert.deepEqual([device, readOnly], ['/dev/my disk', true]);
  });
});

describe('other facts', () => {
  test('a machine of which nothing is known', () => {
    const root = rootOf({});
    const facts = readFacts({ dataDirectory: '/d', root, host: { ...host, system: 'win32' } });
    assert.deepEqual(
      [facts.epoll, facts.eventfd, facts.ioUring, facts.memoryBytes, facts.cpu.online],
      [false, false, 'no', 0, 1],
    );
    assert.deepEqual([facts.libc.name, facts.storage.medium], ['unknown', 'unknown']);
  });

  test('limits of descriptors that the runtime left apart, or that are none', () => {
    const line = (limits: string) => ({
      '/proc/self/limits': `Max open files   ${limits} files\n`,
    });
    const apart = read(line('1024 4096')).descriptors;
    assert.deepEqual([apart.soft, apart.hard, apart.notRaised === null], [1_024, 4_096, false]);
    const none = read(line('unlimited unlimited')).descriptors;
    assert.deepEqual([none.soft, none.notRaised], [Number.POSITIVE_INFINITY, null]);
  });

  test('an old glibc is named by its file', () => {
    const maps = '7f-8f r-xp 00 08:01 12   /lib/x86_64-linux-gnu/libc-2.31.so\n';
    assert.deepEqual(read({ '/proc/self/maps': maps }).libc, { name: 'glibc', version: '2.31' });
  });

  test('this machine can be read', () => {
    const facts = readFacts({ dataDirectory: import.meta.dirname });
    assert.equal(facts.arch, process.arch);
    if (process.platform !== 'linux') return;
    assert.ok(facts.memoryBytes > 2 ** 24 && facts.cpu.allowed >= 1 && facts.kernel !== '');
    assert.ok(facts.storage.mountPoint.startsWith('/'));
  });
});
