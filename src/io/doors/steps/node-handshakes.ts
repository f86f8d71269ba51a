// TLS handshakes by node:tls: a Server that never listens itself takes over what was accepted, so
// that a proxy's header can come before it.

import type { Socket } from 'node:net';
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';
import type { DoorSocket, TlsTerms } from '../socket.ts';

/** A socket in TLS, or why there is none. */
type Done = (outcome: TLSSocket | Error) => void;

export class NodeHandshakes {
  private readonly server: Server;
  /** By what is below the TLS. Addresses do not do: those of a unix socket are all the same. */
  private readonly waiting = new Map<DoorSocket, Done>();

  constructor(options: SecureContextOptions, { requestCert, protocols, contextFor }: TlsTerms) {
    this.server = createServer({
      ...options,
      requestCert,
      rejectUnauthorized: false,
      allowHalfOpen: true,
      handshakeTimeout: 2 ** 31 - 1, // the arrival has a deadline of its own
      SNICallback: (name, done) => done(null, contextFor(name)),
      ...(protocols !== null && { ALPNProtocols: protocols }),
    });
    // Both are called from inside of the TLS library, which a socket must outlive on Node.
    this.server.on('secureConnection', socket => {
      socket.on('error', () => {}); // `close` follows and is enough
      setImmediate(() => this.secured(socket));
    });
    this.server.on('tlsClientError', (error, socket) => {
      this.take(socket)?.(error);
      setImmediate(() => socket.destroy());
    });
  }

  /** Calls `done` unless `raw` is gone before. */
  shake(raw: DoorSocket, done: Done): void {
    this.waiting.set(raw, done);
    raw.once('close', () => this.waiting.delete(raw));
    this.server.emit('connection', raw);
  }

  /** For those who come next. */
  renew(options: SecureContextOptions): void {
    this.server.setSecureContext(options);
  }

  private secured(socket: TLSSocket): void {
    const done = this.take(socket);
    // Its transport is gone, or it has ended already and would not say so again.
    if (done === undefined || socket.readableEnded) socket.destroy();
    else done(socket);
  }

  private take(socket: TLSSocket): Done | undefined {
    const raw = below(socket);
    const done = this.waiting.get(raw);
    this.waiting.delete(raw);
    return done;
  }
}

/** What was handed to the server; both runtimes keep it there, and tell it by nothing else. */
function below(socket: TLSSocket): Socket {
  return (socket as unknown as { readonly _parent: Socket })._parent;
}
