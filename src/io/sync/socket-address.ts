// Internet addresses as text ↔ struct sockaddr_in and sockaddr_in6. Names are resolved elsewhere.

import { isIPv4, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { AF_INET, AF_INET6 } from './libc.ts';

export const SOCKADDR_BYTES_MAX = 28;
const SOCKADDR_IN_BYTES = 16;

/** Writes the address to the front of `view`; returns its length, or 0: `host` is no address. */
export function writeSocketAddress(view: DataView, host: string, port: number): number {
  for (let i = 0; i < SOCKADDR_BYTES_MAX; i++) view.setUint8(i, 0);
  view.setUint16(2, port);
  if (isIPv4(host)) {
    view.setUint16(0, AF_INET, true);
    writeIPv4(view, 4, host);
    return SOCKADDR_IN_BYTES;
  }
  if (!isIPv6(host)) return 0;
  const [address, zone = ''] = host.split('%') as [string, string?];
  view.setUint16(0, AF_INET6, true);
  writeIPv6(view, 8, address);
  view.setUint32(24, scopeOf(zone), true);
  return SOCKADDR_BYTES_MAX;
}

function writeIPv4(view: DataView, at: number, host: string): void {
  for (const [i, part] of host.split('.').entries()) view.setUint8(at + i, Number(part));
}

function writeIPv6(view: DataView, at: number, host: string): void {
  // 64:ff9b::192.0.2.1 ends in an IPv4 address.
  const tail = host.includes('.') ? host.slice(host.lastIndexOf(':') + 1) : '';
  if (tail !== '') writeIPv4(view, at + 12, tail);
  const text =
    tail === '' ? host : host.slice(0, host.length - tail.length).replace(/(?<!:):$/, '');
  const end = tail === '' ? 8 : 6;
  const [front, back] = text.split('::') as [string, string?];
  const groups = (side: string) => side.split(':').filter(group => group !== '');
  const write = (index: number, group: string) =>
    view.setUint16(at + 2 * index, Number.parseInt(group, 16));
  for (const [i, group] of groups(front).entries()) write(i, group);
  if (back === undefined) return;
  const last = groups(back);
  for (const [i, group] of last.entries()) write(end - last.length + i, group);
}

/** Which interface a link-local address is meant on: `eth0` or its number. */
function scopeOf(zone: string): number {
  if (/^\d*$/.test(zone)) return Number(zone);
  for (const address of networkInterfaces()[zone] ?? []) {
    if (address.family === 'IPv6' && address.scopeid !== 0) return address.scopeid ?? 0;
  }
  return 0;
}

/** The other way round; an address of another family is ''. */
export function readSocketAddress(view: DataView): { host: string; port: number } {
  const family = view.getUint16(0, true);
  const port = view.getUint16(2);
  if (family === AF_INET) {
    const part = (i: number) => view.getUint8(4 + i);
    return { host: `${part(0)}.${part(1)}.${part(2)}.${part(3)}`, port };
  }
  return { host: family === AF_INET6 ? formatIPv6(view, 8) : '', port };
}

/** As RFC 5952 wants it: lower case, the longest run of two or more zeros left out. */
function formatIPv6(view: DataView, at: number): string {
  let longest = 1;
  let start = -1;
  for (let i = 0, run = 0; i < 8; i++) {
    run = view.getUint16(at + 2 * i) === 0 ? run + 1 : 0;
    if (run > longest) {
      longest = run;
      start = i - run + 1;
    }
  }
  const groups = (from: number, to: number) => {
    const texts: string[] = [];
    for (let i = from; i < to; i++) texts.push(view.getUint16(at + 2 * i).toString(16));
    return texts.join(':');
  };
  if (start < 0) return groups(0, 8);
  return `${groups(0, start)}::${groups(start + longest, 8)}`;
}
