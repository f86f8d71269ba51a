// OpenWrt's names of processors, and which of our targets each can run.

export interface Architecture {
  /** As in the control file of a package, and in the name of its feed. */
  readonly name: string;
  readonly target: 'linux-arm64-musl' | 'linux-x64-musl-baseline' | 'linux-armv7';
}

// The runner for armv7 passes floating point numbers in registers of VFPv3 and carries its own C
// library, so it needs the registers but not OpenWrt's word for them: devices of vfpv3-d16 may have
// all 32 (Armada 38x) or not (Armada XP), which the package asks the processor before it installs.
// Names without a word (such as arm_cortex-a9) are of processors that may have none.
const names: Readonly<Record<Architecture['target'], readonly string[]>> = {
  'linux-arm64-musl': [
    'aarch64_generic',
    'aarch64_cortex-a53',
    'aarch64_cortex-a72',
    'aarch64_cortex-a76',
  ],
  'linux-x64-musl-baseline': ['x86_64'],
  'linux-armv7': [
    'arm_cortex-a7_neon-vfpv4',
    'arm_cortex-a7_vfpv4',
    'arm_cortex-a9_neon',
    'arm_cortex-a9_vfpv3-d16',
    'arm_cortex-a15_neon-vfpv4',
  ],
};

export const architectures: readonly Architecture[] = Object.entries(names).flatMap(
  ([target, of]) => of.map(name => ({ name, target: target as Architecture['target'] })),
);
