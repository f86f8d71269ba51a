// The step in which a proxy says whom it brings.

import { isIP } from 'node:net';
import { formatAddress } from '../../../config/address.ts';
import { networkList } from '../../../config/sections/listeners.ts';
import type { Certificate } from '../../../core/access.ts';
import type { Step } from './arrival.ts';
import { MALFORMED, NEED_MORE, type ProxyHeader, readProxyHeader } from './proxy-protocol.ts';

/** Nobody but `proxies` gets in; a unix socket is guarded by its permissions. */
export function proxyStep(proxies: readonly string[]): Step {
  const trusted = networkList(proxies);
  const trusts = (address: string | undefined) => {
    if (address === undefined) return true;
    return trusted.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  };
  return (arrival, next, refuse) => {
    const { raw, host } = arrival;
    if (!trusts(host)) {
      refuse('no proxy that listeners.proxyProtocol.from names');
      return;
    }
    let seen: Buffer = Buffer.alloc(0);
    const read = (chunk: Buffer) => {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const header = readProxyHeader(seen);
      if (header === NEED_MORE) return;
      raw.off('data', read);
      raw.pause();
      if (header === MALFORMED) {
        refuse('no PROXY protocol header');
        return;
      }
      if (seen.length > header.length) raw.unshift(seen.subarray(header.length));
      const { client } = header;
      if (client !== null) arrival.peer = formatAddress(client.host, client.port);
      arrival.certificate = certificateOf(header);
      next();
    };
    raw.on('data', read);
    raw.resume();
  };
}

function certificateOf({ tls }: ProxyHeader): Certificate | null {
  if (tls === null || !tls.verified) return null;
  return { commonName: tls.commonName, names: [], fingerprint: '', notAfter: null };
}
