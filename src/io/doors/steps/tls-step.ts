// The TLS handshake. A tls.Server that never listens itself takes over what was accepted, so that a
// proxy's header can come before it. Sessions are resumed by tickets, whose keys change with every
// reload: who resumes was let in by the files that are in force.

import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import type { DoorConfig } from '../../../config/sections/doors.ts';
import type { Arrival, Step } from './arrival.ts';
import { ClientTrust } from './client-trust.ts';
import { readCertificate } from './identity.ts';
import { readTlsFiles, type TlsFiles } from './tls-files.ts';

interface Waiting {
  readonly arrival: Arrival;
  readonly next: () => void;
  readonly refuse: Parameters<Step>[2];
  /** What it was let in or refused by. */
  readonly files: TlsFiles;
}

export class TlsStep {
  private readonly config: NonNullable<DoorConfig['tls']>;
  private files: TlsFiles;
  private readonly server: Server;
  private readonly trust: ClientTrust;
  /** By what is below the TLS. Addresses do not do: those of a unix socket are all the same. */
  private readonly waiting = new Map<Socket, Waiting>();

  constructor(config: NonNullable<DoorConfig['tls']>, protocol: string, files: TlsFiles) {
    this.config = config;
    this.files = files;
    this.trust = new ClientTrust(files);
    const options: TlsOptions = {
      ...files.options,
      requestCert: config.clientCertificate !== 'none',
      rejectUnauthorized: false, // decided below, where a resumed session shows its certificate
      allowHalfOpen: true,
      handshakeTimeout: 2 ** 31 - 1, // the arrival has a deadline of its own
      SNICallback: (name, done) => done(null, this.contextFor(name)),
      ...(config.alpn && { ALPNProtocols: [protocol === 'websocket' ? 'http/1.1' : 'mqtt'] }),
    };
    this.server = createServer(options);
    // Both are called from inside of the TLS library, which a socket must outlive on Node.
    this.server.on('secureConnection', socket => {
      socket.on('error', () => {}); // `close` follows and is enough
      setImmediate(() => this.secured(socket));
    });
    this.server.on('tlsClientError', (error, socket) => {
      this.take(socket)?.refuse('TLS handshake failed', { why: shortly(error) });
      setImmediate(() => socket.destroy());
    });
  }

  readonly step: Step = (arrival, next, refuse) => {
    const { raw } = arrival;
    this.waiting.set(raw, { arrival, next, refuse, files: this.files });
    raw.once('close', () => this.waiting.delete(raw));
    this.server.emit('connection', raw);
  };

  /** Certificates, authorities and revocations as the files are now, for those who come next.
   *  Returns who of the others may not stay: null, or why. */
  renew(files: TlsFiles): (arrival: Arrival) => string | null {
    this.files = files;
    this.server.setSecureContext(files.options);
    const judge = this.trust.renew(files, Date.now());
    return ({ secured }) => (secured === null ? null : judge(secured));
  }

  readFiles(): TlsFiles {
    return readTlsFiles(this.config, Date.now());
  }

  private contextFor(name: string) {
    return this.files.alternatives.find(({ certificate }) => certificate.checkHost(name))?.context;
  }

  private secured(socket: TLSSocket): void {
    const waiting = this.take(socket);
    // Its transport is gone, or it has ended already and would not say so again.
    if (waiting === undefined || socket.readableEnded) {
      socket.destroy();
      return;
    }
    const { arrival, next, refuse, files } = waiting;
    arrival.wrap(socket);
    if (this.config.clientCertificate !== 'none') {
      const peer = socket.getPeerCertificate();
      const presented = peer?.fingerprint256 !== undefined;
      if (presented) {
        arrival.certificate = readCertificate(peer);
        arrival.secured = socket;
      }
      const why = this.fault(arrival, files);
      if (why !== null) {
        refuse(why, { commonName: arrival.certificate?.commonName ?? '' });
        return;
      }
      if (presented) this.trust.remember(socket, peer.raw);
    }
    next();
  }

  /** `files`: those that it was let in by. */
  private fault({ secured, certificate }: Arrival, files: TlsFiles): string | null {
    if (secured === null) {
      return this.config.clientCertificate === 'required' ? 'no client certificate' : null;
    }
    if (!secured.authorized) {
      return `wrong client certificate: ${secured.authorizationError ?? 'not verified'}`;
    }
    // A resumed session is not verified again.
    const { notAfter } = certificate!;
    if (notAfter !== null && notAfter < Date.now()) return 'the client certificate has ended';
    return files === this.files ? null : this.trust.judge(secured, Date.now());
  }

  private take(socket: TLSSocket): Waiting | undefined {
    const raw = below(socket);
    const waiting = this.waiting.get(raw);
    this.waiting.delete(raw);
    return waiting;
  }
}

/** What was handed to the server; both runtimes keep it there, and tell it by nothing else. */
function below(socket: TLSSocket): Socket {
  return (socket as unknown as { readonly _parent: Socket })._parent;
}

/** OpenSSL's messages name source files and lines. */
function shortly(error: Error): string {
  const parts = error.message.split(':');
  return (parts.length > 3 ? parts.slice(3).join(':') : error.message).slice(0, 120).trim();
}
