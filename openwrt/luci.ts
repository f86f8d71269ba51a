// The web interface as a package for opkg and for apk: it is the same on every processor.

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Stamp } from '../targets/stamp.ts';
import { type Made, packApk } from './apk.ts';
import { packIpk } from './ipk.ts';
import { packageVersion } from './payload.ts';

const app = join(import.meta.dirname, 'luci-app-minnow');

/** rpcd finds new methods when it is told to look. */
const postinst = `#!/bin/sh
[ -n "$IPKG_INSTROOT" ] || {
	rm -f /tmp/luci-indexcache.*
	/etc/init.d/rpcd reload
}
exit 0
`;

const common = {
  name: 'luci-app-minnow',
  depends: ['luci-base', 'minnow'],
  description: 'LuCI support for the MQTT broker minnow',
  conffiles: [],
};

export function buildLuciIpk(folder: string, stamp: Stamp): string {
  const data = mkdtempSync(join(tmpdir(), 'minnow-luci-'));
  try {
    installLuci(data);
    const ipk = {
      ...common,
      architecture: 'all',
      version: packageVersion(stamp),
      section: 'luci',
      scripts: new Map([['postinst', postinst]]),
      extra: [],
    };
    return packIpk(ipk, data, folder, stamp);
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

export function buildLuciApk(folder: string, stamp: Stamp): Made {
  const install = (files: string) => {
    installLuci(files);
    return new Map(['post-install', 'post-upgrade'].map(name => [name, postinst]));
  };
  return packApk({ ...common, architecture: 'noarch', user: null }, install, folder, stamp);
}

/** As luci.mk installs it: htdocs is /www, root is /. */
export function installLuci(to: string): void {
  cpSync(join(app, 'htdocs'), join(to, 'www'), { recursive: true });
  cpSync(join(app, 'root'), to, { recursive: true });
}
