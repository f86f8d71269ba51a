// A connection on its way in: accepted, but not through PROXY header, TLS handshake and WebSocket
// upgrade yet. All of these together have one deadline.

import { formatAddress } from '../../../config/address.ts';
import type { Certificate } from '../../../core/access.ts';
import type { DoorSocket, Secured } from '../socket.ts';

export class Arrival {
  readonly raw: DoorSocket;
  /** The address of the transport's other end; undefined for a unix socket. A socket that has reset
   *  tells none either: it is kept from when it was accepted. */
  readonly host: string | undefined;
  /** The client's address, which a proxy may correct. */
  peer: string;
  certificate: Certificate | null = null;
  /** Where a certificate was shown in our handshake. */
  secured: Secured | null = null;
  /** The account behind a unix socket. */
  account: string | null = null;
  /** It has become a link. */
  isIn = false;
  /** Ends the handshakes. */
  deadline: ReturnType<typeof setTimeout> | undefined;
  private current: DoorSocket;
  private readonly onGone: () => void;
  private gone = false;

  /** `onGone` is called once, whether or not it got in. */
  constructor(raw: DoorSocket, host: string | undefined, onGone: () => void) {
    this.raw = raw;
    this.host = host;
    this.peer = host === undefined ? 'unix:' : formatAddress(host, raw.remotePort ?? 0);
    this.current = raw;
    this.onGone = onGone;
    this.watch(raw);
  }

  /** `raw`, or what was put around it. */
  get stream(): DoorSocket {
    return this.current;
  }

  /** `stream` speaks for the connection from here on: Bun closes what is below it early. */
  wrap(stream: DoorSocket): void {
    this.current = stream;
    this.watch(stream);
  }

  get isGone(): boolean {
    return this.gone;
  }

  end(): void {
    this.raw.destroy();
    this.current.destroy();
  }

  private watch(stream: DoorSocket): void {
    stream.on('error', () => {}); // `close` follows and is enough
    stream.once('close', () => {
      if (stream !== this.current || this.gone) return;
      this.gone = true;
      clearTimeout(this.deadline);
      this.onGone();
    });
  }
}

/** One step of the way in; goes on by calling `next`, or ends it by calling `refuse`. */
export type Step = (
  arrival: Arrival,
  next: () => void,
  refuse: (why: string, fields?: Readonly<Record<string, string | number>>) => void,
) => void;

/** The address of the other end; undefined for a unix socket, and for one that has reset. A socket
 *  that systemd has opened may serve both families, and IPv4 addresses then come in the clothes of
 *  IPv6. */
export function addressOf({ remoteAddress }: DoorSocket): string | undefined {
  return remoteAddress?.replace(/^::ffff:(?=\d+\.)/i, '');
}
