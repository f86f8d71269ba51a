// TLS for the load engine: OpenSSL behind a pair of buffers in memory, so that one read and one
// write of the socket serve many records. (Memory that grows, BIO_s_mem, is cleared before it is
// written: a tenth of the generator's time.) Sessions are resumed where that is wanted, and it is
// counted.

import { isIP } from 'node:net';
import type { Memory, System } from '../system.ts';
import type { Layer, Sink, Surroundings } from './layer.ts';
import type { OpenSsl } from './open-ssl.ts';

const BUFFER_BYTES = 256 * 1024;
/** One record each way, with what goes along with it. */
const PAIR_BYTES = 17 * 1024;
const TEXT_BYTES = 256;
const SSL_ERROR_WANT_READ = 2;
const SSL_ERROR_ZERO_RETURN = 6;
const SSL_BOTH_SHUT_DOWN = 3;
const SSL_VERIFY_PEER = 1;
const SSL_FILETYPE_PEM = 1;
const SSL_CTRL_MODE = 33;
/** A write may end after any record, go on from elsewhere, and idle clients hold no buffers. */
const SSL_MODES = 0x1 | 0x2 | 0x10;
const SSL_CTRL_SET_TLSEXT_HOSTNAME = 55;
const X509_V_OK = 0;

export interface TlsSettings {
  /** Who signs the broker's certificate: a PEM file, whom the system trusts, or whoever it is. */
  readonly trust: { readonly file: string } | 'system' | 'anybody';
  /** What the certificate must stand for, and what is asked for (SNI). */
  readonly host: string;
  /** Whether the name in the certificate matters. */
  readonly checkHost: boolean;
  /** PEM files of the clients' own certificate; null: they have none. */
  readonly own: { readonly certificate: string; readonly key: string } | null;
  /** Whether all but the first client resume the first one's session. */
  readonly resume: boolean;
}

/** What all clients have in common. */
export class TlsContext {
  readonly ssl: OpenSsl;
  /** Handshakes that were completed, and those that resumed a session. */
  handshakes = 0;
  resumed = 0;
  /** What came decrypted, and what goes out encrypted. */
  readonly plain: Memory;
  readonly sealed: Memory;
  private readonly system: System;
  private readonly settings: TlsSettings;
  private readonly context: number;
  private readonly name: Memory;
  /** Where the addresses of both ends of a new pair are written. */
  private readonly ends: Memory;
  private readonly namesAddress: boolean;
  private session = 0;

  /** Throws when a file cannot be used. */
  constructor(system: System, ssl: OpenSsl, settings: TlsSettings) {
    this.system = system;
    this.ssl = ssl;
    this.settings = settings;
    this.plain = system.memory(BUFFER_BYTES);
    this.sealed = system.memory(BUFFER_BYTES);
    this.name = system.text(settings.host);
    this.namesAddress = isIP(settings.host) !== 0;
    this.context = ssl.SSL_CTX_new(ssl.TLS_client_method());
    ssl.SSL_CTX_ctrl(this.context, SSL_CTRL_MODE, SSL_MODES, 0);
    this.ends = system.memory(16);
    this.readFiles();
  }

  /** A client's state, and the end of the pair that its bytes come from and go to. */
  client(): { readonly client: number; readonly network: number } {
    const { ssl, name, settings, session, ends } = this;
    const client = ssl.SSL_new(this.context);
    ssl.BIO_new_bio_pair(ends.address, PAIR_BYTES, ends.address + 8, PAIR_BYTES);
    const [inner, network] = [0, 8].map(at => Number(ends.view.getBigUint64(at, true))) as [
      number,
      number,
    ];
    ssl.SSL_set_bio(client, inner, inner); // which it owns from here on
    ssl.SSL_set_connect_state(client);
    if (!this.namesAddress) {
      ssl.SSL_ctrl(client, SSL_CTRL_SET_TLSEXT_HOSTNAME, 0, name.address);
    }
    if (settings.checkHost && settings.trust !== 'anybody') {
      if (!this.namesAddress) ssl.SSL_set1_host(client, name.address);
      else ssl.X509_VERIFY_PARAM_set1_ip_asc(ssl.SSL_get0_param(client), name.address);
    }
    if (session !== 0) ssl.SSL_set_session(client, session);
    return { client, network };
  }

  /** A client has come as far as to be answered: by now its session can be resumed. */
  completed(client: number): void {
    if (this.settings.resume && this.session === 0) {
      this.session = this.ssl.SSL_get1_session(client);
    }
  }

  /** Why OpenSSL is not content, in its words. */
  complaint(): string {
    const text = this.system.memory(TEXT_BYTES);
    const code = this.ssl.ERR_get_error() >>> 0;
    if (code === 0) return 'the broker ended it';
    this.ssl.ERR_error_string_n(code, text.address, TEXT_BYTES);
    const said = Buffer.from(text.bytes.subarray(0, text.bytes.indexOf(0))).toString('latin1');
    return said.split(':').at(-1)!.trim();
  }

  free(): void {
    if (this.session !== 0) this.ssl.SSL_SESSION_free(this.session);
    this.session = 0;
    this.ssl.SSL_CTX_free(this.context);
  }

  private readFiles(): void {
    const { ssl, context } = this;
    const { trust, own } = this.settings;
    if (trust !== 'anybody') {
      ssl.SSL_CTX_set_verify(context, SSL_VERIFY_PEER, 0);
      if (trust === 'system') ssl.SSL_CTX_set_default_verify_paths(context);
      else this.read(trust.file, at => ssl.SSL_CTX_load_verify_locations(context, at, 0));
    }
    if (own === null) return;
    this.read(own.certificate, at => ssl.SSL_CTX_use_certificate_chain_file(context, at));
    this.read(own.key, at => ssl.SSL_CTX_use_PrivateKey_file(context, at, SSL_FILETYPE_PEM));
  }

  private read(file: string, by: (name: number) => number): void {
    const name = this.system.text(file);
    if (by(name.address) !== 1) throw new Error(`${file}: ${this.complaint()}`);
  }
}

export class TlsLayer implements Layer {
  private readonly context: TlsContext;
  private readonly around: Surroundings;
  private readonly network: number;
  private client: number;
  private open = false;
  private answered = false;
  /** Bytes of the context's memory, which is nobody else's until this client has been read. */
  private filled = 0;

  constructor(context: TlsContext, around: Surroundings) {
    const { client, network } = context.client();
    this.context = context;
    this.around = around;
    this.client = client;
    this.network = network;
  }

  begin(): void {
    this.shakeHands();
  }

  readonly wrap: Sink = (memory, start, end) => {
    const { ssl } = this.context;
    let length = 0;
    for (let at = start; at < end; ) {
      const count = ssl.SSL_write(this.client, memory.address + at, end - at);
      if (count <= 0) throw new Error(`TLS failed while sending: ${this.context.complaint()}`);
      at += count;
      length = this.collect(length);
    }
    this.around.below(this.context.sealed, 0, length);
  };

  readonly unwrap: Sink = (memory, start, end) => {
    const { ssl } = this.context;
    for (let at = start; at < end; ) {
      at += Math.max(0, ssl.BIO_write(this.network, memory.address + at, end - at));
      if (this.open || this.shakeHands()) this.readRecords();
    }
    if (this.filled > 0) this.handOn();
  };

  free(): void {
    const { ssl } = this.context;
    if (this.client === 0) return;
    ssl.SSL_set_shutdown(this.client, SSL_BOTH_SHUT_DOWN); // or its session cannot be resumed
    ssl.SSL_free(this.client);
    ssl.BIO_free(this.network);
    this.client = 0;
  }

  private readRecords(): void {
    const { ssl, plain } = this.context;
    for (;;) {
      const room = BUFFER_BYTES - this.filled;
      const count = ssl.SSL_read(this.client, plain.address + this.filled, room);
      if (count <= 0) {
        this.expectMore(count);
        return;
      }
      this.filled += count;
      if (this.filled === BUFFER_BYTES) this.handOn();
    }
  }

  private handOn(): void {
    const { context, filled } = this;
    if (!this.answered) context.completed(this.client);
    this.answered = true;
    this.filled = 0;
    this.around.above(context.plain, 0, filled);
  }

  /** Whether the handshake is over. */
  private shakeHands(): boolean {
    const { context } = this;
    const { ssl } = context;
    const result = ssl.SSL_do_handshake(this.client);
    if (result === 1) {
      this.open = true;
      context.handshakes++;
      context.resumed += ssl.SSL_session_reused(this.client);
    } else if (ssl.SSL_get_error(this.client, result) !== SSL_ERROR_WANT_READ) {
      const refused = ssl.SSL_get_verify_result(this.client) !== X509_V_OK;
      this.flush(); // the alert
      const what = refused ? "the broker's certificate is refused" : 'the TLS handshake failed';
      throw new Error(`${what}: ${context.complaint()}`);
    }
    this.flush();
    if (this.open) this.around.opened();
    return this.open;
  }

  private expectMore(result: number): void {
    const { ssl } = this.context;
    const error = ssl.SSL_get_error(this.client, result);
    if (error === SSL_ERROR_WANT_READ) return;
    if (error === SSL_ERROR_ZERO_RETURN) throw new Error('the broker said goodbye by TLS');
    throw new Error(`TLS failed while reading: ${this.context.complaint()}`);
  }

  /** Sends what OpenSSL wants to say by itself. */
  private flush(): void {
    const length = this.collect(0);
    if (length > 0) this.around.below(this.context.sealed, 0, length);
  }

  /** Puts what is to be sent behind the `length` bytes that are there; returns how many there are
   *  then. What would not fit any more is sent. */
  private collect(length: number): number {
    const { ssl, sealed } = this.context;
    let kept = length;
    if (kept + PAIR_BYTES > BUFFER_BYTES) {
      this.around.below(sealed, 0, kept);
      kept = 0;
    }
    return kept + Math.max(0, ssl.BIO_read(this.network, sealed.address + kept, PAIR_BYTES));
  }
}
