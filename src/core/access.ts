// The core's two named dependencies on the outside world's opinion: who are you (asked once per
// connection, may take time, so it is an effect out and `handleAuthResult` in) and what may you do
// (asked on the hot path, so it is synchronous). Implementations live in auth/.

/** A client certificate that was verified, by us or by a proxy that we trust. */
export interface Certificate {
  /** The subject's one common name, or ''. */
  readonly commonName: string;
  /** Subject alternative names as `dns:meter.example`, `email:…`, `uri:…`. */
  readonly names: readonly string[];
  /** SHA-256 of the certificate, hexadecimal in lower case; '' when only a proxy has seen it. */
  readonly fingerprint: string;
  /** Milliseconds since 1970; null when only a proxy knows. */
  readonly notAfter: number | null;
}

/** Where a connection came in, and what its transport says about the peer. */
export interface Origin {
  /** The listener, as the configuration names it. */
  readonly listener: string;
  /** A user name that the transport has proved: from the certificate, or the peer's account. */
  readonly username: string | null;
  readonly certificate: Certificate | null;
  /** Whether this listener lets in clients without a user name; null: as everywhere. */
  readonly anonymous: boolean | null;
  /** In front of every topic that is named by those who came in here; '' for nothing. */
  readonly mountPoint: string;
}

/** Who a connection turned out to be. Kept by the connection; handed to every access decision. */
export interface Principal {
  readonly clientId: string;
  /** The user name that was authenticated, or null for an anonymous client. */
  readonly username: string | null;
  /** The peer's address as text, e.g. "192.0.2.7:51234". */
  readonly peer: string;
  /** Null: by a listener that knows no more than the address. */
  readonly origin?: Origin | null;
  /** What the authenticator granted beside the rules; only Access looks into it. */
  readonly grants?: object | null;
}

/** What a client offers at CONNECT. */
export interface Credentials extends Principal {
  readonly password: Uint8Array | null;
  /** Authentication method of MQTT 5 enhanced authentication, or null for a plain login. */
  readonly authMethod: string | null;
  /** What the client's CONNECT or AUTH carried for that method. */
  readonly authData: Uint8Array | null;
  /** As AuthResult.exchange of this connection's last answer; null or left out at a beginning. */
  readonly exchange?: object | null;
}

/** The authenticator's verdict. */
export interface AuthResult {
  /** 0 lets the client in, 0x18 asks it to go on (with `data`), any code >= 0x80 refuses it. */
  readonly reason: number;
  /** Authentication data for the client's next step or for CONNACK. */
  readonly data?: Uint8Array | null;
  /** With 0x18: what the authenticator wants to see again with the client's next step, as plain
   *  data. The connection keeps it, so it is nobody else's and goes when the connection does. */
  readonly exchange?: object | null;
  /** The identity to use from here on when it differs from the user name that was offered. */
  readonly username?: string | null;
  /** Kept as the principal's `grants`. */
  readonly grants?: object | null;
  /** What letting it in rests on, in the authenticator's own words: kept with the connection, to be
   *  asked about again when users or rules have changed. */
  readonly standing?: string;
  /** How long the client may stay, e.g. until its token expires; left out: as long as it likes. */
  readonly expiresInMs?: number;
}

/** Asked by the hallway for every CONNECT and AUTH; must not throw. */
export interface Authenticator {
  /** Calls `done` once, before it returns or later. Not a promise: in the synchronous mode the
   *  core's thread runs none. */
  authenticate(credentials: Credentials, done: (result: AuthResult) => void): void;
}

/** Asked by the core before it routes or subscribes; must be fast and must not throw. */
export interface Access {
  mayPublish(who: Principal, topic: string, retain: boolean): boolean;
  /** Whether `filter` (without any $share prefix) may be subscribed to. */
  maySubscribe(who: Principal, filter: string): boolean;
  /** Whether messages to `topic` may be sent to a subscriber; left out: whoever may subscribe may
   *  receive. Asked once per subscription and topic, and again whenever somebody subscribes. */
  mayReceive?(who: Principal, topic: string): boolean;
}

export function mayReceive(access: Access, who: Principal, topic: string): boolean {
  return access.mayReceive === undefined || access.mayReceive(who, topic);
}
