// What the tables of [[listeners]] stand for: listeners of the I/O mode's own driver where it is
// MQTT over TCP, doors (src/io/doors) where it is more. One table may stand for two sockets, IPv4
// and IPv6.

import { EVERY_INTERFACE, type Listener, type ListenerTerms, THIS_MACHINE } from '../address.ts';
import { writeTable } from '../table.ts';
import { type ListenerTable, listenerFields, type WebSocketTable } from './listeners.ts';

/** Where a door is. */
export type Place =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string; readonly mode: number; readonly owner: string }
  | { readonly kind: 'systemd'; readonly name: string };

/** A listener that is more than MQTT over TCP: src/io/doors serves it. */
export interface DoorConfig
  extends ListenerTerms,
    Pick<ListenerTable, 'protocol' | 'identity' | 'tls'> {
  readonly place: Place;
  /** As in Listener. */
  readonly optional: boolean;
  readonly webSocket: WebSocketTable;
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

/** Whether it is MQTT over TCP and nothing more, whatever is said about it. */
function isTcp({ protocol, tls, unix, systemd, proxyProtocol }: ListenerTable): boolean {
  return protocol === 'mqtt' && tls === null && unix + systemd === '' && proxyProtocol === null;
}

function termsOf({ anonymous, mountPoint, connectionsMax }: ListenerTable): ListenerTerms {
  const most = connectionsMax === 0 ? Number.POSITIVE_INFINITY : connectionsMax;
  return { anonymous, mountPoint, connectionsMax: most };
}

/** The sockets that a host stands for. IPv4 comes first and must succeed. */
function expandHost(host: string, port: number): Listener[] {
  const pair = { [EVERY_INTERFACE]: ['0.0.0.0', '::'], [THIS_MACHINE]: ['127.0.0.1', '::1'] }[host];
  if (pair === undefined) return [{ host, port, optional: false }];
  return pair.map((address, index) => ({ host: address, port, optional: index > 0 }));
}

/** The sockets a configured listener stands for, when it is MQTT over TCP. */
export function expandListener(table: ListenerTable): Listener[] {
  if (!isTcp(table)) return [];
  const sockets = expandHost(table.host, portOf(table));
  if (isPlain(table)) return sockets;
  const terms = termsOf(table);
  return sockets.map(socket => ({ ...socket, terms }));
}

/** The doors a configured listener stands for, when it is more. */
export function expandDoor(table: ListenerTable): DoorConfig[] {
  if (isTcp(table)) return [];
  const { protocol, identity, tls, unix, systemd } = table;
  const settings = {
    ...termsOf(table),
    protocol,
    identity,
    tls,
    webSocket: table.websocket ?? { path: '', origins: [] },
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
