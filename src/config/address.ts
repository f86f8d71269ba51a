// Listening addresses as people write them: HOST:PORT, IPv6 in brackets, `:1883` for every
// interface, `1883` for this machine only.

import { isIP, isIPv6 } from 'node:net';
import type { WebSocketTable } from './sections/listeners.ts';

/** What is asked of those who speak MQTT in WebSocket frames. */
export interface WebSocketTerms extends WebSocketTable {
  /** Largest message: packets may be joined in it. */
  readonly messageBytesMax: number;
}

/** What holds for everybody who comes in by one listener. */
export interface ListenerTerms {
  /** Whether clients without a user name are let in; null: as everywhere. */
  readonly anonymous: boolean | null;
  /** In front of every topic they name; '' for nothing. */
  readonly mountPoint: string;
  /** Connections at once; Infinity: as many as the broker takes. */
  readonly connectionsMax: number;
  /** Null: they speak MQTT and nothing around it. */
  readonly webSocket: WebSocketTerms | null;
}

/** One socket to listen on for MQTT over TCP, in WebSocket frames or not; the driver of the I/O
 *  mode does. */
export interface Listener {
  /** An address or a name. An IPv6 address listens on IPv6 only, so that it can stand beside its
   *  IPv4 sibling on the same port. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** The machine may lack this address (no IPv6, say): then it is skipped without a fault. */
  readonly optional: boolean;
  /** Left out: everybody may come in, as far as nothing else forbids it. */
  readonly terms?: ListenerTerms;
}

/** What an address says; `*` and `localhost` stand for two sockets. */
export interface ListenerSpec {
  readonly host: string;
  readonly port: number;
}

export const EVERY_INTERFACE = '*';
export const THIS_MACHINE = 'localhost';

/** A host name by RFC 1123, an address, or one of the two words above. */
export function isHost(text: string): boolean {
  if (text === EVERY_INTERFACE || isIP(text) !== 0) return true;
  // What looks like an IPv4 address but is none would only be found out by a name look-up.
  if (/^[\d.]+$/.test(text) || text.length > 253) return false;
  return text.split('.').every(label => /^[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/i.test(label));
}

/** "[::1]:1883" → its host and port; null when `text` is no such thing. */
export function parseAddress(text: string): ListenerSpec | null {
  const match = /^(?:\[([^\]]*)\]:|([^:[\]]*):)?(\d{1,5})$/.exec(text.trim());
  if (match === null) return null;
  const [, bracketed, plain, port] = match;
  if (Number(port) > 65_535) return null;
  if (bracketed !== undefined && !isIPv6(bracketed)) return null;
  const named = bracketed ?? plain;
  const host = named === '' ? EVERY_INTERFACE : (named ?? THIS_MACHINE);
  return isHost(host) ? { host, port: Number(port) } : null;
}

/** "127.0.0.1:1883", "[::1]:1883". Joined and not concatenated: of a string that was, the runtimes
 *  keep the parts until somebody reads it, and every connection has one. */
export function formatAddress(host: string, port: number): string {
  return [host.includes(':') ? `[${host}]` : host, port].join(':');
}
