// What a broker is to have in front of it in a scenario: a door (TLS, WebSocket) and a guard (who
// may come in and do what), and how minnow and mosquitto are told. Whatever the door, the broker
// listens on a plain port as well, by which it is seen to be ready.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashPbkdf2, hashScrypt, makeToken } from '../src/auth/passwords/compute.ts';
import { formatHash } from '../src/auth/passwords/stored-hash.ts';
import type { TransportSettings } from '../src/bench/transport/transport.ts';
import type { Credentials } from '../src/bench/wire.ts';

export const doors = ['tcp', 'tls', 'ws', 'wss'] as const;
export type Door = (typeof doors)[number];

/** `open`: nobody is asked and everything is allowed. `rules` are minnow's own, `acl` those of a
 *  file in mosquitto's format; the last of them decides. `limits` are never reached. */
export const guards = [
  ...(['open', 'rules-10', 'rules-10K', 'acl-10', 'acl-10K'] as const),
  ...(['token', 'password', 'limits'] as const),
] as const;
export type Guard = (typeof guards)[number];

export interface Entrance {
  readonly door: Door;
  readonly guard: Guard;
  readonly port: number;
  /** The same as `port` where the door is plain TCP. */
  readonly doorPort: number;
  /** PEM files of the broker, where the door has TLS. */
  readonly certificate: { readonly certificate: string; readonly key: string } | null;
  readonly secret: Secret | null;
}

/** What clients bring, and how brokers keep it. */
interface Secret {
  readonly credentials: Credentials;
  /** As minnow and as mosquitto have it in their files. */
  readonly hash: string;
  readonly mosquittoHash: string;
}

const USER = 'bench';
/** What `minnow passwd` arrives at on a gateway: 16 MB. */
const SCRYPT = { logN: 14, blockSize: 8, parallel: 1 } as const;
/** What mosquitto_passwd of 2.0 takes. */
const MOSQUITTO_ROUNDS = 101;

async function secretOf(guard: Guard): Promise<Secret | null> {
  if (guard !== 'token' && guard !== 'password') return null;
  const { token, hash } = makeToken();
  const password = Buffer.from(token);
  const kept = guard === 'token' ? hash : await hashScrypt(password, SCRYPT);
  return {
    credentials: { username: USER, password: token },
    hash: formatHash(kept),
    mosquittoHash: formatHash(await hashPbkdf2(password, MOSQUITTO_ROUNDS)),
  };
}

/** A key and a certificate that nobody has signed, made by openssl. */
function makeCertificate(directory: string): NonNullable<Entrance['certificate']> {
  const files = { certificate: join(directory, 'bench.pem'), key: join(directory, 'bench.key') };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const names = ['-subj', '/CN=localhost', '-days', '2'];
  const out = ['-keyout', files.key, '-out', files.certificate];
  const { status, stderr, error } = spawnSync('openssl', [
    'req',
    '-x509',
    ...key,
    ...names,
    ...out,
  ]);
  if (status !== 0) throw new Error(`openssl: ${error?.message ?? stderr.toString()}`);
  return files;
}

export async function makeEntrance(
  { door = 'tcp', guard = 'open' }: { readonly door?: Door; readonly guard?: Guard },
  directory: string,
  port: number,
  doorPort: number,
): Promise<Entrance> {
  const certificate = door === 'tls' || door === 'wss' ? makeCertificate(directory) : null;
  const secret = await secretOf(guard);
  return { door, guard, port, doorPort: door === 'tcp' ? port : doorPort, certificate, secret };
}

/** How the load gets in. */
export function transportThrough({ door }: Entrance, resume: boolean): TransportSettings {
  const host = 'localhost';
  return {
    tls:
      door === 'tls' || door === 'wss'
        ? { trust: 'anybody', host, checkHost: false, own: null, resume }
        : null,
    webSocket: door === 'ws' || door === 'wss' ? { host, path: '/mqtt' } : null,
  };
}

/** Filters of which only the last has to do with the load. */
function filtersOf(guard: Guard): string[] {
  const count = guard.endsWith('10K') ? 10_000 : 10;
  const others = Array.from({ length: count - 1 }, (_, i) => `site/${i}/+/state`);
  return [...others, 'bench/#'];
}

function write(directory: string, name: string, lines: readonly string[]): string {
  const file = join(directory, name);
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  return file;
}

function aclFile({ guard }: Entrance, directory: string): string {
  return write(
    directory,
    'acl',
    filtersOf(guard).map(filter => `topic readwrite ${filter}`),
  );
}

/** Flags of `minnow serve`. Newcomers are let in as fast as they come. */
export function minnowFlags(entrance: Entrance, directory: string): string[] {
  const { door, guard, port, doorPort, certificate, secret } = entrance;
  const settings: string[] = ['io.acceptsPerSecond=100000'];
  const host = '127.0.0.1';
  if (door !== 'tcp') {
    const protocol = transportThrough(entrance, false).webSocket ? 'websocket' : 'mqtt';
    const behind = { host, port: doorPort, protocol, ...(certificate && { tls: certificate }) };
    settings.push(`listeners=${JSON.stringify([{ host, port }, behind])}`);
  }
  if (secret !== null) {
    const file = write(directory, 'passwords', [`${secret.credentials.username}:${secret.hash}`]);
    settings.push('auth.anonymous=false', `auth.passwordFile=${file}`);
  }
  if (guard.startsWith('acl')) settings.push(`auth.aclFile=${aclFile(entrance, directory)}`);
  if (guard === 'limits') {
    const messages = ['client', 'listener'].map(who => `limits.${who}MessagesPerSecond=100000000`);
    const bytes = ['client', 'listener'].map(who => `limits.${who}BytesPerSecond=1000GB`);
    settings.push(...messages, ...bytes);
  }
  const flags = settings.flatMap(setting => ['--set', setting]);
  if (!guard.startsWith('rules')) return flags;
  const rules = filtersOf(guard).map(
    filter => `[[auth.rules]]\nallow = "all"\nfilter = "${filter}"`,
  );
  return ['--config', write(directory, 'minnow.toml', rules), ...flags];
}

/** Lines of a mosquitto.conf behind those of its plain listener. */
export function mosquittoLines(entrance: Entrance, directory: string): string[] {
  const { door, guard, doorPort, certificate, secret } = entrance;
  const lines: string[] = [];
  if (guard.startsWith('acl')) lines.push(`acl_file ${aclFile(entrance, directory)}`);
  if (secret !== null) {
    const { credentials, mosquittoHash } = secret;
    const file = write(directory, 'passwords', [`${credentials.username}:${mosquittoHash}`]);
    lines.push('allow_anonymous false', `password_file ${file}`);
  }
  if (door === 'tcp') return lines;
  lines.push(`listener ${doorPort} 127.0.0.1`);
  if (door !== 'tls') lines.push('protocol websockets');
  if (certificate !== null) {
    lines.push(`certfile ${certificate.certificate}`, `keyfile ${certificate.key}`);
  }
  return lines;
}
