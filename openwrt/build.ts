// `make openwrt`: packages for OpenWrt in dist/openwrt, of the trees that `make dist` has built:
// an .ipk and, where `apk` is at hand, an .apk for each architecture, the web interface, and the
// feed for OpenWrt's own build. `bun openwrt/build.ts [ARCHITECTURE...]`.

import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root } from '../targets/packages.ts';
import { readStamp } from '../targets/stamp.ts';
import { buildApk, type Made } from './apk.ts';
import { architectures } from './architectures.ts';
import { writeFeed } from './feed.ts';
import { buildIpk } from './ipk.ts';
import { buildLuciApk, buildLuciIpk } from './luci.ts';
import { kilobytesOf, treeOf } from './payload.ts';

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function sayApk({ path, missing }: Made): void {
  say(missing === null ? relative(root, path) : `no ${relative(root, path)}: ${missing}`);
}

function main(names: readonly string[]): number {
  const unknown = names.find(name => architectures.every(known => known.name !== name));
  if (unknown !== undefined) {
    const known = architectures.map(({ name }) => name).join(', ');
    process.stderr.write(`"${unknown}" is none of ${known}\n`);
    return 64;
  }
  const stamp = readStamp();
  const folder = join(root, 'dist', 'openwrt');
  const wanted = architectures.filter(({ name }) => names.length === 0 || names.includes(name));
  let left = 0;
  let largest = 0;
  for (const architecture of wanted) {
    const { name, target } = architecture;
    const tree = treeOf(architecture);
    if (!existsSync(tree)) {
      process.stderr.write(`${name} is left out: build it first: make dist TARGET=${target}\n`);
      left++;
      continue;
    }
    largest = Math.max(largest, kilobytesOf(tree));
    say(relative(root, buildIpk(architecture, tree, folder, stamp)));
    sayApk(buildApk(architecture, tree, folder, stamp));
  }
  say(relative(root, buildLuciIpk(folder, stamp)));
  sayApk(buildLuciApk(folder, stamp));
  writeFeed(join(folder, 'feed'), stamp, largest);
  return left === 0 ? 0 : 1;
}

process.exit(main(process.argv.slice(2)));
