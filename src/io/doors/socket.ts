// What the doors ask of a connection. Sockets of node:net and node:tls are like that as they are;
// on Bun there are some of our own.

import type { EventEmitter } from 'node:events';
import type { SecureContext, TLSSocket } from 'node:tls';

/** Says `data`, `end`, `drain`, `error` and `close` as a stream does, and is accepted paused. */
export interface DoorSocket extends EventEmitter {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly readableEnded: boolean;
  readonly writableLength: number;
  pause(): unknown;
  resume(): unknown;
  /** Puts back what was read too far; it is paused. */
  unshift(bytes: Buffer): void;
  /** Takes all of `bytes`, and calls `taken` when it needs them no more. */
  write(bytes: Uint8Array, taken?: (error?: Error | null) => void): unknown;
  /** It needs them no more as soon as `write` returns. */
  readonly borrows?: true;
  /** What was written, then the end of this side. */
  end(): unknown;
  /** What was written, then the end of both. */
  destroySoon(): void;
  destroy(): unknown;
  resetAndDestroy(): unknown;
}

/** Whom the other end of a TLS connection has shown itself to be. */
export interface Secured extends Pick<TLSSocket, 'authorized' | 'getPeerCertificate'> {
  /** Its code, whatever the runtimes' types say. */
  readonly authorizationError: Error | string;
}

/** How a handshake goes; certificates are asked for, but do not decide. */
export interface TlsTerms {
  readonly context: SecureContext;
  readonly requestCert: boolean;
  /** As it travels: each protocol behind its length. */
  readonly protocols: Buffer | null;
  readonly contextFor: (name: string) => SecureContext | undefined;
}

/** A socket that can go on in TLS itself. */
export interface Securable extends DoorSocket {
  /** Shakes hands and calls `done`, with an error if that has failed. */
  secure(terms: TlsTerms, done: (error: Error | null) => void): void;
}
