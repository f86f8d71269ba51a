// [[listeners]]: where clients come in, and what each of these places asks of them. MQTT over TCP,
// in WebSocket frames or not, is served by the I/O mode's own driver; TLS, unix sockets and the
// PROXY protocol make a listener a door (src/io/doors).

import { BlockList, isIP } from 'node:net';
import * as z from 'zod/mini';
import { isHost, parseAddress } from '../address.ts';
import { option } from '../option.ts';
import {
  choiceField,
  type Field,
  fileField,
  flagField,
  type Nested,
  numberField,
  type Path,
  type Report,
  readTable,
  textField,
  textsField,
  type Values,
} from '../table.ts';

export const identities = ['none', 'cn', 'dns', 'email', 'uri', 'account'] as const;

/** "10.0.0.0/8", "::1". */
export function parseNetwork(text: string): { host: string; bits: number } | null {
  const [host, bits = '', ...more] = text.split('/');
  const family = isIP(host);
  const widest = family === 6 ? 128 : 32;
  if (family === 0 || host.includes('%') || more.length > 0) return null;
  if (bits === '') return text.includes('/') ? null : { host, bits: widest };
  return /^\d{1,3}$/.test(bits) && Number(bits) <= widest ? { host, bits: Number(bits) } : null;
}

/** Whoever has an address in one of `networks`. */
export function networkList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of networks) {
    const network = parseNetwork(text);
    if (network === null) continue;
    const family = isIP(network.host) === 6 ? 'ipv6' : 'ipv4';
    list.addSubnet(network.host, network.bits, family);
  }
  return list;
}

const certificateFields = {
  certificate: fileField({
    default: '',
    description: 'PEM file: the certificate, then those that lead to the root.',
  }),
  key: fileField({ default: '', description: 'PEM file with its private key.' }),
};

const tlsFields = {
  ...certificateFields,
  alternatives: {
    each: certificateFields,
    description:
      'Further certificates (`[[listeners.tls.alternatives]]`), each served to clients that ask ' +
      'for a name it stands for (SNI).',
  },
  minVersion: choiceField({
    of: ['1.2', '1.3'],
    default: '1.2',
    description: 'Oldest version of TLS that is spoken.',
  }),
  ciphers: textField({
    default: '',
    defaultText: "the runtime's",
    expected: 'an OpenSSL list of ciphers, in quotes',
    description: 'Cipher list in the form of OpenSSL.',
  }),
  alpn: flagField({
    default: true,
    description: 'Whether clients that offer ALPN protocols must offer `mqtt`, and get it.',
  }),
  clientCertificate: choiceField({
    of: ['none', 'optional', 'required'],
    default: 'none',
    description: 'Whether clients are asked for a certificate. One that is wrong is refused.',
  }),
  ca: fileField({
    default: '',
    description: 'PEM file: the authorities that sign client certificates.',
  }),
  crl: fileField({
    default: '',
    description: 'PEM file: the lists of revoked certificates of all these authorities.',
  }),
};

const webSocketFields = {
  path: textField({
    default: '',
    defaultText: 'any',
    fits: text => text === '' || /^\/[!-~]*$/.test(text),
    expected: 'a path such as "/mqtt"',
    description: 'The only path that is served.',
  }),
  origins: textsField({
    default: [],
    defaultText: 'the same host',
    fits: text => text === '*' || text === 'null' || /^[a-z][a-z\d+.-]*:\/\/[^/\s]+$/.test(text),
    expected: 'a list like ["https://panel.example"], or ["*"] for any',
    description:
      'Web pages that may connect, by origin. Without it those from the same host; clients that ' +
      'are no browser name no origin and are not asked for one.',
  }),
};

const proxyFields = {
  from: textsField({
    default: [],
    fits: text => parseNetwork(text) !== null,
    expected: 'a list of addresses and networks like ["127.0.0.1", "10.0.0.0/8"]',
    description:
      'The proxies, by address or network; nobody else gets in. On a unix socket whoever can ' +
      'open it is one.',
  }),
};

export const listenerFields = {
  host: textField({
    default: 'localhost',
    fits: isHost,
    expected: 'an address, a host name, "*" for every interface or "localhost"',
    description: 'Address or name; `*` is every interface, `localhost` 127.0.0.1 and ::1.',
  }),
  port: numberField({
    default: null,
    defaultText: '1883, TLS 8883, WebSocket 8083 and 8084',
    min: 0,
    max: 65_535,
    description: 'Port; 0 lets the system choose.',
  }),
  unix: textField({
    default: '',
    fits: text => Buffer.byteLength(text) <= 107,
    expected: 'the path of a socket, at most 107 bytes',
    description: 'Listens on a unix socket at this path, instead of host and port.',
  }),
  mode: textField({
    default: '0660',
    fits: text => /^0?[0-7]{3}$/.test(text),
    expected: 'permissions like "0660"',
    description: 'Permissions of the unix socket.',
  }),
  owner: textField({
    default: '',
    defaultText: 'unchanged',
    fits: text => /^[\w.-]*(:[\w.-]+)?$/.test(text),
    expected: 'a user, "user:group" or ":group"',
    description: 'Owner of the unix socket.',
  }),
  systemd: textField({
    default: '',
    fits: text => /^[\w.@-]*$/.test(text),
    expected: 'the FileDescriptorName of a socket unit',
    description: 'Takes over sockets that systemd opened, by name, instead of host and port.',
  }),
  protocol: choiceField({
    of: ['mqtt', 'websocket'],
    default: 'mqtt',
    description: 'MQTT by itself, or in WebSocket frames.',
  }),
  connectionsMax: numberField({
    default: 0,
    defaultText: 'unlimited',
    min: 0,
    max: 100_000_000,
    description: 'Connections at once by this listener; 0: only the bound for all holds.',
  }),
  anonymous: flagField<boolean | null>({
    default: null,
    defaultText: 'auth.anonymous',
    description: 'Whether clients without a user name are let in here.',
  }),
  identity: choiceField({
    of: identities,
    default: 'none',
    description:
      'What serves as user name, and no password is asked for: `cn`, `dns`, `email`, `uri` of ' +
      'the client certificate, or the `account` behind a unix socket.',
  }),
  mountPoint: textField({
    default: '',
    fits: text => !/[+#]/.test(text),
    expected: 'the beginning of a topic, without wildcards',
    description: 'Put in front of all topics of clients that come in here.',
  }),
  tls: { fields: tlsFields, description: 'TLS: `[listeners.tls]`.' },
  websocket: { fields: webSocketFields, description: 'WebSocket: `[listeners.websocket]`.' },
  proxyProtocol: {
    fields: proxyFields,
    description: 'PROXY protocol 1 and 2, which then must be spoken: `[listeners.proxyProtocol]`.',
  },
} satisfies Record<string, Field<never> | Field<unknown> | Nested<never> | object>;

export type ListenerTable = Values<typeof listenerFields>;
export type TlsTable = Values<typeof tlsFields>;
export type WebSocketTable = Values<typeof webSocketFields>;
export type Identity = (typeof identities)[number];

/** Faults that no field has by itself. */
function contradictions(table: ListenerTable, path: Path, report: Report): void {
  const { tls, proxyProtocol, identity } = table;
  const fault = (key: string, text: string) => report([...path, ...key.split('.')], { text });
  if (table.unix !== '' && table.systemd !== '') {
    fault('systemd', 'stands beside unix, but a listener has one place');
  }
  if (table.owner !== '' && table.unix === '') fault('owner', 'is for unix sockets only');
  if (tls !== null && table.unix !== '') fault('tls', 'a unix socket needs none');
  if (table.websocket !== null && table.protocol !== 'websocket') {
    fault('websocket', 'has no meaning without protocol = "websocket"');
  }
  if (proxyProtocol?.from.length === 0 && table.unix === '') {
    fault('proxyProtocol', 'name the proxies, like from = ["127.0.0.1"]; nobody else gets in');
  }
  if (identity === 'account' && table.unix + table.systemd === '') {
    fault('identity', 'only a unix socket tells the account');
  }
  const certified = tls !== null && tls.clientCertificate !== 'none';
  if (identity === 'cn' && !certified && proxyProtocol === null) {
    fault('identity', 'needs tls.clientCertificate = "required" (or "optional"), or a proxy');
  } else if (['dns', 'email', 'uri'].includes(identity) && !certified) {
    fault('identity', 'needs tls.clientCertificate = "required" (or "optional")');
  }
  if (tls !== null) tlsContradictions(tls, fault);
}

function tlsContradictions(tls: TlsTable, fault: (key: string, text: string) => void): void {
  for (const key of ['certificate', 'key'] as const) {
    if (tls[key] === '') fault(`tls.${key}`, 'is missing: the path of a PEM file');
    for (const [index, one] of tls.alternatives.entries()) {
      if (one[key] !== '') continue;
      fault(`tls.alternatives.${index}.${key}`, 'is missing: the path of a PEM file');
    }
  }
  if (tls.clientCertificate !== 'none' && tls.ca === '') {
    fault('tls.ca', 'is missing: without it no client certificate is right');
  }
  if (tls.clientCertificate === 'none' && tls.ca + tls.crl !== '') {
    fault('tls.clientCertificate', 'is "none", so that ca and crl have no meaning');
  }
}

const EXPECTED =
  'a list like ["127.0.0.1:1883", "[::1]:1883"], where ":1883" is every interface and ' +
  '"1883" this machine only, or [[listeners]] tables';

function readListener(value: unknown, path: Path, report: Report): ListenerTable | null {
  const spec = typeof value === 'string' ? parseAddress(value) : value;
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) {
    report(path, { expected: EXPECTED });
    return null;
  }
  const table = readTable(listenerFields, spec, path, report);
  if (table !== null) contradictions(table, path, report);
  return table;
}

const listenersSchema = () =>
  z.transform((value: unknown, context): readonly ListenerTable[] => {
    const report: Report = (path, params) => {
      context.issues.push({ code: 'custom', input: value, path: [...path], params });
    };
    if (!Array.isArray(value) || value.length === 0) {
      report([], { expected: EXPECTED });
      return z.NEVER;
    }
    const tables = value.map((item, index) => readListener(item, [index], report));
    return tables.filter(table => table !== null);
  });

const plain = readTable(listenerFields, { port: 1883 }, [], () => {}) as ListenerTable;

export const listenersOption = option(
  listenersSchema,
  { shape: 'list', unit: 'list of addresses', expected: EXPECTED },
  {
    default: [plain],
    defaultText: '["localhost:1883"]',
    example: 'listeners = ["localhost:1883", "192.0.2.7:1883"]',
    description:
      'Where to listen. `HOST:PORT`, IPv6 in brackets; `:1883` is every interface; `1883` and ' +
      '`localhost:1883` are 127.0.0.1 and ::1; port 0 lets the system choose. For TLS, WebSocket ' +
      'and all else there are `[[listeners]]` tables, below; those with TLS, a unix socket, the ' +
      'PROXY protocol or systemd are served from an event loop in both I/O modes. A listener ' +
      'that others than this machine can reach needs a word about `anonymous`.',
  },
);
