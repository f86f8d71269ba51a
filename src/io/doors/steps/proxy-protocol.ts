// The PROXY protocol, versions 1 and 2: what a proxy says about the client before the client's own
// first byte. Pure: bytes in, a value out; whom to believe is decided elsewhere.
// Source: the specification that comes with HAProxy, doc/proxy-protocol.txt.

import { isIPv4, isIPv6 } from 'node:net';

export interface ProxiedClient {
  readonly host: string;
  readonly port: number;
}

/** What the proxy says of a TLS connection that ended there. */
export interface ProxiedTls {
  /** A client certificate was presented and is right, in this connection or the one it resumes. */
  readonly verified: boolean;
  /** The common name of its subject, or ''. */
  readonly commonName: string;
  /** "TLSv1.3", or ''. */
  readonly version: string;
}

export interface ProxyHeader {
  /** Bytes of the header; the client's own begin behind it. */
  readonly length: number;
  /** Null: the proxy speaks for itself, or does not know. */
  readonly client: ProxiedClient | null;
  readonly tls: ProxiedTls | null;
  /** The application protocol (ALPN) and the host name (SNI) that the client asked for, or ''. */
  readonly alpn: string;
  readonly authority: string;
}

export const NEED_MORE = 'more';
export const MALFORMED = 'malformed';

/** The longest header of version 1, with its end of line. */
const V1_BYTES_MAX = 107;
/** Proxies send some hundred bytes; what is longer is not read to its end. */
export const HEADER_BYTES_MAX = 4096;

const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V2_FIXED_BYTES = 16;
const V1_SIGNATURE = Buffer.from('PROXY ', 'latin1');

const FAMILY_BYTES: Readonly<Record<number, number>> = { 0: 0, 1: 12, 2: 36, 3: 216 };

const TYPE_ALPN = 0x01;
const TYPE_AUTHORITY = 0x02;
const TYPE_CRC32C = 0x03;
const TYPE_SSL = 0x20;
const SUBTYPE_SSL_VERSION = 0x21;
const SUBTYPE_SSL_CN = 0x22;

const CLIENT_SSL = 0x01;
const CLIENT_CERTIFICATES = 0x02 | 0x04;

/** Reads the header that `bytes` begins with. */
export function readProxyHeader(bytes: Buffer): ProxyHeader | typeof NEED_MORE | typeof MALFORMED {
  if (begins(bytes, V2_SIGNATURE)) {
    return bytes.length < V2_FIXED_BYTES ? NEED_MORE : readV2(bytes);
  }
  return begins(bytes, V1_SIGNATURE) ? readV1(bytes) : MALFORMED;
}

/** As far as there are bytes. */
function begins(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length);
  return bytes.compare(signature, 0, length, 0, length) === 0;
}

function readV1(bytes: Buffer): ProxyHeader | typeof NEED_MORE | typeof MALFORMED {
  const end = bytes.subarray(0, V1_BYTES_MAX).indexOf('\r\n', 0, 'latin1');
  if (end < 0) return bytes.length < V1_BYTES_MAX ? NEED_MORE : MALFORMED;
  const header = { length: end + 2, client: null, tls: null, alpn: '', authority: '' };
  const [, family, ...rest] = bytes.toString('latin1', 0, end).split(' ');
  if (family === 'UNKNOWN') return header;
  const [source, destination, sourcePort, destinationPort, ...more] = rest;
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : null;
  if (isAddress === null || more.length > 0 || destinationPort === undefined) return MALFORMED;
  if (!isAddress(source) || !isAddress(destination) || source.includes('%')) return MALFORMED;
  const [port, ...ports] = [sourcePort, destinationPort].map(readPort);
  if (port === null || ports.includes(null)) return MALFORMED;
  return { ...header, client: { host: source, port } };
}

function readPort(text: string): number | null {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535 ? Number(text) : null;
}

function readV2(bytes: Buffer): ProxyHeader | typeof NEED_MORE | typeof MALFORMED {
  const command = bytes[12];
  const family = bytes[13] >> 4;
  const transport = bytes[13] & 0x0f;
  const length = V2_FIXED_BYTES + bytes.readUInt16BE(14);
  if (command !== 0x20 && command !== 0x21) return MALFORMED;
  if (length > HEADER_BYTES_MAX) return MALFORMED;
  if (bytes.length < length) return NEED_MORE;
  const header = { length, client: null, tls: null, alpn: '', authority: '' };
  if (command === 0x20) return header; // LOCAL: all that follows is to be skipped
  const addresses = FAMILY_BYTES[family];
  if (addresses === undefined || transport > 2) return MALFORMED;
  const start = V2_FIXED_BYTES + addresses;
  if (start > length) return MALFORMED;
  const told = readExtensions(bytes.subarray(0, length), start);
  if (told === null) return MALFORMED;
  const streams = transport === 1;
  return { ...header, ...told, client: streams ? readClient(bytes, family) : null };
}

function readClient(bytes: Buffer, family: number): ProxiedClient | null {
  const at = V2_FIXED_BYTES;
  if (family === 1) {
    return { host: bytes.subarray(at, at + 4).join('.'), port: bytes.readUInt16BE(at + 8) };
  }
  if (family !== 2) return null;
  return { host: formatIPv6(bytes.subarray(at, at + 16)), port: bytes.readUInt16BE(at + 32) };
}

/** As URL parsers write it, which is how RFC 5952 wants it. */
function formatIPv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** Type, length, value; null when they do not fill the rest exactly. */
function readTlvs(bytes: Buffer, start: number): [type: number, value: Buffer][] | null {
  const found: [number, Buffer][] = [];
  let at = start;
  while (at < bytes.length) {
    if (at + 3 > bytes.length) return null;
    const end = at + 3 + bytes.readUInt16BE(at + 1);
    if (end > bytes.length) return null;
    found.push([bytes[at], bytes.subarray(at + 3, end)]);
    at = end;
  }
  return found;
}

function readExtensions(
  header: Buffer,
  start: number,
): Pick<ProxyHeader, 'tls' | 'alpn' | 'authority'> | null {
  const told = { tls: null as ProxiedTls | null, alpn: '', authority: '' };
  const tlvs = readTlvs(header, start);
  if (tlvs === null) return null;
  for (const [type, value] of tlvs) {
    if (type === TYPE_ALPN) told.alpn = value.toString('utf8');
    else if (type === TYPE_AUTHORITY) told.authority = value.toString('utf8');
    else if (type === TYPE_CRC32C) {
      if (value.length !== 4 || value.readUInt32BE(0) !== checksum(header, value)) return null;
    } else if (type === TYPE_SSL) {
      told.tls = readTls(value);
      if (told.tls === null) return null;
    }
  }
  return told;
}

function readTls(value: Buffer): ProxiedTls | null {
  const tlvs = value.length < 5 ? null : readTlvs(value, 5);
  if (tlvs === null) return null;
  const client = value[0];
  let commonName = '';
  let version = '';
  for (const [type, text] of tlvs) {
    if (type === SUBTYPE_SSL_CN) commonName = text.toString('utf8');
    else if (type === SUBTYPE_SSL_VERSION) version = text.toString('latin1');
  }
  const presented = (client & CLIENT_SSL) !== 0 && (client & CLIENT_CERTIFICATES) !== 0;
  const verified = presented && value.readUInt32BE(1) === 0;
  return { verified, commonName, version };
}

/** CRC-32C of the header as it was before the checksum was put into `field`. */
function checksum(header: Buffer, field: Buffer): number {
  const from = field.byteOffset - header.byteOffset;
  let crc = 0xffff_ffff;
  for (let i = 0; i < header.length; i++) {
    crc ^= i >= from && i < from + 4 ? 0 : header[i];
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0);
  }
  return ~crc >>> 0;
}
