// `make image`: one image for every platform, as an OCI layout (dist/image) and as one file that
// engines load (dist/minnow-VERSION-image.tar). No daemon and no tool is needed: the layout is
// files named by what is in them. The same trees and the same C library give the same bytes. Its
// layers lie in dist/image-layers under names, too, for who has an engine build it (Containerfile).

import { createHash } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { writeTar } from '../pack/tar.ts';
import { root } from '../packages.ts';
import { readStamp, type Stamp } from '../stamp.ts';
import {
  DATA,
  type Layer,
  type Platform,
  platformObstacle,
  platforms,
  special,
  USER,
  withLayers,
} from './rootfs.ts';

const OCI = 'application/vnd.oci.image';
const INDEX = `${OCI}.index.v1+json`;
const MANIFEST = `${OCI}.manifest.v1+json`;
const CONFIG = `${OCI}.config.v1+json`;
const LAYER = `${OCI}.layer.v1.tar+gzip`;
const SECOND_NS = 1_000_000_000;

/** What stands in a manifest or an index about a blob. */
interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const digestOf = (bytes: Uint8Array) =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** A layout that is being written. */
class Layout {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    for (const old of [folder, layersOf(folder)]) rmSync(old, { recursive: true, force: true });
    mkdirSync(join(folder, 'blobs', 'sha256'), { recursive: true });
    writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}\n');
  }

  add(mediaType: string, bytes: Uint8Array): Descriptor {
    const digest = digestOf(bytes);
    writeFileSync(this.pathOf(digest), bytes);
    return { mediaType, digest, size: bytes.length };
  }

  pathOf(digest: string): string {
    return join(this.folder, 'blobs', ...digest.split(':'));
  }

  addJson(mediaType: string, value: object): Descriptor {
    return this.add(mediaType, Buffer.from(`${JSON.stringify(value, null, 2)}\n`));
  }
}

/** Where the layers of a layout have names: ARCHITECTURE/base.tar.gz and program.tar.gz. */
export function layersOf(folder: string): string {
  return `${folder}-layers`;
}

interface PackedLayer {
  readonly what: string;
  readonly descriptor: Descriptor;
  /** Of the layer as it is unpacked. */
  readonly diffId: string;
}

function addLayer(layout: Layout, { what, folder }: Layer, epoch: number): PackedLayer {
  const plain = `${folder}.tar`;
  writeTar(folder, plain, { top: '.', epoch, special });
  const bytes = readFileSync(plain);
  const descriptor = layout.add(LAYER, gzipSync(bytes, { level: 9 }));
  return { what, descriptor, diffId: digestOf(bytes) };
}

/** The same bytes under a name. */
function nameLayer(layout: Layout, platform: Platform, { folder }: Layer, digest: string): void {
  const place = join(layersOf(layout.folder), platform.architecture);
  mkdirSync(place, { recursive: true });
  linkSync(layout.pathOf(digest), join(place, `${basename(folder)}.tar.gz`));
}

function labels({ version, commit }: Stamp): Readonly<Record<string, string>> {
  return {
    'org.opencontainers.image.title': 'minnow',
    'org.opencontainers.image.description': 'MQTT broker for the edge',
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.revision': commit,
    'org.opencontainers.image.licenses': 'Apache-2.0',
  };
}

export function imageConfig(
  { architecture, variant }: Platform,
  layers: readonly PackedLayer[],
  stamp: Stamp,
) {
  const created = new Date(stamp.epoch * 1000).toISOString();
  return {
    created,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    os: 'linux',
    config: {
      User: `${USER}:${USER}`,
      Env: ['PATH=/usr/bin', 'MINNOW_CONFIG=/etc/minnow/minnow.toml'],
      Entrypoint: ['/usr/bin/minnow'],
      Cmd: ['serve', '--first-user'],
      WorkingDir: DATA,
      ExposedPorts: { '1883/tcp': {} },
      Volumes: { [DATA]: {} },
      StopSignal: 'SIGTERM',
      Labels: labels(stamp),
      // Docker's own; others are told by who starts it.
      Healthcheck: {
        Test: ['CMD', '/usr/bin/minnow', 'ctl', 'stats'],
        Interval: 30 * SECOND_NS,
        Timeout: 5 * SECOND_NS,
        StartPeriod: 10 * SECOND_NS,
        Retries: 3,
      },
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(({ what }) => ({ created, created_by: what })),
  };
}

/** What engines call it once they have loaded it. */
export function imageName({ version }: Stamp): string {
  return `minnow:${version}`;
}

/** The one file of it, in dist/. */
export function imageFile({ version }: Stamp): string {
  return `minnow-${version}-image.tar`;
}

/** Writes the layout of the platforms to `folder`; `treeOf` gives the built tree of a target. */
export function buildImage(
  wanted: readonly Platform[],
  treeOf: (target: string) => string,
  folder: string,
  stamp: Stamp,
): void {
  const layout = new Layout(folder);
  const annotations = labels(stamp);
  const manifests = wanted.map(platform => {
    const { architecture, variant, target } = platform;
    const layers = withLayers(platform, treeOf(target), laid =>
      laid.map(layer => {
        const packed = addLayer(layout, layer, stamp.epoch);
        nameLayer(layout, platform, layer, packed.descriptor.digest);
        return packed;
      }),
    );
    const manifest = layout.addJson(MANIFEST, {
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: layout.addJson(CONFIG, imageConfig(platform, layers, stamp)),
      layers: layers.map(({ descriptor }) => descriptor),
      annotations,
    });
    const os = { architecture, os: 'linux', ...(variant === undefined ? {} : { variant }) };
    return { ...manifest, platform: os };
  });
  const index = layout.addJson(INDEX, {
    schemaVersion: 2,
    mediaType: INDEX,
    manifests,
    annotations,
  });
  const named = {
    ...index,
    annotations: { 'org.opencontainers.image.ref.name': imageName(stamp) },
  };
  const outer = { schemaVersion: 2, mediaType: INDEX, manifests: [named] };
  writeFileSync(join(folder, 'index.json'), `${JSON.stringify(outer, null, 2)}\n`);
}

function main(): number {
  const stamp = readStamp();
  const treeOf = (target: string) => join(root, 'dist', target);
  const missing = platforms.flatMap(platform => {
    const { target } = platform;
    const why = platformObstacle(platform);
    if (why !== null) return why;
    return existsSync(treeOf(target)) ? [] : `build it first: make dist TARGET=${target}`;
  });
  if (missing.length > 0) {
    process.stderr.write(`${missing.join('\n')}\n`);
    return 1;
  }
  const folder = join(root, 'dist', 'image');
  buildImage(platforms, treeOf, folder, stamp);
  const file = join(root, 'dist', imageFile(stamp));
  writeTar(folder, file, { top: '.', epoch: stamp.epoch });
  process.stdout.write(`${relative(root, folder)}\n${relative(root, file)}\n`);
  return 0;
}

if (import.meta.main) process.exit(main());
