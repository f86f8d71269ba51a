// The TLS handshake. A tls.Server that never listens itself takes over what was accepted, so that a
// proxy's header can come before it. Sessions are resumed by tickets, whose keys change with every
// reload: who resumes was let in by the files that are in force.

import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import type { DoorConfig } from '../../../config/sections/doors.ts';
import type { Arrival, Step } from './arrival.ts';
import { readCertificate } from './identity.ts';
import { certificateName } from './revocations.ts';
import { readTlsFiles, type TlsFiles } from './tls-files.ts';

interface Waiting {
  readonly arrival: Arrival;
  readonly next: () => void;
  readonly refuse: Parameters<Step>[2];
}

export class TlsStep {
  private readonly config: NonNullable<DoorConfig['tls']>;
  private files: TlsFiles;
  private readonly server: Server;
  /** By address and port of the transport's other end: what the runtimes tell of a TLS socket. */
  private readonly waiting = new Map<string, Waiting>();

  constructor(config: NonNullable<DoorConfig['tls']>, protocol: string, files: TlsFiles) {
    this.config = config;
    this.files = files;
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
    const key = keyOf(raw);
    this.waiting.set(key, { arrival, next, refuse });
    raw.once('close', () => this.waiting.delete(key));
    this.server.emit('connection', raw);
  };

  /** Certificates, authorities and revocations as the files are now, for those who come next. */
  renew(files: TlsFiles): void {
    this.files = files;
    this.server.setSecureContext(files.options);
  }

  readFiles(): TlsFiles {
    return readTlsFiles(this.config, Date.now());
  }

  private contextFor(name: string) {
    return this.files.alternatives.find(({ certificate }) => certificate.checkHost(name))?.context;
  }

  private secured(socket: TLSSocket): void {
    const waiting = this.take(socket);
    if (waiting === undefined) {
      socket.destroy(); // its transport is gone
      return;
    }
    const { arrival, next, refuse } = waiting;
    arrival.wrap(socket);
    if (this.config.clientCertificate !== 'none') {
      const peer = socket.getPeerCertificate();
      const presented = peer?.fingerprint256 !== undefined;
      if (presented) {
        arrival.certificate = readCertificate(peer);
        arrival.certificateName = certificateName(peer.raw);
      }
      const why = this.fault(arrival, presented, socket);
      if (why !== null) {
        refuse(why, { commonName: arrival.certificate?.commonName ?? '' });
        return;
      }
    }
    next();
  }

  private fault(arrival: Arrival, presented: boolean, socket: TLSSocket): string | null {
    if (!presented) {
      return this.config.clientCertificate === 'required' ? 'no client certificate' : null;
    }
    if (!socket.authorized) {
      return `wrong client certificate: ${socket.authorizationError ?? 'not verified'}`;
    }
    // A resumed session is not verified again.
    const { notAfter } = arrival.certificate!;
    return notAfter !== null && notAfter < Date.now() ? 'the client certificate has ended' : null;
  }

  private take(socket: TLSSocket): Waiting | undefined {
    const key = keyOf(socket);
    const waiting = this.waiting.get(key);
    this.waiting.delete(key);
    return waiting;
  }
}

function keyOf({ remoteAddress, remotePort }: Pick<TLSSocket, 'remoteAddress' | 'remotePort'>) {
  return `${remoteAddress} ${remotePort}`;
}

/** OpenSSL's messages name source files and lines. */
function shortly(error: Error): string {
  const parts = error.message.split(':');
  return (parts.length > 3 ? parts.slice(3).join(':') : error.message).slice(0, 120).trim();
}
