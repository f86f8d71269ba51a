// Reads the wire corpus: the JSON files of this folder, one case per packet and version. Numbers
// and texts a case leaves out have their usual value; {"hex": "…"} stands for bytes.

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bytes, type Version, type WirePacket } from '../wire.ts';
import type { Sender } from '../wire-decode.ts';

export interface GoldenCase {
  /** The file without its ending: what kind of packet it is about. */
  readonly file: string;
  /** Unique: the file, the name and the version. */
  readonly title: string;
  readonly version: Version;
  readonly from: Sender;
  readonly bytes: Uint8Array;
  /** What the bytes say, or null when they are wrong. */
  readonly packet: WirePacket | null;
  /** The reason code of what is wrong, or null. */
  readonly fault: number | null;
  /** Who notices the fault: a decoder, or the core, from the packet alone or from what it knows. */
  readonly by: 'codec' | 'core' | 'state';
  /** Encoding the packet gives these very bytes; otherwise they are another way to say it. */
  readonly canonical: boolean;
  /** Our server sends such packets. */
  readonly sent: boolean;
  /** SUBSCRIBE: the code each filter is refused with, 0 for none. */
  readonly refusals: readonly number[] | null;
  /** CONNECT from a bridge. */
  readonly bridge: boolean;
  /** Faulty CONNECT: whose CONNACK answers it; null for a close without a word. */
  readonly answer: Version | null;
}

interface Entry {
  name: string;
  versions: Version[];
  from?: Sender;
  hex: string;
  packet?: Record<string, unknown>;
  fault?: string;
  by?: 'core' | 'state';
  canonical?: boolean;
  sent?: boolean;
  refusals?: string[];
  bridge?: boolean;
  answer?: Version | null;
}

const usual: Record<string, Record<string, unknown>> = {
  connect: {
    ...{ cleanStart: true, keepAlive: 0, clientId: '', will: null, username: null, password: null },
    properties: {},
  },
  connack: { sessionPresent: false, reason: 0, properties: {} },
  publish: {
    ...{ payload: new Uint8Array(0), qos: 0, dup: false, retain: false, packetId: 0 },
    properties: {},
  },
  puback: { reason: 0, properties: {} },
  pubrec: { reason: 0, properties: {} },
  pubrel: { reason: 0, properties: {} },
  pubcomp: { reason: 0, properties: {} },
  subscribe: { properties: {} },
  unsubscribe: { properties: {} },
  suback: { properties: {} },
  unsuback: { properties: {} },
  pingreq: {},
  pingresp: {},
  disconnect: { reason: 0, properties: {} },
  auth: { properties: {} },
};
const usualWill = { qos: 0, retain: false, properties: {} };
const usualFilter = { qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 };

/** Every case, once per version. */
export function loadCorpus(): GoldenCase[] {
  const folder = fileURLToPath(new URL('.', import.meta.url));
  const files = readdirSync(folder).filter(name => name.endsWith('.json'));
  return files.sort().flatMap(name => {
    const { cases } = JSON.parse(readFileSync(folder + name, 'utf8'), revive) as { cases: Entry[] };
    const file = name.replace('.json', '');
    return cases.flatMap(entry => entry.versions.map(version => complete(file, entry, version)));
  });
}

function revive(_key: string, value: unknown): unknown {
  const isBytes =
    typeof value === 'object' && value !== null && Object.keys(value).join() === 'hex';
  return isBytes ? bytes((value as { hex: string }).hex) : value;
}

function complete(file: string, entry: Entry, version: Version): GoldenCase {
  return {
    file,
    title: `${file}: ${entry.name} (${{ 3: '3.1', 4: '3.1.1', 5: '5.0' }[version]})`,
    version,
    from: entry.from ?? 'client',
    bytes: bytes(entry.hex),
    packet: entry.packet === undefined ? null : completePacket(entry.packet, version),
    fault: entry.fault === undefined ? null : Number(entry.fault),
    by: entry.by ?? 'codec',
    canonical: entry.canonical ?? true,
    sent: entry.sent ?? true,
    refusals: entry.refusals?.map(Number) ?? null,
    bridge: entry.bridge ?? false,
    answer: entry.answer === undefined ? usualAnswer(entry, version) : entry.answer,
  };
}

/** MQTT 5 has a reason code for everything, the others for a bad client id. */
function usualAnswer(entry: Entry, version: Version): Version | null {
  return version === 5 || entry.fault === '0x85' ? version : null;
}

function completePacket(given: Record<string, unknown>, version: Version): WirePacket {
  const packet = { ...usual[given.type as string], ...given };
  if (packet.type === 'connect') {
    packet.version = version;
    if (packet.will) packet.will = { ...usualWill, ...(packet.will as object) };
  }
  if (packet.type === 'subscribe') {
    packet.filters = (packet.filters as object[]).map(filter => ({ ...usualFilter, ...filter }));
  }
  return packet as unknown as WirePacket;
}
