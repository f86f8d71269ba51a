// The processors: what they can do, how many there are, how many of them are ours.

import { keyedLines, type Root } from './root.ts';

export interface Cpu {
  /** As Node calls it: x64, arm64, arm. */
  readonly arch: string;
  /** What executables are built for: x86-64-v3, x86-64, armv8, armv7, …; else `arch`. */
  readonly level: string;
  readonly model: string;
  /** Advanced SIMD of ARM; null where there is no such thing. */
  readonly neon: boolean | null;
  /** Whether floating point is the processor's own work. */
  readonly float: 'hard' | 'soft';
  readonly online: number;
  /** Those that this process may run on. */
  readonly allowed: number;
}

/** What x86-64-v3 adds to what every 64-bit processor has, as the kernel names it. */
const v3Flags = ['avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'abm', 'movbe', 'xsave'];

export function readCpu(root: Root, arch: string): Cpu {
  const text = root.readStart('/proc/cpuinfo') ?? '';
  const info = keyedLines(text);
  const arm = arch === 'arm' || arch === 'arm64';
  const flags = new Set((info.get('flags') ?? info.get('Features') ?? '').split(/\s+/));
  const model = info.get('model name') ?? info.get('Hardware') ?? '';
  const status = keyedLines(root.read('/proc/self/status'));
  const online = listOf(root.read('/sys/devices/system/cpu/online')) || listed(text) || 1;
  return {
    arch,
    level: levelOf(arch, flags, info.get('CPU architecture') ?? '', model),
    model,
    neon: arm ? flags.has('neon') || flags.has('asimd') : null,
    float: arch !== 'arm' || flags.has('vfp') ? 'hard' : 'soft',
    online,
    allowed: Math.min(online, listOf(status.get('Cpus_allowed_list') ?? null) || online),
  };
}

function levelOf(arch: string, flags: ReadonlySet<string>, armNumber: string, model: string) {
  switch (arch) {
    case 'x64':
      return v3Flags.every(flag => flags.has(flag)) ? 'x86-64-v3' : 'x86-64';
    case 'arm64':
      return 'armv8';
    case 'arm':
      // The first Raspberry Pi says "architecture 7" and is none; its model tells the truth.
      if (/\(v6l\)|ARMv6/.test(model)) return 'armv6';
      return `armv${Math.min(Number.parseInt(armNumber, 10) || 7, 7)}`;
    default:
      return arch;
  }
}

/** The processors that cpuinfo lists, where the system does not count them for us. */
function listed(cpuinfo: string): number {
  return cpuinfo.match(/^processor\s*:/gm)?.length ?? 0;
}

/** How many numbers a list like "0-3,8" holds. */
function listOf(list: string | null): number {
  let count = 0;
  for (const range of (list ?? '').trim().split(',')) {
    const [first, last = first] = range.split('-').map(Number);
    if (range !== '' && last >= first) count += last - first + 1;
  }
  return count;
}
