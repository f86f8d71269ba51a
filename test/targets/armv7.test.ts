// The runner for armv7, built here and run on an emulated processor with Debian's libraries.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { armv7Missing, buildArmv7, Unobtainable } from '../../targets/armv7.ts';
import { afterAll, skipped } from '../harness.ts';
import { program } from '../integration/process.ts';
import { smoke } from './smoke.ts';

const emulator = program('qemu-arm-static');
/** Where Debian's packages for cross compilation put the libraries of the target. */
const libraries = '/usr/arm-linux-gnueabihf';

function obstacle(): string | null {
  if (emulator === null) return 'no qemu-arm-static here';
  const needed = ['ld-linux-armhf.so.3', 'libstdc++.so.6', 'libatomic.so.1'];
  const missing = needed.filter(name => !existsSync(join(libraries, 'lib', name)));
  return missing.length === 0 ? armv7Missing() : `no ${missing.join(', ')} for armhf here`;
}

/** Builds it in `folder`; why that cannot be done here, or null. */
async function build(folder: string): Promise<string | null> {
  try {
    await buildArmv7(folder);
    return null;
  } catch (error) {
    if (error instanceof Unobtainable) return error.message;
    throw error;
  }
}

const name = 'the runner for armv7';
const folder = mkdtempSync(join(tmpdir(), 'minnow-armv7-'));
afterAll(() => rmSync(folder, { recursive: true }));
const why = obstacle() ?? (await build(folder));
if (why === null) {
  smoke(name, {
    command: [emulator!, '-L', libraries, join(folder, 'node'), join(folder, 'minnow.mjs')],
    built: /\(node 20\.\S+, linux arm\)/,
    // The memory and the processors that it sees are those of the machine that emulates it.
    flags: ['--set', 'profile=constrained'],
    io: 'sync',
    waitMs: 60_000,
  });
} else {
  skipped(name, why);
}
