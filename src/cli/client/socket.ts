// The way to the broker: a socket as it is, or with TLS around it.

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectSecurely } from 'node:tls';
import { Exit, Failure } from '../exit.ts';
import { type Flag, type Flags, UsageError } from './flags.ts';

export type Address =
  | { readonly host: string; readonly port: number; readonly localAddress?: string }
  | { readonly path: string };

export const tlsFlags: readonly Flag[] = [
  { long: 'tls', help: 'by TLS; whoever the runtime trusts has signed the certificate' },
  { long: 'cafile', value: 'FILE', help: 'by TLS; who has signed the certificate instead (PEM)' },
  { long: 'insecure', help: 'TLS: do not look which host the certificate is for' },
  { long: 'cert', value: 'FILE', help: 'TLS: our own certificate (PEM); needs --key' },
  { long: 'key', value: 'FILE', help: 'TLS: its private key (PEM)' },
];

export type TlsOptions = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'checkServerIdentity'>;

/** What the flags say about TLS; null: none. `secure`: the address has asked for it. */
export function tlsOptions(flags: Flags, secure: boolean): TlsOptions | null {
  const authority = flags.text('cafile');
  const cert = flags.text('cert');
  const key = flags.text('key');
  if (!secure && !flags.has('tls') && authority === undefined) {
    const stray = ['insecure', 'cert', 'key'].find(name => flags.has(name));
    if (stray === undefined) return null;
    throw new UsageError(`--${stray} needs --tls, --cafile or mqtts://`);
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError('--cert and --key need each other');
  }
  return {
    ...(authority === undefined ? {} : { ca: readCertificate(authority) }),
    ...(cert === undefined ? {} : { cert: readCertificate(cert) }),
    ...(key === undefined ? {} : { key: read(key) }),
    ...(flags.has('insecure') ? { checkServerIdentity: () => undefined } : {}),
  };
}

/** Calls `ready` when MQTT may be spoken. */
export function openSocket(address: Address, tls: TlsOptions | null, ready: () => void): Socket {
  if (tls === null) return connect({ ...address, noDelay: true }, ready);
  const host = 'host' in address ? address.host : 'localhost';
  const named = isIP(host) === 0 ? { servername: host } : {};
  return connectSecurely({ ...address, ...named, ...tls }, ready).setNoDelay(true);
}

function readCertificate(path: string): Buffer {
  const bytes = read(path);
  try {
    new X509Certificate(bytes);
  } catch {
    throw new Failure(Exit.noInput, `${path}: this is no certificate (PEM)`);
  }
  return bytes;
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Failure(Exit.noInput, `cannot read ${path}: ${(error as Error).message}`);
  }
}
