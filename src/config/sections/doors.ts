// What the tables of [[listeners]] stand for: listeners of the I/O mode's own driver where it is
// MQTT over TCP, in WebSocket frames or not, doors (src/io/doors) where it is more. One table may
// stand for two sockets, IPv4 and IPv6.

import { KB } from '../../limits.ts';
import { EVERY_INTERFACE, type Listener, type ListenerTerms, THIS_MACHINE } from '../address.ts';
import { writeTable } from '../table.ts';
import { type ListenerTable, listenerFields } from './listeners.ts';

/** By so much a WebSocket message may be larger than the largest packet. */
const MESSAGE_EXTRA_BYTES = 64 * KB;

/** Where a door is. */
export type Place =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string; readonly mode: number; readonly owner: string }
  | { readonly kind: 'systemd'; readonly name: string };

/** A listener that is more than TCP: src/io/doors serves it. */
export interface DoorConfig
  extends ListenerTerms,
    Pick<ListenerTable, 'protocol' | 'identity' | 'tls'> {
  readonly place: Place;
  /** As in Listener. */
  readonly optional: boolean;
  /** Addresses and networks of those who speak the PROXY protocol here; null: nobody does. */
  readonly proxies: readonly string[] | null;
}

/** Whether an address says everything about it. */
export function isPlain(table: ListenerTable): boolean {
  const { host: _host, port: _port, ...more } = writeTable(listenerFields, table);
  return Object.keys(more).length === 0;
}

export function portOf({ port, protocol, tls }: ListenerTable): number {
  if (port !== null) return port;
  if (protocol === 'websocket') return tls === null ? 8083 : 8084;
  return tls === null ? 1883 : 8883;
}

/** Whether it is TCP and nothing more, whatever is spoken there and said about it. */
function isTcp({ tls, unix, systemd, proxyProtocol }: ListenerTable): boolean {
  return tls === null && unix + systemd === '' && proxyProtocol === null;
}

function termsOf(table: ListenerTable, packetSizeMax: number): ListenerTerms {
  const { anonymous, mountPoint, connectionsMax, protocol, websocket } = table;
  const most = connectionsMax === 0 ? Number.POSITIVE_INFINITY : connectionsMax;
  const said = websocket ?? { path: '', origins: [] };
  const messageBytesMax = packetSizeMax + MESSAGE_EXTRA_BYTES;
  const webSocket = protocol === 'websocket' ? { ...said, messageBytesMax } : null;
  return { anonymous, mountPoint, connectionsMax: most, webSocket };
}

/** The sockets that a host stands for. IPv4 comes first and must succeed. */
function expandHost(host: string, port: number): Listener[] {
  const pair = { [EVERY_INTERFACE]: ['0.0.0.0', '::'], [THIS_MACHINE]: ['127.0.0.1', '::1'] }[host];
  if (pair === undefined) return [{ host, port, optional: false }];
  return pair.map((address, index) => ({ host: address, port, optional: index > 0 }));
}

/** The sockets a configured listener stands for, when it is TCP. */
export function expandListener(table: ListenerTable, packetSizeMax: number): Listener[] {
  if (!isTcp(table)) return [];
  const sockets = expandHost(table.host, portOf(table));
  if (isPlain(table)) return sockets;
  const terms = termsOf(table, packetSizeMax);
  return sockets.map(socket => ({ ...socket, terms }));
}

/** The doors a configured listener stands for, when it is more. */
export function expandDoor(table: ListenerTable, packetSizeMax: number): DoorConfig[] {
  if (isTcp(table)) return [];
  const { protocol, identity, tls, unix, systemd } = table;
  const settings = {
    ...termsOf(table, packetSizeMax),
    protocol,
    identity,
    tls,
    proxies: table.proxyProtocol?.from ?? null,
  };
  const alone = (place: Place) => [{ ...settings, place, optional: false }];
  if (systemd !== '') return alone({ kind: 'systemd', name: systemd });
  if (unix !== '') {
    const mode = Number.parseInt(table.mode, 8);
    return alone({ kind: 'unix', path: unix, mode, owner: table.owner });
  }
  return expandHost(table.host, portOf(table)).map(({ host, port, optional }) => ({
    ...settings,
    place: { kind: 'tcp', host, port },
    optional,
  }));
}

/** Whether clients on other machines may reach it; of what systemd opened nobody knows here. */
export function reachable({ host, unix, systemd }: ListenerTable): boolean {
  if (systemd !== '') return true;
  const near = host === THIS_MACHINE || host === '::1' || /^127(\.\d+){3}$/.test(host);
  return unix === '' && !near;
}
