// What the tables of [[listeners]] stand for: plain listeners, and doors (src/io/doors). One table
// may stand for two sockets, IPv4 and IPv6.

import { EVERY_INTERFACE, type Listener, THIS_MACHINE } from '../address.ts';
import { writeTable } from '../table.ts';
import { type ListenerTable, listenerFields, type WebSocketTable } from './listeners.ts';

/** Where a door is. */
export type Place =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string; readonly mode: number; readonly owner: string }
  | { readonly kind: 'systemd'; readonly name: string };

/** A listener that is more than an address: src/io/doors serves it. */
export interface DoorConfig
  extends Pick<ListenerTable, 'protocol' | 'anonymous' | 'identity' | 'mountPoint' | 'tls'> {
  readonly place: Place;
  /** As in Listener. */
  readonly optional: boolean;
  readonly webSocket: WebSocketTable;
  /** Addresses and networks of those who speak the PROXY protocol here; null: nobody does. */
  readonly proxies: readonly string[] | null;
  /** Infinity: as many as the broker takes. */
  readonly connectionsMax: number;
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

/** The sockets that a host stands for. IPv4 comes first and must succeed. */
function expandHost(host: string, port: number): Listener[] {
  const pair = { [EVERY_INTERFACE]: ['0.0.0.0', '::'], [THIS_MACHINE]: ['127.0.0.1', '::1'] }[host];
  if (pair === undefined) return [{ host, port, optional: false }];
  return pair.map((address, index) => ({ host: address, port, optional: index > 0 }));
}

/** The sockets a configured listener stands for, when an address says everything about it. */
export function expandListener(table: ListenerTable): Listener[] {
  return isPlain(table) ? expandHost(table.host, portOf(table)) : [];
}

/** The doors a configured listener stands for, when it takes more than an address. */
export function expandDoor(table: ListenerTable): DoorConfig[] {
  if (isPlain(table)) return [];
  const { protocol, anonymous, identity, mountPoint, tls, unix, systemd, connectionsMax } = table;
  const settings = {
    protocol,
    anonymous,
    identity,
    mountPoint,
    tls,
    webSocket: table.websocket ?? { path: '', origins: [] },
    proxies: table.proxyProtocol?.from ?? null,
    connectionsMax: connectionsMax === 0 ? Number.POSITIVE_INFINITY : connectionsMax,
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
