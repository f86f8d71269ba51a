// Tokens (JWT) in place of passwords, verified by jose: with a key from a file, or with keys that
// are fetched. The token says who the client is; the user name it offers does not count. What is
// no token is left to the next step, a token that is wrong is refused.

import { createPublicKey } from 'node:crypto';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import type { Credentials } from '../core/access.ts';
import { rulesFromOutside } from './rules/rule-spec.ts';
import { standingOf } from './standing.ts';
import {
  ALLOWED,
  type AuthStep,
  BUSY,
  NOT_AUTHORIZED,
  UNAVAILABLE,
  type Verdict,
  WRONG,
} from './step.ts';

export interface TokenKeys {
  readonly find: JWTVerifyGetKey;
  /** Whether they are fetched, which may fail through nobody's fault here. */
  readonly remote: boolean;
  /** What is believed when a token is: the keys, or where they come from. */
  readonly believed: string;
}

export interface JwtOptions {
  readonly algorithms: readonly string[];
  /** Empty: not asked for. */
  readonly issuer: string;
  readonly audience: string;
  readonly userClaim: string;
  readonly rulesClaim: string;
  /** Told why keys cannot be had. */
  readonly onTrouble: (why: string) => void;
}

/** Clocks that differ a little make no token wrong. */
const TOLERANCE_SECONDS = 5;
const KEYS_TIMEOUT_MS = 5_000;
/** Between two fetches for keys that are unknown. */
const KEYS_COOLDOWN_MS = 30_000;
const TOKEN_LENGTH_MAX = 16_384;
const VERIFYING_MAX = 256;
const SECRET_BYTES_MIN = 32;

export class JwtStep implements AuthStep {
  private readonly keys: TokenKeys;
  private readonly options: JwtOptions;
  private verifying = 0;

  constructor(keys: TokenKeys, options: JwtOptions) {
    this.keys = keys;
    this.options = options;
  }

  authenticate({ password, authMethod }: Credentials): Verdict | Promise<Verdict> {
    if (password === null || authMethod !== null || password.length > TOKEN_LENGTH_MAX) return null;
    const token = Buffer.from(password).toString('latin1');
    if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return null;
    if (this.verifying >= VERIFYING_MAX) return BUSY;
    this.verifying++;
    return this.verify(token).finally(() => this.verifying--);
  }

  standing(): string {
    const { issuer, audience, algorithms } = this.options;
    return standingOf('jwt', this.keys.believed, issuer, audience, ...algorithms);
  }

  private async verify(token: string): Promise<Verdict> {
    const { algorithms, issuer, audience } = this.options;
    try {
      const { payload } = await jwtVerify(token, this.keys.find, {
        algorithms: [...algorithms],
        clockTolerance: TOLERANCE_SECONDS,
        ...(issuer !== '' && { issuer }),
        ...(audience !== '' && { audience }),
      });
      return this.verdictOn(payload);
    } catch (error) {
      return this.refusal(error);
    }
  }

  private verdictOn(payload: JWTPayload): Verdict {
    const { userClaim, rulesClaim } = this.options;
    const username = payload[userClaim];
    if (typeof username !== 'string' || username === '') return NOT_AUTHORIZED;
    const rules = payload[rulesClaim];
    if (rules !== undefined && rulesFromOutside(rules, rulesClaim) === null) return NOT_AUTHORIZED;
    const expiresInMs = payload.exp === undefined ? undefined : payload.exp * 1_000 - Date.now();
    return {
      ...ALLOWED,
      username,
      ...(rules !== undefined && { grants: { rules } }),
      ...(expiresInMs !== undefined && { expiresInMs: Math.max(0, expiresInMs) }),
    };
  }

  /** The token's fault, or that of whoever should have brought the keys. */
  private refusal(error: unknown): Verdict {
    if (!this.keys.remote || isAboutToken(error)) return WRONG;
    this.options.onTrouble(error instanceof Error ? error.message : String(error));
    return UNAVAILABLE;
  }
}

function isAboutToken(error: unknown): boolean {
  if (!(error instanceof errors.JOSEError) || error instanceof errors.JWKSTimeout) return false;
  // What jose calls a general error is an answer that holds no keys.
  return error.code !== 'ERR_JOSE_GENERIC';
}

/** Keys that are fetched from `url` when they are needed, and kept for a while. */
export function remoteKeys(url: string): TokenKeys {
  const find = createRemoteJWKSet(new URL(url), {
    timeoutDuration: KEYS_TIMEOUT_MS,
    cooldownDuration: KEYS_COOLDOWN_MS,
  });
  return { find, remote: true, believed: url };
}

/** The key in a file: PEM, JSON or the bytes of a shared secret; throws with words about what is
 *  wrong. */
export function localKeys(bytes: Uint8Array): TokenKeys {
  const text = Buffer.from(bytes).toString('utf8').trim();
  return { find: keysIn(text), remote: false, believed: text };
}

function keysIn(text: string): JWTVerifyGetKey {
  if (text.startsWith('{')) return createLocalJWKSet(parseKeySet(text));
  if (text.startsWith('-----BEGIN')) {
    if (text.includes('PRIVATE KEY')) throw new Error('it is a private key, expected a public one');
    const key = createPublicKey(text); // of a certificate too
    return () => key;
  }
  // A file that was written by an editor or by echo ends in a line break, which was taken off.
  const secret = Buffer.from(text);
  if (secret.length < SECRET_BYTES_MIN) {
    throw new Error(`the secret has ${secret.length} bytes, expected at least ${SECRET_BYTES_MIN}`);
  }
  return () => secret;
}

function parseKeySet(text: string): JSONWebKeySet {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Error('it begins like JSON and is none');
  }
  const set = parsed as { keys?: unknown; kty?: unknown };
  if (Array.isArray(set.keys)) return parsed as JSONWebKeySet;
  if (typeof set.kty === 'string') return { keys: [parsed] } as JSONWebKeySet;
  throw new Error('it is JSON, but neither a JWK nor a set of them');
}
