// One listener as a table of [[listeners]], without what it says about access.

import { isHost } from '../address.ts';
import type { Draft } from './collect.ts';
import { TomlTable } from './document.ts';
import { type Faults, type Line, placeOf } from './lines.ts';
import { BY_ITSELF, foreignListenerOptions, whyForeign } from './options.ts';
import { writeTls } from './tls.ts';
import { readChoice, readWhole } from './values.ts';

const CONNECTIONS_MAX = 100_000_000;
const SOCKET_PATH_BYTES_MAX = 107;

interface Place {
  readonly host: string;
  readonly port: number;
  /** A unix socket, instead of the two. */
  readonly unix: string;
  readonly from: readonly Line[];
}

export interface Listener {
  readonly draft: Draft;
  readonly table: TomlTable;
  /** It is not served, and its table holds only remarks. */
  readonly leftOut: boolean;
  /** Whether the listener itself proves user names. */
  readonly identified: boolean;
}

/** `addresses`: the sockets of the listeners before; `host`: where it is when it does not say. */
export function writeListener(
  draft: Draft,
  host: string,
  addresses: Set<string>,
  faults: Faults,
): Listener {
  const reason = reasonToLeaveOut(draft, faults);
  if (reason !== null) return leaveOut(draft, reason);
  const place = placeOfListener(draft, host, faults);
  const header = ['[[listeners]]', place.from.map(placeOf).join(', ')].filter(part => part !== '');
  const table = new TomlTable(header.join(' # '));
  if (place.port === 0) writeSocket(draft, place, table);
  else writeAddress(draft, place, table, addresses, faults);
  writeProtocol(draft, table, faults);
  const { options } = draft;
  const connections = options.last('max_connections');
  const most = connections && readWhole(connections, faults, -1, Number.MAX_SAFE_INTEGER);
  if (connections !== null && most !== null && most > 0) {
    table.set('connectionsMax', Math.min(most, CONNECTIONS_MAX), [connections]);
  } else if (connections !== null) {
    table.note(connections, BY_ITSELF);
  }
  const mount = options.last('mount_point');
  if (mount !== null && /[+#]/.test(mount.value)) faults.add(mount, 'expected no wildcards');
  else if (mount !== null) table.set('mountPoint', mount.value, [mount]);
  const identified = writeTls(options, place.unix !== '', table, faults);
  const proxy = options.last('enable_proxy_protocol');
  if (proxy !== null && readWhole(proxy, faults, 1, 2) !== null) {
    const why = 'mosquitto believes whoever connects; name your proxies, nobody else gets in';
    table.set('proxyProtocol.from', ['127.0.0.1', '::1'], [proxy], why);
  }
  for (const [name, why] of Object.entries(foreignListenerOptions)) {
    for (const line of options.all(name)) table.note(line, whyForeign(line, why));
  }
  return { draft, table, leftOut: false, identified };
}

/** Rather no listener than one that lets in more than the file does. */
function reasonToLeaveOut({ options }: Draft, faults: Faults): string | null {
  const protocol = options.last('protocol');
  if (protocol?.value === 'http_api') return 'minnow has no such interface';
  if (options.has('psk_hint')) return 'minnow speaks no TLS with pre-shared keys';
  const keyform = options.last('tls_keyform');
  const form = keyform && readChoice(keyform, faults, ['pem', 'engine']);
  return form === 'engine' ? 'minnow takes keys from files only' : null;
}

function leaveOut(draft: Draft, reason: string): Listener {
  const table = new TomlTable('');
  table.say(`A listener is left out: ${reason}.`);
  const lines = draft.opening === null ? [] : [draft.opening];
  for (const line of [...lines, ...draft.options.lines]) table.note(line, 'left out with it');
  return { draft, table, leftOut: true, identified: false };
}

function placeOfListener({ opening, options }: Draft, host: string, faults: Faults): Place {
  if (opening === null) {
    const [port, bind] = [options.last('port'), options.last('bind_address')];
    return {
      host: bind?.value ?? host,
      port: (port && readWhole(port, faults, 1, 65_535)) ?? 1883,
      unix: '',
      from: [port, bind].filter(line => line !== null),
    };
  }
  const port = readWhole(opening, faults, 0, 65_535) ?? 1;
  const word = opening.value.split(/\s+/)[1] ?? '';
  const where = word.startsWith('#') ? '' : word;
  if (port > 0) return { host: where || host, port, unix: '', from: [opening] };
  const fits = where !== '' && Buffer.byteLength(where) <= SOCKET_PATH_BYTES_MAX;
  if (!fits) {
    const expected = `the path of a socket behind port 0, at most ${SOCKET_PATH_BYTES_MAX} bytes`;
    faults.add(opening, `found "${opening.value}", expected ${expected}`);
  }
  return { host: '', port: 0, unix: where, from: [opening] };
}

function writeSocket({ options }: Draft, { unix }: Place, table: TomlTable): void {
  table.set('unix', unix, []);
  for (const name of ['socket_domain', 'bind_interface']) {
    for (const line of options.all(name)) table.note(line, 'has no meaning for a unix socket');
  }
}

function writeAddress(
  { opening, options }: Draft,
  { host: said, port, from }: Place,
  table: TomlTable,
  addresses: Set<string>,
  faults: Faults,
): void {
  let host = said;
  const domain = options.last('socket_domain');
  const family = domain && readChoice(domain, faults, ['ipv4', 'ipv6']);
  const device = options.last('bind_interface');
  if (device !== null && host === '*') {
    host = 'localhost';
    table.note(device, 'no equivalent: set the address of that device as host');
  } else if (device !== null) {
    table.note(device, 'no equivalent: the address is what counts');
  }
  const narrowed = family && narrow(host, family);
  if (domain !== null && narrowed === null) table.note(domain, 'no equivalent: host says it');
  host = narrowed ?? host;
  const at = from[0] ?? opening ?? domain ?? device;
  if (!isHost(host) && at) faults.add(at, `found "${host}", expected an address or a host name`);
  table.set('host', host, narrowed !== null && domain !== null ? [domain] : []);
  table.set('port', port, []);
  for (const address of socketsOf(host)) {
    const name = `${address} ${port}`;
    if (addresses.has(name) && at) faults.add(at, `${address} and port ${port} are taken already`);
    addresses.add(name);
  }
}

function narrow(host: string, family: 'ipv4' | 'ipv6'): string | null {
  if (host === '*') return family === 'ipv4' ? '0.0.0.0' : '::';
  if (host === 'localhost') return family === 'ipv4' ? '127.0.0.1' : '::1';
  return null;
}

function socketsOf(host: string): readonly string[] {
  if (host === '*') return ['0.0.0.0', '::'];
  return host === 'localhost' ? ['127.0.0.1', '::1'] : [host];
}

const ORIGIN = /^[a-z][a-z\d+.-]*:\/\/[^/\s]+$/;

function writeProtocol({ options }: Draft, table: TomlTable, faults: Faults): void {
  const line = options.last('protocol');
  const protocol = line && readChoice(line, faults, ['mqtt', 'websockets', 'http_api']);
  const origins = options.all('websockets_origin');
  if (line === null || protocol !== 'websockets') {
    if (line !== null) table.note(line, BY_ITSELF);
    for (const origin of origins) table.note(origin, 'has no effect without protocol websockets');
    return;
  }
  table.set('protocol', 'websocket', [line]);
  const good = origins.filter(({ value }) => value === '*' || ORIGIN.test(value));
  for (const origin of origins) {
    if (!good.includes(origin)) table.note(origin, 'no equivalent: write it as https://HOST');
  }
  if (good.length > 0) {
    const values = good.map(({ value }) => value);
    table.set('websocket.origins', values, good);
  } else if (origins.length === 0) {
    table.say('Pages of any origin may connect, as with mosquitto; better name yours.');
    table.set('websocket.origins', ['*'], []);
  }
}
