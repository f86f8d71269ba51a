// Who somebody is by the word of the transport: a client certificate or an account.

import type { PeerCertificate } from 'node:tls';
import type { Identity } from '../../../config/sections/listeners.ts';
import type { Certificate } from '../../../core/access.ts';

/** What the runtime tells about the peer's certificate, as the core knows certificates. */
export function readCertificate(peer: PeerCertificate): Certificate {
  const commonName = (peer.subject as { CN?: string | string[] } | undefined)?.CN;
  return {
    // Whoever has several names has none: which one counts would be a matter of taste.
    commonName: typeof commonName === 'string' ? commonName : '',
    names: readNames(peer.subjectaltname ?? ''),
    fingerprint: peer.fingerprint256.replaceAll(':', '').toLowerCase(),
    notAfter: Date.parse(peer.valid_to),
  };
}

const KINDS: Readonly<Record<string, string>> = { DNS: 'dns', email: 'email', URI: 'uri' };

/** `DNS:a.example, URI:urn:b` → `dns:a.example`, `uri:urn:b`. What could be mistaken for several
 *  names stands in quotes there, and is left out. */
export function readNames(text: string): string[] {
  const names: string[] = [];
  for (const [, kind, quoted, plain] of text.matchAll(/(?:^|, )([\w ]+):(?:("[^"]*")|([^",]*))/g)) {
    const known = KINDS[kind];
    if (known !== undefined && quoted === undefined && plain !== '')
      names.push(`${known}:${plain}`);
  }
  return names;
}

/** A name that may serve as a user name: an MQTT string that nobody mistakes for something else. */
function usable(name: string): boolean {
  return (
    name !== '' && Buffer.byteLength(name) <= 65_535 && !/[\p{C}\p{Zl}\p{Zp}\uFFFD]/u.test(name)
  );
}

/** The user name that `identity` makes of what was proved, or null. */
export function nameFrom(
  identity: Identity,
  certificate: Certificate | null,
  account: string | null,
): string | null {
  if (identity === 'none') return null;
  if (identity === 'account') return account;
  if (certificate === null) return null;
  if (identity === 'cn') return usable(certificate.commonName) ? certificate.commonName : null;
  const prefix = `${identity}:`;
  const names = certificate.names.filter(name => name.startsWith(prefix));
  const name = names.length === 1 ? names[0].slice(prefix.length) : '';
  return usable(name) ? name : null;
}
