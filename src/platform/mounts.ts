// File systems: which one holds a directory, and what lies beneath it.

import type { Root } from './root.ts';

export interface Mount {
  /** The part of the file system that is seen here; "/" is all of it. */
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly source: string;
  readonly readOnly: boolean;
  /** The file system's own options. */
  readonly options: readonly string[];
}

/** What wears out how: `raw-flash` and `flash` by writing, `memory` forgets at power-off. */
export type Medium = 'raw-flash' | 'flash' | 'disk' | 'memory' | 'network' | 'unknown';

export interface Storage {
  readonly directory: string;
  readonly mountPoint: string;
  readonly fileSystem: string;
  readonly device: string;
  readonly medium: Medium;
  readonly readOnly: boolean;
}

export function readMounts(root: Root): Mount[] {
  const lines = (root.read('/proc/self/mountinfo') ?? '').split('\n');
  return lines.flatMap(line => {
    // id, parent, device, root, point, options, any number of tags, "-", type, source, options
    const [own, file] = line.split(' - ').map(half => half.split(' '));
    if (own === undefined || file === undefined || own.length < 6) return [];
    const [type = '', source = '', options = ''] = file;
    return {
      root: unescaped(own[3]),
      point: unescaped(own[4]),
      type,
      source: unescaped(source),
      readOnly: own[5].split(',').includes('ro') || options.split(',').includes('ro'),
      options: options.split(','),
    };
  });
}

/** mountinfo writes blanks and the like in octal. */
function unescaped(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

export function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}

/** The mount that holds `path`: the longest, and of those the last, which covers the others. */
function mountOf(mounts: readonly Mount[], path: string): Mount | undefined {
  let best: Mount | undefined;
  for (const mount of mounts) {
    if (!isBelow(path, mount.point)) continue;
    if (best === undefined || mount.point.length >= best.point.length) best = mount;
  }
  return best;
}

export function readStorage(root: Root, mounts: readonly Mount[], directory: string): Storage {
  const seen = mountOf(mounts, root.realPath(directory));
  // What is written to an overlay goes to the file system of its upper directory.
  const upper = seen?.options.find(option => option.startsWith('upperdir='))?.slice(9);
  const below = upper === undefined ? undefined : mountOf(mounts, upper);
  const mount = below !== undefined && below !== seen ? below : seen;
  return {
    directory,
    mountPoint: seen?.point ?? '',
    fileSystem: mount === undefined || mount === seen ? (seen?.type ?? '') : mount.type,
    device: mount?.source ?? '',
    medium: mount === undefined ? 'unknown' : mediumOf(root, mount),
    readOnly: mount?.readOnly ?? false,
  };
}

const rawFlash = new Set(['jffs2', 'ubifs', 'yaffs', 'yaffs2', 'logfs']);
const memory = new Set(['tmpfs', 'ramfs', 'rootfs', 'zram']);
const network = /^(nfs|nfs4|cifs|smb3|9p|afs|ceph|glusterfs|fuse\.(sshfs|glusterfs|s3fs))$/;

function mediumOf(root: Root, { type, source }: Mount): Medium {
  if (rawFlash.has(type) || /^(ubi\d|mtd|\/dev\/(ubi|mtd))/.test(source)) return 'raw-flash';
  if (memory.has(type) || source.startsWith('/dev/zram')) return 'memory';
  if (network.test(type)) return 'network';
  if (type === 'f2fs' || source.startsWith('/dev/mmcblk')) return 'flash';
  const device = /^\/dev\/(sd[a-z]+)\d*$/.exec(source)?.[1];
  // A USB stick is as small a piece of flash as a card; what else hangs on USB is taken for one.
  if (device !== undefined && root.read(`/sys/block/${device}/removable`)?.trim() === '1') {
    return 'flash';
  }
  return source.startsWith('/dev/') ? 'disk' : 'unknown';
}
