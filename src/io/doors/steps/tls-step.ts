// The TLS handshake, by the socket itself where it can, else by node:tls; and whom it lets in.
// Sessions are resumed by tickets, whose keys change with every reload: who resumes was let in by
// the files that are in force.

import type { DoorConfig } from '../../../config/sections/doors.ts';
import type { DoorSocket, Securable, Secured, TlsTerms } from '../socket.ts';
import type { Arrival, Step } from './arrival.ts';
import { ClientTrust } from './client-trust.ts';
import { readCertificate } from './identity.ts';
import { NodeHandshakes } from './node-handshakes.ts';
import { readTlsFiles, type TlsFiles } from './tls-files.ts';

const PROTOCOLS = { mqtt: 'mqtt', websocket: 'http/1.1' } as const;

export class TlsStep {
  private readonly config: NonNullable<DoorConfig['tls']>;
  private files: TlsFiles;
  private terms: TlsTerms;
  private readonly trust: ClientTrust;
  /** Made for the first socket that cannot do it itself. */
  private node: NodeHandshakes | null = null;

  constructor(
    config: NonNullable<DoorConfig['tls']>,
    protocol: DoorConfig['protocol'],
    files: TlsFiles,
  ) {
    this.config = config;
    this.files = files;
    this.trust = new ClientTrust(files);
    const name = PROTOCOLS[protocol];
    this.terms = {
      context: files.context,
      requestCert: config.clientCertificate !== 'none',
      protocols: config.alpn ? Buffer.from(`${String.fromCharCode(name.length)}${name}`) : null,
      contextFor: name => this.contextFor(name),
    };
  }

  readonly step: Step = (arrival, next, refuse) => {
    const { raw } = arrival;
    const { files } = this; // those that it is let in or refused by
    const failed = (error: Error) => refuse('TLS handshake failed', { why: shortly(error) });
    const passed = (socket: Secured) => {
      const why = this.judge(arrival, socket, files);
      if (why === null) next();
      else refuse(why, { commonName: arrival.certificate?.commonName ?? '' });
    };
    if (isSecurable(raw)) {
      raw.secure(this.terms, error => (error === null ? passed(raw) : failed(error)));
      return;
    }
    this.node ??= new NodeHandshakes(files.options, this.terms);
    this.node.shake(raw, outcome => {
      if (outcome instanceof Error) {
        failed(outcome);
      } else {
        arrival.wrap(outcome);
        passed(outcome);
      }
    });
  };

  /** Certificates, authorities and revocations as the files are now, for those who come next.
   *  Returns who of the others may not stay: null, or why. */
  renew(files: TlsFiles): (arrival: Arrival) => string | null {
    this.files = files;
    this.terms = { ...this.terms, context: files.context };
    this.node?.renew(files.options);
    const judge = this.trust.renew(files, Date.now());
    return ({ secured }) => (secured === null ? null : judge(secured));
  }

  readFiles(): TlsFiles {
    return readTlsFiles(this.config, Date.now());
  }

  private contextFor(name: string) {
    return this.files.alternatives.find(({ certificate }) => certificate.checkHost(name))?.context;
  }

  /** Null: it may pass; else why it may not. `files`: those that it was let in by. */
  private judge(arrival: Arrival, socket: Secured, files: TlsFiles): string | null {
    if (!this.terms.requestCert) return null;
    const peer = socket.getPeerCertificate();
    const presented = peer?.fingerprint256 !== undefined;
    if (presented) {
      arrival.certificate = readCertificate(peer);
      arrival.secured = socket;
    }
    const why = this.fault(arrival, files);
    if (why === null && presented) this.trust.remember(socket, peer.raw);
    return why;
  }

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
}

function isSecurable(socket: DoorSocket): socket is Securable & Secured {
  return 'secure' in socket;
}

/** OpenSSL's messages name source files and lines. */
function shortly(error: Error): string {
  const parts = error.message.split(':');
  return (parts.length > 3 ? parts.slice(3).join(':') : error.message).slice(0, 120).trim();
}
