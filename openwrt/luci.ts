// The web interface as a package for opkg: it is the same on every processor.

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Stamp } from '../targets/stamp.ts';
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

export function buildLuciIpk(folder: string, stamp: Stamp): string {
  const data = mkdtempSync(join(tmpdir(), 'minnow-luci-'));
  try {
    installLuci(data);
    return packIpk(
      {
        name: 'luci-app-minnow',
        architecture: 'all',
        version: packageVersion(stamp),
        depends: ['luci-base', 'minnow'],
        description: 'LuCI support for the MQTT broker minnow',
        section: 'luci',
        conffiles: [],
        scripts: new Map([['postinst', postinst]]),
        extra: [],
      },
      data,
      folder,
      stamp,
    );
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

/** As luci.mk installs it: htdocs is /www, root is /. */
export function installLuci(to: string): void {
  cpSync(join(app, 'htdocs'), join(to, 'www'), { recursive: true });
  cpSync(join(app, 'root'), to, { recursive: true });
}
