// A door's socket on Bun: the runtime's own, without a stream around it, which costs more than a
// TLS handshake does beside it. TLS is put on it as it is.

import { EventEmitter } from 'node:events';
import type { DetailedPeerCertificate, PeerCertificate, SecureContext } from 'node:tls';
import type { Socket, SocketHandler } from 'bun';
import { copyOf } from '../../mqtt/bytes.ts';
import type { Securable, Secured, TlsTerms } from './socket.ts';

/** What Bun takes besides what its types tell: all that node:tls asks it for. */
interface Upgrade {
  readonly data: BunSocket;
  readonly isServer: true;
  readonly initialData: Buffer | undefined;
  readonly tls: object;
  readonly socket: SocketHandler<BunSocket> & {
    serverName(socket: BunSocket, name: string): object | undefined;
  };
}

export class BunSocket extends EventEmitter implements Securable, Secured {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly borrows = true;
  authorized = false;
  authorizationError = '';
  readableEnded = false;
  writableLength = 0;
  private socket: Socket<BunSocket>;
  /** What has come is kept. */
  private paused = true;
  /** Nothing is read. That is so from the first chunk on that nobody wants yet: most want it by
   *  then, and to stop and go on again are system calls. */
  private stopped = false;
  private readonly kept: Buffer[] = [];
  /** The peer's end waits behind what is kept. */
  private endKept = false;
  /** Copies of what the system has not taken yet. */
  private readonly unsent: Uint8Array[] = [];
  /** What is to happen when all is sent. */
  private last: 'end' | 'destroy' | null = null;
  private closed = false;
  private terms: TlsTerms | null = null;
  private secured: ((error: Error | null) => void) | null = null;

  /** `socket` was accepted just now. */
  constructor(socket: Socket<BunSocket>) {
    super();
    this.socket = socket;
    this.remoteAddress = socket.remoteAddress;
    this.remotePort = socket.remotePort;
  }

  pause(): void {
    this.paused = true;
    this.setReading(false);
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    while (!this.paused && this.kept.length > 0) this.emit('data', this.kept.shift());
    if (this.paused || this.closed) return;
    if (this.endKept) this.sayEnd();
    this.setReading(true);
  }

  /** It was accepted, and has to wait if it has not begun: nobody may hear what comes. */
  wait(): void {
    if (this.paused && this.terms === null) this.setReading(false);
  }

  unshift(bytes: Buffer): void {
    this.kept.unshift(bytes);
  }

  write(bytes: Uint8Array, taken?: () => void): void {
    if (this.closed || this.last !== null) return;
    const sent = this.unsent.length > 0 ? 0 : this.offer(bytes);
    if (sent < bytes.length) {
      this.unsent.push(copyOf(bytes, sent, bytes.length));
      this.writableLength += bytes.length - sent;
    }
    taken?.();
  }

  end(): void {
    this.finish('end');
  }

  destroySoon(): void {
    this.finish('destroy');
  }

  destroy(): void {
    if (!this.closed) this.socket.close();
  }

  resetAndDestroy(): void {
    if (!this.closed) this.socket.terminate();
  }

  secure(terms: TlsTerms, done: (error: Error | null) => void): void {
    this.terms = terms;
    this.secured = done;
    const { context, requestCert, protocols } = terms;
    const initialData = this.kept.length === 0 ? undefined : Buffer.concat(this.kept.splice(0));
    const upgrade: Upgrade = {
      data: this,
      isServer: true,
      initialData,
      tls: {
        secureContext: nativeOf(context),
        requestCert,
        rejectUnauthorized: false,
        ALPNProtocols: protocols ?? undefined,
      },
      socket: handlers,
    };
    const [, tls] = this.socket.upgradeTLS<BunSocket>(upgrade);
    this.socket = tls;
    this.setReading(true);
  }

  getPeerCertificate(detailed: true): DetailedPeerCertificate;
  getPeerCertificate(detailed?: false): PeerCertificate;
  getPeerCertificate(detailed = false): PeerCertificate {
    // Bun's own asks for the contrary: whether it may be short.
    const { socket } = this as unknown as {
      readonly socket: { getPeerCertificate(short: boolean): PeerCertificate | undefined };
    };
    return socket.getPeerCertificate(!detailed) ?? ({} as PeerCertificate);
  }

  /** Whether it goes through `socket` now. The rest is called by Bun as well. */
  isBy(socket: Socket<BunSocket>): boolean {
    return socket === this.socket;
  }

  contextFor(name: string): object | undefined {
    const context = this.terms?.contextFor(name);
    return context === undefined ? undefined : nativeOf(context);
  }

  shaken(success: boolean, error: Error | null): void {
    const done = this.secured;
    this.secured = null;
    if (done === null || this.closed) return;
    this.authorized = success && error === null;
    if (error !== null)
      this.authorizationError = (error as { code?: string }).code ?? error.message;
    done(success ? null : (error ?? new Error('it was ended')));
  }

  received(chunk: Buffer): void {
    if (!this.paused) {
      this.emit('data', chunk);
      return;
    }
    this.kept.push(chunk);
    this.setReading(false);
  }

  ended(): void {
    if (this.paused) this.endKept = true;
    else this.sayEnd();
  }

  drained(): void {
    const { unsent } = this;
    while (unsent.length > 0) {
      const sent = this.offer(unsent[0]);
      this.writableLength -= sent;
      if (sent < unsent[0].length) {
        unsent[0] = unsent[0].subarray(sent);
        return;
      }
      unsent.shift();
    }
    if (this.last !== null) this.sayLast(this.last);
    else this.emit('drain');
  }

  gone(): void {
    if (this.closed) return;
    this.closed = true;
    this.shaken(false, null);
    this.unsent.length = 0;
    queueMicrotask(() => this.emit('close')); // who closes it has not finished yet
  }

  private setReading(reading: boolean): void {
    if (reading !== this.stopped || this.closed) return;
    this.stopped = !reading;
    if (reading) this.socket.resume();
    else this.socket.pause();
  }

  private offer(bytes: Uint8Array): number {
    const sent = this.socket.write(bytes as Uint8Array<ArrayBuffer>);
    return Math.max(0, sent); // -1: it is closing
  }

  private sayEnd(): void {
    this.endKept = false;
    this.readableEnded = true;
    this.emit('end');
    if (this.last !== null && this.unsent.length === 0) this.destroy();
  }

  private finish(how: 'end' | 'destroy'): void {
    if (this.closed || this.last === 'destroy') return;
    this.last = how;
    if (this.unsent.length === 0) this.sayLast(how);
  }

  private sayLast(how: 'end' | 'destroy'): void {
    if (how === 'end' && !this.readableEnded) this.socket.shutdown();
    else this.socket.end();
  }
}

function nativeOf(context: SecureContext): object {
  return (context as { readonly context: object }).context;
}

/** Of sockets in the clear. One that is about to be TLS needs no `data`, and without it Bun makes
 *  no chunks of what is encrypted. */
export function plainHandlers(isRead: boolean) {
  const { data, ...rest } = handlers;
  return isRead ? { data, ...rest } : rest;
}

const handlers = {
  data: (socket: Socket<BunSocket>, chunk: Buffer) => ownerOf(socket)?.received(chunk),
  end: (socket: Socket<BunSocket>) => ownerOf(socket)?.ended(),
  drain: (socket: Socket<BunSocket>) => ownerOf(socket)?.drained(),
  close: (socket: Socket<BunSocket>) => ownerOf(socket)?.gone(),
  // No `error`: what is thrown in here would go there, and is a bug that ends the process.
  handshake: ({ data: own }: Socket<BunSocket>, success: boolean, error: Error | null) =>
    own.shaken(success, error),
  serverName: (own: BunSocket, name: string) => own.contextFor(name),
};

/** Null for what is below TLS: Bun goes on telling about it. */
function ownerOf(socket: Socket<BunSocket>): BunSocket | null {
  return socket.data.isBy(socket) ? socket.data : null;
}
