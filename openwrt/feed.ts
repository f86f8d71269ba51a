// The feed for OpenWrt's own build, filled in: feed/minnow with the files of the package beside its
// Makefile, and feed/luci-app-minnow.

import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Stamp } from '../targets/stamp.ts';
import { put, scripts } from './payload.ts';

const here = import.meta.dirname;

/** `kilobytes`: the largest installation. */
export function writeFeed(folder: string, { version }: Stamp, kilobytes: number): void {
  rmSync(folder, { recursive: true, force: true });
  const minnow = join(folder, 'minnow');
  mkdirSync(minnow, { recursive: true });
  const template = readFileSync(join(here, 'feed', 'minnow', 'Makefile'), 'utf8');
  // make takes a dollar for its own.
  const preinst = scripts(kilobytes)
    .get('preinst')!
    .replaceAll('$', () => '$$');
  const filled = template.replace('@VERSION@', version).replace('@PREINST@', () => preinst);
  put(minnow, 'Makefile', filled);
  cpSync(join(here, 'files'), join(minnow, 'files'), { recursive: true });
  cpSync(join(here, 'luci-app-minnow'), join(folder, 'luci-app-minnow'), { recursive: true });
}
