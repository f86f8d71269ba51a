// What a Debian package says of itself: its architectures, its version, what it needs.

import type { Stamp } from '../stamp.ts';

/** Debian's architectures, and which target's program each gets. */
export const architectures = {
  // Debian's amd64 begins with the first x86-64: the program that asks for the least.
  amd64: { target: 'linux-x64-baseline' },
  arm64: { target: 'linux-arm64' },
  armhf: { target: 'linux-armv7' },
} as const;

export type Architecture = keyof typeof architectures;

/** Who stands for the package; DEBFULLNAME and DEBEMAIL say it otherwise, as for other tools. */
function maintainer(): string {
  const { DEBFULLNAME, DEBEMAIL } = process.env;
  return `${DEBFULLNAME || 'minnow developers'} <${DEBEMAIL || 'minnow@packages.invalid'}>`;
}

/** E.g. 0.1.0-1; what comes before a release (0.2.0-rc.1) sorts before it. */
export function debianVersion({ version }: Stamp): string {
  return `${version.replace('-', '~')}-1`;
}

/** The file of a package. */
export function debName(architecture: Architecture, stamp: Stamp): string {
  return `minnow_${debianVersion(stamp)}_${architecture}.deb`;
}

interface Facts {
  readonly architecture: Architecture;
  readonly version: string;
  readonly kilobytes: number;
  /** The oldest glibc that will do; null: none is needed. */
  readonly glibc: string | null;
}

const description = `MQTT broker for the edge, with an embedded store
 minnow speaks MQTT 5.0, 3.1.1 and 3.1 over TCP, TLS, WebSocket and unix
 sockets. What it acknowledged survives crashes and power cuts in an embedded
 database; everything is bounded, and a configuration can be read again
 without dropping a connection.
 .
 The service listens on port 1883 for those who have a name and a token; the
 first one is made when the package is installed, and shown then. The clients
 "minnow pub" and "minnow sub" take the flags of mosquitto's.`;

export function control({ architecture, version, kilobytes, glibc }: Facts): string {
  const needs = [
    ...(glibc === null ? [] : [`libc6 (>= ${glibc})`]),
    'systemd | systemd-standalone-sysusers | systemd-sysusers',
  ];
  const fields = {
    Package: 'minnow',
    Version: version,
    Architecture: architecture,
    Maintainer: maintainer(),
    'Installed-Size': String(kilobytes),
    Depends: needs.join(', '),
    Suggests: 'mosquitto-clients',
    Section: 'net',
    Priority: 'optional',
    Description: description,
  };
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('');
}

/** Debian's own changelog: what changed in minnow stands beside it. */
export function changelog(version: string, { epoch }: Stamp): string {
  const date = new Date(epoch * 1_000).toUTCString().replace('GMT', '+0000');
  return `minnow (${version}) unstable; urgency=medium

  * What changed is in changelog.gz.

 -- ${maintainer()}  ${date}
`;
}
