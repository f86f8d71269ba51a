// The files of a TLS listener, read and checked: what is wrong with them is said before anybody
// connects. Certificates that end are told about, but served: the broker cannot make new ones.

import { constants, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { TlsTable } from '../../../config/sections/listeners.ts';
import { revokedNames } from './revocations.ts';

/** A certificate that ends so soon that somebody should know. */
const ENDS_SOON_MS = 14 * 86_400_000;

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----/g;

/** A file that is missing or wrong; the message names it. */
export class TlsFileError extends Error {
  readonly code = 'ETLSFILE';
}

export interface TlsFiles {
  readonly options: SecureContextOptions;
  /** Made of them. */
  readonly context: SecureContext;
  /** Served to those who ask for a name that the certificate stands for. */
  readonly alternatives: readonly Alternative[];
  /** Certificates that are revoked, by certificateName. */
  readonly revoked: ReadonlySet<string>;
  /** Who may stand for the certificates of clients. */
  readonly authorities: readonly X509Certificate[];
  /** What decides about these certificates: the same text, the same decisions. */
  readonly trust: string;
  /** What works, but should be looked at. */
  readonly warnings: readonly string[];
}

export interface Alternative {
  readonly certificate: X509Certificate;
  readonly context: SecureContext;
}

/** Throws a TlsFileError. `now`: milliseconds since 1970. */
export function readTlsFiles(tls: TlsTable, now: number): TlsFiles {
  const warnings: string[] = [];
  const ca = tls.ca === '' ? [] : blocks(tls.ca, 'CERTIFICATE');
  const crl = tls.crl === '' ? [] : blocks(tls.crl, 'X509 CRL');
  const common: SecureContextOptions = {
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    minVersion: tls.minVersion === '1.3' ? 'TLSv1.3' : 'TLSv1.2',
    ...(tls.ciphers === '' ? {} : { ciphers: tls.ciphers, honorCipherOrder: true }),
    ...(tls.ca === '' ? {} : { ca }),
    ...(tls.crl === '' ? {} : { crl }),
  };
  const checked = (options: SecureContextOptions, file: string) => {
    try {
      return createSecureContext({ ...common, ...options });
    } catch (error) {
      throw new TlsFileError(`${file}: the TLS library refuses it (${messageOf(error)})`);
    }
  };
  const own = readPair(tls, now, warnings);
  checked({}, [tls.ca, tls.crl, tls.ciphers].filter(text => text !== '').join(', '));
  const context = checked(own.options, tls.certificate);
  const alternatives = tls.alternatives.map(pair => {
    const { options, certificate } = readPair(pair, now, warnings);
    return { certificate, context: checked(options, pair.certificate) };
  });
  const options = { ...common, ...own.options };
  const authorities = ca.map(pem => parsed(tls.ca, 'certificate', () => new X509Certificate(pem)));
  const revoked = readRevoked(tls.crl, crl);
  const trust = [...ca, ...crl].join('');
  return { options, context, alternatives, revoked, authorities, trust, warnings };
}

function readRevoked(path: string, crl: readonly string[]): Set<string> {
  const lists = crl.map(pem => Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64'));
  return new Set(parsed(path, 'revocation list', () => lists.flatMap(revokedNames)));
}

interface Pair {
  readonly certificate: string;
  readonly key: string;
}

function readPair(pair: Pair, now: number, warnings: string[]) {
  const [first] = blocks(pair.certificate, 'CERTIFICATE');
  const certificate = parsed(pair.certificate, 'certificate', () => new X509Certificate(first));
  const cert = read(pair.certificate);
  const key = read(pair.key);
  const secret: KeyObject = parsed(pair.key, 'private key', () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(secret)) {
    throw new TlsFileError(`${pair.key}: this is not the key of ${pair.certificate}`);
  }
  const [begins, ends] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  const date = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  if (ends <= now) warnings.push(`${pair.certificate}: ended on ${date(ends)}; clients refuse it`);
  else if (begins > now) warnings.push(`${pair.certificate}: begins on ${date(begins)} only`);
  else if (ends < now + ENDS_SOON_MS) warnings.push(`${pair.certificate}: ends on ${date(ends)}`);
  return { options: { cert, key }, certificate };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      { ENOENT: 'there is no such file', EACCES: 'no permission to read it' }[code ?? ''] ??
      `cannot be read (${code})`;
    throw new TlsFileError(`${path}: ${why}`);
  }
}

/** The PEM blocks of that kind; at least one. */
function blocks(path: string, kind: string): string[] {
  const found = Array.from(read(path).matchAll(PEM_BLOCK)).filter(match => match[1] === kind);
  if (found.length === 0) throw new TlsFileError(`${path}: no "-----BEGIN ${kind}-----" in it`);
  return found.map(match => `${match[0]}\n`);
}

function parsed<T>(path: string, what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new TlsFileError(`${path}: no ${what} that can be read (${messageOf(error)})`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
