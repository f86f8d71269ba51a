// PROXY protocol headers as a proxy writes them.

import { isIPv4 } from 'node:net';

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

/** `command`: 0x21 for a client, 0x20 for the proxy itself; `family`: 0x11 TCP4, 0x21 TCP6. */
export function v2(command: number, family: number, rest: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.from([command, family, rest.length >> 8, rest.length & 0xff]);
  return Buffer.concat([SIGNATURE, head, rest]);
}

export function v2Addresses(
  source: string,
  destination: string,
  sourcePort: number,
  destinationPort: number,
): Buffer {
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(sourcePort, 0);
  ports.writeUInt16BE(destinationPort, 2);
  return Buffer.concat([addressBytes(source), addressBytes(destination), ports]);
}

function addressBytes(host: string): Buffer {
  if (isIPv4(host)) return Buffer.from(host.split('.').map(Number));
  const [front, back = ''] = host.split('::');
  const groups = (side: string) => side.split(':').filter(group => group !== '');
  const [head, tail] = [groups(front!), groups(back)];
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return Buffer.from(
    [...head, ...zeros, ...tail].flatMap(group => {
      const value = Number.parseInt(group, 16);
      return [value >> 8, value & 0xff];
    }),
  );
}

export function tlv(type: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([Buffer.from([type, bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

/** What a proxy says about the TLS connection that ended at it. */
export function tlsTlv(facts: {
  readonly client: number;
  readonly verify: number;
  readonly version?: string;
  readonly commonName?: string;
}): Buffer {
  const head = Buffer.alloc(5);
  head[0] = facts.client;
  head.writeUInt32BE(facts.verify, 1);
  const version = facts.version === undefined ? [] : [tlv(0x21, facts.version)];
  const name = facts.commonName === undefined ? [] : [tlv(0x22, facts.commonName)];
  return tlv(0x20, Buffer.concat([head, ...version, ...name]));
}
