// `make release`: gathers everything that people are given from dist/, where it was built, in
// dist/release: archives and bills of materials, packages for Debian and OpenWrt, the container
// image, install.sh, and SHA256SUMS of all of them. That folder is what install.sh installs from.

import { constants, copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { apkVersion } from '../openwrt/apk.ts';
import { architectures as routers } from '../openwrt/architectures.ts';
import { ipkName } from '../openwrt/ipk.ts';
import { packageVersion } from '../openwrt/payload.ts';
import { type Architecture, architectures, debName } from './debian/control.ts';
import { archiveName, billName, writeSums } from './dist.ts';
import { imageFile } from './image/build.ts';
import { root } from './packages.ts';
import { readStamp, type Stamp } from './stamp.ts';
import { targetNames } from './target.ts';
import { distFolder } from './tree.ts';

const installer = join(import.meta.dirname, 'install', 'install.sh');

/** What has to be in dist/, by its path there. */
export function releasedFiles(stamp: Stamp): string[] {
  const version = packageVersion(stamp);
  const ipks = [
    ...routers.map(({ name }) => ({ name: 'minnow', version, architecture: name })),
    { name: 'luci-app-minnow', version, architecture: 'all' },
  ];
  return [
    ...targetNames().flatMap(name => [archiveName(name, stamp), billName(name, stamp)]),
    ...Object.keys(architectures).map(name => debName(name as Architecture, stamp)),
    ...ipks.map(ipk => join('openwrt', ipkName(ipk))),
    imageFile(stamp),
  ];
}

/** Packages that are made only where their tool is. */
function apksIn(folder: string, stamp: Stamp): string[] {
  const names = readdirSync(folder).filter(name => name.endsWith('.apk'));
  const ours = names.filter(name => name.includes(`minnow-${apkVersion(stamp)}_`));
  return ours.map(name => join('openwrt', name));
}

/** Gathers a release of what is in `dist` in `folder`; throws with everything that is missing. */
export function gather(dist: string, folder: string, stamp: Stamp): readonly string[] {
  const wanted = releasedFiles(stamp);
  const missing = wanted.filter(path => !existsSync(join(dist, path)));
  if (missing.length > 0) throw new Error(`not built: ${missing.join(', ')}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const built = [...wanted, ...apksIn(join(dist, 'openwrt'), stamp)];
  for (const from of [...built.map(path => join(dist, path)), installer]) {
    copyFileSync(from, join(folder, basename(from)), constants.COPYFILE_FICLONE);
  }
  const names = readdirSync(folder);
  writeSums(folder, names);
  return names;
}

if (import.meta.main) {
  const folder = join(distFolder, 'release');
  const names = gather(distFolder, folder, readStamp());
  process.stdout.write(`${relative(root, folder)}: ${names.length} files, and their sums\n`);
}
