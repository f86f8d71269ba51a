// Whether clients that were let in by their certificates would be so by the files as they are now:
// a list of revoked ones may have grown, an authority may be gone, a certificate may have ended. A
// handshake asks the TLS library; this is for those who are in already, which no runtime has a
// function for. What depends on the certificates alone (purposes, lengths of paths) their handshake
// has decided.

import { X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate } from 'node:tls';
import type { Secured } from '../socket.ts';
import { certificateName, issuerName, subjectName } from './revocations.ts';
import type { TlsFiles } from './tls-files.ts';

/** Intermediates that are remembered; who shows one beyond may have to connect anew. */
const SHOWN_MAX = 256;

export class ClientTrust {
  private files: TlsFiles;
  /** Certificates between clients' and authorities', as clients have shown them: a session that is
   *  resumed on Node comes without. */
  private readonly shown: X509Certificate[] = [];
  /** Whose certificates are at hand, by subjectName. */
  private readonly subjects = new Set<string>();

  constructor(files: TlsFiles) {
    this.files = files;
    this.know(files.authorities);
  }

  /** `socket` was let in by its certificate, `raw`. */
  remember(socket: Secured, raw: Buffer): void {
    if (this.shown.length >= SHOWN_MAX || this.subjects.has(nameIn(raw, issuerName))) return;
    const [, ...issuers] = chainOf(socket.getPeerCertificate(true));
    this.shown.push(...issuers);
    this.know(issuers);
  }

  /** By `files` from here on. Returns what judges those who were let in by the files before. */
  renew(files: TlsFiles, now: number): (socket: Secured) => string | null {
    const changed = files.trust !== this.files.trust;
    this.files = files;
    this.subjects.clear();
    this.know([...files.authorities, ...this.shown]);
    const issuers = changed ? trustedIssuers(files, this.shown, now) : null;
    return socket => faultOf(socket, files, issuers, now);
  }

  /** Null: `socket`, which was let in by whatever files, may stay; else why it may not. */
  judge(socket: Secured, now: number): string | null {
    const { files } = this;
    return faultOf(socket, files, trustedIssuers(files, this.shown, now), now);
  }

  private know(certificates: readonly X509Certificate[]): void {
    for (const { raw } of certificates) this.subjects.add(nameIn(raw, subjectName));
    this.subjects.delete('');
  }
}

/** A certificate and those who issued it, as far as they are known; roots say they issued
 *  themselves. */
function chainOf(first: DetailedPeerCertificate): X509Certificate[] {
  const chain = new Map<string, X509Certificate>();
  let next: DetailedPeerCertificate | undefined = first;
  while (next?.raw !== undefined && !chain.has(next.fingerprint256)) {
    chain.set(next.fingerprint256, new X509Certificate(next.raw));
    next = next.issuerCertificate;
  }
  return [...chain.values()];
}

/** `issuers` null: those who issue are as they were. */
function faultOf(
  socket: Secured,
  files: TlsFiles,
  issuers: readonly X509Certificate[] | null,
  now: number,
): string | null {
  const { raw } = socket.getPeerCertificate();
  if (raw === undefined) return null; // it is gone
  const leaf = new X509Certificate(raw);
  if (isRevoked(leaf, files)) return 'its certificate is revoked';
  if (!isValid(leaf, now)) return 'its certificate has ended';
  if (issuers === null || issuers.some(issuer => issued(issuer, leaf))) return null;
  const own = files.authorities.some(each => each.fingerprint256 === leaf.fingerprint256);
  return own ? null : 'no authority stands for its certificate any more';
}

/** The authorities that stand for themselves, and all for whom one of these does. */
function trustedIssuers(
  files: TlsFiles,
  shown: readonly X509Certificate[],
  now: number,
): X509Certificate[] {
  const { authorities } = files;
  let open = [...authorities, ...shown].filter(
    each => isValid(each, now) && !isRevoked(each, files),
  );
  let fresh = open.filter(each => authorities.includes(each) && each.subject === each.issuer);
  const trusted: X509Certificate[] = [];
  while (fresh.length > 0) {
    trusted.push(...fresh);
    open = open.filter(each => !fresh.includes(each));
    fresh = open.filter(each => each.ca && trusted.some(issuer => issued(issuer, each)));
  }
  return trusted;
}

function issued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    return false; // a key of a kind that this runtime does not know
  }
}

/** What only the TLS library can read counts as revoked: we could not tell. */
function isRevoked({ raw }: X509Certificate, { revoked }: TlsFiles): boolean {
  try {
    return revoked.size > 0 && revoked.has(certificateName(raw));
  } catch {
    return true;
  }
}

/** '' of what cannot be read: it is nobody's, and is looked at each time. */
function nameIn(raw: Buffer, read: (der: Buffer) => string): string {
  try {
    return read(raw);
  } catch {
    return '';
  }
}

function isValid({ validFrom, validTo }: X509Certificate, now: number): boolean {
  return Date.parse(validFrom) <= now && now <= Date.parse(validTo);
}
