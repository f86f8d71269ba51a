// Computes and compares hashes. What takes long runs off this thread: scrypt and PBKDF2 in the
// runtime's own pool, argon2id in a worker. Comparisons take the same time wherever they differ.

import {
  createHash,
  createHmac,
  pbkdf2,
  randomBytes,
  type ScryptOptions,
  scrypt,
  timingSafeEqual,
} from 'node:crypto';
import { argon2id } from './argon2.ts';
import {
  type Pbkdf2Hash,
  type ScramHash,
  type ScryptHash,
  type StoredHash,
  scryptBytes,
  type TokenHash,
} from './stored-hash.ts';

export type ScryptCosts = Pick<ScryptHash, 'logN' | 'blockSize' | 'parallel'>;

/** 144 bits: nobody guesses it, so one SHA-256 is enough to keep it by. */
const TOKEN_BYTES = 18;
const SALT_BYTES = 16;
const DIGEST_BYTES = 32;

/** Whether verifying is cheap enough to be done at once, on any thread. */
export function isCheap(hash: StoredHash): boolean {
  return hash.kind === 'token' || hash.kind === 'sha512';
}

/** For hashes that `isCheap` says yes to. */
export function verifyNow(hash: StoredHash, password: Uint8Array): boolean {
  if (hash.kind === 'token') return timingSafeEqual(sha256(password), hash.digest);
  if (hash.kind !== 'sha512') throw new Error(`${hash.kind} is not verified at once`);
  const digest = createHash('sha512').update(password).update(hash.salt).digest();
  return timingSafeEqual(digest, hash.digest);
}

export async function verify(hash: StoredHash, password: Uint8Array): Promise<boolean> {
  switch (hash.kind) {
    case 'token':
    case 'sha512':
      return verifyNow(hash, password);
    case 'pbkdf2': {
      const { salt, rounds, digest } = hash;
      return timingSafeEqual(await pbkdf2Of(password, salt, rounds, 64, 'sha512'), digest);
    }
    case 'scrypt':
      return timingSafeEqual(await scryptOf(password, hash, hash.digest.length), hash.digest);
    case 'argon2id':
      // The library cannot hash an empty password: it is given another one, and never right.
      return timingSafeEqual(await argon2id(password, hash), hash.digest) && password.length > 0;
    case 'scram': {
      const salted = await pbkdf2Of(prepared(password), hash.salt, hash.rounds, 32, 'sha256');
      return timingSafeEqual(sha256(hmac(salted, 'Client Key')), hash.storedKey);
    }
  }
}

export async function hashScrypt(password: Uint8Array, costs: ScryptCosts): Promise<ScryptHash> {
  const hash = { kind: 'scrypt', ...costs, salt: randomBytes(SALT_BYTES) } as const;
  return { ...hash, digest: await scryptOf(password, hash, DIGEST_BYTES) };
}

/** As mosquitto 1.6 to 2.1 writes and reads it: for a file that mosquitto shall read too. */
export async function hashPbkdf2(password: Uint8Array, rounds: number): Promise<Pbkdf2Hash> {
  const salt = randomBytes(12);
  return { kind: 'pbkdf2', rounds, salt, digest: await pbkdf2Of(password, salt, rounds, 64) };
}

/** RFC 5802, section 3. */
export async function hashScram(password: Uint8Array, rounds: number): Promise<ScramHash> {
  const salt = randomBytes(SALT_BYTES);
  const salted = await pbkdf2Of(prepared(password), salt, rounds, 32, 'sha256');
  const storedKey = sha256(hmac(salted, 'Client Key'));
  return { kind: 'scram', rounds, salt, storedKey, serverKey: hmac(salted, 'Server Key') };
}

export function makeToken(): { readonly token: string; readonly hash: TokenHash } {
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  return { token, hash: { kind: 'token', digest: sha256(Buffer.from(token)) } };
}

/** One like `hash` that no password is right for: verifying it takes as long. */
export function decoyOf(hash: StoredHash): StoredHash {
  if (hash.kind === 'scram') {
    return { ...hash, salt: randomBytes(hash.salt.length), storedKey: randomBytes(32) };
  }
  const digest = randomBytes(hash.digest.length);
  return hash.kind === 'token' ? { ...hash, digest } : { ...hash, digest, salt: randomBytes(16) };
}

/** As both sides of SCRAM take it: normalised, with plain spaces [RFC 4013]. */
function prepared(password: Uint8Array): Uint8Array {
  const text = Buffer.from(password).toString('utf8');
  const mapped = text.replaceAll(/[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g, ' ');
  const without = mapped.replaceAll(/\u00ad|\u200b|\u200c|\u200d|\u2060|\ufeff/g, '');
  return Buffer.from(without.normalize('NFKC'));
}

export function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

export function hmac(key: Uint8Array, text: string | Uint8Array): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function pbkdf2Of(
  password: Uint8Array,
  salt: Uint8Array,
  rounds: number,
  bytes: number,
  digest = 'sha512',
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    pbkdf2(password, salt, rounds, bytes, digest, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

function scryptOf(
  password: Uint8Array,
  hash: ScryptCosts & Pick<ScryptHash, 'salt'>,
  bytes: number,
): Promise<Buffer> {
  const options: ScryptOptions = {
    N: 2 ** hash.logN,
    r: hash.blockSize,
    p: hash.parallel,
    maxmem: 2 * scryptBytes(hash),
  };
  return new Promise((resolve, reject) => {
    scrypt(password, hash.salt, bytes, options, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}
