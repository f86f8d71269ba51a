// SCRAM-SHA-256 as MQTT 5 enhanced authentication, also while connected (re-authentication): the
// password never leaves the client, and the client learns that we know it. Exchanges that are not
// finished are few, and forgotten soon.

import { randomBytes } from 'node:crypto';
import type { AuthResult, Credentials } from '../../core/access.ts';
import { Reason } from '../../mqtt/reason.ts';
import { BoundedMap } from '../bounded-map.ts';
import { BackOff } from '../passwords/back-off.ts';
import { hmac, sha256 } from '../passwords/compute.ts';
import { formatHash, type ScramHash, type StoredHash } from '../passwords/stored-hash.ts';
import {
  ALLOWED,
  type AuthStep,
  BANNED,
  NOT_AUTHORIZED,
  standingOf,
  type Verdict,
} from '../step.ts';
import { parseClientFirst, ScramExchange } from './exchange.ts';

export const SCRAM_METHOD = 'SCRAM-SHA-256';

const EXCHANGES_MAX = 10_000;
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

export class ScramStep implements AuthStep {
  private readonly hashes: ReadonlyMap<string, StoredHash>;
  private readonly exchanges: BoundedMap<ScramExchange>;
  private readonly backOff: BackOff;
  private readonly nonce: () => string;
  private readonly decoys: Decoys;

  constructor({ hashes, now, nonce }: ScramOptions) {
    this.hashes = hashes;
    this.exchanges = new BoundedMap(EXCHANGES_MAX, now);
    this.backOff = new BackOff(now);
    this.nonce = nonce ?? (() => randomBytes(NONCE_BYTES).toString('base64'));
    this.decoys = new Decoys(hashes.values());
  }

  authenticate(credentials: Credentials): Verdict {
    if (credentials.authMethod !== SCRAM_METHOD) return null;
    const text = Buffer.from(credentials.authData ?? []).toString('utf8');
    const key = `${credentials.peer}\n${credentials.clientId}`;
    const exchange = this.exchanges.get(key);
    this.exchanges.delete(key);
    // A beginning cannot be taken for an end: that one starts with "c=".
    if (exchange === undefined || !text.startsWith('c=')) return this.begin(credentials, key, text);
    return this.finish(credentials, exchange, text);
  }

  standing(username: string | null): string {
    const hash = username === null ? undefined : this.hashes.get(username);
    if (username === null || hash === undefined) return 'scram';
    return standingOf('scram', username, formatHash(hash));
  }

  private begin({ username, peer }: Credentials, key: string, text: string): AuthResult {
    const first = parseClientFirst(text);
    if (first === null) return NOT_AUTHORIZED;
    // The name in CONNECT, or of who is connected already, must be the one that is proved.
    if (username !== null && username !== first.username) return NOT_AUTHORIZED;
    if (this.backOff.blocks(peer, first.username)) return BANNED;
    const known = this.hashes.get(first.username);
    const hash = known?.kind === 'scram' ? known : this.decoys.for(first.username);
    const exchange = new ScramExchange(first, hash, this.nonce());
    this.exchanges.set(key, exchange, EXCHANGE_MS);
    return { reason: Reason.ContinueAuthentication, data: Buffer.from(exchange.serverFirst) };
  }

  private finish({ peer }: Credentials, exchange: ScramExchange, text: string): AuthResult {
    const { username } = exchange;
    const last = exchange.finish(text);
    if (last === null || this.hashes.get(username)?.kind !== 'scram') {
      this.backOff.noteFailure(peer, username);
      return NOT_AUTHORIZED;
    }
    return { ...ALLOWED, username, data: Buffer.from(last) };
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
