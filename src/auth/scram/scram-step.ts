// SCRAM-SHA-256 as MQTT 5 enhanced authentication, also while connected (re-authentication): the
// password never leaves the client, and the client learns that we know it. Where an exchange stands
// is kept by its connection; nothing is remembered here.

import { randomBytes } from 'node:crypto';
import type { AuthResult, Credentials } from '../../core/access.ts';
import { Reason } from '../../mqtt/reason.ts';
import { BackOff } from '../passwords/back-off.ts';
import { hmac, sha256 } from '../passwords/compute.ts';
import { formatHash, type ScramHash, type StoredHash } from '../passwords/stored-hash.ts';
import { standingOf } from '../standing.ts';
import { ALLOWED, type AuthStep, BANNED, NOT_AUTHORIZED, type Verdict } from '../step.ts';
import { parseClientFirst, ScramExchange } from './exchange.ts';

export const SCRAM_METHOD = 'SCRAM-SHA-256';

const EXCHANGE_MS = 30_000;
const NONCE_BYTES = 18;
/** What RFC 7677 asks for at least. */
const ROUNDS_DEFAULT = 4_096;

export interface ScramOptions {
  readonly hashes: ReadonlyMap<string, StoredHash>;
  readonly now: () => number;
  /** Our part of a nonce. */
  readonly nonce?: () => string;
}

/** An exchange that is not finished, as its connection keeps it. */
interface Begun {
  /** The client's first message. */
  readonly first: string;
  /** Our part of the nonce. */
  readonly nonce: string;
  readonly at: number;
}

export class ScramStep implements AuthStep {
  private readonly hashes: ReadonlyMap<string, StoredHash>;
  private readonly now: () => number;
  private readonly backOff: BackOff;
  private readonly nonce: () => string;
  private readonly decoys: Decoys;

  constructor({ hashes, now, nonce }: ScramOptions) {
    this.hashes = hashes;
    this.now = now;
    this.backOff = new BackOff(now);
    this.nonce = nonce ?? (() => randomBytes(NONCE_BYTES).toString('base64'));
    this.decoys = new Decoys(hashes.values());
  }

  authenticate(credentials: Credentials): Verdict {
    if (credentials.authMethod !== SCRAM_METHOD) return null;
    const text = Buffer.from(credentials.authData ?? []).toString('utf8');
    const begun = (credentials.exchange ?? null) as Begun | null;
    return begun === null ? this.begin(credentials, text) : this.finish(credentials, begun, text);
  }

  standing(username: string | null): string {
    const hash = username === null ? undefined : this.hashes.get(username);
    if (username === null || hash === undefined) return 'scram';
    return standingOf('scram', username, formatHash(hash));
  }

  private begin({ username, peer }: Credentials, text: string): AuthResult {
    const first = parseClientFirst(text);
    if (first === null) return NOT_AUTHORIZED;
    // The name in CONNECT, or of who is connected already, must be the one that is proved.
    if (username !== null && username !== first.username) return NOT_AUTHORIZED;
    if (this.backOff.blocks(peer, first.username)) return BANNED;
    const begun: Begun = { first: text, nonce: this.nonce(), at: this.now() };
    const { serverFirst } = new ScramExchange(first, this.hashOf(first.username), begun.nonce);
    return {
      reason: Reason.ContinueAuthentication,
      data: Buffer.from(serverFirst),
      exchange: begun,
    };
  }

  /** By the password that holds now: it may have changed since the beginning. */
  private finish({ peer }: Credentials, begun: Begun, text: string): AuthResult {
    const first = parseClientFirst(begun.first)!;
    const { username } = first;
    if (this.now() - begun.at >= EXCHANGE_MS) return NOT_AUTHORIZED;
    const exchange = new ScramExchange(first, this.hashOf(username), begun.nonce);
    const last = exchange.finish(text);
    if (last === null || this.hashes.get(username)?.kind !== 'scram') {
      this.backOff.noteFailure(peer, username);
      return NOT_AUTHORIZED;
    }
    return { ...ALLOWED, username, data: Buffer.from(last) };
  }

  private hashOf(username: string): ScramHash {
    const known = this.hashes.get(username);
    return known?.kind === 'scram' ? known : this.decoys.for(username);
  }
}

/** For names that are unknown: answers that look like those for known ones, the same each time,
 *  also after a restart. */
class Decoys {
  private readonly key: Uint8Array;
  private readonly rounds: number;
  private readonly saltBytes: number;

  constructor(hashes: Iterable<StoredHash>) {
    const known = [...hashes].filter((hash): hash is ScramHash => hash.kind === 'scram');
    this.key = sha256(Buffer.concat(known.map(({ storedKey }) => storedKey)));
    this.rounds = known[0]?.rounds ?? ROUNDS_DEFAULT;
    this.saltBytes = known[0]?.salt.length ?? 16;
  }

  for(username: string): ScramHash {
    const salt = hmac(this.key, username).subarray(0, this.saltBytes);
    const [storedKey, serverKey] = [randomBytes(32), randomBytes(32)];
    return { kind: 'scram', rounds: this.rounds, salt, storedKey, serverKey };
  }
}
