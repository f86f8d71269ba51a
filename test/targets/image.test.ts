// The container image: read by a tool of container engines, unpacked, and started as it says that
// it is to be started, in a root that holds nothing else. `make test` builds the image for this
// machine's processor; MINNOW_DIST names a dist/ with the trees of all platforms.

import assert from 'node:assert/strict';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildImage, imageName, layersOf } from '../../targets/image/build.ts';
import { type Platform, platformObstacle, platforms } from '../../targets/image/rootfs.ts';
import { missingPrograms, Unobtainable } from '../../targets/packages.ts';
import { readStamp } from '../../targets/stamp.ts';
import { readTarget } from '../../targets/target.ts';
import { buildTree } from '../../targets/tree.ts';
import { afterAll, describe, skipped, test } from '../harness.ts';
import {
  Background,
  endChildren,
  mosquittoClientsMissing,
  ok,
  program,
  run,
  waitUpTo,
} from '../integration/process.ts';
import { commandIn } from './place.ts';

const { MINNOW_DIST } = process.env;
const stamp = readStamp();
const scratch = mkdtempSync(join(tmpdir(), 'minnow-image-'));
afterAll(endChildren);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const here = platforms.filter(({ architecture }) => architecture === 'amd64');
const wanted = MINNOW_DIST === undefined ? here : platforms;
const folder = join(scratch, 'image');

function obstacle(): string | null {
  if (process.arch !== 'x64') return 'this is no x86-64 machine';
  if (process.getuid?.() !== 0) return 'only root may enter another root';
  const missing = missingPrograms(['skopeo', 'umoci', 'unshare']);
  if (missing.length > 0) return `no ${missing.join(', ')} here`;
  return (
    mosquittoClientsMissing() ?? wanted.map(platformObstacle).find(why => why !== null) ?? null
  );
}

async function build(): Promise<string | null> {
  try {
    if (MINNOW_DIST === undefined) {
      for (const { target } of wanted) await buildTree(target, join(scratch, target), stamp);
    }
    buildImage(wanted, target => join(MINNOW_DIST ?? scratch, target), folder, stamp);
    return null;
  } catch (error) {
    if (error instanceof Unobtainable) return error.message;
    throw error;
  }
}

const why = obstacle() ?? (await build());
if (why === null) {
  for (const platform of wanted) onPlatform(platform);
} else {
  describe('the container image', () => skipped('serves clients', why));
}

/** What the image says about how it is started. */
interface ImageConfig {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly Volumes: object;
  readonly Healthcheck: { readonly Test: readonly string[] };
}

/** As it stands in the layout: what is Docker's alone, tools of OCI pass over. */
function configOf({ architecture }: Platform): ImageConfig {
  const blob = (digest: string) => json(join(folder, 'blobs', ...digest.split(':')));
  const index = blob(json(join(folder, 'index.json')).manifests[0].digest);
  const one = (index.manifests as { digest: string; platform: { architecture: string } }[]).find(
    manifest => manifest.platform.architecture === architecture,
  );
  return blob(blob(one!.digest).config.digest).config as ImageConfig;
}

const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'));

function onPlatform(platform: Platform): void {
  const { architecture, variant, target } = platform;
  const name = `linux/${architecture}${variant === undefined ? '' : `/${variant}`}`;
  const { trial } = readTarget(target);
  const emulated = architecture !== 'amd64';
  const single = join(scratch, `${architecture}-single`);
  const root = join(scratch, `${architecture}-bundle`, 'rootfs');
  let config: ImageConfig | null = null;
  let broker: Background | null = null;
  let token = '';
  let port = '';

  /** The command that runs something in the image, as its user, with more of an environment. */
  const inside = async ([called, ...words]: readonly string[], env: readonly string[] = []) => {
    const mounts = 'mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev"';
    const enter = `${mounts} && exec ${program('chroot')} --userspec=${config!.User} "$0" "$@"`;
    const emulator = emulated ? ['/emulator'] : [];
    const cleared = ['env', '-i', `PATH=${process.env.PATH}`, ...config!.Env, ...env];
    const entered = [program('unshare')!, '--mount', program('sh')!, '-c', enter, root];
    const before = [...cleared, ...entered, ...emulator];
    return [...(await commandIn({ before, program: called! })), ...words];
  };
  const start = async () => {
    const listen = [
      'MINNOW_LISTENERS=["127.0.0.1:0"]',
      ...(trial?.flags.length ? ['MINNOW_PROFILE=constrained'] : []),
    ];
    broker = new Background(await inside([...config!.Entrypoint, ...config!.Cmd], listen));
    port = /127\.0\.0\.1:(\d+)/.exec(await broker.line(/minnow is ready/))![1]!;
  };
  const client = (called: string, ...more: string[]) =>
    run([called, '-h', '127.0.0.1', '-p', port, ...more]);

  describe(`the container image for ${name}`, () => {
    test('is read and unpacked by tools of container engines', async () => {
      waitUpTo(240_000);
      const chosen = [`--override-arch=${architecture}`, '--override-os=linux'];
      if (variant !== undefined) chosen.push(`--override-variant=${variant}`);
      const source = `oci:${folder}:${imageName(stamp)}`;
      const { stdout } = await ok(['skopeo', ...chosen, 'inspect', '--config', source]);
      const image = JSON.parse(stdout.toString());
      assert.equal(image.architecture, architecture);
      config = configOf(platform);
      await ok(['skopeo', ...chosen, 'copy', source, `oci:${single}:one`]);
      await ok(['umoci', 'unpack', '--image', `${single}:one`, join(root, '..')]);
    });

    test('has its layers lie under names, for a Containerfile', () => {
      for (const name of ['base', 'program']) {
        const { size, nlink } = statSync(join(layersOf(folder), architecture, `${name}.tar.gz`));
        assert.ok(size > 0 && nlink > 1, name);
      }
    });

    test('is not started as root, and keeps what it has to in a volume', async () => {
      assert.equal(config!.User, '1883:1883');
      assert.deepEqual(Object.keys(config!.Volumes), ['/data']);
      const { stdout } = await ok(['stat', '--format=%u:%g %a', join(root, 'data')]);
      assert.equal(stdout.toString().trim(), '1883:1883 750');
      // What an engine brings.
      mkdirSync(join(root, 'dev'));
      const [emulator] = emulated ? trial!.emulator : [];
      if (emulator) cpSync(program(emulator)!, join(root, 'emulator'), { dereference: true });
    });

    test('makes a first user when it is first started, and lets nobody else in', async () => {
      await start();
      const said = broker!.lines.findIndex(line => /"admin" was added in/.test(line));
      token = broker!.lines[said + 1]!;
      assert.match(token, /^\S{20,}$/);
      const named = ['-u', 'admin', '-P', token];
      const kept = ['-t', 'kept', '-q', '1', '-r', '-m', 'over a restart'];
      assert.equal((await client('mosquitto_pub', ...named, ...kept)).code, 0);
      assert.notEqual((await client('mosquitto_pub', '-t', 'a', '-m', 'x')).code, 0);
    });

    test('is healthy while it runs, and only then', async () => {
      const [kind, ...check] = config!.Healthcheck.Test;
      assert.equal(kind, 'CMD');
      assert.equal((await run(await inside(check))).code, 0);
      assert.equal(await broker!.end('SIGTERM'), 0);
      assert.notEqual((await run(await inside(check))).code, 0);
    });

    test('remembers after a restart, and tells no token again', async () => {
      await start();
      assert.ok(!broker!.lines.some(line => /was added/.test(line)));
      const heard = ['-u', 'admin', '-P', token, '-t', 'kept', '-C', '1', '-W', '60'];
      assert.deepEqual((await client('mosquitto_sub', ...heard)).lines, ['over a restart']);
      assert.equal(await broker!.end('SIGTERM'), 0);
    });
  });
}

if (why === null) {
  describe('the layout', () => {
    test('is made of the same bytes when it is made again', () => {
      // Of a program that is small: how it is packed is the same.
      const again = join(scratch, 'again');
      mkdirSync(again);
      const papers = ['LICENSE', 'THIRD-PARTY.txt', 'sbom.cdx.json'];
      for (const name of ['minnow', ...papers]) writeFileSync(join(again, name), name);
      for (const name of ['a', 'b']) buildImage(here, () => again, join(again, name), stamp);
      const [a, b] = ['a', 'b'].map(name => readFileSync(join(again, name, 'index.json'), 'utf8'));
      assert.equal(a, b);
    });
  });
}
