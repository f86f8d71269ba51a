// What the packages for OpenWrt hold besides the program: scripts for the shell, the feed for
// OpenWrt's own build, and the pages of LuCI.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeFeed } from '../../openwrt/feed.ts';
import { scripts } from '../../openwrt/payload.ts';
import { readUci } from '../../src/config/uci/read.ts';
import { missingPrograms } from '../../targets/packages.ts';
import { afterAll, describe, skipped, test } from '../harness.ts';
import { everythingSaid, type Page, renderPage } from './luci.ts';

const project = join(import.meta.dirname, '../..');
const openwrt = join(project, 'openwrt');
const luci = join(openwrt, 'luci-app-minnow');
const scratch = mkdtempSync(join(tmpdir(), 'minnow-openwrt-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const json = (...path: string[]) => JSON.parse(readFileSync(join(luci, ...path), 'utf8'));

describe('scripts for the shell', () => {
  const stand = join('test', 'openwrt', 'root');
  const own = [
    'openwrt/files/etc/init.d/minnow',
    ...readdirSync(join(openwrt, 'control')).map(name => `openwrt/control/${name}`),
    'openwrt/luci-app-minnow/root/usr/libexec/rpcd/luci.minnow',
    ...['etc/rc.common', 'lib/functions.sh', 'lib/functions/network.sh'].map(path =>
      join(stand, path),
    ),
  ];
  if (missingPrograms(['shellcheck']).length > 0) {
    skipped('shellcheck has nothing to say', 'no shellcheck here');
    return;
  }
  for (const path of own) {
    test(`shellcheck has nothing to say about ${path}`, () => {
      // ash is dash, as far as shellcheck knows it. What OpenWrt has is not here to be looked into.
      const flags = ['--shell=dash', '--exclude=SC1091'];
      const { stdout, status } = spawnSync('shellcheck', [...flags, path], {
        cwd: project,
        encoding: 'utf8',
      });
      assert.equal(status, 0, stdout);
    });
  }
});

describe('the feed', () => {
  /** Stands in for OpenWrt's build: writes down what the Makefile says. */
  function saidBy(makefile: string, name: string): string {
    const top = mkdtempSync(join(scratch, 'top-'));
    const said = join(top, 'said');
    mkdirSync(join(top, 'include'));
    writeFileSync(join(top, 'rules.mk'), `INCLUDE_DIR:=${top}/include\n`);
    const build = `define BuildPackage\n$(file >${said},$(${name}))\nendef\nall:\n`;
    writeFileSync(join(top, 'include', 'package.mk'), build);
    const { status, stderr } = spawnSync('make', ['-f', makefile, `TOPDIR=${top}`, 'all'], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    return readFileSync(said, 'utf8');
  }

  test('holds the version, the files, and the check of the storage', () => {
    const folder = join(scratch, 'feed');
    writeFeed(folder, { version: '1.2.3', commit: 'abc', epoch: 0 }, 4711);
    const makefile = join(folder, 'minnow', 'Makefile');
    assert.equal(saidBy(makefile, 'PKG_VERSION').trim(), '1.2.3');
    assert.equal(saidBy(makefile, 'Package/minnow/preinst'), scripts(4711).get('preinst'));
    assert.match(saidBy(makefile, 'Package/minnow'), /USERID:=minnow=1883:minnow=1883/);
    const files = readdirSync(join(folder, 'minnow', 'files'), {
      recursive: true,
      encoding: 'utf8',
    });
    assert.ok(files.includes('etc/init.d/minnow'));
    // It is copied as it is.
    const { mode } = statSync(join(folder, 'minnow', 'files', 'etc/init.d/minnow'));
    assert.equal(mode & 0o777, 0o755);
    assert.ok(
      readFileSync(join(folder, 'luci-app-minnow', 'Makefile'), 'utf8').includes('luci.mk'),
    );
  });
});

describe('the pages of LuCI', () => {
  const views = join(luci, 'htdocs/luci-static/resources/view/minnow');
  const names = readdirSync(views).map(name => name.replace(/\.js$/, ''));
  const load = (name: string): Page => renderPage(readFileSync(join(views, `${name}.js`), 'utf8'));

  test('are those of the menu', () => {
    const menu = json('root/usr/share/luci/menu.d/luci-app-minnow.json');
    const paths = Object.values<{ action: { path?: string } }>(menu).flatMap(
      ({ action }) => action.path ?? [],
    );
    assert.deepEqual(paths.sort(), names.map(name => `minnow/${name}`).sort());
  });

  for (const name of names) {
    test(`${name} is rendered`, async () => {
      const page = load(name);
      assert.notEqual(await page.show(), undefined);
    });

    test(`${name} asks rpcd for what there is, and what its users may`, () => {
      const acl = json('root/usr/share/rpcd/acl.d/luci-app-minnow.json')['luci-app-minnow'];
      const granted = [acl.read, acl.write].flatMap(side => side.ubus['luci.minnow'] as string[]);
      for (const { object, method } of load(name).calls) {
        assert.equal(object, 'luci.minnow');
        assert.ok(granted.includes(method), method);
      }
    });

    test(`${name} puts files only where its users may`, () => {
      const { file, 'cgi-io': door } = json('root/usr/share/rpcd/acl.d/luci-app-minnow.json')[
        'luci-app-minnow'
      ].write;
      const source = readFileSync(join(views, `${name}.js`), 'utf8');
      const uploads = source.match(/form\.FileUpload/g) ?? [];
      const folders = [...source.matchAll(/root_directory = '(.*)'/g)].map(([, folder]) => folder);
      assert.equal(folders.length, uploads.length);
      for (const folder of folders) assert.deepEqual(file[`${folder}/*`], ['write']);
      assert.deepEqual(door, ['upload']);
    });

    test(`${name} sets options that the broker knows`, async () => {
      const page = load(name);
      await page.show();
      const text = everythingSaid(page.sections);
      const { faults, settings } = readUci({ name: 'minnow', text });
      assert.deepEqual(faults, []);
      assert.equal(settings.length > 0, page.sections.length > 0);
    });
  }

  test('every method that is granted is one of the program', async () => {
    const acl = json('root/usr/share/rpcd/acl.d/luci-app-minnow.json')['luci-app-minnow'];
    const granted = [acl.read, acl.write].flatMap(side => side.ubus['luci.minnow'] as string[]);
    const { methods } = await import('../../src/cli/openwrt/rpcd.ts');
    assert.deepEqual(granted.sort(), Object.keys(methods).sort());
  });
});
