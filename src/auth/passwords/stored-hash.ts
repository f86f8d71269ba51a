// What stands for a password in a file, and its text: mosquitto's $6$ (SHA-512), $7$ (PBKDF2) and
// $argon2id$, our own $scrypt$ and $token$, and $scram-sha-256$ for clients that prove a password
// without sending it. Parsing and writing only; verify.ts computes.

/** How much memory and time a hash in a file may ask for: a typing error must not stop us. */
const MEMORY_KB_MAX = 1024 * 1024;
const ROUNDS_MAX = 10_000_000;
const DIGEST_BYTES_MAX = 128;

export interface TokenHash {
  readonly kind: 'token';
  /** SHA-256 of the token, whose own randomness needs neither salt nor rounds. */
  readonly digest: Uint8Array;
}

export interface Sha512Hash {
  readonly kind: 'sha512';
  readonly salt: Uint8Array;
  readonly digest: Uint8Array;
}

export interface Pbkdf2Hash {
  readonly kind: 'pbkdf2';
  readonly rounds: number;
  readonly salt: Uint8Array;
  readonly digest: Uint8Array;
}

export interface ScryptHash {
  readonly kind: 'scrypt';
  /** N is two to this power. */
  readonly logN: number;
  readonly blockSize: number;
  readonly parallel: number;
  readonly salt: Uint8Array;
  readonly digest: Uint8Array;
}

export interface Argon2Hash {
  readonly kind: 'argon2id';
  readonly memoryKb: number;
  readonly rounds: number;
  readonly parallel: number;
  readonly salt: Uint8Array;
  readonly digest: Uint8Array;
}

/** RFC 5803 has the same parts. */
export interface ScramHash {
  readonly kind: 'scram';
  readonly rounds: number;
  readonly salt: Uint8Array;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

export type StoredHash = TokenHash | Sha512Hash | Pbkdf2Hash | ScryptHash | Argon2Hash | ScramHash;

/** Standard base64, padded or not; null when `text` is none. */
function fromBase64(text: string | undefined): Uint8Array | null {
  if (text === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return null;
  const bytes = Buffer.from(text, 'base64');
  return bytes.length > 0 && bytes.length <= DIGEST_BYTES_MAX ? bytes : null;
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** PHC strings are not padded. */
function toPlainBase64(bytes: Uint8Array): string {
  return toBase64(bytes).replace(/=+$/, '');
}

/** "m=47104,t=1,p=1" → the numbers of `names`; null when they are not exactly these, in range. */
function parameters(text: string | undefined, names: readonly string[]): number[] | null {
  const entries = (text ?? '').split(',').map(entry => entry.split('='));
  if (entries.length !== names.length) return null;
  const values: number[] = [];
  for (const [i, name] of names.entries()) {
    const [given, digits] = entries[i];
    if (given !== name || !/^\d{1,9}$/.test(digits ?? '')) return null;
    const value = Number(digits);
    if (value < 1) return null;
    values.push(value);
  }
  return values;
}

function roundsOf(text: string | undefined): number | null {
  if (!/^\d{1,9}$/.test(text ?? '')) return null;
  const rounds = Number(text);
  return rounds >= 1 && rounds <= ROUNDS_MAX ? rounds : null;
}

type Parser = (fields: readonly string[]) => StoredHash | null;

const parsers: Readonly<Record<string, Parser>> = {
  '6': ([salt64, digest64, ...rest]) => {
    const [salt, digest] = [fromBase64(salt64), fromBase64(digest64)];
    if (salt === null || digest?.length !== 64 || rest.length > 0) return null;
    return { kind: 'sha512', salt, digest };
  },
  '7': ([count, salt64, digest64, ...rest]) => {
    const [rounds, salt, digest] = [roundsOf(count), fromBase64(salt64), fromBase64(digest64)];
    if (rounds === null || salt === null || digest?.length !== 64 || rest.length > 0) return null;
    return { kind: 'pbkdf2', rounds, salt, digest };
  },
  argon2id: ([version, costs, salt64, digest64, ...rest]) => {
    const [salt, digest] = [fromBase64(salt64), fromBase64(digest64)];
    const numbers = parameters(costs, ['m', 't', 'p']);
    if (version !== 'v=19' || numbers === null || salt === null || digest === null) return null;
    const [memoryKb, rounds, parallel] = numbers;
    const sane = memoryKb >= 8 * parallel && memoryKb <= MEMORY_KB_MAX && rounds <= 100;
    if (!sane || parallel > 64 || salt.length < 8 || digest.length < 4 || rest.length > 0) {
      return null;
    }
    return { kind: 'argon2id', memoryKb, rounds, parallel, salt, digest };
  },
  scrypt: ([costs, salt64, digest64, ...rest]) => {
    const [salt, digest] = [fromBase64(salt64), fromBase64(digest64)];
    const numbers = parameters(costs, ['ln', 'r', 'p']);
    if (numbers === null || salt === null || digest === null || rest.length > 0) return null;
    const [logN, blockSize, parallel] = numbers;
    if (logN > 24 || blockSize > 64 || parallel > 64 || digest.length < 16) return null;
    const hash = { kind: 'scrypt', logN, blockSize, parallel, salt, digest } as const;
    return scryptBytes(hash) <= MEMORY_KB_MAX * 1024 ? hash : null;
  },
  token: ([digest64, ...rest]) => {
    const digest = fromBase64(digest64);
    return digest?.length === 32 && rest.length === 0 ? { kind: 'token', digest } : null;
  },
  'scram-sha-256': ([costs, salt64, stored64, server64, ...rest]) => {
    const numbers = parameters(costs, ['i']);
    const [salt, storedKey, serverKey] = [salt64, stored64, server64].map(fromBase64);
    if (numbers === null || salt === null || rest.length > 0) return null;
    if (storedKey?.length !== 32 || serverKey?.length !== 32) return null;
    if (numbers[0] > ROUNDS_MAX) return null;
    return { kind: 'scram', rounds: numbers[0], salt, storedKey, serverKey };
  },
};

/** `text` as it stands behind a user name, or null when it is no hash we know. */
export function parseHash(text: string): StoredHash | null {
  const [before, scheme, ...fields] = text.split('$');
  if (before !== '' || scheme === undefined || !Object.hasOwn(parsers, scheme)) return null;
  return parsers[scheme](fields);
}

export function formatHash(hash: StoredHash): string {
  switch (hash.kind) {
    case 'token':
      return `$token$${toPlainBase64(hash.digest)}`;
    case 'sha512':
      return `$6$${toBase64(hash.salt)}$${toBase64(hash.digest)}`;
    case 'pbkdf2':
      return `$7$${hash.rounds}$${toBase64(hash.salt)}$${toBase64(hash.digest)}`;
    case 'scrypt': {
      const costs = `ln=${hash.logN},r=${hash.blockSize},p=${hash.parallel}`;
      return `$scrypt$${costs}$${toPlainBase64(hash.salt)}$${toPlainBase64(hash.digest)}`;
    }
    case 'argon2id': {
      const costs = `m=${hash.memoryKb},t=${hash.rounds},p=${hash.parallel}`;
      return `$argon2id$v=19$${costs}$${toPlainBase64(hash.salt)}$${toPlainBase64(hash.digest)}`;
    }
    case 'scram': {
      const keys = [hash.salt, hash.storedKey, hash.serverKey].map(toPlainBase64).join('$');
      return `$scram-sha-256$i=${hash.rounds}$${keys}`;
    }
  }
}

/** Memory that computing a scrypt hash takes. */
export function scryptBytes(costs: Pick<ScryptHash, 'logN' | 'blockSize' | 'parallel'>): number {
  return 128 * costs.blockSize * (2 ** costs.logN + costs.parallel);
}
